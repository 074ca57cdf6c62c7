"""What a run could not write although it is stored."""

from __future__ import annotations

from umwelten.phrases import Phrase, Spelling
from umwelten.text import formatting

_EXAMPLES = 100
"""Names that are kept to show one: the first may still be written later."""


class MissingTexts:
    """The text files that a run could not write, of answers that are stored."""

    def __init__(self) -> None:
        # Hashes, as a full disk may leave a text for every answer; two that share one are counted once.
        self._missing: set[int] = set()
        self._examples: dict[str, str] = {}

    @property
    def count(self) -> int:
        """How many are missing."""
        return len(self._missing)

    @property
    def example(self) -> str:
        """The name of one, and why it is missing."""
        return next((f"{name}: {reason}" for name, reason in self._examples.items()), "")

    def add(self, output: str, error: OSError) -> None:
        """Take note of one."""
        self._missing.add(hash(output))
        if len(self._examples) < _EXAMPLES:
            self._examples.setdefault(output, error.strerror or str(error))

    def remove(self, output: str) -> None:
        """It could be written after all."""
        self._missing.discard(hash(output))
        self._examples.pop(output, None)

    def describe(self, spelling: Spelling) -> str:
        """What happened and what to do, in a line."""
        what = Phrase("with room for them and the right to write there, {option:resume} writes them")
        such = "" if self.count == 1 else "such as "
        return (
            f"{formatting.count(self.count, 'text file')} could not be written, {such}{self.example}; "
            f"the answers are stored, and {what.spell(spelling)}"
        )
