"""Requests to Anthropic's messages API: addresses, headers and bodies.

A schema is sent as a tool that the model has to call, which most models can; its input is the answer. Where
a model cannot be forced to call a tool (with thinking, and the newest ones never), the schema goes into
`output_config.format`; one that has no form there is a tool that the model may call, told in words as well.
Beside the user's tools it is told in words, and enforced in `output_config.format` once none may be called.
"""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.errors import InputError
from umwelten.providers.anthropic.models import (
    enables_thinking,
    knows_traits,
    refused_parameters,
    traits_of,
)
from umwelten.providers.anthropic.tools import result_message, tool_fields
from umwelten.providers.base_url import has_vendor_address, with_version
from umwelten.providers.common.refused_fields import SCHEMA, canonical_name
from umwelten.providers.common.schemas import add_instruction
from umwelten.providers.common.strict_schemas import strict_schema
from umwelten.providers.common.system_message import place_system
from umwelten.providers.protocol import Endpoint
from umwelten.tool_calls import ModelTurn, ToolResults
from umwelten.types import Media, Message, Part, Request, Schema, Turn

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096
THINKING_MAX_TOKENS = 16_384
"""Sent where none is given to a model that thinks: the limit includes its thinking."""
_TITLE_LENGTH = 500
ANSWER_TOOL = "give_answer"
"""The tool whose input is the answer, where there is a schema."""


def root_of(endpoint: Endpoint) -> str:
    """Return the address with its version, without a trailing slash."""
    return with_version(endpoint.base_url, "v1")


def headers(endpoint: Endpoint) -> dict[str, str]:
    """Return the headers of every request, with the key."""
    fixed = {"content-type": "application/json", "anthropic-version": VERSION}
    fields = {**endpoint.vendor.quirks.headers, **fixed}
    if endpoint.api_key is not None:
        fields["x-api-key"] = endpoint.api_key.reveal()
    return fields


def body_of(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the body. Where a field may not carry the schema, it goes into the prompt as well."""
    schema_fields = _schema_fields(request, dropped)
    is_bound = "output_config" in schema_fields or _forces_tool(schema_fields)
    if not is_bound or request.tools or not has_vendor_address(endpoint):
        # Compatible servers may ignore tools.
        request = add_instruction(request)
    request = place_system(request, dropped)
    parameters = request.parameters
    dropped |= set(refused_parameters(request.model.model, parameters))
    optional = {
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        **({} if parameters.stop is None else {"stop_sequences": parameters.stop}),
        **parameters.extra,
        **schema_fields,
    }
    if request.tools:
        optional.pop("tool_choice", None)
    return {
        **endpoint.vendor.quirks.body,
        "model": request.model.model,
        "max_tokens": _max_tokens(request),
        "messages": [message for turn in request.messages if (message := _message(turn)) is not None],
        **({} if request.system is None else {"system": request.system}),
        **{
            name: value
            for name, value in optional.items()
            if value is not None and canonical_name(name) not in dropped
        },
        **(tool_fields(request, dropped) if request.tools else {}),
        "stream": request.stream,
    }


def _schema_fields(request: Request, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the fields for the schema; {} where it can only go into the prompt."""
    if request.schema is None or SCHEMA in dropped:
        return {}
    extra = {name: value for name, value in request.parameters.extra.items() if name not in dropped}
    if request.tools and (request.tool_choice != "none" or not knows_traits(request.model.model)):
        return {}
    own_tools = bool(request.tools) or bool(extra.keys() & {"tools", "tool_choice"})
    may_force = traits_of(request.model.model).forced_tools and "tool_choice" not in dropped
    if may_force and not enables_thinking(extra) and not own_tools:
        return _answer_tool(request.schema, {"type": "tool", "name": ANSWER_TOOL})
    strict_form = None if "output_config" in dropped else strict_schema(request.schema, ranges=False)
    if strict_form is None:
        return {} if own_tools else _answer_tool(request.schema, {"type": "auto"})
    value = extra.get("output_config")
    output_config = value if isinstance(value, dict) else {}
    return {"output_config": {**output_config, "format": {"type": "json_schema", "schema": strict_form}}}


def _message(turn: Turn) -> dict[str, Any] | msgspec.Raw | None:
    match turn:
        case Message():
            return {"role": turn.role, "content": [_part(part) for part in turn.parts]}
        case ModelTurn():
            return msgspec.Raw(turn.raw)
        case ToolResults():
            return result_message(turn)


def _answer_tool(schema: Schema, choice: dict[str, str]) -> dict[str, Any]:
    tool = {
        "name": ANSWER_TOOL,
        "description": "Takes the answer, in the shape that was asked for.",
        "input_schema": schema.json,
    }
    return {"tools": [tool], "tool_choice": {**choice, "disable_parallel_tool_use": True}}


def _forces_tool(fields: dict[str, Any]) -> bool:
    choice = fields.get("tool_choice")
    return isinstance(choice, dict) and choice["type"] == "tool"


def _max_tokens(request: Request) -> int:
    """Return the limit of tokens, which Anthropic requires; a model that thinks gets more by default."""
    given, thinking = request.parameters.max_tokens, request.parameters.extra.get("thinking")
    if given is not None:
        return given
    if isinstance(thinking, dict):
        budget = thinking.get("budget_tokens")
        if isinstance(budget, int) and budget >= DEFAULT_MAX_TOKENS:
            return budget + DEFAULT_MAX_TOKENS  # a limit within the budget is refused
        thinks = thinking.get("type") == "adaptive"
    else:
        thinks = traits_of(request.model.model).thinks
    return THINKING_MAX_TOKENS if thinks else DEFAULT_MAX_TOKENS


def _part(part: Part) -> dict[str, Any]:
    if not isinstance(part, Media):
        return {"type": "text", "text": part.text}
    if part.uri is not None:
        raise InputError(f"{part.name}: Anthropic does not store uploaded files", "Send the file itself.")
    if part.mime.startswith("text/"):
        text = part.data.decode("utf-8", "replace")
        return _document(part, {"type": "text", "media_type": "text/plain", "data": text})
    if not part.mime.startswith("image/") and part.mime != "application/pdf":
        raise InputError(f"{part.name}: Anthropic accepts text, images and PDF, not {part.mime}")
    # The encoder turns bytes into base64, without a copy in between.
    source: dict[str, Any] = {"type": "base64", "media_type": part.mime, "data": part.data}
    if part.mime.startswith("image/"):
        return {"type": "image", "source": source}
    return _document(part, source)


def _document(part: Media, source: dict[str, Any]) -> dict[str, Any]:
    title = {"title": part.name[-_TITLE_LENGTH:]} if part.name else {}
    return {"type": "document", **title, "source": source}
