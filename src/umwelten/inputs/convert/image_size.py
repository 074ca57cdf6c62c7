"""The size of a picture by its header alone."""

from __future__ import annotations

from umwelten.types import FrozenStruct


class Measure(FrozenStruct):
    """Sides in pixels. `plain` is False for what models may not read: several frames, print colours."""

    width: int
    height: int
    plain: bool = True


def measure(data: bytes, mime: str) -> Measure | None:
    """The measure of a jpeg, png, gif or webp picture; `None` where it can't be told."""
    read = {"image/jpeg": _jpeg, "image/png": _png, "image/gif": _gif, "image/webp": _webp}.get(mime)
    found = read(data) if read is not None else None
    return found if found is not None and found.width and found.height else None


def _png(data: bytes) -> Measure | None:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return Measure(width=_big(data, 16, 4), height=_big(data, 20, 4))


def _jpeg(data: bytes) -> Measure | None:
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            width, height, colours = _big(data, at + 7, 2), _big(data, at + 5, 2), data[at + 9]
            return Measure(width=width, height=height, plain=colours != 4)
        # Fill bytes and marks without a length stand between the segments.
        alone = marker == 0x01 or 0xD0 <= marker <= 0xD8
        at += 1 if marker == 0xFF else 2 if alone else 2 + _big(data, at + 2, 2)
    return None


def _gif(data: bytes) -> Measure | None:
    if len(data) < 13:
        return None
    width, height = _little(data, 6, 2), _little(data, 8, 2)
    return Measure(width=width, height=height, plain=_frames_at_most_two(data) < 2)


def _frames_at_most_two(data: bytes) -> int:
    """How many pictures a GIF holds, counted no further than the second."""
    at, frames = 13 + _palette(data[10]), 0
    while at + 10 <= len(data) and frames < 2:
        if data[at] == 0x21:  # an extension
            at = _after_blocks(data, at + 2)
        elif data[at] == 0x2C:  # a picture
            frames += 1
            at = _after_blocks(data, at + 11 + _palette(data[at + 9]))
        else:
            break
    return frames


def _palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


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


def _big(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _little(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
