"""Requests to Ollama's own chat API: addresses, headers and bodies."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.errors import InputError
from umwelten.providers.common.refused_fields import canonical_name
from umwelten.providers.common.schemas import add_instruction
from umwelten.providers.common.system_message import place_system
from umwelten.providers.context_limits import SMALLEST_CONTEXT
from umwelten.providers.ollama.tools import declares_tools, ids_in, result_messages, tool_fields
from umwelten.providers.protocol import Endpoint
from umwelten.tool_calls import ModelTurn, ToolResults
from umwelten.types import Media, Message, Part, Request, Text

Sent = dict[str, Any] | msgspec.Raw

_BESIDE_OPTIONS = frozenset(
    ("format", "keep_alive", "logprobs", "think", "tools", "top_logprobs", "truncate")
)


def root_of(endpoint: Endpoint) -> str:
    """Return the host's address, without the path of its OpenAI API or its own."""
    return endpoint.base_url.rstrip("/").removesuffix("/v1").removesuffix("/api").rstrip("/")


def headers(endpoint: Endpoint) -> dict[str, str]:
    """Return the headers of every request, with the key."""
    fields = {**endpoint.vendor.quirks.headers, "content-type": "application/json"}
    if endpoint.api_key is not None:
        fields["authorization"] = f"Bearer {endpoint.api_key.reveal()}"
    return fields


def body_of(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    """Return the body. The schema is told as well: the server enforces it without showing it.

    Beside tools it is only told: enforced, it would keep the model from calling them.
    """
    request = place_system(add_instruction(request), dropped)
    parameters = request.parameters
    schema = None if declares_tools(request) else request.schema
    settings = {
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "num_predict": parameters.max_tokens,
        "seed": parameters.seed,
        "format": None if schema is None else schema.json,
        **({} if parameters.stop is None else {"stop": parameters.stop}),
        **parameters.extra,
    }
    sent = {k: v for k, v in settings.items() if v is not None and canonical_name(k) not in dropped}
    options = {name: value for name, value in sent.items() if name not in _BESIDE_OPTIONS}
    messages, tools = _messages(request), tool_fields(request)
    if "truncate" not in dropped and _may_be_too_long(request, [*messages, tools], options):
        sent = {"truncate": False, **sent}
    system = [] if request.system is None else [{"role": "system", "content": request.system}]
    return {
        **endpoint.vendor.quirks.body,
        "model": request.model.model,
        "messages": [*system, *messages],
        **({"options": options} if options else {}),
        **{name: value for name, value in sent.items() if name in _BESIDE_OPTIONS},
        **tools,
        "stream": request.stream,
    }


def _messages(request: Request) -> list[Sent]:
    messages: list[Sent] = []
    ids: frozenset[str] = frozenset()
    for turn in request.messages:
        match turn:
            case Message():
                messages.append(_message(turn))
            case ModelTurn():
                messages.append(msgspec.Raw(turn.raw))
                ids = ids_in(turn.raw)
            case ToolResults():
                messages += result_messages(turn, ids)
    return messages


def _may_be_too_long(request: Request, sent: list[Sent], options: dict[str, Any]) -> bool:
    """Return whether a prompt may exceed the context, which the server cuts then unless told not to.

    Shorter prompts go out as they always did. Servers before 0.12.4 ignore the field.
    """
    length = len(request.system or "") + sum(map(_length, sent))
    context = options.get("num_ctx")
    return length > min(SMALLEST_CONTEXT, context if isinstance(context, int) else SMALLEST_CONTEXT)


def _length(sent: Sent) -> int:
    """Return how long the text of a message is, or the declarations of tools."""
    if isinstance(sent, msgspec.Raw):
        return len(bytes(sent))
    return len(sent["content"]) if "content" in sent else len(msgspec.json.encode(sent))


def _message(message: Message) -> dict[str, Any]:
    """Return a message: the text of all parts as one string, images beside it as bare base64."""
    texts = [text for part in message.parts if (text := _text_of(part)) is not None]
    images = [_image(part) for part in message.parts if isinstance(part, Media) and _text_of(part) is None]
    fields: dict[str, Any] = {"role": message.role, "content": "\n\n".join(texts)}
    return {**fields, "images": images} if images else fields


def _text_of(part: Part) -> str | None:
    if isinstance(part, Text):
        return part.text
    is_text = part.uri is None and part.mime.startswith("text/")
    return part.data.decode("utf-8", "replace") if is_text else None


def _image(part: Media) -> bytes:
    if not part.mime.startswith("image/"):
        raise InputError(f"{part.name}: Ollama accepts text and images, not {part.mime}")
    if part.uri is not None:
        raise InputError(f"{part.name}: Ollama does not store uploaded files", "Send the file itself.")
    # The encoder turns bytes into base64, without a copy in between.
    return part.data
