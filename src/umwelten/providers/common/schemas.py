"""The shape that answers must have, as providers take it: what all of their dialects have in common.

Where a provider takes no schema, or sees it only as a limit on what may be written, the model is told
in words. What a dialect has no keyword for goes into the description, so that the model still knows.
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
    """A dialect has no words for a part of this schema."""


def instruction(schema: Schema) -> str:
    """What a model is told that does not see the schema, or need not keep to it."""
    shape = msgspec.json.encode(schema.json).decode()
    return (
        "Answer with one JSON object that fits the JSON Schema below, and with nothing else: "
        f"no explanation, no code fence.\n{shape}"
    )


def told(request: Request) -> Request:
    """The question with the instruction at the end of its system text, if it asks for a shape."""
    if request.schema is None:
        return request
    words = instruction(request.schema)
    system = f"{request.system}\n\n{words}" if request.system else words
    return msgspec.structs.replace(request, system=system)


def resolved(node: Node, root: Node) -> Node:
    """A node whose `$ref` was followed; what stands beside it wins. Raises `Inexpressible`."""
    whole = resolve_reference(node, root)
    if whole is None:
        raise Inexpressible(f"reference {node['$ref']!r}")
    return dict(whole)


def is_node(value: object) -> TypeGuard[Node]:
    """Whether this is a schema with keywords: not `true`, `false`, or no schema at all."""
    return isinstance(value, dict)


def flattened(node: Node) -> Node:
    """A node whose `allOf` holds a single schema, as one; with several it is `Inexpressible`."""
    parts = node.get("allOf")
    if parts is None:
        return node
    if not isinstance(parts, list) or len(parts) != 1 or not is_node(parts[0]):
        raise Inexpressible("allOf")
    return {**parts[0], **{name: value for name, value in node.items() if name != "allOf"}}


def variants(node: Node) -> list[Node] | None:
    """The alternatives of a node, by either of their names."""
    listed = node.get("anyOf", node.get("oneOf"))
    if listed is None:
        return None
    if not isinstance(listed, list) or not listed or not all(map(is_node, listed)):
        raise Inexpressible("anyOf")
    return listed


def properties(node: Node) -> dict[str, Node]:
    """The properties of an object; without any, or with `false` among them, it is `Inexpressible`."""
    listed = node.get("properties")
    if not isinstance(listed, dict) or not listed or not all(map(is_node, listed.values())):
        raise Inexpressible("an object without named properties")
    return listed


def types_of(node: Node) -> list[str]:
    """The types that a node names."""
    named = node.get("type")
    listed = named if isinstance(named, list) else [] if named is None else [named]
    return [name for name in listed if isinstance(name, str)]


def described(text: object, left: Mapping[str, Any]) -> Node:
    """A description, with what the dialect has no keyword for in brackets behind it; {} if there is none."""
    rules = ", ".join(f"{name}: {_short(value)}" for name, value in left.items() if name not in NOTES)
    said = text if isinstance(text, str) else ""
    whole = f"{said} ({rules})".strip() if rules else said
    return {"description": whole} if whole else {}


def _short(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
