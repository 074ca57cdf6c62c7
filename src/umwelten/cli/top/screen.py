"""Showing the screen, with Textual where it is installed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from umwelten.cli.interrupts import interrupts
from umwelten.cli.top.extra import has_textual
from umwelten.cli.top.watched import RunWatcher
from umwelten.errors import UsageError
from umwelten.live.client import Run


def check_terminal(what: str = "umwelten top") -> None:
    """Raise `UsageError` where there is no terminal to draw on."""
    streams = {"standard input": sys.stdin, "standard output": sys.stdout}
    missing = [name for name, stream in streams.items() if stream is None or not stream.isatty()]
    if os.environ.get("TERM") == "dumb":
        missing = ["this (TERM=dumb)"]
    if missing:
        raise UsageError(
            f"{what} needs a terminal, which {' and '.join(missing)} {'are' if missing[1:] else 'is'} not",
            "`umwelten ctl ID --watch` prints how a run goes on, with --json for programs.",
        )


def show(run: Run | None, *, plain: bool = False) -> None:
    """Show a run, or all, until the screen is left."""
    watcher = RunWatcher(run)
    watcher.start()
    try:
        with _ended_by_signals(), suppress(KeyboardInterrupt, EOFError):
            if plain or not has_textual():
                from umwelten.cli.top.plain_screen import INSTALL, PlainScreen

                PlainScreen(watcher, "" if plain else INSTALL).show()
            else:
                from umwelten.cli.top.full.app import TopApp

                TopApp(watcher).run()
    finally:
        watcher.stop()
        interrupts().listen()


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Have the signals that end a process leave the screen, so that the terminal is as it was."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
