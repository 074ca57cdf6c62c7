"""No progress: warnings alone."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

from umwelten.cli.progress.verbose import describe
from umwelten.events import Event, Note, NoteLevel
from umwelten.report.progress.board import View
from umwelten.tally import Tally


class NoProgress:
    """Shows warnings, nothing else."""

    def __init__(self, stderr: TextIO, tally: Tally) -> None:
        self._stderr, self._tally = stderr, tally

    def __call__(self, event: Event) -> None:
        if isinstance(event, Note) and event.level == NoteLevel.WARNING:
            line = describe(event, self._tally)
            if line is not None:
                print(line.text, file=self._stderr, flush=True)

    def start(self, view: View) -> None:
        """Nothing to do."""

    def hold(self, after_s: float = 0.0) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        """Nothing to do."""
