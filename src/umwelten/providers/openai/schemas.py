"""Schemas in chat completions: `response_format`, as the vendor's row says."""

from __future__ import annotations

from typing import Any

from umwelten.providers.base_url import has_vendor_address
from umwelten.providers.common.refused_fields import SCHEMA
from umwelten.providers.common.small_schemas import limit_lengths
from umwelten.providers.common.strict_schemas import strict_schema
from umwelten.providers.protocol import Endpoint
from umwelten.types import Request, Schema

_LONGEST_NAME = 64
_BESIDE_TOOLS = frozenset(("openai", "openrouter"))
"""Vendors that enforce a schema in a request that declares tools; others were seen to refuse or ignore it."""


def response_fields(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the body's fields for the schema; {} where it can only go into the prompt.

    An enforced shape keeps models from calling tools, so it waits until they must not.
    """
    quirks = endpoint.vendor.quirks
    if request.tools and (request.tool_choice != "none" or endpoint.vendor.name not in _BESIDE_TOOLS):
        return {}
    if request.schema is None or SCHEMA in dropped or quirks.schema == "none":
        return {}
    if quirks.schema == "json_object":
        return {"response_format": {"type": "json_object"}}
    schema_field = _schema_field(
        request.schema, quirks.strict, small=request.model.model in quirks.small_models
    )
    extra_fields = {
        name: _merge_objects(value, request.parameters.extra.get(name))
        for name, value in quirks.schema_body.items()
    }
    return {"response_format": {"type": "json_schema", "json_schema": schema_field}, **extra_fields}


def needs_instruction(request: Request, fields: dict[str, Any], endpoint: Endpoint) -> bool:
    """Return whether the schema has to go into the prompt as well.

    With tools it stays there in all requests of a call.
    """
    if request.tools:
        return True
    quirks = endpoint.vendor.quirks
    is_shown = "response_format" in fields and quirks.schema == "json_schema" and has_vendor_address(endpoint)
    return quirks.tell_schema or not is_shown


def _schema_field(schema: Schema, dialect: str, *, small: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": schema.name[:_LONGEST_NAME]}
    strict_form = strict_schema(schema, ranges=dialect == "full") if dialect else None
    if strict_form is not None:
        return {**fields, "schema": strict_form, "strict": True}
    return {**fields, "schema": limit_lengths(schema) if small else schema.json, "strict": False}


def _merge_objects(ours: object, theirs: object) -> object:
    """Return the user's value; if both are objects, ours with the user's fields on top."""
    if theirs is None:
        return ours
    return {**ours, **theirs} if isinstance(ours, dict) and isinstance(theirs, dict) else theirs
