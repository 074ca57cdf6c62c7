"""Bytes of a table's file, and their text."""

from __future__ import annotations

import os
import stat

from umwelten.errors import InputError, read_error

MAX_JSON = 64 * 1024 * 1024
"""Bytes of a JSON list or object, at most: it is read as a whole; larger tables must be JSON lines."""


def read_bytes(path: str, start: int, length: int) -> bytes:
    """Return bytes of a file, fewer at its end. Raises `InputError`.

    The database that names file and place may be a stranger's: no FIFO may block, no length fill the memory.
    """
    try:
        with open(path, "rb", buffering=0, opener=_without_blocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{path} is not a regular file")
            left = status.st_size - start
            if not 0 < left <= status.st_size:
                return b""
            file.seek(start)
            return file.read(min(length, left))
    except OSError as error:
        raise read_error(path, error) from error


def _without_blocking(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def text_of(data: bytes, encodings: tuple[str, ...]) -> str:
    """Return the text of a row. Raises `InputError` if it decodes in none of the encodings."""
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"its bytes are not text in {' or '.join(encodings)}")
