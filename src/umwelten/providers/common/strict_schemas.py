"""Schemas in the subset that OpenAI and others enforce token by token ("strict").

There every object is closed and every property required; one that may be left out is null instead.
Source: OpenAI's guide "Structured Outputs", "Supported schemas". Other vendors enforce structure alone
and refuse or pass over ranges and formats (xAI, Cerebras, Anthropic: their pages on structured outputs).
"""

from __future__ import annotations

from umwelten.providers.common.schemas import (
    Inexpressible,
    Node,
    described,
    flattened,
    is_node,
    properties,
    resolved,
    types_of,
    variants,
)
from umwelten.types import Schema

_KEPT = ("type", "enum", "const")
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
        *_KEPT,
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
# These say which values fit in a way that no description replaces.
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


def strict(schema: Schema, *, ranges: bool) -> Node | None:
    """The strict form of a schema, or `None` where it has none. `ranges`: whether limits may be sent too."""
    root = schema.json
    walk = _Walk(root, ranges)
    try:
        made = walk.node(resolved(root, root))
        if made.get("type") != "object":
            return None
        defs = {name: _definitions(walk, root, name) for name in ("$defs", "definitions")}
    except Inexpressible:
        return None
    return {**made, **{name: nodes for name, nodes in defs.items() if nodes}}


def _definitions(walk: _Walk, root: Node, name: str) -> Node:
    listed = root.get(name)
    nodes = listed if is_node(listed) else {}
    return {key: walk.node(node) for key, node in nodes.items() if is_node(node)}


class _Walk:
    """One way through a schema."""

    def __init__(self, root: Node, ranges: bool) -> None:
        self._root, self._ranges = root, ranges
        self._open: list[object] = []

    def node(self, node: Node) -> Node:
        """The strict form of one node; a reference stands alone, so what was beside it is merged."""
        node = flattened(node)
        ref = node.get("$ref")
        if ref is None:
            return self._own(node)
        whole = flattened(resolved(node, self._root))
        if ref in self._open or not set(node) - {"$ref", "title"}:
            return {"$ref": ref}
        self._open.append(ref)
        made = self._own(whole)
        self._open.pop()
        return made

    def _own(self, node: Node) -> Node:
        if _FOREIGN & set(node):
            raise Inexpressible(", ".join(sorted(_FOREIGN & set(node))))
        made = {name: node[name] for name in _KEPT if name in node}
        listed = variants(node)
        if listed is not None:
            made["anyOf"] = [self.node(variant) for variant in listed]
        made |= self._inside(node)
        if not set(made) & {"type", "enum", "const", "anyOf"}:
            raise Inexpressible("a value of any type")
        return made | self._rules(node)

    def _inside(self, node: Node) -> Node:
        types = types_of(node)
        made: Node = {}
        if "object" in types:
            made |= self._object(node)
        if "array" in types:
            if not is_node(node.get("items")):
                raise Inexpressible("an array of anything")
            made["items"] = self.node(node["items"])
        return made

    def _object(self, node: Node) -> Node:
        if is_node(node.get("additionalProperties")):
            raise Inexpressible("an object with free names")
        required = node.get("required", ())
        made = {
            name: self.node(inner) if name in required else _or_null(self.node(inner))
            for name, inner in properties(node).items()
        }
        return {"properties": made, "required": list(made), "additionalProperties": False}

    def _rules(self, node: Node) -> Node:
        """Limits as keywords or in words, and the description."""
        kept = {name: node[name] for name in node if self._ranges and name in _RANGES}
        if self._ranges and node.get("format") in _FORMATS:
            kept["format"] = node["format"]
        left = {k: v for k, v in node.items() if k not in _HANDLED and k not in kept}
        title = {"title": node["title"]} if isinstance(node.get("title"), str) else {}
        return {**kept, **title, **described(node.get("description"), left)}


def _or_null(node: Node) -> Node:
    """The node, or null in its place."""
    if "anyOf" in node:
        return node if _NULL in node["anyOf"] else {**node, "anyOf": [*node["anyOf"], _NULL]}
    if "$ref" in node or "const" in node:
        return {"anyOf": [node, _NULL]}
    types = types_of(node)
    made = dict(node)
    if types:
        made["type"] = types if "null" in types else [*types, "null"]
    if "enum" in node and None not in node["enum"]:
        made["enum"] = [*node["enum"], None]
    return made
