"""Progress on a terminal: an overall bar and a row per lane, drawn four times a second at most.

Drawing happens in rich's own thread from what the tally and the lanes say then; an event costs
nothing unless it has a line to print, which goes above the bar.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from umwelten.cli.progress.board import Board, LaneRow, View, Watch
from umwelten.cli.progress.verbose import describe
from umwelten.events import Event, Tally
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_PER_SECOND = 4
_MOST_LANES = 12


class RichProgress:
    """The bar. It vanishes at the end, to leave its place to the summary."""

    def __init__(
        self,
        stderr: TextIO,
        tally: Tally,
        *,
        verbose: bool = False,
        debug: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = Console(file=stderr, highlight=False, markup=False, emoji=False)
        self._redirect = stderr is sys.stderr
        self._tally, self._watch = tally, Watch(tally, clock)
        self._verbose, self._debug = verbose, debug
        self._live: Live | None = None
        self._lock, self._held, self._started = threading.RLock(), 0, False
        self._quiet: Callable[[], None] = lambda: None

    def __call__(self, event: Event) -> None:
        line = describe(event, self._tally, verbose=self._verbose, debug=self._debug)
        if line is not None:
            self._console.print(Text(line.text, style=line.style), soft_wrap=True)

    def start(self, view: View) -> None:
        """Begin to draw. `view` is polled from another thread."""
        self._watch.start(view)
        self._started = True
        self._quiet = _without_echo_of_keys()
        self._show()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """The terminal belongs to somebody else meanwhile: the bar is away."""
        with self._lock:
            self._held += 1
            self._hide()
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
                self._show()

    def close(self) -> None:
        """Take the bar away and give the cursor back; may be called again."""
        with self._lock:
            self._started = False
            self._hide()
            self._quiet()

    def _show(self) -> None:
        if self._live is not None or self._held or not self._started:
            return
        # A new one each time: rich would start a used one by erasing what stands above it.
        self._live = Live(
            get_renderable=self._draw,
            console=self._console,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,  # stdout may be a pipe, and is for results
            redirect_stderr=self._redirect,
        )
        self._live.start()

    def _hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self) -> RenderableType:
        return draw(self._watch.look(), self._console.width)


def _without_echo_of_keys() -> Callable[[], None]:
    """Keep the terminal from showing `^C`, which would leave half a bar behind; returns what undoes it."""
    try:
        import termios

        before = termios.tcgetattr(sys.stdin)
        now = [*before]
        now[3] &= ~termios.ECHOCTL
        termios.tcsetattr(sys.stdin, termios.TCSANOW, now)
    except (ImportError, OSError, ValueError, termios.error):
        return lambda: None

    def undo() -> None:
        with suppress(OSError, termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSANOW, before)

    return undo


def draw(board: Board, width: int) -> RenderableType:
    """The board as rich shows it on so many columns."""
    return Group(_overall(board), *([_lanes(board, width)] if board.lanes else []))


def _overall(board: Board) -> Table:
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(ratio=1)
    for _ in range(4):
        grid.add_column(no_wrap=True)
    share = f"{board.done / board.total if board.total else 0.0:.0%}" if board.complete else "so far"
    left = "–" if board.left_s is None else formatting.minutes(board.left_s)
    failed = Text(f"{board.failed:,} failed", style="red" if board.failed else "dim")
    grid.add_row(
        ProgressBar(total=max(board.total, 1), completed=board.done),
        Text(f"{board.done:,}/{board.total:,} {share}", style="bold"),
        failed,
        Text(f"{formatting.short(board.calls_per_s)} calls/s {board.money}"),
        Text(f"ETA {left}", style="cyan"),
    )
    return grid


def _lanes(board: Board, width: int) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, expand=True, header_style="dim")
    table.add_column("lane", no_wrap=True, overflow="ellipsis", max_width=max(16, width // 4))
    for head in ("in flight", "calls/s", "tok/s", "failed", "cost"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    for lane in board.lanes[:_MOST_LANES]:
        table.add_row(*_lane(lane))
    hidden = len(board.lanes) - _MOST_LANES
    if hidden > 0:
        table.add_row(Text(f"… and {formatting.count(hidden, 'lane')} more", style="dim"))
    return table


def _lane(lane: LaneRow) -> tuple[Text, ...]:
    quiet = "dim" if lane.stopped else ""
    return (
        Text(one_line(lane.name, 60), style=quiet or "bold"),
        Text(f"{lane.in_flight}/{lane.limit}", style=quiet),
        Text(formatting.short(lane.calls_per_s), style=quiet),
        Text(formatting.short(lane.tokens_per_s), style=quiet),
        Text(f"{lane.failed:,}", style="red" if lane.failed else "dim"),
        Text(lane.cost, style=quiet),
        Text(one_line(lane.state, 120), style="red" if lane.stopped else "yellow"),
    )
