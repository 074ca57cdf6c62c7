"""The files, models, prompts and repeats of an evaluation by what people call them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import islice

from umwelten.errors import UsageError
from umwelten.report.queries.variants import Variant, variants

_SOME = 3
"""Names that an error gives."""
_LOOKED_AT = 1000
"""Names that hold a part and are looked at for the one that is meant."""


class KnownNames:
    """The files, models and prompts by name."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._variants = variants(connection)
        self.files = _Files(connection)

    def sort(self, words: Sequence[str]) -> tuple[int | None, dict[int, Variant], int | None]:
        """Return the (input, models × prompts, repeat) of the words; all of what no word names."""
        left = list(words)
        file = self.files.pop(left)
        # A number that is not the last word is no repeat, which comes last.
        if file is None and left and (not self._is_whole(left[0]) or (is_number(left[0]) and left[1:])):
            file = self.files.pop_part(left)
        columns = _named(self._variants, left, "model")
        if left and len(columns) == len(self._variants) and not self._is_whole(left[0]):
            columns = self._named_by_part(left)
        columns = _named(columns, left, "prompt")
        repeat = int(left.pop(0)) if left and is_number(left[0]) and len(words) > 1 else None
        if left:
            raise UsageError(f"{left[0]!r} is no {self._what()} here", self._hint(left[0]))
        return file, columns, repeat

    def _is_whole(self, word: str) -> bool:
        """Whether it is all of a model's or prompt's name, or a number: then no part of another name."""
        return is_number(word) or any(word in (v.model, v.prompt) for v in self._variants.values())

    def _named_by_part(self, left: list[str]) -> dict[int, Variant]:
        """The models of the one name that the first word is a part of, which is taken off; else all."""
        name = _only([name for name in self._names("model") if left[0] in name], left[0])
        if name is None:
            return self._variants
        left[0] = name
        return _named(self._variants, left, "model")

    def _what(self) -> str:
        return "file, model, prompt or repeat" if self._names("prompt") else "file, model or repeat"

    def _names(self, what: str) -> list[str]:
        return [name for name in dict.fromkeys(getattr(v, what) for v in self._variants.values()) if name]

    def _hint(self, word: str) -> str:
        parts = self.files.like(word) if word else []
        if len(parts) > 1:
            several = ", ".join(parts[:_SOME]) + (", …" if len(parts) > _SOME else "")
            return f"It is a part of several names: {several}."
        models = [name for name in self._names("model") if word and word in name]
        if len(models) > 1:
            several = ", ".join(models[:_SOME]) + (", …" if len(models) > _SOME else "")
            return f"It is a part of several models' names: {several}."
        prompts = self._names("prompt")
        files = self.files.like("")
        also = f" Prompts: {', '.join(prompts)}." if prompts else ""
        some = ", ".join(files[:_SOME]) + (", …" if len(files) > _SOME else "")
        before = f"Files: {some}. " if files else ""
        return f"{before}Models: {', '.join(self._names('model'))}.{also} `eval show ID` lists the calls."


def _only(names: Sequence[str], part: str) -> str | None:
    """The one name of those that hold the part, or the one whose last piece it is but for an ending."""
    if len(names) == 1:
        return names[0]
    ends = [name for name in names if part in (name.rpartition("/")[2], _stem(name), name.partition(":")[2])]
    return ends[0] if len(ends) == 1 else None


def _stem(name: str) -> str:
    return name.rpartition("/")[2].rpartition(".")[0]


def _named(columns: dict[int, Variant], words: list[str], what: str) -> dict[int, Variant]:
    """Those whose `what` the first word is, which is taken off; all of them if it names none."""
    named = {n: variant for n, variant in columns.items() if words and getattr(variant, what) == words[0]}
    if named:
        words.pop(0)
    return named or columns


class _Files:
    """The inputs' names, asked one by one: there may be a million."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __contains__(self, name: str) -> bool:
        return self.number(name) is not None

    def number(self, name: str) -> int | None:
        row = self._connection.execute(
            "SELECT id FROM inputs WHERE name = ? AND active AND id > 0", (name,)
        ).fetchone()
        return None if row is None else int(row[0])

    def like(self, part: str) -> list[str]:
        """Return the first names that hold this."""
        rows = self._connection.execute(
            "SELECT name FROM inputs WHERE active AND id > 0 AND instr(name, ?) ORDER BY id LIMIT ?",
            (part, _SOME + 1),
        )
        return [str(name) for (name,) in rows]

    def pop_part(self, words: list[str]) -> int | None:
        """As `pop`, by a part of a name that only one has, or that is one's whole name but for its ending."""
        rows = self._connection.execute(
            "SELECT name FROM inputs WHERE active AND id > 0 AND instr(name, ?) ORDER BY id", (words[0],)
        )
        name = _only([str(name) for (name,) in islice(rows, _LOOKED_AT)], words[0])
        if name is None:
            return None
        words.pop(0)
        return self.number(name)

    def pop(self, words: list[str]) -> int | None:
        """Take off the first word if it names a file, and return its number; `None` if it names none."""
        number = self.number(words[0]) if words else None
        if number is not None:
            words.pop(0)
        return number


def is_number(word: str) -> bool:
    """Return whether a word is a whole number that SQLite can hold: below 10^18."""
    return word.isascii() and word.isdigit() and len(word) <= 18
