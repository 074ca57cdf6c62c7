"""Bytes of a table's file, and their text."""

from __future__ import annotations

from umwelten.errors import InputError, read_error

MAX_JSON = 64 * 1024 * 1024
"""Bytes of a JSON list or object, at most: it is read as a whole; larger tables must be JSON lines."""


def read_bytes(path: str, start: int, length: int) -> bytes:
    """Return bytes of a file, fewer at its end. Raises `InputError`."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
            file.seek(start)
            return file.read(length)
    except OSError as error:
        raise read_error(path, error) from error


def text_of(data: bytes, encodings: tuple[str, ...]) -> str:
    """Return the text of a row. Raises `InputError` if it decodes in none of the encodings."""
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise InputError(f"its bytes are not text in {' or '.join(encodings)}")
