"""What MessagePack has no form for: text that is not Unicode, and integers of any size.

Bytes of a file name that are no UTF-8 are lone surrogates in Python, a provider may send half an emoji, and a
schema may hold a number with 30 digits. msgspec refuses to encode any of them.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.msgpack import Ext

_TEXT, _MAP, _INTEGER = 1, 2, 3
"""Extension types of MessagePack: text with lone surrogates, a map that has such keys, and an integer of more
than 64 bits."""

_ENCODER = msgspec.msgpack.Encoder()


def escape(value: Any) -> bytes:
    """Return a value of MessagePack's types encoded; its text may have lone surrogates."""
    return _ENCODER.encode(_escape(value))


def unescape(data: bytes) -> Any:
    """Return what `escape` was given. Raises `ValueError` and `TypeError` for what it did not return."""
    return _DECODER.decode(data)


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value if _is_unicode(value) else Ext(_TEXT, value.encode("utf-8", "surrogatepass"))
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 63 else Ext(_INTEGER, hex(value).encode())
    if isinstance(value, dict):
        pairs = {key: _escape(item) for key, item in value.items()}
        if all(map(_is_unicode, pairs)):
            return pairs
        return Ext(_MAP, _ENCODER.encode([[_escape(key), item] for key, item in pairs.items()]))
    if isinstance(value, list | tuple):
        return [_escape(item) for item in value]
    return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _restore(code: int, data: memoryview) -> Any:
    if code == _TEXT:
        return bytes(data).decode("utf-8", "surrogatepass")
    if code == _INTEGER:
        return int(bytes(data), 16)
    return dict(_DECODER.decode(data))


_DECODER = msgspec.msgpack.Decoder(ext_hook=_restore)
