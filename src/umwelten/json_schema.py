"""How the keywords of a JSON Schema are followed: references inside it, and alternatives of one form.

Nothing outside of a schema is ever fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

MAX_REFERENCES = 32
"""A chain of more is taken for a circle; schemas that tools write have one or two."""


def resolve_reference(schema: Mapping[str, Any], root: Any) -> Mapping[str, Any] | None:
    """Return the schema behind its `$ref`, and behind that one's; what stands beside a reference wins.

    `None` where a reference leads out of `root`, to nothing that has keywords, or in a circle.
    """
    for _ in range(MAX_REFERENCES):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        target = pointer_target(root, reference)
        if not isinstance(target, Mapping):
            return None
        schema = {**target, **{name: value for name, value in schema.items() if name != "$ref"}}
    return None


def pointer_target(root: Any, reference: str) -> Any:
    """Return what a JSON Pointer such as `#/$defs/Author` points to in `root`; `None` where nothing is."""
    if reference != "#" and not reference.startswith("#/"):
        return None
    target = root
    for step in reference.split("/")[1:]:
        step = unquote(step).replace("~1", "/").replace("~0", "~")
        if isinstance(target, Mapping):
            target = target.get(step)
        elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
            target = target[int(step)]
        else:
            return None
    return target


def single_form(schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Return the schema with the one form that its `anyOf`, `oneOf` or `allOf` leaves beside null.

    It is the same object where there is no such keyword, or several forms are left. The second value is
    whether null is allowed as well; with several forms it may be.
    """
    for key in ("anyOf", "oneOf", "allOf"):
        forms = schema.get(key)
        if isinstance(forms, list):
            others = [form for form in forms if form != {"type": "null"}]
            if len(others) == 1 and isinstance(others[0], Mapping):
                rest = {name: value for name, value in schema.items() if name != key}
                return {**rest, **others[0]}, len(others) < len(forms)
            return schema, True
    return schema, False
