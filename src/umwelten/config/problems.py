"""What is wrong with the settings' files, kept so that reading goes on and all of it is told at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from umwelten.errors import ConfigError

_LINE = re.compile(r", line (\d+)")


class Problems:
    """Errors of the settings, as they are found."""

    def __init__(self) -> None:
        self._found: list[ConfigError] = []
        self._left_out: set[str] = set()

    def __len__(self) -> int:
        return len(self._found)

    def add(self, error: ConfigError) -> None:
        """Keep an error."""
        self._found.append(error)

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep a `ConfigError` of the block; what is left of the block does not run."""
        try:
            yield
        except ConfigError as error:
            self._found.append(error)

    def leave_out(self, name: str) -> None:
        """Note that a row of this name is left out."""
        self._left_out.add(name)

    def explain(self, text: str) -> bool:
        """Return whether the text of an error names what was left out, and so says nothing new."""
        return any(re.search(rf"'{name}'|[@>] ?{name}\b", text) for name in map(re.escape, self._left_out))

    def texts(self) -> list[str]:
        """Return the errors, each with its hint."""
        return [str(error) for error in self._found]

    def check(self, files: Sequence[str]) -> None:
        """Raise what was found: the one error itself, or all in the order of the files and their lines."""
        texts = in_order(self.texts(), files)
        if len(texts) == 1:
            raise self._found[0]
        if texts:
            raise ConfigError(f"the settings have {len(texts)} errors", "\n".join(texts))


def in_order(texts: Sequence[str], files: Sequence[str]) -> list[str]:
    """Return texts of errors in the order of the files and their lines, without repeats.

    Those that name no line of a file come last, as they were found.
    """

    def place(text: str) -> tuple[int, float]:
        for at, file in enumerate(files):
            if text.startswith(file):
                line = _LINE.match(text, len(file))
                return at, float(line[1]) if line else float("inf")
        return len(files), float("inf")

    return sorted(dict.fromkeys(texts), key=place)
