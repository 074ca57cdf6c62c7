"""The progress of a job in a script or a notebook: one line, in place where that is possible."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, Protocol, TextIO

from umwelten.api.notebooks import notebook_display
from umwelten.errors import UsageError
from umwelten.events import (
    AttemptFailed,
    CallFailed,
    CallSucceeded,
    Event,
    LaneWaiting,
    RunFinished,
    RunStarted,
)
from umwelten.report import stats
from umwelten.tally import Tally
from umwelten.text import formatting
from umwelten.text.html_table import html_bar
from umwelten.text.sanitize import one_line

ProgressChoice = bool | Literal["auto", "plain", "none"]

_OFTEN_S, _SELDOM_S = 0.5, 10.0
"""Seconds between two states: of a line that is replaced, and of lines that follow each other."""

_COLUMNS = 80
"""Of a terminal that does not say how wide it is."""


class Screen(Protocol):
    """Where the line is shown."""

    every_s: float

    def show(self, line: str, tally: Tally, *, last: bool) -> None:
        """Show the present state."""


class PlainScreen:
    """Whole lines, for files and pipes."""

    every_s = _SELDOM_S

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def show(self, line: str, tally: Tally, *, last: bool) -> None:
        """Write a line."""
        self._file.write(line + "\n")
        self._file.flush()


class TerminalScreen:
    """A line that is written over."""

    every_s = _OFTEN_S

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def show(self, line: str, tally: Tally, *, last: bool) -> None:
        """Write over the line."""
        room = self._columns() - 1  # a line that wraps could not be written over, nor one that fills its row
        cut = line if len(line) <= room else line[: room - 1] + "…"
        self._file.write(f"\r\x1b[K{line if last else cut}" + ("\n" if last else ""))
        self._file.flush()

    def _columns(self) -> int:
        with suppress(OSError, ValueError):
            return os.get_terminal_size(self._file.fileno()).columns or _COLUMNS
        return _COLUMNS


class NotebookScreen:
    """A bar in the cell that began the job. `display` is IPython's function."""

    every_s = _OFTEN_S

    def __init__(self, display: Callable[..., Any]) -> None:
        # Displayed here, in the thread of the cell: later changes find it by its id.
        self._handle = display(self._bundle("starting", None), raw=True, display_id=True)

    def show(self, line: str, tally: Tally, *, last: bool) -> None:
        """Replace the bar."""
        if self._handle is not None:
            self._handle.update(self._bundle(line, tally), raw=True)

    @staticmethod
    def _bundle(line: str, tally: Tally | None) -> dict[str, str]:
        done, total = (0, 1) if tally is None else (tally.done_before + tally.done, tally.total)
        return {"text/plain": line, "text/html": html_bar(done, total, line)}


class JobProgress:
    """Folds a job's events, and shows them now and then. `open` it before the job's thread starts."""

    def __init__(
        self, choose: Callable[[], Screen | None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._choose, self._clock = choose, clock
        self._screen: Screen | None = None
        self._tally = Tally()
        self._began_at = 0.0
        self._waits: dict[str, str] = {}
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._ticker: threading.Thread | None = None

    def open(self) -> None:
        """Find out where to show it. In the thread of whoever waits for the job."""
        self._screen = self._choose()

    def __call__(self, event: Event) -> None:
        """Take an event; in the job's thread."""
        if self._screen is None:
            return
        if isinstance(event, RunStarted):  # a job may have several runs: judges, learning
            self._tally, self._began_at, self._waits = Tally(), self._clock(), {}
            self._start()
        self._tally(event)
        match event:
            case LaneWaiting():
                self._waits[event.lane] = f"{event.lane} waits for {event.waited_s:.0f} s: {event.reason}"
            case CallSucceeded() | CallFailed() | AttemptFailed():
                self._waits.pop(event.lane, None)
            case RunFinished():
                self.close()

    def close(self) -> None:
        """Show the last state, if a run was begun; again: nothing."""
        if self._ticker is None:
            if isinstance(self._screen, NotebookScreen) and self._tally.started is None:
                self._screen.show("not started", Tally(), last=True)
            return
        self._ended.set()
        self._ticker.join()
        self._ticker = None
        self._show(last=True)

    def line(self) -> str:
        """Return the state in a line."""
        tally, passed = self._tally, max(self._clock() - self._began_at, 1e-9)
        done, total = tally.done_before + tally.done, tally.total
        name = "" if tally.started is None else f"{one_line(tally.started.id, 40)}: "
        parts = [f"{name}{done:,} of {total:,} calls" + ("" if tally.complete else " so far")]
        parts += [f"{tally.failed:,} failed"] if tally.failed else []
        known = stats.usd(stats.total_cost(tally.cost_nusd, tally.priced, tally.unpriced))
        parts.append(formatting.cost(known, tally.unpriced))
        if tally.finished is not None:
            parts.append(f"{tally.finished.status} in {formatting.seconds(passed)}")
            return ", ".join(parts)
        rate = tally.done / passed
        parts.append(f"{formatting.short(rate)} calls/s")
        if tally.complete and tally.done and total > done:
            parts.append(f"about {formatting.minutes((total - done) / rate)} left")
        return "; ".join([", ".join(parts), *(one_line(wait, 80) for wait in [*self._waits.values()][:2])])

    def _start(self) -> None:
        self._ended.clear()
        self._ticker = threading.Thread(target=self._tick, name="umwelten-progress", daemon=True)
        self._ticker.start()

    def _tick(self) -> None:
        assert self._screen is not None
        while not self._ended.wait(self._screen.every_s):
            self._show()

    def _show(self, *, last: bool = False) -> None:
        with self._lock:
            if self._screen is None:
                return
            try:
                self._screen.show(self.line(), self._tally, last=last)
            except Exception:  # noqa: BLE001 - a closed stream or kernel must not cost answers
                self._screen = None


def job_progress(choice: ProgressChoice | None) -> JobProgress | None:
    """Return the progress that the argument asks for, `None` for none. Raises `UsageError`."""
    if choice is False or choice == "none":
        return None
    if choice is None:
        display = notebook_display()
        return None if display is None else JobProgress(lambda: NotebookScreen(display))
    if choice is True or choice == "auto":
        return JobProgress(_screen)
    if choice == "plain":
        return JobProgress(lambda: PlainScreen(sys.stderr))
    raise UsageError(
        f"progress cannot be {choice!r}", "It is True, False, 'auto', 'plain' or 'none'.", argument="progress"
    )


def _screen() -> Screen | None:
    display = notebook_display()
    if display is not None:
        return NotebookScreen(display)
    if sys.stderr is None:
        return None
    return TerminalScreen(sys.stderr) if sys.stderr.isatty() else PlainScreen(sys.stderr)
