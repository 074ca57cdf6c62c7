"""What is sent to Google's Gemini API: addresses, headers and bodies of questions."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from umwelten.providers.base_url import is_at_home, versioned
from umwelten.providers.common.parameters import SCHEMA, ours_of
from umwelten.providers.common.schemas import told
from umwelten.providers.gemini.schemas import response_fields
from umwelten.providers.protocol import Endpoint
from umwelten.types import Media, Message, Part, Request, Role

_BESIDE_CONFIG = frozenset(
    ("cachedContent", "labels", "safetySettings", "serviceTier", "store", "toolConfig", "tools")
)

_ROLES = {Role.USER: "user", Role.ASSISTANT: "model"}


def root_of(endpoint: Endpoint) -> str:
    """The address with its version, without a slash at the end."""
    return versioned(endpoint.base_url, "v1beta")


def resource(model: str) -> str:
    """`gemini-2.5-pro` and `models/gemini-2.5-pro` are one; `tunedModels/…` stays."""
    return quote(model if "/" in model else f"models/{model}", safe="/")


def headers(endpoint: Endpoint) -> dict[str, str]:
    """The headers of every request, with the key."""
    named = {**endpoint.vendor.quirks.headers, "content-type": "application/json"}
    if endpoint.api_key is not None:
        named["x-goog-api-key"] = endpoint.api_key.reveal()
    return named


def body_of(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    """The body of a question. A shape that can't surely be asked for by a field is put into words."""
    if SCHEMA in dropped or not is_at_home(endpoint):
        request = told(request)
    config, beside = _config(request)
    body: dict[str, Any] = {"contents": [_content(message) for message in request.messages]}
    if request.system is not None:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    config = {name: value for name, value in config.items() if ours_of(name) not in dropped}
    if config:
        body["generationConfig"] = config
    return {**endpoint.vendor.quirks.body, **body, **beside}


def _config(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes into `generationConfig`, and what goes beside it."""
    given = request.parameters
    config = {
        "temperature": given.temperature,
        "topP": given.top_p,
        "maxOutputTokens": given.max_tokens,
        "seed": given.seed,
    }
    config = {name: value for name, value in config.items() if value is not None}
    if request.schema is not None:
        config |= response_fields(request.schema)
    beside = {name: value for name, value in given.extra.items() if name in _BESIDE_CONFIG}
    return {**config, **{k: v for k, v in given.extra.items() if k not in beside}}, beside


def _content(message: Message) -> dict[str, Any]:
    return {"role": _ROLES[message.role], "parts": [_part(part) for part in message.parts]}


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Media):
        if part.uri is not None:
            return {"fileData": {"mimeType": part.mime, "fileUri": part.uri}}
        # Bytes become base64 as they are encoded, without a copy in between.
        return {"inlineData": {"mimeType": part.mime, "data": part.data}}
    return {"text": part.text}
