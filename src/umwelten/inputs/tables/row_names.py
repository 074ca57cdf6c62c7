"""Names for rows from their values: safe as parts of paths, and unique."""

from __future__ import annotations

import re
from array import array

_LONGEST = 120
# What separates folders, leads upward, hides a file, or controls a terminal.
_UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]|\.\.+|^\.")
_EMPTY = 0
_LAST_NUMBERS = 10_000


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
