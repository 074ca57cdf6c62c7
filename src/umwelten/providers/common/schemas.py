"""Schemas as providers accept them: the parts that all of their dialects have in common.

Where a provider accepts no schema, or enforces it without showing it to the model, the schema goes into the
prompt. What a dialect has no keyword for goes into the description, so that the model still sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

import msgspec

from umwelten.json_schema import resolve_reference
from umwelten.types import Request, Schema

Node = dict[str, Any]

NOTES = frozenset(
    ("$schema", "$id", "$comment", "$anchor", "default", "discriminator", "readOnly", "writeOnly")
)
"""Keywords that say nothing about which values are valid."""


class Inexpressible(Exception):
    """A dialect cannot express a part of this schema."""


def instruction(schema: Schema) -> str:
    """Return the instruction for a model that does not see the schema, or is not bound to it."""
    shape = msgspec.json.encode(schema.json).decode()
    return (
        "Answer with one JSON object that fits the JSON Schema below, and with nothing else: "
        f"no explanation, no code fence.\n{shape}"
    )


def add_instruction(request: Request) -> Request:
    """Return the request with the instruction at the end of its system prompt, if it has a schema."""
    if request.schema is None:
        return request
    words = instruction(request.schema)
    system = f"{request.system}\n\n{words}" if request.system else words
    return msgspec.structs.replace(request, system=system)


def resolve(node: Node, root: Node) -> Node:
    """Return the node with its `$ref` followed; keywords beside it win. Errors: `Inexpressible`."""
    whole = resolve_reference(node, root)
    if whole is None:
        raise Inexpressible(f"reference {node['$ref']!r}")
    return dict(whole)


def is_node(value: object) -> TypeGuard[Node]:
    """Return whether this is a schema with keywords: not `true`, `false`, or no schema at all."""
    return isinstance(value, dict)


def merge_all_of(node: Node) -> Node:
    """Return the node merged with the single schema of its `allOf`. Errors: `Inexpressible` for several."""
    parts = node.get("allOf")
    if parts is None:
        return node
    if not isinstance(parts, list) or len(parts) != 1 or not is_node(parts[0]):
        raise Inexpressible("allOf")
    return {**parts[0], **{name: value for name, value in node.items() if name != "allOf"}}


def variants(node: Node) -> list[Node] | None:
    """Return the alternatives under `anyOf` or `oneOf`, or `None`. Errors: `Inexpressible`."""
    alternatives = node.get("anyOf", node.get("oneOf"))
    if alternatives is None:
        return None
    if not isinstance(alternatives, list) or not alternatives or not all(map(is_node, alternatives)):
        raise Inexpressible("anyOf")
    return alternatives


def properties(node: Node) -> dict[str, Node]:
    """Return an object's properties. Errors: `Inexpressible` for none, or for a boolean among them."""
    fields = node.get("properties")
    if not isinstance(fields, dict) or not fields or not all(map(is_node, fields.values())):
        raise Inexpressible("an object without named properties")
    return fields


def types_of(node: Node) -> list[str]:
    """Return the types that a node names."""
    value = node.get("type")
    types = value if isinstance(value, list) else [] if value is None else [value]
    return [name for name in types if isinstance(name, str)]


def description_fields(text: object, left: Mapping[str, Any]) -> Node:
    """Return the `description` field, with the keywords that are `left` in brackets; {} if there is none."""
    rules = ", ".join(f"{name}: {_compact_json(value)}" for name, value in left.items() if name not in NOTES)
    description = text if isinstance(text, str) else ""
    whole = f"{description} ({rules})".strip() if rules else description
    return {"description": whole} if whole else {}


def _compact_json(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
