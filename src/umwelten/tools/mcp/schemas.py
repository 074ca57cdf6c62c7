"""The parameters of a server's tool as models are offered them: without references, where that can be.

References between definitions are what wires and small models understand least.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from umwelten.json_schema import resolve_reference

_DEFINITIONS = ("$defs", "definitions")
_AS_THEY_ARE = frozenset({"enum", "const", "default", "example", "examples", *_DEFINITIONS})
"""Keywords whose values are data, where nothing is a reference, or are looked up by references."""

_MOST_NODES = 5_000
"""Definitions that use each other twice double with each level; what grows beyond this is sent as it is."""


class _Cannot(Exception):
    """A reference leads out of the schema or to itself, or the schema would grow too large."""


def plain_schema(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tool's parameters with references resolved, or as they are: where one is circular, or leads
    nowhere.

    The root is an object's schema: where it does not say so, or is not, that is put in.
    """
    # What the provider takes for a draft that it does not know, it may refuse.
    schema = {key: value for key, value in given.items() if key != "$schema"}
    try:
        resolved = _Resolver(schema).schema(schema, ())
    except (_Cannot, RecursionError):
        resolved = schema
    else:
        resolved = {key: value for key, value in resolved.items() if key not in _DEFINITIONS}
    return {**resolved, "type": "object", "properties": resolved.get("properties", {})}


class _Resolver:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._nodes = 0

    def schema(self, schema: Mapping[str, Any], within: tuple[str, ...]) -> dict[str, Any]:
        reference = schema.get("$ref")
        if isinstance(reference, str):
            target = resolve_reference(schema, self._root)
            if reference in within or target is None:
                raise _Cannot
            schema, within = target, (*within, reference)
        if "$dynamicRef" in schema or "$recursiveRef" in schema:
            raise _Cannot
        return {
            key: value if key in _AS_THEY_ARE else self._value(key, value, within)
            for key, value in schema.items()
        }

    def _value(self, key: str, value: Any, within: tuple[str, ...]) -> Any:
        self._nodes += 1
        if self._nodes > _MOST_NODES:
            raise _Cannot
        if isinstance(value, list):
            return [self._value("", item, within) for item in value]
        if not isinstance(value, Mapping):
            return value
        if key in ("properties", "patternProperties", "dependentSchemas"):
            return {name: self._value("", item, within) for name, item in value.items()}
        return self.schema(value, within)
