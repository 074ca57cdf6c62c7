"""Results as JSON on stdout, with nothing in it that a terminal would obey."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from umwelten.text.sanitize import encodable, json_safe

_encoder = msgspec.json.Encoder()


def print_json(value: Any, *, compact: bool = False) -> None:
    """Print a value as JSON: over several lines, or on one if `compact`."""
    text = encode(value) if compact else msgspec.json.format(encode(value))
    sys.stdout.write(json_safe(text.decode()) + "\n")


def encode(value: Any) -> bytes:
    """Return a value as JSON on one line; a name that is not valid text on this system is made visible."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(encodable(msgspec.to_builtins(value)))
