"""The fields of a request to the Responses API: ours, and the user's by their names in either API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from umwelten.providers.base_url import has_vendor_address
from umwelten.providers.common.refused_fields import SCHEMA, canonical_name
from umwelten.providers.openai.responses.items import flat_choice, flat_tool, tool_choice, tool_fields
from umwelten.providers.protocol import Endpoint
from umwelten.types import Parameters, Request

_INCLUDE = "include"
ENCRYPTED = "reasoning.encrypted_content"
"""What `include` asks for: without it, a model's turn cannot go back to a provider that stores nothing."""

INNER_FIELDS = {
    SCHEMA: ("text", "format"),
    "verbosity": ("text", "verbosity"),
    "reasoning_effort": ("reasoning", "effort"),
    "reasoning_summary": ("reasoning", "summary"),
}
"""Our names of the fields inside an object, and where they are."""

_PATHS = {
    "max_tokens": ("max_output_tokens",),
    "max_completion_tokens": ("max_output_tokens",),
    "response_format": INNER_FIELDS[SCHEMA],
    "reasoning_effort": INNER_FIELDS["reasoning_effort"],
    "verbosity": INNER_FIELDS["verbosity"],
}
"""Fields of chat completions, and where they are here."""

_OBJECTS = ("reasoning", "text")
"""Objects of which users may give single fields: `reasoning.summary`."""

_ONLY_CHAT = frozenset(
    (
        "n",
        "seed",
        "stop",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "prediction",
        "modalities",
        "audio",
        "functions",
        "function_call",
        "web_search_options",
    )
)
"""Fields of chat completions that this API does not have, and refuses."""

# The answer would have to be fetched later, from what the provider then keeps.
_NOT_HERE = _ONLY_CHAT | {"background"}

_NO_REASONING = re.compile(r"(?:^|/)(?:chatgpt-4o|gpt-3\.5|gpt-4)")
"""Models of OpenAI that don't reason; they refuse to encrypt what they did not think."""

_MAX = "max_output_tokens"
_OTHER_MAX = "max_tokens"
"""What it is called at servers that refuse OpenAI's name: the answer must stay limited."""


def left_out(parameters: Parameters) -> tuple[str, ...]:
    """Return the names of the parameters that are set and that this API does not have."""
    own = (name for name in ("seed", "stop") if getattr(parameters, name) is not None)
    return tuple(dict.fromkeys((*own, *(name for name in parameters.extra if name in _NOT_HERE))))


def body_fields(
    request: Request, schema: dict[str, Any], endpoint: Endpoint, dropped: frozenset[str]
) -> dict[str, Any]:
    """Return everything in the body but the conversation; the user's fields take precedence over ours.

    `schema` are the fields of chat completions that carry the schema.
    """
    body: dict[str, Any] = dict(endpoint.vendor.quirks.body)
    body["store"] = False
    if request.stream and _is_at_openai(endpoint):
        # Otherwise every event is padded, against who can see nothing but the sizes.
        body["stream_options"] = {"include_obfuscation": False}
    for path, value in _fields(request, schema):
        _put(body, path, value)
    if request.tools:
        body["tools"] = [*_list(body.get("tools")), *tool_fields(request.tools)]
        body.pop("tool_choice", None)
        if request.tool_choice != "auto":
            body["tool_choice"] = tool_choice(request.tool_choice)
        if not _NO_REASONING.search(request.model.model):
            _put(body, (_INCLUDE,), [ENCRYPTED])
    _drop(body, dropped)
    return body


def _fields(request: Request, schema: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and value of each field, those that take precedence last."""
    settings = request.parameters
    for name, value in schema.items():
        yield _PATHS.get(name, (name,)), _format(value) if name == "response_format" else value
    for name, value in (
        ("temperature", settings.temperature),
        ("top_p", settings.top_p),
        (_MAX, settings.max_tokens),
    ):
        if value is not None:
            yield (name,), value
    for name, value in settings.extra.items():
        if name not in _NOT_HERE and name != "stream":
            yield from _given(name, value)


def _given(name: str, value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield a field that the user gave, by its name in either API."""
    first, dot, rest = name.partition(".")
    if dot and first in _OBJECTS:
        yield (first, rest), value
    elif name in _OBJECTS and isinstance(value, dict):
        yield from (((name, key), each) for key, each in value.items())
    elif name == "response_format":
        yield _PATHS[name], _format(value)
    elif name == "tools" and isinstance(value, list):
        yield (name,), [flat_tool(tool) for tool in value]
    elif name == "tool_choice":
        yield (name,), flat_choice(value)
    elif name == "logprobs" and isinstance(value, bool):
        yield (_INCLUDE,), ["message.output_text.logprobs"] if value else []
    else:
        yield _PATHS.get(name, (name,)), value


def _put(body: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *objects, name = path
    for step in objects:
        inner = body.get(step)
        body = body.setdefault(step, {}) if not isinstance(inner, dict) else inner
    if name == _INCLUDE and isinstance(value, list):
        # Several fields add to it.
        value = [*_list(body.get(name)), *(each for each in value if each not in _list(body.get(name)))]
    body[name] = value


def _format(value: Any) -> Any:
    """Return `response_format` as `text.format`, which has no object of its own for the schema."""
    if not isinstance(value, dict) or not isinstance(value.get("json_schema"), dict):
        return value
    return {"type": value.get("type", "json_schema"), **value["json_schema"]}


def _drop(body: dict[str, Any], dropped: frozenset[str]) -> None:
    """Take out the fields that were refused, by our names."""
    if not dropped:
        return
    limit = body.get(_MAX)
    for ours, (outer, field) in INNER_FIELDS.items():
        inner = body.get(outer)
        if ours in dropped and isinstance(inner, dict):
            body[outer] = {name: value for name, value in inner.items() if name != field}
    for name in list(body):
        if canonical_name(name) in dropped or (name in _OBJECTS and not body[name]):
            del body[name]
    if "max_tokens" in dropped and limit is not None:
        body[_OTHER_MAX] = limit


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_at_openai(endpoint: Endpoint) -> bool:
    return endpoint.vendor.name == "openai" and has_vendor_address(endpoint)
