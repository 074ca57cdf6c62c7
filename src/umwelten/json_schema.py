"""Resolve references inside a JSON Schema, and alternatives of which only one is left beside null.

Nothing outside the schema is ever fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

MAX_REFERENCES = 32
"""A longer chain is taken for a cycle; generated schemas have one or two."""


def resolve_reference(schema: Mapping[str, Any], root: Any) -> Mapping[str, Any] | None:
    """Return the schema with its `$ref` followed to the end; keywords beside a reference take precedence.

    `None` where a reference leaves `root`, points to something without keywords, or is circular.
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
    """Return the value at a JSON Pointer such as `#/$defs/Author` in `root`, or `None` if there is none."""
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
    """Return the schema merged with the only non-null form of its `anyOf`, `oneOf` or `allOf`.

    It is the same object where there is no such keyword, or several forms are left. The second value is
    True where null is allowed as well, or may be (with several forms).
    """
    for key in ("anyOf", "oneOf", "allOf"):
        forms = schema.get(key)
        if isinstance(forms, list):
            others = [form for form in forms if not is_null_alone(form)]
            if len(others) == 1 and isinstance(others[0], Mapping):
                rest = {name: value for name, value in schema.items() if name != key}
                return {**rest, **others[0]}, len(others) < len(forms)
            return schema, True
    return schema, False


def is_null_alone(schema: Any) -> bool:
    """Return whether the schema allows null and nothing else, in any of the ways to say so."""
    if not isinstance(schema, Mapping):
        return False
    if schema.get("type") in ("null", ["null"]) or schema.get("enum") == [None]:
        return True
    return "const" in schema and schema["const"] is None
