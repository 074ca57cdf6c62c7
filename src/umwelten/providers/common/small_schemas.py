"""Schemas for a model that is too small to stop by itself.

The embedded default model has 135 million parameters and repeats itself endlessly wherever the schema
allows it: measured, half of its answers reached the token limit in the middle of a list. llama.cpp
enforces lengths and patterns, but neither ranges of decimal numbers nor valid dates.
"""

from __future__ import annotations

from typing import Any

from umwelten.providers.common.schemas import Node, is_node, types_of
from umwelten.types import Schema

_ITEMS = 5
# Characters of a string on its own, and of one in a list.
_LONG, _SHORT = 240, 80
_STEPS = 10
_FINER = frozenset(("exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
"""Limits that equal steps between the bounds may break."""
_DATE = (
    "^[12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])"
    "|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))$"
)
_NESTED = ("items", "additionalProperties")


def limit_lengths(schema: Schema) -> Node:
    """Return the schema with a limit on every string and list; what matches it matches the original too."""
    return _limit_node(schema.json, _LONG)


def _limit_node(node: Node, longest: int) -> Node:
    limited = {name: _limit_child(name, value, longest) for name, value in node.items()}
    types = types_of(node)
    if "enum" in node or "const" in node:
        return limited
    if "string" in types and "pattern" not in node:
        limited |= _text_limits(node, longest)
    if "array" in types:
        most = max(_ITEMS, node.get("minItems", 0))
        limited["maxItems"] = min(node.get("maxItems", most), most)
    if types == ["number"] and "minimum" in node and "maximum" in node and not _FINER & set(node):
        return {"enum": _steps(node["minimum"], node["maximum"])}
    return limited


def _limit_child(name: str, value: Any, longest: int) -> Any:
    if name in ("properties", "$defs", "definitions") and is_node(value):
        return {key: _limit_node(inner, longest) if is_node(inner) else inner for key, inner in value.items()}
    if name in ("anyOf", "oneOf", "allOf", "prefixItems") and isinstance(value, list):
        return [_limit_node(inner, longest) if is_node(inner) else inner for inner in value]
    return _limit_node(value, _SHORT) if name in _NESTED and is_node(value) else value


def _text_limits(node: Node, longest: int) -> Node:
    if node.get("format") == "date":
        return {"pattern": _DATE}
    if "format" in node:
        return {}
    most = max(longest, node.get("minLength", 0))
    return {"maxLength": min(node.get("maxLength", most), most)}


def _steps(low: float, high: float) -> list[float]:
    """Return equally spaced numbers from `low` to `high`, both included."""
    return [round(low + (high - low) * step / _STEPS, 6) for step in range(_STEPS + 1)]
