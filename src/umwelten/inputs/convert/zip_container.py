"""Zip containers of documents, opened only if their unpacked size is within bounds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

from umwelten.inputs.content import UnsupportedInput, megabytes

MAX_MEMBERS = 20_000
MAX_RATIO = 200
"""The unpacked size of texts as a multiple of the file's size, at most; spreadsheets reach 50."""

_SMALL = 4_000_000
_TEXTS = (".xml", ".rels", ".html", ".xhtml", ".htm", ".opf", ".ncx")
_BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, KeyError, OverflowError)


@contextmanager
def open_archive(
    data: bytes, name: str, word: str, *, most: int, endings: tuple[str, ...] = _TEXTS
) -> Iterator[zipfile.ZipFile]:
    """Open the container of a document. `most`: unpacked bytes of all members with one of the `endings`.

    Nothing in a container unpacks to more than its directory says, which is checked first. Raises
    `UnsupportedInput` for a container that is damaged, protected, or unpacks to too much.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        raise damage_error(name, word) from error
    with archive:
        _check(archive, len(data), name, word, most, endings)
        yield archive


def read(archive: zipfile.ZipFile, member: str, name: str, word: str) -> bytes:
    """Return a member's bytes. Raises `UnsupportedInput`."""
    import zlib

    try:
        return archive.read(member)
    except (*_BROKEN, RuntimeError, zlib.error) as error:
        raise damage_error(name, word) from error


def damage_error(name: str, word: str) -> UnsupportedInput:
    """Return the error for a document that is damaged or cut off."""
    return UnsupportedInput(f"{name} is {word} that can't be read: it is damaged or cut off.")


def _check(
    archive: zipfile.ZipFile, size: int, name: str, word: str, most: int, endings: tuple[str, ...]
) -> None:
    members = archive.infolist()
    if any(member.flag_bits & 1 for member in members):
        raise UnsupportedInput(f"{name} is {word} that needs a password. Save it without one.")
    total = sum(member.file_size for member in members if member.filename.lower().endswith(endings))
    if len(members) > MAX_MEMBERS or total > max(_SMALL, size * MAX_RATIO):
        raise UnsupportedInput(
            f"{name} is {word} that unpacks to far more than it should, so it is not read."
        )
    if total > most:
        raise UnsupportedInput(
            f"{name} is {word} of {megabytes(total)} when unpacked: up to {megabytes(most)} are read. "
            "Split it, or save it as plain text."
        )
