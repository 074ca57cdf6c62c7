"""Requests to Google's Gemini API: addresses, headers and bodies."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

import msgspec

from umwelten.errors import UsageError
from umwelten.providers.base_url import has_vendor_address, is_path_below, with_version
from umwelten.providers.common.refused_fields import SCHEMA, canonical_name
from umwelten.providers.common.schemas import add_instruction
from umwelten.providers.common.system_message import place_system
from umwelten.providers.gemini.schemas import response_fields
from umwelten.providers.gemini.tools import enforces_beside_tools, result_contents, tool_fields
from umwelten.providers.gemini.turns import ids_in
from umwelten.providers.protocol import Endpoint, Scope, Vendor
from umwelten.tool_calls import ModelTurn, ToolResults
from umwelten.types import Media, Message, Part, Request, Role

_BESIDE_CONFIG = frozenset(
    (
        "cachedContent",
        "labels",
        "safetySettings",
        "serviceTier",
        "service_tier",
        "store",
        "toolConfig",
        "tools",
    )
)

_COLLECTION = re.compile(
    r"(models|tunedModels)/."
    r"|(projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/."
    r"|projects/[^/]+/locations/[^/]+/(models|endpoints)/."
)
"""Names that begin with the place of the model."""

_ROLES = {Role.USER: "user", Role.ASSISTANT: "model"}


def root_of(endpoint: Endpoint) -> str:
    """Return the address with its version, without a trailing slash."""
    return with_version(endpoint.base_url, "v1beta")


def resource(model: str, vendor: Vendor) -> str:
    """Return a model's path: `models/gemini-2.5-pro` for `gemini-2.5-pro`; `tunedModels/…` stays.

    A server of one's own may have places of its own, so any name with a slash stays there.
    Raises `UsageError` for a name that would lead out of the models.
    """
    if not is_path_below(model):
        raise UsageError(
            f"{model!r} is not the name of a model",
            "It is a part of the address, so it holds no '.' or '..' between slashes, no empty step, no "
            "backslash and no control character.",
            argument="models",
        )
    is_placed = _COLLECTION.match(model) or ("/" in model and vendor.scope is Scope.HOST)
    return quote(model if is_placed else f"models/{model}", safe="/")


def headers(endpoint: Endpoint) -> dict[str, str]:
    """Return the headers of every request, with the key."""
    fields = {**endpoint.vendor.quirks.headers, "content-type": "application/json"}
    if endpoint.api_key is not None:
        fields["x-goog-api-key"] = endpoint.api_key.reveal()
    return fields


def body_of(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the body. Where a field may not carry the schema, it goes into the prompt as well."""
    if SCHEMA in dropped or request.tools or not has_vendor_address(endpoint):
        request = add_instruction(request)
    request = place_system(request, dropped)
    config, beside = _config(request)
    body: dict[str, Any] = {"contents": _contents(request)}
    if request.system is not None:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    config = {name: value for name, value in config.items() if canonical_name(name) not in dropped}
    if config:
        body["generationConfig"] = config
    if request.tools:
        beside = {name: value for name, value in beside.items() if name not in ("tools", "toolConfig")}
        beside |= tool_fields(request, dropped)
    return {**endpoint.vendor.quirks.body, **body, **beside}


def _config(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of `generationConfig`, and those beside it."""
    parameters = request.parameters
    config = {
        "temperature": parameters.temperature,
        "topP": parameters.top_p,
        "maxOutputTokens": parameters.max_tokens,
        "seed": parameters.seed,
        "stopSequences": parameters.stop,
    }
    config = {name: value for name, value in config.items() if value is not None}
    # Beside tools, it is told in words until none may be called any more.
    is_open = bool(request.tools) and not (
        request.tool_choice == "none" and enforces_beside_tools(request.model.model)
    )
    if request.schema is not None and not is_open:
        config |= response_fields(request.schema)
    beside = {name: value for name, value in parameters.extra.items() if name in _BESIDE_CONFIG}
    return {**config, **{k: v for k, v in parameters.extra.items() if k not in beside}}, beside


def _contents(request: Request) -> list[dict[str, Any] | msgspec.Raw]:
    contents: list[dict[str, Any] | msgspec.Raw] = []
    ids: frozenset[str] = frozenset()
    for turn in request.messages:
        match turn:
            case Message():
                contents.append(_content(turn))
            case ModelTurn():
                contents.append(msgspec.Raw(turn.raw))
                ids = ids_in(turn.raw)
            case ToolResults():
                contents += result_contents(turn, ids)
    return contents


def _content(message: Message) -> dict[str, Any]:
    return {"role": _ROLES[message.role], "parts": [_part(part) for part in message.parts]}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Media):
        if part.uri is not None:
            return {"fileData": {"mimeType": part.mime, "fileUri": part.uri}}
        # The encoder turns bytes into base64, without a copy in between.
        return {"inlineData": {"mimeType": part.mime, "data": part.data}}
    return {"text": part.text}
