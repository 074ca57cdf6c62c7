"""The streams of a PDF, unpacked as far as it takes to say that they are not too long.

pdfium unpacks the contents of a page before it looks at any of it: 700 bytes may become gigabytes, through
filters one after another.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import suppress

from umwelten.inputs.content import UnsupportedInput, megabytes

MAX_STREAM = 32_000_000
"""Bytes of the contents of a page, a font and the like, unpacked; those of detailed maps reach 10 MB."""

MAX_STREAMS = 1_000_000_000
"""The same of all streams but images: it takes 3 s to find that out."""

_RATIO = 1032
"""What one filter makes of a byte at the very most."""

_BEGIN = re.compile(rb">>\s{0,9}stream\r?\n")
_FLATE = re.compile(rb"/(?:FlateDecode|Fl)\b")
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_NOT_OF_A_PAGE = re.compile(
    rb"/(?:Image|EmbeddedFile|3D)\b|/Subtype\s{0,9}/(?:application|audio|image|model|text|video)/"
)
"""What says that pdfium unpacks a stream row by row, or not at all: files that are attached need not say more
than their MIME type."""

_HEAD = 8_000
"""Bytes before a stream that may be its dictionary: a palette of 256 colours in it takes up to 4,100."""

_MOST_FILTERS = 8
"""So many are undone, each of which takes the time again. Programs write one or two."""

_SURELY_TOO_LONG = 4
"""Filters that make 32 MB of a byte, and more of them a number without end."""

_FIRST = 1 << 12
_PIECE = 1 << 16


def check(data: bytes, name: str) -> None:
    """Raise `UnsupportedInput` for a file with a stream that unpacks to more than is read.

    What is encrypted, or hidden from a reader that follows no references, is found by pdfium alone.
    """
    end, left, before = -1, MAX_STREAMS, 0
    for begin in _BEGIN.finditer(data):
        # Not from before the last stream, or many of them beside each other would be read again and again.
        head = data[max(before, begin.start() - _HEAD) : begin.start()].rpartition(b" obj")[2]
        before = begin.end()
        if b"#" in head:
            head = _ESCAPED.sub(lambda match: bytes((int(match[1], 16),)), head)
        filters = len(_FLATE.findall(head))
        if not filters or (filters == 1 and _NOT_OF_A_PAGE.search(head)):
            continue
        if end < begin.end():
            end = data.find(b"endstream", begin.end())
            end = end if end >= 0 else len(data)
        if (end - begin.end()) * _RATIO ** min(filters, _SURELY_TOO_LONG) <= MAX_STREAM:
            continue
        size = _size(memoryview(data)[begin.end() : end], min(filters, _MOST_FILTERS))
        left -= size
        if size > MAX_STREAM or left < 0:
            raise UnsupportedInput(
                f"{name} is a PDF that unpacks to more than {megabytes(MAX_STREAM)} in one of its parts, "
                f"such as a page's contents or a font, or {megabytes(MAX_STREAMS)} in all, so it is not "
                "read. Split it."
            )


def _size(packed: memoryview, filters: int) -> int:
    """Return how long a stream is, counted no further than is allowed."""
    pieces: Iterator[bytes] = map(bytes, _split(packed))
    for _ in range(filters):
        pieces = _unpacked(pieces)
    size = 0
    with suppress(zlib.error):  # damaged from here on: what came before counts
        for piece in pieces:
            size += len(piece)
            if size > MAX_STREAM:
                break
    return size


def _split(packed: memoryview) -> Iterator[memoryview]:
    yield packed[:_FIRST]  # most that is no stream is found out here
    for at in range(_FIRST, len(packed), _PIECE):
        yield packed[at : at + _PIECE]


def _unpacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    for piece in pieces:
        rest = piece
        while rest and not unpacker.eof:
            yield unpacker.decompress(rest, _PIECE)
            rest = unpacker.unconsumed_tail
        if unpacker.eof:
            return
