"""JSON objects as rows: decoded so that numbers stay as they were written, and told in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import msgspec

from umwelten.errors import InputError

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
_DEEPEST = "it is nested too deep"


def decode_object(text: str) -> dict[str, object]:
    """The object in a text; its numbers are `msgspec.Raw`. Errors: `InputError` says what is wrong."""
    try:
        found = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise InputError(f"this is no JSON: {error.msg}, at character {error.pos + 1}") from error
    except RecursionError:
        raise InputError(_DEEPEST) from None
    if not isinstance(found, dict):
        raise InputError(f"this is {_NAMES.get(type(found), 'a number')}, not an object")
    return found


_NAMES: Mapping[type, str] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def keys(text: str) -> Iterable[str]:
    """The keys of the object in a text, in order. Errors: `InputError`."""
    return decode_object(text).keys()


def encode(row: Mapping[str, object]) -> str:
    """The row as compact JSON, keys in their order. Errors: `InputError` for what JSON can't hold."""
    try:
        return _encoder.encode(row).decode()
    except UnicodeEncodeError:
        raise InputError("it holds half of a character (a lone surrogate)") from None
    except RecursionError:
        raise InputError(_DEEPEST) from None


def in_words(value: object) -> str:
    """One value as it stands in a prompt: nothing for null, text as it is, the rest as in JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    encoded = encode({"": value})[4:-1]
    if encoded.startswith('"'):
        return str(json.loads(encoded))
    return "" if encoded == "null" else encoded


def _number(written: str) -> msgspec.Raw:
    return msgspec.Raw(written.encode())


def _constant(word: str) -> None:
    """`NaN` is how some libraries write a missing value; the infinities are no values at all."""
    if word != "NaN":
        raise json.JSONDecodeError(f"{word} is no value", word, 0)
