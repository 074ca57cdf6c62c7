"""Names for rows from the values of a column: safe as parts of paths, and unique."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from pathlib import Path

from umwelten.errors import InputError
from umwelten.inputs.tables import csv, json_values
from umwelten.inputs.tables.parts_of_files import text_of
from umwelten.inputs.tables.table_format import CSV, LINES, Table
from umwelten.text.names import alike, differing_signs, folded, spelled_out, value_of
from umwelten.text.suggestions import closest, did_you_mean, sentences

_LONGEST = 120
# What separates folders, leads upward, hides a file, or controls a terminal.
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]|\.\.+|^\.")
_EMPTY = 0
_LAST_NUMBERS = 10_000


_Label = Callable[[bytes], str]


class Labels:
    """Gives rows unique names. It stores a hash of each, 8 bytes, not the names."""

    def __init__(self) -> None:
        self._seen = _Hashes()
        self._numbers: dict[str, int] = {}

    def unique(self, value: str, number: int) -> str:
        """Return the value as a safe name, with `-2` and so on for duplicates; `row-17` for an empty one."""
        name = safe_name(value) or f"row-{number}"
        if self._seen.add(hash(name)):
            return name
        # Bounded: a name that was dropped is counted from 2 again, until an unused number is found.
        if len(self._numbers) > _LAST_NUMBERS:
            self._numbers.clear()
        count = self._numbers.get(name, 1)
        while True:
            count += 1
            if self._seen.add(hash(f"{name}-{count}")):
                self._numbers[name] = count
                return f"{name}-{count}"


def safe_name(value: str) -> str:
    """Return a name of at most 120 characters, without separators of folders or control characters."""
    name = " ".join(value[: 8 * _LONGEST].split()) if not value.isalnum() else value
    return _UNSAFE.sub("-", name[:_LONGEST]).rstrip()


class _Hashes:
    """A set of 64-bit hashes in a table of at most 32 bytes each.

    A set of a million strings takes 150 MB. Two names with one hash, once in 10^7 tables of a million, cost
    the second a needless `-2`.
    """

    def __init__(self) -> None:
        self._mask = (1 << 10) - 1
        self._table = array("q", bytes(8 << 10))
        self._count = 0

    def add(self, value: int) -> bool:
        """Add a hash; return whether it is new."""
        value = value or 1  # 0 marks an empty slot
        table, mask = self._table, self._mask
        slot = value & mask
        while (entry := table[slot]) != _EMPTY:
            if entry == value:
                return False
            slot = (slot + 1) & mask
        table[slot] = value
        self._count += 1
        if self._count * 2 > mask:
            self._grow()
        return True

    def _grow(self) -> None:
        old, self._mask, self._count = self._table, self._mask * 4 + 3, 0
        self._table = array("q", bytes(8 * (self._mask + 1)))
        for value in old:
            if value != _EMPTY:
                self.add(value)


# --- columns that name rows ------------------------------------------------------------------


def find_column(name: str, names: tuple[str, ...], path: Path) -> str:
    """Return the column as the table has it. Raises `InputError`."""
    found = alike(name, names)
    if len(found) > 1:
        same = ", ".join(map(spelled_out, found))
        raise InputError(f"{path}: these columns look the same: {same}", "Rename one of them in the table.")
    if not found:
        nearest = closest(name, names, ignore_case=True)
        raise InputError(
            f"{path} has no column {name!r}; it has {', '.join(names[:40])}",
            sentences(did_you_mean(nearest, "{!r}"), differing_signs(name, nearest or "")),
        )
    return found[0]


def make_labels(table: Table, column: str | None) -> Callable[[bytes, int], str] | None:
    """Return a function that names a row after one of its values; `None`: rows are named by number."""
    if column is None:
        return None
    labels = Labels()
    value = {CSV: _csv_label, LINES: line_label}.get(table.kind, _json_label)(table, column)
    return lambda record, number: labels.unique(value(record), number)


def _csv_label(table: Table, column: str) -> _Label:
    at, delimiter, encodings = table.columns.index(column), table.delimiter, table.inner
    separator = delimiter.encode()

    def value(record: bytes) -> str:
        if b'"' not in record:
            fields = record.split(separator, at + 1)
            return _decode(fields[at], encodings) if at < len(fields) else ""
        try:
            return (csv.fields(_decode(record, encodings), delimiter) + [""] * (at + 1))[at]
        except InputError:
            return ""

    return value


def line_label(table: Table, column: str) -> _Label:
    return lambda record: line_value(_decode(record, table.inner))


def _json_label(table: Table, column: str) -> _Label:
    def value(record: bytes) -> str:
        try:
            row = json_values.decode_object(_decode(record, table.inner))
            return json_values.as_text(value_of(column, row, None))
        except InputError:
            return ""

    return value


def line_value(text: str) -> str:
    """Return a line without what nobody sees at its ends, "" for one of which nothing is seen."""
    return text.strip().strip("\u00ad\u200b\u2060\ufeff").strip() if folded(text) else ""


def _decode(record: bytes, encodings: tuple[str, ...]) -> str:
    try:
        return text_of(record, encodings)
    except InputError:
        return ""
