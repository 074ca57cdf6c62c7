"""OpenAI's chat completions API, of OpenAI and of the many compatible servers.

Where vendors differ is in their row's `Quirks`. Replies are parsed leniently: a field of an unexpected
type is ignored, and the answer is kept.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import urljoin

import msgspec

from umwelten.errors import InputError
from umwelten.providers.base_url import has_vendor_address
from umwelten.providers.capabilities import OPENAI_COMPATIBLE
from umwelten.providers.common.bodies import load, read
from umwelten.providers.common.errors import unusable_reply
from umwelten.providers.common.refused_fields import canonical_name
from umwelten.providers.common.schemas import add_instruction
from umwelten.providers.common.streams import EventStream, is_event_stream
from umwelten.providers.common.system_message import place_system
from umwelten.providers.common.tool_refusals import judge_refusal
from umwelten.providers.common.usage import read_count
from umwelten.providers.openai import errors
from umwelten.providers.openai.replies import OpenAIAnswer, OpenAIEvents
from umwelten.providers.openai.schemas import needs_instruction, response_fields
from umwelten.providers.openai.tools import result_messages, tool_fields
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, ModelInfo, ModelPage
from umwelten.providers.shutdowns import read_date
from umwelten.tool_calls import ModelTurn, ToolResults
from umwelten.types import Failure, Media, Message, Outcome, Parameters, Part, Request, Text

# OpenAI itself accepts the first two formats, others more; the provider refuses what it does not accept.
_AUDIO = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/x-aiff": "aiff",
    "audio/mp4": "m4a",
    "audio/x-m4a": "m4a",
}
_MAX_FIELDS = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_CONTEXT = ("context_length", "max_model_len", "context_window", "max_context_length", "max_input_tokens")


class OpenAIChat:
    """The wire `openai`. All methods are pure; see `protocol.Wire`."""

    capabilities = OPENAI_COMPATIBLE
    uploads = None

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """Return the HTTP request. Errors: `InputError` for a file that this wire cannot carry."""
        fields = response_fields(request, endpoint, dropped)
        if needs_instruction(request, fields, endpoint):
            request = add_instruction(request)
        request = place_system(request, dropped)
        body = _options(request, fields, endpoint, dropped)
        if request.tools:
            body.pop("tool_choice", None)
            body |= tool_fields(request, dropped)
        body["model"] = request.model.model
        body["messages"] = _messages(request, endpoint)
        if request.stream:
            body["stream"] = True
        return HttpRequest(
            method="POST",
            url=f"{endpoint.base_url.rstrip('/')}/chat/completions",
            headers=headers(endpoint, request.stream) | {"Content-Type": "application/json"},
            body=msgspec.json.encode(body),
        )

    def decode(self, head: Head, body: bytes, endpoint: Endpoint, *, tools: bool = False) -> Outcome:
        """Return the outcome of a unary reply."""
        if head.status >= 300:
            failure = errors.failure(head, read(body), endpoint)
            return judge_refusal(failure) if tools else failure
        if is_event_stream(body):
            stream = self.stream(head, endpoint, tools=tools)
            stream.feed(body)
            return stream.finish()
        answer = OpenAIAnswer(head, endpoint, tools=tools)
        result = answer.take(body)
        return result if isinstance(result, Failure) else answer.outcome()

    def stream(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> EventStream:
        """Return a decoder for a streamed reply; `[DONE]` is its end mark."""
        return EventStream(
            OpenAIEvents(head, endpoint, tools=tools),
            lambda body: self.decode(head, body, endpoint, tools=tools),
        )

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """Return the request that lists the provider's models: one page has all."""
        path = endpoint.vendor.quirks.models_path
        url = urljoin(f"{endpoint.base_url.rstrip('/')}/", path)
        return HttpRequest(method="GET", url=url, headers=headers(endpoint, False))

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """Return the provider's models: a bare list, or a list under `data`."""
        if head.status >= 300:
            return errors.failure(head, read(body), endpoint)
        value = load(body, object)
        rows = value.get("data") if isinstance(value, dict) else value
        if not isinstance(rows, list):
            return unusable_reply(head, "the reply is not a list of models")
        return ModelPage(models=tuple(model for row in rows if (model := _model(row)) is not None))


