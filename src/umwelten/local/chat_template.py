"""What a model's chat template knows, read from its file without loading the model."""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Iterator
from pathlib import Path

_TEMPLATE = b"tokenizer.chat_template"
_TOOLS = re.compile(rb"\btools\b")
_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of the types of values that have a fixed length, by their numbers in GGUF."""


def places_tools(weights: Path) -> bool | None:
    """Return whether the chat template in a GGUF file has a place for tools; `None`: it cannot be told.

    Where it has none, llama.cpp takes a request that offers tools, and shows the model nothing of them.
    """
    try:
        with weights.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = [value for name, value in _texts(data) if name.startswith(_TEMPLATE)]
    except (OSError, ValueError, struct.error, KeyError, OverflowError, RecursionError):
        return None
    return any(map(_TOOLS.search, found)) if found else None


def _texts(data: mmap.mmap) -> Iterator[tuple[bytes, bytes]]:
    """Yield the values that are texts, with their names."""
    (count,) = struct.unpack_from("<Q", data, 16)
    at = 24
    for _ in range(count):
        name, at = _text(data, at)
        (kind,) = struct.unpack_from("<I", data, at)
        if kind == _STRING:
            value, at = _text(data, at + 4)
            yield name, value
        else:
            at = _skip(data, at + 4, kind)


def _text(data: mmap.mmap, at: int) -> tuple[bytes, int]:
    (length,) = struct.unpack_from("<Q", data, at)
    end = at + 8 + length
    if end > len(data):
        raise ValueError("cut off")
    return data[at + 8 : end], end


def _skip(data: mmap.mmap, at: int, kind: int) -> int:
    """Return where a value ends."""
    if kind == _STRING:
        (length,) = struct.unpack_from("<Q", data, at)
        return at + 8 + int(length)
    if kind != _ARRAY:
        return at + _SIZES[kind]
    of, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if of in _SIZES:
        return at + _SIZES[of] * int(count)
    for _ in range(count):
        at = _skip(data, at, of)
    return at
