"""Progress for logs and pipes: a line every 10 s and one at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from umwelten.cli.progress.verbose import describe
from umwelten.events import Event
from umwelten.report.progress.board import Board, LaneRow, View, Watch
from umwelten.tally import Tally
from umwelten.text import formatting
from umwelten.text.sanitize import one_line


class PlainProgress:
    """Whole lines without colours or cursor movement."""

    def __init__(
        self,
        stderr: TextIO,
        tally: Tally,
        *,
        verbose: bool = False,
        debug: bool = False,
        interval_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stderr, self._tally = stderr, tally
        self._verbose, self._debug = verbose, debug
        self._interval_s, self._watch = interval_s, Watch(tally, clock)
        self._lock, self._ended, self._held = threading.Lock(), threading.Event(), 0
        self._ticker: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        line = describe(event, self._tally, verbose=self._verbose, debug=self._debug)
        if line is not None:
            self._print(line.text)

    def start(self, view: View) -> None:
        """Begin to print. `view` is polled from another thread."""
        self._watch.start(view)
        self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
        self._ticker.start()

    @contextmanager
    def hold(self, after_s: float = 0.0) -> Iterator[None]:
        """Print no line of the clock's meanwhile."""
        # A count and not the lock: a run that is broken off may close the progress while it is held.
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    def close(self) -> None:
        """Print the last line; once."""
        if self._ticker is None:
            return
        self._ended.set()
        self._ticker.join()
        self._ticker = None
        board = self._watch.look()
        if not board.starts:  # else no call was made: an error says why
            self._print(line_of(board, ended=True))

    def _tick(self) -> None:
        while not self._ended.wait(self._interval_s):
            self._print(line_of(self._watch.look()), unless_held=True)

    def _print(self, text: str, *, unless_held: bool = False) -> None:
        with self._lock:
            if unless_held and self._held:
                return
            self._stderr.write(text + "\n")
            self._stderr.flush()


def line_of(board: Board, *, ended: bool = False) -> str:
    """The state of the run on one line."""
    if board.starts and not ended:
        return board.workers
    parts = [f"{board.done:,}/{board.total:,} calls" + ("" if board.complete else " so far")]
    parts += [f"{board.failed:,} failed"] if board.failed else []
    parts += [] if ended else [f"{board.in_flight} in flight"]
    over = sum(model.ended for model in board.models)
    parts += [board.workers] if board.workers and not ended else []
    parts += [f"{over} of {len(board.models)} models done"] if over and not ended else []
    parts.append(
        f"{formatting.short(board.calls_per_s)} calls/s, {formatting.short(board.tokens_per_s)} tokens/s"
    )
    parts.append(f"cost {board.cost if ended else board.money}")
    if ended:
        parts.append(f"took {formatting.seconds(board.elapsed_s)}")
        return ", ".join(parts)
    parts.append(f"{board.left} left" if board.left else "time left unknown")
    return "; ".join([", ".join(parts), *(_lane(lane) for lane in board.lanes if lane.state)])


def _lane(lane: LaneRow) -> str:
    return f"{one_line(lane.name, 40)} {one_line(lane.state, 160)}"
