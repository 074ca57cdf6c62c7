"""Schemas as the strictest provider takes them."""

from __future__ import annotations

from typing import Any

from umwelten.tools.complete_schemas import complete_schema
from umwelten.tools.functions import FunctionTool


def test_arrays_have_items_and_open_objects_are_open_wherever_they_are() -> None:
    def f(words: list, rows: list[dict[str, list]], items: list[int] | None = None) -> str:  # type: ignore[type-arg]
        return ""

    found = FunctionTool(f).definition.parameters["properties"]
    assert found["words"] == {"type": "array", "items": {}}
    assert found["rows"]["items"]["additionalProperties"] == {"type": "array", "items": {}}
    assert found["items"]["anyOf"][0] == {"type": "array", "items": {"type": "integer"}}
    assert complete_schema({"enum": ["a", "b"]}) == {"enum": ["a", "b"], "type": "string"}
    assert complete_schema({"enum": ["a", None]}) == {"enum": ["a", None]}
    given: dict[str, Any] = {"type": ["array", "null"], "default": [{"type": "array"}]}
    assert complete_schema({"anyOf": [given], "$defs": {"type": {"additionalProperties": {}}}}) == {
        "anyOf": [{**given, "items": {}}],
        "$defs": {"type": {"additionalProperties": True}},
    }
    pair = {"type": "array", "prefixItems": [{"type": "array"}]}
    assert complete_schema({"properties": {"type": pair}})["properties"]["type"] == {
        "type": "array",
        "prefixItems": [{"type": "array", "items": {}}],
    }


def test_a_schema_that_is_nested_too_deeply_stays_as_it_is() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"not": deep}
    assert complete_schema(deep) is deep
    while deep:  # or Python would free it by a recursion
        deep = deep["not"]
