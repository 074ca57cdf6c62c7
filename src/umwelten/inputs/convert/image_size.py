"""The size of an image and the scans of a JPEG, without a decoder."""

from __future__ import annotations

import re

from umwelten.types import FrozenStruct

# Behind a scan's header its pixels go on to the next of these: zeros and restarts are among them.
_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")


class Measure(FrozenStruct):
    """Sides in pixels. `plain` is False for what models may not read: several frames, CMYK."""

    width: int
    height: int
    plain: bool = True


def measure(data: bytes, mime: str) -> Measure | None:
    """Return the size of a JPEG, PNG, GIF or WebP image; `None` if it is unknown."""
    read = {"image/jpeg": _jpeg, "image/png": _png, "image/gif": _gif, "image/webp": _webp}.get(mime)
    measured = read(data) if read is not None else None
    return measured if measured is not None and measured.width and measured.height else None


def count_scans(data: bytes, most: int) -> int:
    """Return how many passes over its pixels a JPEG has, counting no further than `most` + 1.

    What follows its end is none of it: a phone puts a film there, a second picture or a map of brightness.
    What is in the segments before it, such as a preview, is none of it either.
    """
    offset, scans = 2, 0
    while scans <= most and (marker := _MARKER.search(data, offset)) is not None:
        kind, offset = data[marker.end() - 1], marker.end()
        if kind == 0xD9:
            break
        scans += kind == 0xDA
        offset += max(2, _big(data, offset, 2))
    return scans


def _png(data: bytes) -> Measure | None:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return Measure(width=_big(data, 16, 4), height=_big(data, 20, 4))


def _jpeg(data: bytes) -> Measure | None:
    offset = 2
    while offset + 10 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            width, height, colours = _big(data, offset + 7, 2), _big(data, offset + 5, 2), data[offset + 9]
            return Measure(width=width, height=height, plain=colours != 4)
        # Between segments are fill bytes and markers without a length.
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        offset += 1 if marker == 0xFF else 2 if alone else 2 + _big(data, offset + 2, 2)
    return None


def _gif(data: bytes) -> Measure | None:
    if len(data) < 13:
        return None
    width, height = _little(data, 6, 2), _little(data, 8, 2)
    return Measure(width=width, height=height, plain=_count_frames(data) < 2)


def _count_frames(data: bytes) -> int:
    """Return the number of frames in a GIF, counting no further than two."""
    offset, frames = 13 + _palette(data[10]), 0
    while offset + 10 <= len(data) and frames < 2:
        if data[offset] == 0x21:  # an extension
            offset = _after_blocks(data, offset + 2)
        elif data[offset] == 0x2C:  # an image
            frames += 1
            offset = _after_blocks(data, offset + 11 + _palette(data[offset + 9]))
        else:
            break
    return frames


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, offset: int) -> int:
    while offset < len(data) and data[offset]:
        offset += data[offset] + 1
    return offset + 1


def _webp(data: bytes) -> Measure | None:
    if len(data) < 30:
        return None
    match data[12:16]:
        case b"VP8X":
            animated = bool(data[20] & 2)
            return Measure(
                width=_little(data, 24, 3) + 1, height=_little(data, 27, 3) + 1, plain=not animated
            )
        case b"VP8L":
            bits = _little(data, 21, 4)
            return Measure(width=(bits & 0x3FFF) + 1, height=(bits >> 14 & 0x3FFF) + 1)
        case b"VP8 ":
            return Measure(width=_little(data, 26, 2) & 0x3FFF, height=_little(data, 28, 2) & 0x3FFF)
    return None


def _big(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "big")


def _little(data: bytes, offset: int, size: int) -> int:
    return int.from_bytes(data[offset : offset + size], "little")
