"""What the turns of tools have in common on all wires: ids of calls, arguments, words of results."""

from __future__ import annotations

import re
import string
from collections.abc import Collection
from hashlib import blake2b
from typing import Any

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.tool_calls import ToolCall, ToolResult

NO_ARGUMENTS = "{}"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_LETTER = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64
_DIGITS = string.digits + string.ascii_letters
_ID_LENGTH = 9
"""Letters and digits, which is what Mistral takes; all others take any id."""


def new_id(reply_id: str | None, place: int, call: ToolCall, taken: Collection[str]) -> str:
    """Return an id for a call that came without one: the same whenever the reply is read again.

    The reply's own id is in it, so that the same call in a later turn has another one.
    """
    known = "\0".join((reply_id or "", str(place), call.name, call.arguments))
    for salt in range(len(taken) + 1):
        digest = blake2b(known.encode("utf-8", "replace"), digest_size=8, salt=salt.to_bytes(2)).digest()
        number, letters = int.from_bytes(digest), ""
        for _ in range(_ID_LENGTH):
            number, digit = divmod(number, len(_DIGITS))
            letters += _DIGITS[digit]
        if letters not in taken:
            break
    return letters


def with_id(call: ToolCall, reply_id: str | None, place: int, taken: set[str]) -> ToolCall:
    """Return the call with its id, or with a new one where it has none or another call of its turn has it."""
    if not call.id or call.id in taken:
        call = msgspec.structs.replace(call, id=new_id(reply_id, place, call, taken))
    taken.add(call.id)
    return call


def read_part(raw: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return an object of a turn as it came, and its fields.

    What is no valid UTF-8 in it, or half of a surrogate pair, could not go back: it becomes U+FFFD.
    """
    try:
        return raw, msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = load(raw, dict[str, Any]) or {}
    return msgspec.json.encode(fields), fields


def is_object(json: str) -> bool:
    """Return whether a text is a JSON object."""
    return json.lstrip()[:1] == "{" and load(json.encode("utf-8", "replace"), dict) is not None


def sendable(arguments: str) -> str:
    """Return arguments as a provider takes them back.

    Many refuse a whole conversation for arguments that are no JSON object, such as those that were cut off.
    """
    if is_object(arguments):
        return arguments
    return msgspec.json.encode({"invalid_json": arguments}).decode()


def sendable_name(name: str) -> str:
    """Return a function's name as a provider takes it back: models also call what nobody offered."""
    return name if _NAME.fullmatch(name) else _NO_LETTER.sub("_", name)[:_LONGEST_NAME]


def words_of(result: ToolResult) -> str:
    """Return what the model is told of a call where the wire has no field for errors."""
    return f"Error: {result.text}" if result.is_error else result.text
