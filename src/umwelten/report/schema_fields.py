"""The fields of an evaluation's schema, as columns of its reports.

A column has its field's name; where a column of every report has that name, it is `json.<name>`. Field
types are read from the JSON Schema as far as a column needs them: through `$ref` within the schema and
past an alternative of null. Whatever has no plain type is "json".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

import msgspec

from umwelten.json_schema import resolve_reference, single_form
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct, Schema

FieldType = Literal["string", "integer", "number", "boolean", "date", "array", "json"]

PREFIX = "json."
_PLAIN: Mapping[str, FieldType] = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
_DEEPEST = 16

Record = dict[str, Any]


class Field(FrozenStruct):
    """A top-level property. `items` is the type in an array of plain values; `options` are an enum's."""

    name: str
    column: str
    type: FieldType
    items: FieldType | None = None
    options: tuple[str, ...] = ()
    required: bool = False


def schema_of(reader: Reader) -> Schema | None:
    """Return the shape that the evaluation's answers must have; `None`: answers are words."""
    return reader.spec().request.schema


def fields_of(schemas: Sequence[Schema | None], taken: Collection[str] = ()) -> tuple[Field, ...]:
    """The fields of all schemas in order, each name once. `taken` are columns of other names.

    A field that has different types in two schemas is "json".
    """
    found: dict[str, Field] = {}
    used = {name.casefold() for name in taken}
    for schema in filter(None, schemas):
        required = schema.json.get("required") or ()
        for name, declared in (schema.json.get("properties") or {}).items():
            column = found[name].column if name in found else _column(name, used)
            field = _field(name, column, declared, schema.json, required=name in required)
            found[name] = field if name not in found else _both(found[name], field)
    return tuple(found.values())


def record_of(data: msgspec.Raw | str | None) -> Record:
    """The record as a dict; none is empty."""
    decoded = None if data is None else msgspec.json.decode(data)
    return decoded if isinstance(decoded, dict) else {}


def compact(value: object) -> str:
    """A value as JSON on one line."""
    return msgspec.json.encode(value).decode()


def _column(name: str, used: set[str]) -> str:
    column = name
    # Without regard to case, as databases and data frames that read the file may have none.
    while column.casefold() in used:
        column = PREFIX + column
    used.add(column.casefold())
    return column


def _field(name: str, column: str, declared: Any, root: Mapping[str, Any], *, required: bool) -> Field:
    plain = _plain(declared, root)
    kind = _type(plain)
    items = _type(_plain(plain.get("items"), root)) if kind == "array" else None
    return Field(
        name=name,
        column=column,
        type=kind,
        items=items if items in _PLAIN else None,
        options=_options(plain),
        required=required,
    )


def _both(one: Field, other: Field) -> Field:
    same = (one.type, one.items) == (other.type, other.items)
    return msgspec.structs.replace(
        one,
        type=one.type if same else "json",
        items=one.items if same else None,
        options=tuple(dict.fromkeys(one.options + other.options)) if one.options and other.options else (),
        required=one.required and other.required,
    )


def _plain(declared: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema that says the type: behind references, and the one alternative beside null."""
    for _ in range(_DEEPEST):
        schema = resolve_reference(declared, root) if isinstance(declared, dict) else None
        if schema is None:
            return {}
        form, _ = single_form(schema)
        if form is schema:
            return schema
        declared = form
    return {}


def _type(declared: Mapping[str, Any]) -> FieldType:
    given = declared.get("type")
    names = [name for name in (given if isinstance(given, list) else [given]) if name not in (None, "null")]
    if not names and all(isinstance(value, str) for value in _values(declared) or [0]):
        return "string"
    if len(names) != 1:
        return "json"
    if names[0] == "string" and declared.get("format") == "date":
        return "date"
    return "array" if names[0] == "array" else _PLAIN.get(names[0], "json")


def _values(declared: Mapping[str, Any]) -> list[Any]:
    """Those that an enum or a constant allows, but null."""
    given = declared["enum"] if isinstance(declared.get("enum"), list) else [declared.get("const")]
    return [value for value in given if value is not None]


def _options(declared: Mapping[str, Any]) -> tuple[str, ...]:
    values = _values(declared)
    return tuple(values) if all(isinstance(value, str) for value in values) else ()
