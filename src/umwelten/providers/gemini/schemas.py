"""Schemas as Google takes them: `responseSchema`, a subset of OpenAPI, and else `responseJsonSchema`.

Every model knows the first; the second also carries references, free names and enums of numbers.
Sources: the fields of `Schema` and the list at `GenerationConfig.response_json_schema` in Google's own
definitions (google-ai-generativelanguage). Strings may have the formats "enum" and "date-time" only:
other ones were refused with status 400 for long.
"""

from __future__ import annotations

from typing import Any

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

_RULES = frozenset(
    (
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "pattern",
        "minProperties",
        "maxProperties",
    )
)
_FORMATS = frozenset(("date-time", "int32", "int64", "float", "double"))
_HANDLED = frozenset(
    (
        "type",
        "$ref",
        "$defs",
        "definitions",
        "anyOf",
        "oneOf",
        "enum",
        "const",
        "items",
        "properties",
        "required",
        "additionalProperties",
        "title",
        "description",
        "nullable",
    )
)
_FOREIGN = frozenset(
    (
        "not",
        "if",
        "then",
        "else",
        "patternProperties",
        "prefixItems",
        "contains",
        "dependentRequired",
        "dependentSchemas",
    )
)
_JSON_KEPT = frozenset(
    (
        "$defs",
        "$ref",
        "type",
        "format",
        "title",
        "enum",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "minimum",
        "maximum",
        "anyOf",
        "oneOf",
        "properties",
        "additionalProperties",
        "required",
    )
)


def response_fields(schema: Schema) -> Node:
    """The fields of `generationConfig` that ask for this shape."""
    asked: Node = {"responseMimeType": "application/json"}
    try:
        return asked | {"responseSchema": _GeminiSchemaWalk(schema.json).node(schema.json, ())}
    except Inexpressible:
        return asked | {"responseJsonSchema": _listed(schema.json)}


class _GeminiSchemaWalk:
    """One way through a schema; references are followed, so one that leads back to itself has no end."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def node(self, node: Node, seen: tuple[str, ...]) -> Node:
        """The OpenAPI form of a node below the references `seen`."""
        node = flattened(node)
        if "$ref" in node:
            if node["$ref"] in seen:
                raise Inexpressible("a shape inside itself")
            seen = (*seen, str(node["$ref"]))
            node = flattened(resolved(node, self._root))
        if _FOREIGN & set(node):
            raise Inexpressible(", ".join(_FOREIGN & set(node)))
        choices, nullable = _choices(node)
        made = self._one(node, seen) if choices is None else self._of(node, choices, seen)
        return made | {"nullable": True} if nullable else made

    def _of(self, node: Node, choices: list[Node], seen: tuple[str, ...]) -> Node:
        beside = {k: v for k, v in node.items() if k not in ("anyOf", "oneOf", "type", "nullable")}
        if len(choices) == 1:
            return self.node({**choices[0], **beside}, seen)
        return {"anyOf": [self.node(choice, seen) for choice in choices], **_words(node)}

    def _one(self, node: Node, seen: tuple[str, ...]) -> Node:
        values = [node["const"]] if "const" in node else node.get("enum")
        if values is not None:
            return _enum(values) | _words({k: v for k, v in node.items() if k != "format"})
        types = types_of(node)
        if len(types) != 1:
            raise Inexpressible("a value of any type")
        made: Node = {"type": types[0].upper()}
        if types[0] == "object":
            made |= self._object(node, seen)
        elif types[0] == "array":
            if not is_node(node.get("items")):
                raise Inexpressible("an array of anything")
            made["items"] = self.node(node["items"], seen)
        return made | _words(node)

    def _object(self, node: Node, seen: tuple[str, ...]) -> Node:
        if is_node(node.get("additionalProperties")):
            raise Inexpressible("an object with free names")
        made = {name: self.node(inner, seen) for name, inner in properties(node).items()}
        required = [name for name in node.get("required", ()) if name in made]
        ordered: Node = {"properties": made, "propertyOrdering": list(made)}
        return ordered | {"required": required} if required else ordered


def _choices(node: Node) -> tuple[list[Node] | None, bool]:
    """The alternatives of a node without null (`None`: there is but one), and whether null is one."""
    listed = variants(node)
    types = types_of(node)
    if listed is None and len(types) > 1:
        rest = {k: v for k, v in node.items() if k != "type"}
        listed = [{**rest, "type": name} if name != "null" else {"type": name} for name in types]
    if listed is None:
        return None, node.get("nullable") is True
    kept = [choice for choice in listed if choice.get("type") != "null"]
    if not kept:
        raise Inexpressible("null alone")
    return kept, len(kept) < len(listed)


def _enum(values: Any) -> Node:
    named = [value for value in values if value is not None] if isinstance(values, list) else []
    if not named or not all(isinstance(value, str) for value in named):
        raise Inexpressible("an enum of something else than words")
    made: Node = {"type": "STRING", "format": "enum", "enum": named}
    return made | {"nullable": True} if None in values else made


def _words(node: Node) -> Node:
    """Limits, title and description; what has no field is described."""
    kept = {name: node[name] for name in node if name in _RULES}
    if node.get("format") in _FORMATS:
        kept["format"] = node["format"]
    if types_of(node) == ["integer"]:
        # OpenAPI 3.0 knows no number behind "exclusive".
        for ours, theirs, step in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
            if ours not in kept and isinstance(node.get(theirs), int):
                kept[ours] = node[theirs] + step
    left = {k: v for k, v in node.items() if k not in _HANDLED and k not in kept}
    title = {"title": node["title"]} if isinstance(node.get("title"), str) else {}
    return {**kept, **title, **described(node.get("description"), left)}


def _listed(node: object) -> Any:
    """A schema with the keywords that `responseJsonSchema` knows; a reference stands alone."""
    if not is_node(node):
        return node
    if "$ref" in node:
        return {"$ref": str(node["$ref"]).replace("#/definitions/", "#/$defs/")}
    named = {"$defs": node["definitions"], **node} if "definitions" in node else dict(node)
    if "const" in named:
        named["enum"] = [named.pop("const")]
    made = {name: _inner(name, value) for name, value in named.items() if name in _JSON_KEPT}
    left = {k: v for k, v in named.items() if k not in _JSON_KEPT and k not in ("description", "definitions")}
    return {**made, **described(named.get("description"), left)}


def _inner(name: str, value: Any) -> Any:
    if name in ("$defs", "properties") and is_node(value):
        return {key: _listed(inner) for key, inner in value.items()}
    if name in ("anyOf", "oneOf", "prefixItems") and isinstance(value, list):
        return [_listed(inner) for inner in value]
    return _listed(value) if name in ("items", "additionalProperties") else value
