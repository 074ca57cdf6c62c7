"""On which line of an `umwelten.toml` a table or a key stands, for messages about it.

The parser of the standard library keeps no positions, so the lines are looked at once more, and only when
something is wrong. A line of a text over several lines may be taken for a key; no line is named then, or
one close by.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from umwelten.types import FrozenStruct

_HEADER = re.compile(r"\s*(\[\[?[^\[\]]+\]\]?)\s*(?:#.*)?")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class TomlPosition(FrozenStruct):
    """A table of a file. As text: file, line and table; `at` a key of it: the key's line."""

    path: Path
    text: str
    table: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}{_line(self.text, self.table)}{self._table_name()}"

    def at(self, *key: str) -> str:
        """Where a key of the table stands, without its name."""
        return f"{self.path}{_line(self.text, (*self.table, *key))}{self._table_name()}"

    def line(self, *key: str) -> int | None:
        """The line of a key of the table, `None` where it is not known."""
        return _line_number(self.text, (*self.table, *key))

    def key_with(self, text: str) -> tuple[str, ...] | None:
        """The first key in the table whose line holds a text, `None` if none does."""
        lines = self.text.splitlines()
        for number, names in _keys(self.text):
            inside = len(names) > len(self.table) and names[: len(self.table)] == self.table
            if inside and text in lines[number - 1]:
                return names[len(self.table) :]
        return None

    def below(self, *names: str) -> TomlPosition:
        """A table in this table."""
        return TomlPosition(path=self.path, text=self.text, table=(*self.table, *names))

    def _table_name(self) -> str:
        return f", [{'.'.join(map(_quote_key, self.table))}]" if self.table else ""


def _quote_key(name: str) -> str:
    return name if _BARE.fullmatch(name) else f'"{name}"'


def _line(text: str, names: tuple[str, ...]) -> str:
    """`, line 7`, or nothing if the line is unknown."""
    number = _line_number(text, names)
    return "" if number is None else f", line {number}"


def _line_number(text: str, names: tuple[str, ...]) -> int | None:
    """The line, `None` if it is unknown. A key of an inline table has the table's line."""
    lines = list(_keys(text))
    for length in (len(names), len(names) - 1):
        for number, path in lines if length > 0 else ():
            if path[:length] == names[:length]:
                return number
    return None


def _keys(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every line that is a table's header or begins with a key: its number, and the full name."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.fullmatch(line)
        if header:
            table = _names(header[1]) or table
            yield number, table
        elif "=" in line:
            names = _names(f"{line.partition('=')[0]}= 0")
            if names:
                yield number, (*table, *names)


def _names(line: str) -> tuple[str, ...]:
    """The dotted name that a line alone defines, without quotes; nothing if it is no such line."""
    try:
        data: Any = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return ()
    names = []
    while isinstance(data, dict) and data:
        name, data = next(iter(data.items()))
        names.append(name)
    return tuple(names)
