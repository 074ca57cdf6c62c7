"""Reading of the arguments that a model gave, leniently where they can mean only one thing."""

from __future__ import annotations

from typing import Any

from umwelten.schema.json_extraction import decode
from umwelten.schema.repair import Unreadable, repair_json
from umwelten.tools.tool import ToolError

LONGEST_ARGUMENTS = 1_000_000
"""Characters. What no model writes in one answer."""


def read_arguments(text: str) -> dict[str, Any]:
    """Return the arguments as an object; broken JSON is repaired as far as nothing is invented.

    Raises `ToolError` that tells the model what is wrong.
    """
    if len(text) > LONGEST_ARGUMENTS:
        raise ToolError(
            f"the arguments are {len(text):,} characters long; at most {LONGEST_ARGUMENTS:,} are taken"
        )
    text = text.strip("\ufeff \t\r\n")
    value = decode(text) if text else {}
    if isinstance(value, str):  # some models write JSON in a string of JSON
        value = decode(value)
    if isinstance(value, Unreadable):
        value = repair_json(text, text.endswith("}"))
    if isinstance(value, Unreadable):
        raise ToolError("the arguments are not valid JSON")
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ToolError(f"the arguments must be a JSON object, not {_KINDS.get(type(value), 'a number')}")
    _check_text(value)
    return value


_KINDS: dict[type, str] = {list: "an array", str: "a text", bool: "true or false"}


def _check_text(value: Any) -> None:
    """Raise `ToolError` for characters that files, databases and other programs do not take."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if "\0" in each:
                raise ToolError("the arguments contain a NUL character (\\u0000)")
            if not each.isascii() and not _is_unicode(each):
                raise ToolError("the arguments contain half a character (a lone surrogate)")
        elif isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
