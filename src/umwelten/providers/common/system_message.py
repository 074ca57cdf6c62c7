"""The system message of a request, for models that take none."""

from __future__ import annotations

import msgspec

from umwelten.providers.common.refused_fields import SYSTEM
from umwelten.types import Message, Request, Text


def place_system(request: Request, dropped: frozenset[str]) -> Request:
    """Return the request; if a system message is not taken, with its text before the first message's own."""
    if SYSTEM not in dropped or request.system is None:
        return request
    first, *others = request.messages
    assert isinstance(first, Message), "a conversation begins with a question"
    first = msgspec.structs.replace(first, parts=(Text(text=request.system), *first.parts))
    return msgspec.structs.replace(request, system=None, messages=(first, *others))
