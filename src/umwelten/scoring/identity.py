"""The identity of a scorer and of a score: tagged hashes of everything that decides the value."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from json.encoder import encode_basestring_ascii
from typing import Any

TAG = "s1"
_SIZE = 20


def canonical(value: Any) -> bytes:
    """Return the same bytes for equal values, and others for others: text, numbers, lists, mappings, dates.

    Keys of mappings are sorted, `1` and `1.0` are the same number. Depth and lone surrogates do not matter.
    """
    pieces: list[str] = []
    # No recursion: a record may be nested as deeply as a model likes. Tuples are finished pieces.
    rest: list[Any] = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            pieces.append(item if isinstance(item, _Done) else _quoted(item))
        elif isinstance(item, Mapping):
            pieces.append("{")
            rest.append(_Done("}"))
            for key in sorted(item, key=str, reverse=True):
                rest += (_Done(","), item[key], _Done(f"{_quoted(str(key))}:"))
        elif isinstance(item, Sequence) and not isinstance(item, bytes):
            pieces.append("[")
            rest.append(_Done("]"))
            for element in reversed(item):
                rest += (_Done(","), element)
        else:
            pieces.append(_scalar(item))
    return "".join(pieces).encode()


class _Done(str):
    """A piece of the result, as no value is one."""

    __slots__ = ()


def scorer_digest(type_name: str, version: int, settings: Mapping[str, Any]) -> str:
    """Return what a scorer does as 40 hex digits: its type, the version of that, settings unlike defaults.

    Name, threshold and weight are no part of it: they change no value.
    """
    data = canonical({"type": type_name, "version": version, "settings": settings})
    return blake2b(data, digest_size=_SIZE, person=b"umwelten.scorer").hexdigest()


def content_digest(value: Any) -> bytes:
    """Return the hash of a reference, or of an answer's text and record."""
    return blake2b(canonical(value), digest_size=_SIZE, person=b"umwelten.scored").digest()


def score_key(*, call: str, answer: bytes, reference: bytes, scorer: str) -> str:
    """Return the identity of a score, `s1:` and 40 hex digits.

    `call` is the call's key, `answer` and `reference` are content digests, `scorer` is a scorer's digest.
    """
    parts = (call.encode(), answer, reference, scorer.encode())
    # Lengths in front, so that no two different tuples give the same bytes.
    data = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"{TAG}:{blake2b(data, digest_size=_SIZE, person=b'umwelten.score').hexdigest()}"


def _scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, datetime.date | datetime.time):
        return f"t{value.isoformat()}"
    if isinstance(value, bytes):
        return f"x{value.hex()}"
    raise TypeError(f"no value to hash: {type(value).__name__}")


def _number(value: float | Decimal) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return hex(value)  # decimal digits of a long number take the square of their count, or are refused
    if isinstance(value, Decimal):
        if value == value.to_integral_value() and abs(value.adjusted()) < 300:
            return hex(int(value))
        return f"n{value.normalize()}"
    return f"n{value!r}"


_quoted = encode_basestring_ascii
