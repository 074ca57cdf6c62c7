"""JSON in an answer, read strictly and without harm."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from umwelten.scoring.folding import strip_blanks

MAX_DEPTH = 200
"""Levels; RFC 8259 lets a parser limit them. A record of use has ten, the interpreter ends at a thousand."""
_MAX_DIGITS = 4_000
"""Python refuses to read longer whole numbers; such are read as fractions are."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|$)|[\[{]|[\]}]', re.DOTALL)


class NotJson(Exception):
    """The text is not JSON. The message says why."""


def parse_json(text: str) -> Any:
    """Return the value of a text that is JSON and nothing else. Errors: `NotJson`."""
    text = strip_blanks(text)
    if _is_deep(text):
        raise NotJson(f"nested more deeply than {MAX_DEPTH} levels")
    try:
        return json.loads(text, parse_constant=_refuse, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos + 1}") from None


def _is_deep(text: str) -> bool:
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for match in _TOKEN.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif match[0] in "]}":
            depth -= 1
    return False


def _refuse(word: str) -> NoReturn:
    raise NotJson(f"{word} is no JSON")


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float(digits)


_OBJECT = re.compile(r"\{.*\}", re.DOTALL)


def names_twice(text: str) -> bool:
    """Return whether an object in this JSON has a name twice. What is no JSON has none."""
    found = _OBJECT.search(text)
    if found is None:
        return False
    try:
        json.loads(found[0], object_pairs_hook=_once)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        return False
    return False


class _Twice(Exception):
    pass


def _once(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _Twice
