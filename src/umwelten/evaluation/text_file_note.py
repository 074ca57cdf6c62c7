"""A note for runs of very many calls: a text file for each answer costs more than all else that is stored."""

from __future__ import annotations

from umwelten.config.layers import DEFAULT
from umwelten.config.settings import Settings
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.events import Note, NoteLevel, Observer
from umwelten.phrases import Phrase, Spelling

MANY = 100_000
"""Calls from which on the note is worth its line: some seconds of CPU, and as many files in one folder."""


def text_file_note(spec: EvaluationSpec, settings: Settings, calls: int) -> Phrase | None:
    """Return what a user may save, `None` where it is little, or where text files were asked for."""
    if not spec.text_files or calls <= MANY or settings.values["texts"].source != DEFAULT:
        return None
    # Four times: 56 against 13.5 µs of CPU in `benchmarks.storing`; more where files were deleted before.
    return Phrase(
        "a text file is written for each of {calls} answers, and storing an answer takes four times the CPU "
        "with it; {option:texts=off} writes none (`umwelten eval export` can write them later)",
        calls=f"{calls:,}",
    )


class TextFileNote:
    """Tells an observer of it once, as soon as a run is known to have so many calls."""

    def __init__(self, spec: EvaluationSpec, settings: Settings, spelling: Spelling, tell: Observer) -> None:
        self._spec, self._settings, self._spelling, self._tell = spec, settings, spelling, tell
        self._is_told = False

    def __call__(self, calls: int) -> None:
        """`calls`: how many are pending, as far as is known."""
        note = None if self._is_told else text_file_note(self._spec, self._settings, calls)
        if note is not None:
            self._is_told = True
            self._tell(Note(text=note.spell(self._spelling), level=NoteLevel.INFO))
