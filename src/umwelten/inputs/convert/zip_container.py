"""Zip containers of documents, of which no more is unpacked than there is room for.

What counts are the members that are really opened, each time they are: a document's relations may name any
member, and the same one any number of times.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from umwelten.inputs.content import UnsupportedInput
from umwelten.inputs.convert import xml_parts
from umwelten.inputs.convert.bounds import (
    MAX_RATIO,
    MAX_READ,
    SHORTEST_ELEMENT,
    SMALL,
    Room,
    too_large,
    unpacks_to,
)
from umwelten.inputs.convert.xml_reading import Reading
from umwelten.inputs.file_detection import has_too_many_members

_TEXTS = (".xml", ".rels", ".html", ".xhtml", ".htm", ".opf", ".ncx")
# Those that the formats' standards know. Of others a few bytes may unpack to gigabytes in one step.
_METHODS = frozenset((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
_PIECE = 1 << 20
_BROKEN = (
    *(zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, KeyError, OverflowError),
    *(RuntimeError, zlib.error),
)


class Archive:
    """The container of a document. Its methods raise `UnsupportedInput` for damage, and without room."""

    def __init__(self, archive: zipfile.ZipFile, room: Room) -> None:
        self._archive = archive
        self.room = room
        self.names = frozenset(archive.namelist())

    def read(self, member: str) -> bytes:
        """Return a member's bytes."""
        with self.open(member) as file:
            return b"".join(self._pieces(file))

    @contextmanager
    def open(self, member: str | zipfile.ZipInfo) -> Iterator[IO[bytes]]:
        """Open a member. A read returns nothing beyond the size in the directory, which is counted."""
        try:
            info = member if isinstance(member, zipfile.ZipInfo) else self._archive.getinfo(member)
            if info.compress_type not in _METHODS:
                raise NotImplementedError(info.compress_type)
            self.room.take_bytes(info.file_size)
            with self._archive.open(info) as file:
                yield file
        except _BROKEN as error:
            raise self.damage_error() from error

    def size(self, member: str) -> int:
        """Return the most bytes that a member can have."""
        return self._archive.getinfo(member).file_size

    def xml(self, member: str, renamed: Iterable[tuple[bytes, bytes]] = ()) -> Element:
        """Return the root of a member's XML, with other names for namespaces."""
        data = self.read(member)
        for old, new in renamed:
            data = data.replace(old, new)
        return xml_parts.parse(data, self.room)

    def read_xml(self, member: str, reading: Reading) -> Iterator[None]:
        """Read a member's XML without a tree. Yields whenever there may be something new."""
        with self.open(member) as file:
            yield from reading.read(file, self.room)

    def check_read(self, members: Iterable[str]) -> None:
        """Raise `UnsupportedInput` if `read_xml` would in the end: counting takes 2 % of the time."""
        members = list(members)
        if sum(map(self.size, members)) < MAX_READ * SHORTEST_ELEMENT:
            return
        count = 0
        for member in members:
            with self.open(member) as file:
                for piece in xml_parts.narrow_pieces(file):
                    count += xml_parts.count_elements(piece)
                    self.room.check_read(count)

    def checked_xml(self, member: str) -> bytes:
        """Return a member's bytes, which another library is to parse, if it needs the part at all."""
        data = self.read(member)
        with suppress(ParseError):
            xml_parts.parse(data, self.room)
        return data

    def unpack_all(self) -> None:
        """Unpack every member once, for a library that reads the file by itself and believes no size."""
        for info in self._archive.infolist():
            with self.open(info) as file:
                for _ in self._pieces(file):
                    pass

    def damage_error(self) -> UnsupportedInput:
        """Return the error for a document that is damaged or cut off."""
        return damage_error(self.room.name, self.room.word)

    @staticmethod
    def _pieces(file: IO[bytes]) -> Iterator[bytes]:
        # Asked for all at once, zipfile would unpack all there is before it looks at the size.
        while piece := file.read(_PIECE):
            yield piece


@contextmanager
def open_archive(
    data: bytes, name: str, word: str, *, most: int, endings: tuple[str, ...] = _TEXTS
) -> Iterator[Archive]:
    """Open the container of a document. `most`: unpacked bytes of all members with one of the `endings`.

    Raises `UnsupportedInput` for a container that is damaged, protected, or unpacks to too much.
    """
    if has_too_many_members(data):
        raise too_large(name, word)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _BROKEN as error:
        raise damage_error(name, word) from error
    with archive:
        _check(archive, len(data), name, word, most, endings)
        yield Archive(archive, Room(name, word, packed=len(data), most=most))


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
    if total > max(SMALL, size * MAX_RATIO):
        raise too_large(name, word)
    if total > most:
        raise unpacks_to(name, word, total, most)
