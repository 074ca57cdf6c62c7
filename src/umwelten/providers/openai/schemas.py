"""How chat completions are asked for a shape: `response_format`, as the vendor's row says."""

from __future__ import annotations

from typing import Any

from umwelten.providers.base_url import is_at_home
from umwelten.providers.common.parameters import SCHEMA
from umwelten.providers.common.small_schemas import bounded
from umwelten.providers.common.strict_schemas import strict
from umwelten.providers.protocol import Endpoint
from umwelten.types import Request, Schema

_LONGEST_NAME = 64


def response_fields(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    """The fields of the body that ask for a shape; {} where nothing but words can."""
    quirks = endpoint.vendor.quirks
    if request.schema is None or SCHEMA in dropped or quirks.schema == "none":
        return {}
    if quirks.schema == "json_object":
        return {"response_format": {"type": "json_object"}}
    shape = _shape(request.schema, quirks.strict, small=request.model.model in quirks.small_models)
    along = {
        name: _joined(value, request.parameters.extra.get(name)) for name, value in quirks.schema_body.items()
    }
    return {"response_format": {"type": "json_schema", "json_schema": shape}, **along}


def must_tell(fields: dict[str, Any], endpoint: Endpoint) -> bool:
    """Whether the shape has to be put into words as well."""
    quirks = endpoint.vendor.quirks
    is_shown = "response_format" in fields and quirks.schema == "json_schema" and is_at_home(endpoint)
    return quirks.tell_schema or not is_shown


def _shape(schema: Schema, dialect: str, *, small: bool) -> dict[str, Any]:
    named: dict[str, Any] = {"name": schema.name[:_LONGEST_NAME]}
    made = strict(schema, ranges=dialect == "full") if dialect else None
    if made is not None:
        return {**named, "schema": made, "strict": True}
    return {**named, "schema": bounded(schema) if small else schema.json, "strict": False}


def _joined(ours: object, theirs: object) -> object:
    """What the user set, with what we add to an object that the user did not forbid."""
    if theirs is None:
        return ours
    return {**ours, **theirs} if isinstance(ours, dict) and isinstance(theirs, dict) else theirs
