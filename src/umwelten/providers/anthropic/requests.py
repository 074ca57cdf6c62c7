"""What is sent to Anthropic's messages API: addresses, headers and bodies of questions.

A shape is asked for by a tool that the model has to call, which every model can; its input is the answer.
No model that thinks can be made to call a tool, so then the shape goes into `output_config.format`.
"""

from __future__ import annotations

from typing import Any

from umwelten.errors import InputError
from umwelten.providers.base_url import is_at_home, versioned
from umwelten.providers.common.parameters import SCHEMA
from umwelten.providers.common.schemas import told
from umwelten.providers.common.strict_schemas import strict
from umwelten.providers.protocol import Endpoint
from umwelten.types import Media, Part, Request, Schema

VERSION = "2023-06-01"
DEFAULT_MAX_TOKENS = 4096
_TITLE_LENGTH = 500
ANSWER_TOOL = "give_answer"
"""The tool whose input is the answer, where a shape was asked for."""


def root_of(endpoint: Endpoint) -> str:
    """The address with its version, without a slash at the end."""
    return versioned(endpoint.base_url, "v1")


def headers(endpoint: Endpoint) -> dict[str, str]:
    """The headers of every request, with the key."""
    fixed = {"content-type": "application/json", "anthropic-version": VERSION}
    named = {**endpoint.vendor.quirks.headers, **fixed}
    if endpoint.api_key is not None:
        named["x-api-key"] = endpoint.api_key.reveal()
    return named


def body_of(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    """The body of a question. A shape that can't surely be asked for by a field is put into words."""
    shape = _shape_fields(request, dropped)
    if not shape or not is_at_home(endpoint):
        # Compatible servers may pass over tools.
        request = told(request)
    given = request.parameters
    optional = {"temperature": given.temperature, "top_p": given.top_p, **given.extra, **shape}
    return {
        **endpoint.vendor.quirks.body,
        "model": request.model.model,
        "max_tokens": DEFAULT_MAX_TOKENS if given.max_tokens is None else given.max_tokens,
        "messages": [
            {"role": message.role, "content": [_part(part) for part in message.parts]}
            for message in request.messages
        ],
        **({} if request.system is None else {"system": request.system}),
        **{name: value for name, value in optional.items() if value is not None and name not in dropped},
        "stream": request.stream,
    }


def _shape_fields(request: Request, dropped: frozenset[str]) -> dict[str, Any]:
    """The fields that ask for a shape; {} where nothing but words can."""
    if request.schema is None or dropped & {SCHEMA, "output_config"}:
        return {}
    extra = {name: value for name, value in request.parameters.extra.items() if name not in dropped}
    if "tool_choice" not in dropped and not _thinks(extra) and not extra.keys() & {"tools", "tool_choice"}:
        return _forced_tool(request.schema)
    shape = strict(request.schema, ranges=False)
    if shape is None:
        return {}
    beside = extra.get("output_config")
    chosen = beside if isinstance(beside, dict) else {}
    return {"output_config": {**chosen, "format": {"type": "json_schema", "schema": shape}}}


def _forced_tool(schema: Schema) -> dict[str, Any]:
    tool = {
        "name": ANSWER_TOOL,
        "description": "Takes the answer, in the shape that was asked for.",
        "input_schema": schema.json,
    }
    choice = {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}
    return {"tools": [tool], "tool_choice": choice}


def _thinks(extra: dict[str, Any]) -> bool:
    thinking = extra.get("thinking")
    return isinstance(thinking, dict) and thinking.get("type") != "disabled"


def _part(part: Part) -> dict[str, Any]:
    if not isinstance(part, Media):
        return {"type": "text", "text": part.text}
    if part.uri is not None:
        raise InputError(f"{part.name}: no copies of files are kept at Anthropic", "Send the file itself.")
    if part.mime.startswith("text/"):
        text = part.data.decode("utf-8", "replace")
        return _document(part, {"type": "text", "media_type": "text/plain", "data": text})
    if not part.mime.startswith("image/") and part.mime != "application/pdf":
        raise InputError(f"{part.name}: Anthropic takes text, images and PDF, not {part.mime}")
    # Bytes become base64 as they are encoded, without a copy in between.
    source: dict[str, Any] = {"type": "base64", "media_type": part.mime, "data": part.data}
    if part.mime.startswith("image/"):
        return {"type": "image", "source": source}
    return _document(part, source)


def _document(part: Media, source: dict[str, Any]) -> dict[str, Any]:
    titled = {"title": part.name[-_TITLE_LENGTH:]} if part.name else {}
    return {"type": "document", **titled, "source": source}
