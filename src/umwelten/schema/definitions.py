"""Users' JSON Schemas, checked before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from umwelten.errors import UsageError
from umwelten.json_schema import resolve_reference
from umwelten.types import Schema

_NOT_SCHEMAS = frozenset({"enum", "const", "default", "example", "examples"})
"""Keywords whose values are data: what looks like a reference there is none."""
_WRAP = 'Wrap it: {"type": "object", "properties": {"items": …}, "required": ["items"]}.'


def schema_of(given: Any, *, name: str, source: str, where: str) -> Schema:
    """Check a user's JSON Schema (Draft 2020-12) and return it. `where` names it in errors.

    Its root must be an object's schema, or refer to one within it, which then becomes the root.
    Raises `UsageError` with the path of the fault.
    """
    if not isinstance(given, dict):
        raise UsageError(
            f"{where}: a JSON Schema must be an object", 'It starts like {"type": "object", "properties": …}.'
        )
    try:
        _check_draft(given, where)
        _check_references(given, where)
        root = _object_root(given, where)
    except RecursionError as error:
        raise UsageError(f"{where}: the schema is nested too deeply") from error
    return Schema(json=root, name=plain_name(name), source=source)


def plain_name(text: str) -> str:
    """Return the text as a name that every provider accepts: at most 64 letters, digits, `_` and `-`."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:64] or "answer"


def _check_draft(given: dict[str, Any], where: str) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema({key: value for key, value in given.items() if key != "$schema"})
    except SchemaError as error:
        raise UsageError(
            f"{where}: {error.json_path}: {error.message[:300]}",
            "The schema must follow JSON Schema, Draft 2020-12.",
        ) from error


def _object_root(given: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the schema with an object at its root."""
    root = resolve_reference(given, given) or {}
    if root.get("type") == "object":
        definitions = {key: given[key] for key in ("$defs", "definitions") if key in given}
        return dict(root) | definitions
    kind = root.get("type")
    problem = "has no type" if kind is None else f"is {kind!r}"
    raise UsageError(
        f"{where}: the root {problem}, not 'object'", _WRAP if kind else 'Add "type": "object" at the root.'
    )


def _check_references(given: dict[str, Any], where: str) -> None:
    """Raise `UsageError` unless every reference resolves within the schema: nothing is ever fetched."""
    for path, keyword, reference in _references(given, "$"):
        if keyword == "$id":
            raise UsageError(f"{where}: {path}: an $id below the root", "Remove it; use $defs and #/$defs/….")
        if not reference.startswith("#"):
            hint = "Put it under $defs and refer to #/$defs/…: nothing is fetched."
            raise UsageError(f"{where}: {path}: {reference!r} points outside this schema", hint)
        if not _resolves(given, reference):
            raise UsageError(f"{where}: {path}: {reference!r} cannot be resolved", _definitions_hint(given))


def _references(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, keyword and value of each reference, and of each `$id` below the root."""
    if isinstance(value, list):
        for n, item in enumerate(value):
            yield from _references(item, f"{path}[{n}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(item, str) and (key in ("$ref", "$dynamicRef") or (key == "$id" and path != "$")):
                yield f"{path}.{key}", key, item
            elif key not in _NOT_SCHEMAS or path.endswith(".properties"):
                yield from _references(item, f"{path}.{key}")


def _resolves(given: dict[str, Any], reference: str) -> bool:
    """Return whether the reference resolves, by the rules of the library that will follow it."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource({key: value for key, value in given.items() if key != "$id"})
    registry = Registry().with_resource("", resource)
    try:
        registry.resolver().lookup(reference)
    except Unresolvable:
        return False
    return True


def _definitions_hint(given: dict[str, Any]) -> str:
    names = [f"#/{key}/{name}" for key in ("$defs", "definitions") for name in given.get(key, {})]
    return f"Defined: {', '.join(names[:10])}." if names else "The schema has no $defs."
