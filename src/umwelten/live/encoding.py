"""What a run tells, as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.text.sanitize import encodable


def encode(value: Any) -> bytes:
    """Return a value as JSON on one line; a name that is not valid text on this system is made visible."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return msgspec.json.encode(encodable(msgspec.to_builtins(value)))
