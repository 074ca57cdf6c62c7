"""The file in an evaluation's folder that holds the rows that a program gave: a line of JSON each.

Rows are only ever appended. A resume compares the rows that it is given with the lines that are there; from
the first that differs on, a further file is written, which then is the table: rows that were answered can
still be read where they were, and the latest file is what was given last.
"""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path
from typing import BinaryIO, cast

from umwelten.errors import StoreError
from umwelten.store.kept_inputs import INPUTS, has_kept_inputs, make_room

_NAME = re.compile(r"rows(?:-([1-9][0-9]*))?\.jsonl")
_SYNC_S = 1.0
"""How much of what was written last a power cut may take. A killed process loses nothing."""


def latest(folder: Path) -> Path | None:
    """Return the file with the rows that an evaluation was given last, `None` without any.

    Raises StoreError for a link.
    """
    inside = folder / INPUTS
    if not has_kept_inputs(folder):
        return None
    names = os.listdir(inside)  # noqa: PTH208 - the names alone
    numbers = [int(found[1] or 1) for found in map(_NAME.fullmatch, names) if found]
    if not numbers:
        return None
    path = inside / _file_name(max(numbers))
    if not stat.S_ISREG(os.lstat(path).st_mode):  # what lies elsewhere is nobody's to send
        raise StoreError(f"{path} is not a regular file", "Remove it: umwelten did not make it so.")
    return path


def _file_name(number: int) -> str:
    return "rows.jsonl" if number == 1 else f"rows-{number}.jsonl"


class RowFile:
    """Takes rows in their order, and tells where each of them is. Close it."""

    def __init__(self, folder: Path) -> None:
        self.offset = 0
        found = latest(folder)
        self.path = found or folder / INPUTS / _file_name(1)
        self._synced_at = 0.0
        self._written: BinaryIO | None = None
        self._known: BinaryIO | None = None if found is None else self._open(os.O_RDONLY, "rb")

    def add(self, record: bytes) -> int:
        """Return the offset of a row in the file at `path`; it is written unless it is there already."""
        line, offset = record + b"\n", self.offset
        if self._known is not None:
            found = self._known.read(len(line))
            if found != line:
                self._leave_known(found)
        if self._known is None:
            self._append(line)
        self.offset += len(line)
        return offset

    def end(self) -> None:
        """There are no more rows: neither are there in the file."""
        if self._known is not None and (rest := self._known.read(1 << 16)):
            self._leave_known(rest)
            self._writable()

    def close(self) -> None:
        """Write what is not yet on the disk."""
        for file in (self._known, self._written):
            if file is not None:
                file.close()
        self._known = self._written = None

    def _leave_known(self, found: bytes) -> None:
        """What is in the file from here on is another row, or half of one that a kill left, or nothing."""
        assert self._known is not None
        self._known.close()
        self._known = None
        if b"\n" in found:
            old, number = self.path, int((_NAME.fullmatch(self.path.name) or [""])[1] or 1)
            self.path = old.with_name(_file_name(number + 1))
            if self.offset:
                self._copy_beginning(old)

    def _copy_beginning(self, old: Path) -> None:
        with old.open("rb") as source:
            left, target = self.offset, self._writable(at=0)
            while left and (data := source.read(min(left, 1 << 20))):
                target.write(data)
                left -= len(data)

    def _append(self, line: bytes) -> None:
        file = self._writable()
        if file.write(line) != len(line):
            raise StoreError(f"{self.path} can't be written to: the disk is full")
        now = time.monotonic()
        if now > self._synced_at + _SYNC_S:
            self._synced_at = now
            os.fsync(file.fileno())

    def _writable(self, at: int | None = None) -> BinaryIO:
        if self._written is None:
            make_room(self.path, self.path.parent.parent)
            self._written = self._open(os.O_RDWR | os.O_CREAT, "r+b")
            self._written.truncate(self.offset if at is None else at)
            self._written.seek(0, os.SEEK_END)
        return self._written

    def _open(self, flags: int, mode: str) -> BinaryIO:
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        try:
            handle = os.open(self.path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                os.close(handle)
                raise StoreError(f"{self.path} is not a regular file")
        except OSError as error:
            raise StoreError(f"cannot open {self.path}: {error.strerror}") from error
        return cast("BinaryIO", os.fdopen(handle, mode, buffering=-1 if mode == "rb" else 0))
