"""The words for types in a short schema, with those of other languages for them."""

from __future__ import annotations

from typing import Any

from umwelten.text.suggestions import closest, did_you_mean

TYPES: dict[str, dict[str, Any]] = {
    "string": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "array": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
}
# Types of other languages, all of which can only be types: two of them are no choices.
_PROGRAMMING = {
    "str": "string",
    "integer": "int",
    "number": "float",
    "double": "float",
    "boolean": "bool",
}
_SYNONYMS = {
    **_PROGRAMMING,
    "text": "string",
    "decimal": "float",
    "timestamp": "datetime",
    "date-time": "datetime",
    "list": "array",
    "dict": "object",
    "map": "object",
}
FORMATS = {"email": "email", "url": "uri", "uri": "uri", "uuid": "uuid", "time": "time"}
"""Formats that are types after a ':' only: `title email` lacks a comma."""

TYPE_LIST = f"Types: {', '.join(TYPES)}."


def kind_of(word: str) -> str | None:
    """Return the type that a word names, in any language and case; `None` if it names none."""
    low = word.lower()
    return low if low in TYPES else _SYNONYMS.get(low)


def is_type_alone(word: str) -> bool:
    """Return whether the word can only be a type, as `date` and `text` cannot."""
    low = word.lower().removesuffix("[]")
    return low in _PROGRAMMING or low in ("string", "int", "float", "bool")


def type_suggestion(word: str) -> str:
    """Return "Did you mean …? " with the closest type, or ""."""
    low = word.lower()
    name = None if low in FORMATS else closest(low, [*TYPES, "integer", "boolean", "double", "list"])
    return f"{did_you_mean(name and _SYNONYMS.get(name, name))} ".lstrip()
