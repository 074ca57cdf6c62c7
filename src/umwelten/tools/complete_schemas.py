"""Schemas of parameters with what some providers miss where JSON Schema lets it be left out.

OpenAI refuses the whole request for an array without `items`, and for `additionalProperties = {}`. An `enum`
without a type is refused by some of what speaks its API, and by Gemini's older models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_DATA = frozenset({"enum", "const", "default", "example", "examples"})
_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs", "definitions"})


def complete_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema that says the same in full; one that is nested too deeply as it is."""
    try:
        return _complete(schema)
    except RecursionError:
        return schema


def _complete(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value if key in _DATA else _value(key, value) for key, value in schema.items()}
    if "type" not in found and (kind := _kind(found.get("enum"))) is not None:
        found["type"] = kind
    kinds = found.get("type")
    is_array = kinds == "array" or (isinstance(kinds, list) and "array" in kinds)
    if is_array and "items" not in found and "prefixItems" not in found:
        found["items"] = {}
    if found.get("additionalProperties") == {}:
        found["additionalProperties"] = True
    return found


def _kind(values: Any) -> str | None:
    """Return the type of an enumeration's values, `None` where they have several."""
    kinds = {_KINDS.get(type(value)) for value in values} if isinstance(values, list) else set()
    return kinds.pop() if len(kinds) == 1 else None


_KINDS: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean"}


def _value(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_value("", each) for each in value]
    if not isinstance(value, Mapping):
        return value
    if key in _BY_NAME:
        return {name: _value("", each) for name, each in value.items()}
    return _complete(value)
