"""XML of documents, parsed within bounds.

expat fetches nothing, but what entities and default attributes expand to it bounds late, and in older
versions not at all. No document needs them: whatever declares one is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import IO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from umwelten.inputs.content import UnsupportedInput
from umwelten.inputs.convert.bounds import MAX_DEPTH, Room, too_deep, too_many_elements

_DECLARATION = re.compile(rb"<!(?:ENTITY|ATTLIST)")
_PIECE = 1 << 18
_MOST_ATTRIBUTES = 500
"""Of one element; those of a drawing reach 30."""


def parse(data: bytes, room: Room) -> Element:
    """Return the root. Raises `UnsupportedInput`, and `ParseError` if damaged."""
    root = ElementTree.fromstring(_checked(data, room))
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise too_deep(room.name, room.word)
        if any(len(node.attrib) > _MOST_ATTRIBUTES for node in level):
            raise too_many_elements(room.name, room.word)
        level = [child for node in level for child in node]
    return root


def _checked(data: bytes, room: Room) -> bytes:
    """Return the XML, in no wide encoding. Raises `UnsupportedInput` for too much of it."""
    data = _narrow(data)
    # Each element has one `<` more than its end; a `=` may be an attribute, which takes half the memory.
    room.take_elements(max(count_elements(data), data.count(b"=") // 2))
    if _DECLARATION.search(data):
        raise declares(room)
    return data


def outermost(root: Element, *tags: str) -> Iterator[Element]:
    """Yield the elements below `root` with one of these names, in order, none of them within another.

    A name without a namespace stands for that of any. So a text that is nested in others is read once.
    """
    rest = list(reversed(root))
    while rest:
        node = rest.pop()
        if node.tag in tags or local(node) in tags:
            yield node
        else:
            rest.extend(reversed(node))


def narrow_pieces(file: IO[bytes]) -> Iterator[bytes]:
    """Yield XML piece by piece, in no wide encoding."""
    first = file.read(_PIECE)
    if b"\0" in first[:4]:
        first = _narrow(first + b"".join(iter(lambda: file.read(_PIECE), b"")))
    while first:
        yield first
        first = file.read(_PIECE)


def count_elements(piece: bytes) -> int:
    """Return how many elements begin in a piece of XML; comments and the like count too."""
    return piece.count(b"<") - piece.count(b"</")


def local(node: Element) -> str:
    """Return an element's name without its namespace."""
    return node.tag.rpartition("}")[2]


def _narrow(data: bytes) -> bytes:
    """Return XML of two bytes a character as UTF-8, where its signs can be counted."""
    if b"\0" not in data[:4]:
        return data
    wide = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-16-le"
    wide = "utf-16-be" if data[:1] == b"\0" else wide
    text = data.decode(wide)
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1).encode()


def declares(room: Room) -> UnsupportedInput:
    """Return the error for XML with entities or default attributes."""
    return UnsupportedInput(
        f"{room.name} is {room.word} with declarations of its own in its XML, which no program writes, so it "
        "is not read."
    )
