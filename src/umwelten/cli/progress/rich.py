"""Progress on a terminal: an overall bar and a row per model, drawn four times a second at most.

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

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from umwelten.cli.progress.drawing import draw
from umwelten.cli.progress.verbose import describe
from umwelten.events import Event
from umwelten.report.progress.board import View, Watch
from umwelten.tally import Tally

_PER_SECOND = 4


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
        self._later: threading.Timer | None = None
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
    def hold(self, after_s: float = 0.0) -> Iterator[None]:
        """The terminal belongs to somebody else meanwhile: the bar is away."""
        with self._lock:
            self._held += 1
            self._hide()
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1
                if after_s:
                    self._show_later(after_s)
                else:
                    self._show()

    def close(self) -> None:
        """Take the bar away and give the cursor back; may be called again."""
        with self._lock:
            self._started = False
            if self._later is not None:
                self._later.cancel()
            self._hide()
            self._quiet()

    def _show_later(self, after_s: float) -> None:
        """Show the bar once nothing has held it for so long."""
        if self._later is not None:
            self._later.cancel()
        self._later = threading.Timer(after_s, self._show_now)
        self._later.daemon = True
        self._later.start()

    def _show_now(self) -> None:
        with self._lock:
            self._show()

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
        return draw(self._watch.look(), self._console.width, self._console.height)


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
