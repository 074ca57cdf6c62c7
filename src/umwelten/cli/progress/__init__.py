"""How a run is watched from a terminal, a log or a program: one file a style.

A progress is an observer of events that comes *after* the run's `Tally`, from which it takes its
figures; it never folds events itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TextIO

from umwelten.events import Event, LaneView
from umwelten.tally import Tally

STYLES = ("auto", "rich", "plain", "json", "none")


class Progress(Protocol):
    """Shows the progress of a run."""

    def __call__(self, event: Event) -> None:
        """Take an event; called in any thread."""

    def start(self, view: Callable[[], Sequence[LaneView]]) -> None:
        """Begin to show. `view` gives the lanes as they are; it is polled from another thread."""

    def hold(self, after_s: float = 0.0) -> AbstractContextManager[None]:
        """While entered and for so long after it, nothing is drawn: for text that goes to the same terminal
        piece by piece, or through another program.
        """

    def close(self) -> None:
        """Show the last state and stop; may be called again."""


def settle(style: str, stderr: TextIO) -> str:
    """What `auto` means here. `rich` needs a terminal that can move its cursor, else it is `plain`."""
    if style not in ("auto", "rich"):
        return style
    return (
        "rich"
        if stderr.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")
        else "plain"
    )


def make(style: str, *, stderr: TextIO, tally: Tally, verbose: bool = False, debug: bool = False) -> Progress:
    """The progress of a style in `STYLES`. `tally` must observe each event before the progress does."""
    # Imported when used: rich takes a quarter of the time in which --help must answer.
    style = settle(style, stderr)
    if style == "json":
        from umwelten.cli.progress.json import JsonProgress

        return JsonProgress(stderr)
    if style == "none":
        from umwelten.cli.progress.none import NoProgress

        return NoProgress(stderr, tally)
    if style == "plain":
        from umwelten.cli.progress.plain import PlainProgress

        return PlainProgress(stderr, tally, verbose=verbose or debug, debug=debug)
    if style == "rich":
        from umwelten.cli.progress.rich import RichProgress

        return RichProgress(stderr, tally, verbose=verbose or debug, debug=debug)
    raise ValueError(f"unknown progress style {style!r}; there are {', '.join(STYLES)}")
