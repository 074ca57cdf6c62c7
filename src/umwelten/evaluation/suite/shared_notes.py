"""Notes on the tasks of a suite, which share most of them: each is told once."""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.config.settings import Settings
from umwelten.phrases import Spelling, Wording, spell


class SharedNotes:
    """Knows which notes were told, as texts in which no key is left."""

    def __init__(self, settings: Settings, spelling: Spelling) -> None:
        self._settings, self._spelling = settings, spelling
        self._told: set[str] = set()

    def new(self, notes: Sequence[Wording]) -> list[str]:
        """Return those that were not returned before."""
        texts = [self._settings.conceal(spell(note, self._spelling)) for note in notes]
        found = [text for text in dict.fromkeys(texts) if text not in self._told]
        self._told.update(found)
        return found
