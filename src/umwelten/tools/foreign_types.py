"""Types of parameters that msgspec does not know: their schemas, and the reading of their values."""

from __future__ import annotations

import types
import typing
from pathlib import Path, PurePath
from typing import Annotated, Any, get_args, get_origin

import msgspec
from msgspec import Meta

_REFERENCE = "#/$defs/{name}"


def components(type_: Any) -> dict[str, Any]:
    """Return the schema of a type with the types that it refers to in `$defs`."""
    schemas, components = msgspec.json.schema_components(
        (type_,), schema_hook=_foreign_schema, ref_template=_REFERENCE
    )
    schema: dict[str, Any] = schemas[0]
    name = schema.get("$ref", "").rpartition("/")[2]
    if name in components:
        root = components[name]
        if not _refers(root, name) and not any(_refers(each, name) for each in components.values()):
            del components[name]
        schema = dict(root)
    foreign: dict[str, Any] = {}
    schema, components = _lifted(schema, foreign), _lifted(components, foreign)
    definitions = {**components, **foreign, **schema.pop("$defs", {})}
    return schema | {"$defs": definitions} if definitions else schema


def _refers(schema: Any, name: str) -> bool:
    return f'"#/$defs/{name}"'.encode() in msgspec.json.encode(schema)


def _lifted(schema: Any, found: dict[str, Any]) -> Any:
    """Return the schema without inner `$defs`, which are put into `found`: references begin at the root."""
    if isinstance(schema, list):
        return [_lifted(each, found) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = schema.get("$defs")
    if isinstance(inner, dict):
        found |= {name: _lifted(each, found) for name, each in inner.items()}
    return {key: _lifted(each, found) for key, each in schema.items() if key != "$defs"}


def _foreign_schema(type_: Any) -> dict[str, Any]:
    if type_ is object:
        return {}
    if type_ in _PATHS:
        return {"type": "string", "format": "path"}
    make = getattr(type_, "model_json_schema", None)
    if make is None:
        raise NotImplementedError(f"{getattr(type_, '__name__', type_)} is not supported")
    schema: dict[str, Any] = make()
    return schema


def decode(type_: Any, value: Any) -> Any:
    if type_ is object:
        return value
    if type_ in _PATHS:
        if not isinstance(value, str):
            raise ValueError(f"Expected `str`, got `{type(value).__name__}`")
        return type_(value)
    make = getattr(type_, "model_validate", None)
    if make is None:
        raise NotImplementedError(f"{getattr(type_, '__name__', type_)} is not supported")
    try:
        return make(value)
    except ValueError as error:
        errors: Any = getattr(error, "errors", None)
        told = errors(include_url=False)[:5] if callable(errors) else ()
        said = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in told)
        raise ValueError(said or str(error)) from None


_PATHS = (Path, PurePath)


# --- limits in the words of Pydantic and annotated-types ----------------------------------------------

_LIMITS = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern")


def limited(hint: Any) -> Any:
    """Return a parameter's type with the limits of `Field(ge=1)` or `Ge(1)` in msgspec's own words."""
    if get_origin(hint) is not Annotated:
        return hint
    limits: dict[str, Any] = {}
    for extra in get_args(hint)[1:]:
        if not isinstance(extra, Meta):
            for each in (extra, *(getattr(extra, "metadata", None) or ())):
                limits |= {
                    name: value for name in _LIMITS if (value := getattr(each, name, None)) is not None
                }
    return _with_limits(hint, Meta(**limits)) if limits else hint


def _with_limits(hint: Any, limits: Meta) -> Any:
    """Return the type with limits, which in `int | None` are those of the number."""
    if get_origin(hint) is Annotated:
        return Annotated[(_with_limits(get_args(hint)[0], limits), *get_args(hint)[1:])]
    if get_origin(hint) in (typing.Union, types.UnionType):
        members = (each if each is type(None) else _with_limits(each, limits) for each in get_args(hint))
        return typing.Union[tuple(members)]  # noqa: UP007
    return Annotated[hint, limits]
