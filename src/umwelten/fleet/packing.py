"""Values as bytes for another process of the same release."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from umwelten.fleet.escaping import escape, unescape
from umwelten.phrases import Named, Phrase

T = TypeVar("T")

_ESCAPE = b"\xc1"
"""Begins no value of MessagePack; what follows is escaped."""


def pack(value: object) -> bytes:
    """Return a value as bytes. Raises `TypeError` for what must not leave the process, such as a `Secret`."""
    try:
        return _ENCODER.encode(value)
    except (UnicodeEncodeError, OverflowError):
        return _ESCAPE + escape(msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=pack_hook))


def unpack(data: bytes, kind: type[T]) -> T:
    """Return what `pack` was given, of that type. Raises `ValueError` and `TypeError`."""
    if data.startswith(_ESCAPE):
        plain = unescape(data[len(_ESCAPE) :])
        return msgspec.convert(plain, kind, dec_hook=unpack_hook, builtin_types=(bytes,))
    return msgspec.msgpack.decode(data, type=kind, dec_hook=unpack_hook)


def pack_hook(value: object) -> object:
    """Return a value that msgspec does not know as one that it does."""
    if isinstance(value, Phrase):
        return list(value.pieces)
    raise TypeError(f"{type(value).__name__} cannot be sent")


def unpack_hook(kind: type, value: Any) -> object:
    """Return a value of a type that msgspec does not know."""
    if kind is Phrase:
        return Phrase.of(piece if isinstance(piece, str) else Named(*piece) for piece in value)
    if kind is object:
        return value
    raise TypeError(f"{kind.__name__} cannot be received")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=pack_hook)
