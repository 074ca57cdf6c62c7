"""Results as JSON on stdout, with nothing in it that a terminal would obey."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from umwelten.text.sanitize import encodable, json_safe


def print_json(value: Any, *, compact: bool = False) -> None:
    """Print a value as JSON: over several lines, or on one if `compact`."""
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:  # a name that is not valid text on this system
        encoded = msgspec.json.encode(encodable(msgspec.to_builtins(value)))
    text = encoded if compact else msgspec.json.format(encoded)
    sys.stdout.write(json_safe(text.decode()) + "\n")
