"""JSON objects as rows, decoded so that numbers stay as they were written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import msgspec

from umwelten.errors import InputError

_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")
_sorting_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number", order="deterministic")
# Python makes a number of more than 4,300 digits an error; here none is looked at.
_skipping = json.JSONDecoder(parse_int=len, parse_float=len)
_TOO_DEEP = "it is nested too deeply"


def end_of_value(text: str, start: int = 0) -> int:
    """Return where the value that begins there ends. Raises `JSONDecodeError`, `RecursionError`."""
    return _skipping.raw_decode(text, start)[1]


def decode_object(text: str) -> dict[str, object]:
    """Return the object in a text; its numbers are `msgspec.Raw`. Raises `InputError`."""
    try:
        value = json.loads(
            text, parse_float=_parse_number, parse_int=_parse_number, parse_constant=_parse_constant
        )
    except json.JSONDecodeError as error:
        raise InputError(f"this is not valid JSON: {error.msg}, at character {error.pos + 1}") from error
    except RecursionError:
        raise InputError(_TOO_DEEP) from None
    if not isinstance(value, dict):
        raise InputError(f"this is {_NAMES.get(type(value), 'a number')}, not an object")
    return value


_NAMES: Mapping[type, str] = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}


def object_keys(text: str) -> Iterable[str]:
    """Return the keys of the object in a text, in order. Raises `InputError`."""
    return decode_object(text).keys()


def encode(row: Mapping[str, object]) -> str:
    """Return the row as compact JSON, keys in their order. Raises `InputError` for what JSON can't hold."""
    return encode_value(row)


def encode_value(value: object, encoder: msgspec.json.Encoder = _encoder) -> str:
    """Return any value as compact JSON. Raises `InputError` for what JSON can't hold."""
    try:
        return encoder.encode(value).decode()
    except UnicodeEncodeError:
        raise InputError("it contains a lone surrogate") from None
    except RecursionError:
        raise InputError(_TOO_DEEP) from None


def as_text(value: object) -> str:
    """Return a value as it is inserted in a prompt: "" for null, text as it is, the rest as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return _as_text(value, _encoder)


def without_order(value: object) -> str:
    """Return what `as_text` does, the same for all orders of keys."""
    return value if isinstance(value, str) else "" if value is None else _as_text(value, _sorting_encoder)


def encode_without_order(value: object) -> str:
    """Return compact JSON, the same for all orders of keys. Raises `InputError` for what JSON can't hold."""
    return encode_value(value, _sorting_encoder)


def _as_text(value: object, encoder: msgspec.json.Encoder) -> str:
    encoded = encode_value(value, encoder)
    if encoded.startswith('"'):
        return str(json.loads(encoded))
    return "" if encoded == "null" else encoded


def _parse_number(digits: str) -> msgspec.Raw:
    return msgspec.Raw(digits.encode())


def _parse_constant(word: str) -> None:
    """Return `None` for `NaN`, which some libraries write for a missing value. Raises for infinities."""
    if word != "NaN":
        raise json.JSONDecodeError(f"{word} is not a value", word, 0)
