"""A schema as a tree by which records are normalized: order of fields, absent values, coerced types.

Only unambiguous parts are followed: `$ref` within the schema, an `anyOf` of one form and null, an `allOf` of
one. The tree ends at anything else, and values there are left as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from umwelten.json_schema import resolve_reference, single_form
from umwelten.schema import coercion

_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "integer": coercion.integer,
    "number": coercion.number,
    "boolean": coercion.boolean,
    "string": coercion.string,
}


class Node(msgspec.Struct):
    """A subschema. `kind` is its only type ("" for several or any).

    `nullable`: null is allowed. `closed`: no properties but these. Mutable, because a schema may contain
    itself.
    """

    kind: str = ""
    nullable: bool = True
    date: bool = False
    choices: tuple[Any, ...] = ()
    properties: dict[str, Node] = {}
    required: frozenset[str] = frozenset()
    items: Node | None = None
    closed: bool = False


class Arranged(msgspec.Struct):
    """Collects what `arrange` did besides ordering the fields."""

    coerced: bool = False


def build_tree(schema: Mapping[str, Any]) -> Node:
    """Return the schema's root as a node."""
    return _Builder(schema).node(schema)


class _Builder:
    """Builds the tree; the target of a reference is built once, so that cycles end."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._known: dict[str, Node] = {}

    def node(self, schema: Any) -> Node:
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if isinstance(reference, str) and reference in self._known:
            return self._known[reference]
        node = Node()
        if isinstance(reference, str):
            self._known[reference] = node
        self._fill(node, self._resolve(schema))
        return node

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        resolved = resolve_reference(schema, self._root) if isinstance(schema, Mapping) else None
        return {} if resolved is None else resolved

    def _fill(self, node: Node, schema: Mapping[str, Any]) -> None:
        form, null = single_form(schema)
        plain = self._resolve(form)
        if "anyOf" in plain or "oneOf" in plain:
            return
        types, choices = plain.get("type"), plain.get("enum")
        node.choices = tuple(choices) if isinstance(choices, list) else ()
        kinds = _kinds(types, node.choices)
        node.nullable = null or not kinds or "null" in kinds
        others = [kind for kind in kinds if kind != "null"]
        node.kind = others[0] if len(others) == 1 else ""
        node.date = plain.get("format") == "date"
        if isinstance(properties := plain.get("properties"), Mapping):
            node.properties = {name: self.node(each) for name, each in properties.items()}
        node.required = frozenset(plain.get("required", ()))
        node.closed = plain.get("additionalProperties") is False and "patternProperties" not in plain
        node.items = self.node(plain["items"]) if isinstance(plain.get("items"), Mapping) else None


def _kinds(types: Any, choices: tuple[Any, ...]) -> list[str]:
    """Return the allowed types, none if any is; without a type, those of the choices."""
    if isinstance(types, str):
        return [types]
    if isinstance(types, list):
        return types
    named = {"string" if isinstance(choice, str) else "null" if choice is None else "" for choice in choices}
    return [] if "" in named else sorted(named)


def arrange(value: Any, node: Node, coerce: bool, done: Arranged) -> Any:
    """Return the value with its fields in the schema's order and without null for absent ones.

    With `coerce`, unambiguous values of the wrong type are converted, and fields that the schema does not
    define are dropped; `done.coerced` is set if any was.
    """
    if coerce and value is not None:
        coerced = _coerce(value, node)
        if coerced is not value:
            done.coerced, value = True, coerced
    if isinstance(value, dict) and node.properties:
        return _object(value, node, coerce, done)
    if isinstance(value, list) and node.items is not None:
        return [arrange(each, node.items, coerce, done) for each in value]
    return value


def _object(value: dict[str, Any], node: Node, coerce: bool, done: Arranged) -> dict[str, Any]:
    ordered: dict[str, Any] = {}
    for name, inner in node.properties.items():
        if name in value and not _is_absent(value[name], name, inner, node):
            ordered[name] = arrange(value[name], inner, coerce, done)
    others = {name: each for name, each in value.items() if name not in node.properties}
    if coerce and node.closed and others:
        done.coerced = True
        return ordered
    return ordered | others


def _is_absent(value: Any, name: str, inner: Node, node: Node) -> bool:
    """Return whether the value is null for an optional field, as of models that must fill every field."""
    return value is None and name not in node.required and not inner.nullable


def _coerce(value: Any, node: Node) -> Any:
    """Return the value in the node's type if it has one reading, else the same object."""
    if node.kind == "array":
        single = not isinstance(value, (list, dict)) or (
            isinstance(value, dict) and node.items is not None and node.items.kind == "object"
        )
        return [value] if single else value
    coerce = _SCALARS.get(node.kind)
    if coerce is None or (isinstance(value, float) and value != value):
        return value
    coerced = coerce(value) if not (node.date and node.kind == "string") else coercion.date(value)
    coerced = coercion.choice(coerced, node.choices) if node.choices else coerced
    return value if type(coerced) is type(value) and coerced == value else coerced


def wrap_list(value: list[Any], node: Node) -> dict[str, Any] | list[Any]:
    """Return a bare list as a record if the schema has just one array; else the list itself."""
    arrays = [name for name, inner in node.properties.items() if inner.kind == "array"]
    return {arrays[0]: value} if len(arrays) == 1 else value
