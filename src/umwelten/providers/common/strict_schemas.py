"""Schemas in the subset that OpenAI and others enforce token by token ("strict").

In it, every object is closed and every property required; an optional one may be null instead.
Source: OpenAI's guide "Structured Outputs", "Supported schemas". Other vendors enforce only the structure
and refuse or ignore ranges and formats (xAI, Cerebras, Anthropic: their pages on structured outputs).
"""

from __future__ import annotations

import re

from umwelten.providers.common.schemas import (
    Inexpressible,
    Node,
    description_fields,
    is_node,
    merge_all_of,
    properties,
    resolve,
    types_of,
    variants,
)
from umwelten.types import Schema

_COPIED = ("type", "enum", "const")
_RANGES = frozenset(
    (
        "pattern",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    )
)
_FORMATS = frozenset(("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"))
_HANDLED = frozenset(
    (
        *_COPIED,
        "$ref",
        "$defs",
        "definitions",
        "anyOf",
        "oneOf",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "description",
        "title",
    )
)
# These restrict values in a way that a description cannot replace.
_FOREIGN = frozenset(
    (
        "not",
        "if",
        "then",
        "else",
        "dependentRequired",
        "dependentSchemas",
        "patternProperties",
        "propertyNames",
        "prefixItems",
        "contains",
        "unevaluatedProperties",
        "unevaluatedItems",
    )
)
_NULL: Node = {"type": "null"}
_DEFINITION = re.compile(r"#|#/(?:\$defs|definitions)/[^/]+")
"""References that lead to the same place in the strict form."""


def strict_schema(schema: Schema, *, ranges: bool) -> Node | None:
    """Return the strict form of a schema, or `None` where it has none. `ranges`: keep limits as keywords."""
    root = schema.json
    walk = _StrictWalk(root, ranges)
    try:
        top = walk.node(resolve(root, root))
        if top.get("type") != "object":
            return None
        defs = {name: _definitions(walk, root, name) for name in ("$defs", "definitions")}
    except Inexpressible:
        return None
    return {**top, **{name: nodes for name, nodes in defs.items() if nodes}}


def _definitions(walk: _StrictWalk, root: Node, name: str) -> Node:
    definitions = root.get(name)
    nodes = definitions if is_node(definitions) else {}
    return {key: walk.node(node) for key, node in nodes.items() if is_node(node)}


class _StrictWalk:
    """One pass through a schema."""

    def __init__(self, root: Node, ranges: bool) -> None:
        self._root, self._ranges = root, ranges
        self._open: list[object] = []

    def node(self, node: Node) -> Node:
        """Return the strict form of a node; keywords beside a reference are merged with its target."""
        node = merge_all_of(node)
        ref = node.get("$ref")
        if ref is None:
            return self._convert(node)
        whole = merge_all_of(resolve(node, self._root))
        if not _DEFINITION.fullmatch(str(ref)):
            # What stands there in the strict form is another schema: it may allow null, for one.
            if ref in self._open:
                raise Inexpressible(f"reference {ref!r}")
        elif ref in self._open or not set(node) - {"$ref", "title"}:
            return {"$ref": ref}
        self._open.append(ref)
        merged = self._convert(whole)
        self._open.pop()
        return merged

    def _convert(self, node: Node) -> Node:
        if _FOREIGN & set(node):
            raise Inexpressible(", ".join(sorted(_FOREIGN & set(node))))
        converted = {name: node[name] for name in _COPIED if name in node}
        alternatives = variants(node)
        if alternatives is not None:
            if set(types_of(node)) & {"object", "array"}:
                # Closed by itself and by each of its forms, it would allow nothing.
                raise Inexpressible("forms of an object beside its own fields")
            converted["anyOf"] = [self.node(variant) for variant in alternatives]
        converted |= self._children(node)
        if not set(converted) & {"type", "enum", "const", "anyOf"}:
            raise Inexpressible("a value of any type")
        return converted | self._annotations(node)

    def _children(self, node: Node) -> Node:
        types = types_of(node)
        children: Node = {}
        if "object" in types:
            children |= self._object(node)
        if "array" in types:
            if not is_node(node.get("items")):
                raise Inexpressible("an array of anything")
            children["items"] = self.node(node["items"])
        return children

    def _object(self, node: Node) -> Node:
        if is_node(node.get("additionalProperties")):
            raise Inexpressible("an object with free names")
        required = node.get("required", ())
        if set(required) - set(properties(node)):
            raise Inexpressible("a required field without a schema")
        converted = {
            name: self.node(inner) if name in required else _allow_null(self.node(inner))
            for name, inner in properties(node).items()
        }
        return {"properties": converted, "required": list(converted), "additionalProperties": False}

    def _annotations(self, node: Node) -> Node:
        """Return limits, as keywords or in the description, with title and description."""
        limits = {name: node[name] for name in node if self._ranges and name in _RANGES}
        if self._ranges and node.get("format") in _FORMATS:
            limits["format"] = node["format"]
        left = {k: v for k, v in node.items() if k not in _HANDLED and k not in limits}
        title = {"title": node["title"]} if isinstance(node.get("title"), str) else {}
        return {**limits, **title, **description_fields(node.get("description"), left)}


def _allow_null(node: Node) -> Node:
    """Return the node with null as another value."""
    types = types_of(node)
    if "anyOf" in node and not types:
        return node if _NULL in node["anyOf"] else {**node, "anyOf": [*node["anyOf"], _NULL]}
    if {"$ref", "const", "anyOf"} & set(node):
        return {"anyOf": [node, _NULL]}
    nullable = dict(node)
    if types:
        nullable["type"] = types if "null" in types else [*types, "null"]
    if "enum" in node and None not in node["enum"]:
        nullable["enum"] = [*node["enum"], None]
    return nullable
