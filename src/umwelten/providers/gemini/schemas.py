"""Schemas as Google accepts them: `responseSchema`, a subset of OpenAPI, or else `responseJsonSchema`.

Every model supports the first; the second also has references, arbitrary names and enums of numbers.
Sources: the fields of `Schema` and the list at `GenerationConfig.response_json_schema` in Google's own
definitions (google-ai-generativelanguage). Strings may have the formats "enum" and "date-time" only:
others were refused with status 400 for a long time.
"""

from __future__ import annotations

from typing import Any

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
_STRUCTURE = frozenset(("properties", "required", "items", "enum", "const", "additionalProperties"))
_JSON_COPIED = frozenset(
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
    """Return the fields of `generationConfig` for this schema."""
    fields: Node = {"responseMimeType": "application/json"}
    try:
        return fields | {"responseSchema": _GeminiSchemaWalk(schema.json).node(schema.json, ())}
    except Inexpressible:
        return fields | {"responseJsonSchema": _json_schema(schema.json)}


class _GeminiSchemaWalk:
    """One pass through a schema. References are followed, so recursive ones cannot be expressed."""

    def __init__(self, root: Node) -> None:
        self._root = root

    def node(self, node: Node, seen: tuple[str, ...]) -> Node:
        """Return the OpenAPI form of a node below the references `seen`."""
        node = merge_all_of(node)
        if "$ref" in node:
            if node["$ref"] in seen:
                raise Inexpressible("a recursive schema")
            seen = (*seen, str(node["$ref"]))
            node = merge_all_of(resolve(node, self._root))
        if _FOREIGN & set(node):
            raise Inexpressible(", ".join(_FOREIGN & set(node)))
        choices, nullable = _choices(node)
        converted = self._single(node, seen) if choices is None else self._alternatives(node, choices, seen)
        return converted | {"nullable": True} if nullable else converted

    def _alternatives(self, node: Node, choices: list[Node], seen: tuple[str, ...]) -> Node:
        beside = {k: v for k, v in node.items() if k not in ("anyOf", "oneOf", "type", "nullable")}
        own = _STRUCTURE & set(beside) if variants(node) is not None else frozenset()
        if len(choices) == 1 and not own & set(choices[0]):
            return self.node({**choices[0], **beside}, seen)
        if own:
            raise Inexpressible("forms of an object beside its own fields")
        return {"anyOf": [self.node(choice, seen) for choice in choices], **_annotations(node)}

    def _single(self, node: Node, seen: tuple[str, ...]) -> Node:
        values = [node["const"]] if "const" in node else node.get("enum")
        if values is not None:
            return _enum(values) | _annotations({k: v for k, v in node.items() if k != "format"})
        types = types_of(node)
        if len(types) != 1:
            raise Inexpressible("a value of any type")
        converted: Node = {"type": types[0].upper()}
        if types[0] == "object":
            converted |= self._object(node, seen)
        elif types[0] == "array":
            if not is_node(node.get("items")):
                raise Inexpressible("an array of anything")
            converted["items"] = self.node(node["items"], seen)
        return converted | _annotations(node)

    def _object(self, node: Node, seen: tuple[str, ...]) -> Node:
        if is_node(node.get("additionalProperties")):
            raise Inexpressible("an object with free names")
        converted = {name: self.node(inner, seen) for name, inner in properties(node).items()}
        required = [name for name in node.get("required", ()) if name in converted]
        fields: Node = {"properties": converted, "propertyOrdering": list(converted)}
        return fields | {"required": required} if required else fields


def _choices(node: Node) -> tuple[list[Node] | None, bool]:
    """Return a node's alternatives without null (`None`: only one), and whether null is among them."""
    alternatives = variants(node)
    types = types_of(node)
    if alternatives is None and len(types) > 1:
        rest = {k: v for k, v in node.items() if k != "type"}
        alternatives = [{**rest, "type": name} if name != "null" else {"type": name} for name in types]
    if alternatives is None:
        return None, node.get("nullable") is True
    choices = [choice for choice in alternatives if choice.get("type") != "null"]
    if not choices:
        raise Inexpressible("null alone")
    return choices, len(choices) < len(alternatives)


def _enum(values: Any) -> Node:
    strings = [value for value in values if value is not None] if isinstance(values, list) else []
    if not strings or not all(isinstance(value, str) for value in strings):
        raise Inexpressible("an enum of something other than strings")
    enum: Node = {"type": "STRING", "format": "enum", "enum": strings}
    return enum | {"nullable": True} if None in values else enum


def _annotations(node: Node) -> Node:
    """Return limits, title and description; keywords without a field go into the description."""
    rules = {name: node[name] for name in node if name in _RULES}
    if node.get("format") in _FORMATS:
        rules["format"] = node["format"]
    if types_of(node) == ["integer"]:
        # In OpenAPI 3.0, the "exclusive" keywords are booleans.
        for ours, theirs, step in (("minimum", "exclusiveMinimum", 1), ("maximum", "exclusiveMaximum", -1)):
            if ours not in rules and isinstance(node.get(theirs), int):
                rules[ours] = node[theirs] + step
    left = {k: v for k, v in node.items() if k not in _HANDLED and k not in rules}
    title = {"title": node["title"]} if isinstance(node.get("title"), str) else {}
    return {**rules, **title, **description_fields(node.get("description"), left)}


def _json_schema(node: object) -> Any:
    """Return a schema with the keywords that `responseJsonSchema` supports; a reference stands alone."""
    if not is_node(node):
        return node
    if "$ref" in node:
        return {"$ref": str(node["$ref"]).replace("#/definitions/", "#/$defs/")}
    schema = {"$defs": node["definitions"], **node} if "definitions" in node else dict(node)
    if "const" in schema:
        schema["enum"] = [schema.pop("const")]
    supported = {
        name: _json_schema_child(name, value) for name, value in schema.items() if name in _JSON_COPIED
    }
    left = {
        k: v for k, v in schema.items() if k not in _JSON_COPIED and k not in ("description", "definitions")
    }
    return {**supported, **description_fields(schema.get("description"), left)}


def _json_schema_child(name: str, value: Any) -> Any:
    if name in ("$defs", "properties") and is_node(value):
        return {key: _json_schema(inner) for key, inner in value.items()}
    if name in ("anyOf", "oneOf", "prefixItems") and isinstance(value, list):
        return [_json_schema(inner) for inner in value]
    return _json_schema(value) if name in ("items", "additionalProperties") else value
