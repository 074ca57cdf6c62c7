"""The orientation of an image, from its metadata: without a decoder, in microseconds.

Cameras store a picture as their sensor saw it, with a tag that says how to turn it. Models do not read the
tag. HEIC and AVIF turn their pictures by properties of their own, which every decoder applies.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Literal

UPRIGHT = 1

_TAG = 0x0112
_SHORT = 3
_ADOBE = b"http://ns.adobe.com/xap/1.0/\0"
_RAW = re.compile(rb"Raw profile type (?:exif|APP1|app1)\0")
_XMP = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|>)\s*([1-8])""")
_HEXADECIMAL = re.compile(rb"(?:[0-9a-fA-F]{2})+")
_METADATA = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")
_MOST_ENTRIES = 1000
_MOST_CHUNKS = 100_000
_MOST_PROFILE = 1_000_000


def orientation(data: bytes, mime: str) -> int:
    """Return the orientation of a JPEG, PNG or WebP image, 1 to 8; 1 if it says none.

    That of EXIF counts before that of XMP, as in Pillow.
    """
    read = {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}.get(mime)
    if read is None:
        return UPRIGHT
    of_xmp = 0
    for is_exif, block in read(data):
        found = _of_exif(block) if is_exif else _of_xmp(block)
        if found and is_exif:
            return found
        of_xmp = of_xmp or found
    return of_xmp or UPRIGHT


_Block = tuple[bool, bytes]
"""A block of metadata: whether it is EXIF rather than XMP, and its bytes."""


def _jpeg(data: bytes) -> Iterator[_Block]:
    offset = 2
    while offset + 4 <= len(data) and data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker in (0xFF, 0x01) or 0xD0 <= marker <= 0xD8:
            offset += 1 if marker == 0xFF else 2  # fill bytes, markers without a length
            continue
        if marker in (0xDA, 0xD9):
            return  # the picture itself
        end = offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
        if marker == 0xE1 and data.startswith(b"Exif\0", offset + 4):
            yield True, data[offset + 10 : end]
        elif marker == 0xE1 and data.startswith(_ADOBE, offset + 4):
            yield False, data[offset + 4 : end]
        offset = end


def _png(data: bytes) -> Iterator[_Block]:
    offset = 8
    for _ in range(_MOST_CHUNKS):
        size, name = int.from_bytes(data[offset : offset + 4], "big"), data[offset + 4 : offset + 8]
        if name in _METADATA:
            yield from _png_block(name, data[offset + 8 : offset + 8 + size])
        offset += 12 + size
        if offset >= len(data):
            break  # not at the pixels: metadata may follow them


def _png_block(name: bytes, content: bytes) -> Iterator[_Block]:
    if name == b"eXIf":
        yield True, content
    elif content.startswith(b"XML:com.adobe.xmp\0"):
        yield False, content
    elif (raw := _RAW.match(content)) is not None:
        # ImageMagick once wrote EXIF as hexadecimal text, after a line with the profile's name and length.
        text = content[raw.end() :] if name == b"tEXt" else _unpacked(content[raw.end() + 1 :])
        digits = b"".join(text.split()[2:])
        if _HEXADECIMAL.fullmatch(digits):
            yield True, bytes.fromhex(digits.decode())


def _unpacked(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, _MOST_PROFILE)
    except zlib.error:
        return b""


def _webp(data: bytes) -> Iterator[_Block]:
    # Only the extended format has metadata, and says so in its flags.
    if data[12:16] != b"VP8X" or len(data) < 30 or not data[20] & 0x0C:
        return
    offset = 12
    while offset + 8 <= len(data):
        name, size = data[offset : offset + 4], int.from_bytes(data[offset + 4 : offset + 8], "little")
        if name in (b"EXIF", b"XMP "):
            yield name == b"EXIF", data[offset + 8 : offset + 8 + size]
        offset += 8 + size + size % 2


def _of_exif(block: bytes) -> int:
    """Return the tag's value in a TIFF structure; 0 if there is none."""
    block = block.removeprefix(b"Exif\0\0")  # some programs put JPEG's marker before it in other formats
    if block[:4] not in (b"II*\0", b"MM\0*"):
        return 0
    order: Literal["little", "big"] = "little" if block[:1] == b"I" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(block[at : at + size], order)

    first = number(4, 4) + 2
    entries = min(number(first - 2, 2), _MOST_ENTRIES)
    for at in range(first, min(first + 12 * entries, len(block) - 11), 12):
        if number(at, 2) == _TAG:
            value = number(at + 8, 2 if number(at + 2, 2) == _SHORT else 4)
            return value if 1 <= value <= 8 else 0
    return 0


def _of_xmp(block: bytes) -> int:
    found = _XMP.search(block)
    return int(found[1]) if found else 0