def _options(
    request: Request, fields: dict[str, Any], endpoint: Endpoint, dropped: frozenset[str]
) -> dict[str, Any]:
    """Return everything in the body but the messages; `extra` takes precedence over our fields.

    `fields` are those that carry the schema.
    """
    quirks, settings = endpoint.vendor.quirks, request.parameters
    options: dict[str, Any] = dict(quirks.body)
    if request.stream and quirks.stream_usage:
        options["stream_options"] = {"include_usage": True}
    options |= _sampling(settings, quirks.seed_field)
    options |= fields | settings.extra
    options |= {name: fields[name] for name in quirks.schema_body if name in fields}
    sent = {name: value for name, value in options.items() if canonical_name(name) not in dropped}
    sent.pop("stream", None)
    if settings.max_tokens is not None:
        # Refused under one name, it is sent under the other: the answer must stay limited.
        field = _max_field(endpoint)
        sent.setdefault(
            _MAX_FIELDS.get(field, field) if "max_tokens" in dropped else field, settings.max_tokens
        )
    return sent


def _sampling(settings: Parameters, seed_field: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "stop": settings.stop,
    }
    if seed_field is not None:
        fields[seed_field] = settings.seed
    return {name: value for name, value in fields.items() if value is not None}


def _max_field(endpoint: Endpoint) -> str:
    """Return the vendor's name for `max_tokens`, or the usual one at someone else's compatible server."""
    return endpoint.vendor.quirks.max_tokens_field if has_vendor_address(endpoint) else "max_tokens"


def _messages(request: Request, endpoint: Endpoint) -> list[dict[str, Any] | msgspec.Raw]:
    messages: list[dict[str, Any] | msgspec.Raw] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for turn in request.messages:
        match turn:
            case Message():
                messages.append({"role": turn.role, "content": _content(turn.parts)})
            case ModelTurn():
                messages.append(msgspec.Raw(turn.raw))
            case ToolResults():
                messages += result_messages(turn, endpoint.vendor.quirks)
    return messages


def _content(parts: tuple[Part, ...]) -> str | list[dict[str, Any]]:
    """Return text alone as one string, which every server accepts, and text with files as a list."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    return "\n\n".join(texts) if len(texts) == len(parts) else [_piece(part) for part in parts]


def _piece(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.uri is not None:
        raise InputError(f"{part.name}: this provider does not store uploaded files", "Send the file itself.")
    mime = part.mime.partition(";")[0].strip().lower()
    if mime.startswith("text/"):
        return {"type": "text", "text": part.data.decode("utf-8", "replace")}
    if mime.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": _data_url(part, mime)}}
    if mime == "application/pdf":
        return {"type": "file", "file": {"filename": part.name, "file_data": _data_url(part, mime)}}
    if mime in _AUDIO:
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": _AUDIO[mime]}}
    if mime.startswith("video/"):
        return {"type": "video_url", "video_url": {"url": _data_url(part, mime)}}
    raise InputError(
        f"{part.name}: {part.mime} can't be sent to this provider",
        "It accepts text, images, PDF, audio and video. Convert the file, or leave it out.",
    )


def _data_url(part: Media, mime: str) -> msgspec.Raw:
    # Built as JSON right away: files are large, and every further step would copy them again.
    start = msgspec.json.encode(f"data:{mime};base64,")[:-1]
    return msgspec.Raw(b"".join((start, b64encode(part.data), b'"')))


def headers(endpoint: Endpoint, stream: bool) -> dict[str, str]:
    """Return the headers of every request, with the key."""
    fields = {"Accept": "text/event-stream" if stream else "application/json"}
    fields |= endpoint.vendor.quirks.headers
    if endpoint.api_key is not None:
        fields["Authorization"] = f"Bearer {endpoint.api_key.reveal()}"
    return fields


_SHUTDOWN = ("shutdown_date", "expiration_date", "deprecation")
"""What OpenAI, OpenRouter and Mistral call the day on which a model ends."""


def _model(row: object) -> ModelInfo | None:
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        return None
    name, pricing = row.get("name"), row.get("pricing")
    prices = pricing if isinstance(pricing, dict) else {}
    return ModelInfo(
        id=row["id"],
        name=name if isinstance(name, str) else None,
        context_tokens=_context(row),
        input_price=_price(prices.get("prompt")),
        output_price=_price(prices.get("completion")),
        shutdown_date=read_date(*(row.get(field) for field in _SHUTDOWN)),
    )


def _context(row: dict[str, Any]) -> int | None:
    """Return the context length under any vendor's name, also one level down (llama.cpp)."""
    objects = (row, row.get("limits"), row.get("meta"))
    values = (
        fields.get(name) for fields in objects if isinstance(fields, dict) for name in (*_CONTEXT, "n_ctx")
    )
    return next((count for value in values if (count := read_count(value))), None)


def _price(text: object) -> float | None:
    """Return USD per token from a string; `None` for negative values ("-1": it depends)."""
    if not isinstance(text, str) or not text.isascii() or len(text) > 40:
        return None
    try:
        price = float(text)
    except ValueError:
        return None
    return price if 0 <= price < 1 else None
