"""XML read from beginning to end without a tree: sheets of a million rows, which no memory would hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any
from xml.parsers import expat

from umwelten.inputs.convert import xml_parts
from umwelten.inputs.convert.bounds import MAX_DEPTH, Room, too_deep, too_many_elements

_LONGEST = 8_000_000
"""Bytes of one wanted element, which is held in memory until it ends. A row of 16,384 cells has 2 MB."""

_LONGEST_TAG = 1_000_000
"""Bytes of one tag or comment: older versions of expat begin it again with each piece."""

_MOST_NAMES = 5_000
"""Names of elements and attributes, all of which are held; a sheet has some dozens."""


class _TooDeep(Exception):
    pass


class _Declared(Exception):
    pass


class Reading:
    """One reading of a part, for what is in elements with the `wanted` names, none of them the root.

    A subclass is told by `begin` and `end` of these elements and all within them, and calls `leave` at the
    end of a wanted one. Names come as expat gives them, `namespace}name`; `local` has what is behind `}`.
    """

    def __init__(self, *wanted: str) -> None:
        self._wanted = frozenset(wanted)
        self._around = 0  # elements that are open and not wanted
        self._has_moved = False  # whether anything but a wanted element was in the last piece
        self.local = _Locals()
        self.texts: list[str] = []
        """The texts since this was emptied, in pieces."""
        self._parser = parser = expat.ParserCreate(namespace_separator="}", intern={})
        parser.buffer_text = True
        parser.CharacterDataHandler = self.texts.append
        parser.StartDoctypeDeclHandler = _refuse_declarations
        self._look()

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        """Begin a wanted element, or one within it."""
        raise NotImplementedError

    def end(self, name: str) -> None:
        """End an element that began."""
        raise NotImplementedError

    def leave(self) -> None:
        """Look for the next wanted element."""
        self._has_moved = True
        self.texts.clear()
        self._look()

    def read(self, file: IO[bytes], room: Room) -> Iterator[None]:
        """Read a part. Yields after every piece. Raises `UnsupportedInput`, and `ExpatError` if damaged."""
        parser, fed, unfinished = self._parser, 0, 0
        try:
            for piece in xml_parts.narrow_pieces(file):
                room.take_read(xml_parts.count_elements(piece))
                parser.Parse(piece, False)
                fed += len(piece)
                unfinished = 0 if self._has_moved else unfinished + len(piece)
                self._has_moved = False
                is_held = fed - max(0, parser.CurrentByteIndex) > _LONGEST_TAG
                if is_held or unfinished > _LONGEST or len(parser.intern) > _MOST_NAMES:
                    raise too_many_elements(room.name, room.word)
                yield
            parser.Parse(b"", True)
        except _TooDeep:
            raise too_deep(room.name, room.word) from None
        except _Declared:
            raise xml_parts.declares(room) from None

    def _look(self) -> None:
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._finish

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._has_moved = True
        self.texts.clear()
        if self._around and self.local[name] in self._wanted:
            self._parser.StartElementHandler, self._parser.EndElementHandler = self.begin, self.end
            self.begin(name, attributes)
            return
        self._around += 1
        check_depth(self._around)

    def _finish(self, name: str) -> None:
        self._has_moved = True
        self.texts.clear()
        self._around -= 1


def check_depth(depth: int) -> None:
    """End a reading that goes too deep."""
    if depth > MAX_DEPTH:
        raise _TooDeep


class _Locals(dict[str, str]):
    """Local names by those that expat gives; a name without a namespace is none of a format's."""

    def __missing__(self, name: str) -> str:
        _, separator, local = name.rpartition("}")
        self[name] = local if separator else ""
        return self[name]


def _refuse_declarations(*_: Any) -> None:
    raise _Declared
