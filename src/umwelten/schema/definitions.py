"""JSON Schemas that users bring: checked before anything is sent."""

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
    """The user's JSON Schema, checked (Draft 2020-12). `where` names it in errors.

    Its root must be an object's schema, or refer to one within it, which is then put at the root.
    Raises `UsageError` with the path of what is wrong.
    """
    if not isinstance(given, dict):
        raise UsageError(
            f"{where}: a JSON Schema is an object", 'It starts like {"type": "object", "properties": …}.'
        )
    try:
        _check(given, where)
        _check_references(given, where)
        root = _rooted(given, where)
    except RecursionError as error:
        raise UsageError(f"{where}: the schema is nested too deeply") from error
    return Schema(json=root, name=plain_name(name), source=source)


def plain_name(text: str) -> str:
    """A name that every provider takes: letters, digits, `_` and `-`, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_")[:64] or "answer"


def _check(given: dict[str, Any], where: str) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema({key: value for key, value in given.items() if key != "$schema"})
    except SchemaError as error:
        raise UsageError(
            f"{where}: {error.json_path}: {error.message[:300]}",
            "A schema follows JSON Schema, Draft 2020-12.",
        ) from error


def _rooted(given: dict[str, Any], where: str) -> dict[str, Any]:
    """The schema with an object at its root."""
    root = resolve_reference(given, given) or {}
    if root.get("type") == "object":
        kept = {key: given[key] for key in ("$defs", "definitions") if key in given}
        return dict(root) | kept
    kind = root.get("type")
    said = "has no type" if kind is None else f"is {kind!r}"
    raise UsageError(
        f"{where}: the root {said}, not 'object'", _WRAP if kind else 'Say "type": "object" at the root.'
    )


def _check_references(given: dict[str, Any], where: str) -> None:
    """Every reference has to lead somewhere within the schema: nothing is ever fetched."""
    for path, keyword, reference in _references(given, "$"):
        if keyword == "$id":
            raise UsageError(
                f"{where}: {path}: an $id below the root", "Take it away; use $defs and #/$defs/…."
            )
        if not reference.startswith("#"):
            hint = "Put it under $defs and refer to #/$defs/…: nothing is fetched."
            raise UsageError(f"{where}: {path}: {reference!r} is outside of this schema", hint)
        if not _leads(given, reference):
            raise UsageError(f"{where}: {path}: {reference!r} leads nowhere", _defined(given))


def _references(place: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Path, keyword and value of each reference, and of each `$id` below the root."""
    if isinstance(place, list):
        for n, each in enumerate(place):
            yield from _references(each, f"{path}[{n}]")
    elif isinstance(place, Mapping):
        for key, each in place.items():
            if isinstance(each, str) and (key in ("$ref", "$dynamicRef") or (key == "$id" and path != "$")):
                yield f"{path}.{key}", key, each
            elif key not in _NOT_SCHEMAS or path.endswith(".properties"):
                yield from _references(each, f"{path}.{key}")


def _leads(given: dict[str, Any], reference: str) -> bool:
    """Whether a reference has a target, by the rules of the library that will follow it."""
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


def _defined(given: dict[str, Any]) -> str:
    names = [f"#/{key}/{name}" for key in ("$defs", "definitions") for name in given.get(key, {})]
    return f"There is {', '.join(names[:10])}." if names else "The schema has no $defs."
