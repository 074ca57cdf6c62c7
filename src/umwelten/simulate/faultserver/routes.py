"""Which wire and which errand an address means."""

from __future__ import annotations

from typing import Literal
from urllib.parse import unquote

import msgspec

from umwelten.simulate.faultserver.asks import IncomingRequest, decode_body, fingerprint, read_ask
from umwelten.simulate.faultserver.connection import Received
from umwelten.simulate.faultserver.message_parts import BadAsk
from umwelten.simulate.faultserver.tools.transcript import read_transcript
from umwelten.simulate.faultserver.uploads import FILES, UPLOADS
from umwelten.simulate.faultserver.wires import (
    ANTHROPIC,
    GEMINI,
    OLLAMA,
    OPENAI,
    OPENROUTER,
    RESPONSES,
    ServerWire,
)
from umwelten.types import FrozenStruct

Errand = Literal[
    "ask",
    "count",
    "list",
    "show",
    "props",
    "pull",
    "version",
    "upload",
    "file",
    "ledger",
    "reset",
    "profile",
    "unknown",
]

_EXACT: dict[str, tuple[Errand, ServerWire]] = {
    "/api/chat": ("ask", OLLAMA),
    "/api/tags": ("list", OLLAMA),
    "/api/ps": ("list", OLLAMA),
    "/api/show": ("show", OLLAMA),
    "/props": ("props", OPENAI),
    "/api/pull": ("pull", OLLAMA),
    "/api/version": ("version", OLLAMA),
    UPLOADS: ("upload", GEMINI),
    "/_ledger": ("ledger", OPENAI),
    "/_reset": ("reset", OPENAI),
    "/_profile": ("profile", OPENAI),
}
_VERBS: dict[str, tuple[Errand, bool]] = {
    "generateContent": ("ask", False),
    "streamGenerateContent": ("ask", True),
    "countTokens": ("count", False),
}


class Route(FrozenStruct):
    """Where a request goes. `model` and `stream` are set where the address names them."""

    errand: Errand
    wire: ServerWire
    model: str | None = None
    stream: bool | None = None


def route(request: Received) -> Route:
    """Read an address."""
    path = request.path.rstrip("/")
    if path in _EXACT:
        errand, wire = _EXACT[path]
        return Route(errand=errand, wire=wire)
    if path.endswith("/chat/completions"):
        return Route(errand="ask", wire=_openai(path))
    if path.endswith("/responses"):
        return Route(errand="ask", wire=RESPONSES)
    if path.endswith("/messages"):
        return Route(errand="ask", wire=ANTHROPIC)
    if path.endswith("/messages/count_tokens"):
        return Route(errand="count", wire=ANTHROPIC)
    if path.startswith(FILES):
        return Route(errand="file", wire=GEMINI)
    if "/models/" in path:
        return _gemini(path)
    if path.endswith("/models"):
        return Route(errand="list", wire=_listing_wire(path, request))
    return Route(errand="unknown", wire=_nearest(path))


def _openai(path: str) -> ServerWire:
    return OPENROUTER if path.startswith("/api/v1/") else OPENAI


def _gemini(path: str) -> Route:
    name, _, verb = path.partition("/models/")[2].rpartition(":")
    if verb not in _VERBS:
        return Route(errand="unknown", wire=GEMINI)
    errand, stream = _VERBS[verb]
    return Route(errand=errand, wire=GEMINI, model=unquote(name), stream=stream)


def _listing_wire(path: str, request: Received) -> ServerWire:
    if path.startswith("/v1beta"):
        return GEMINI
    # `/v1/models` is the address of two wires; only one has this header.
    return ANTHROPIC if request.header(b"anthropic-version") is not None else _openai(path)


def _nearest(path: str) -> ServerWire:
    if path.startswith("/v1beta"):
        return GEMINI
    return OLLAMA if path.startswith("/api/") and not path.startswith("/api/v1") else _openai(path)


def key_of(request: Received, wire: ServerWire) -> str | None:
    """The fingerprint of the key, wherever the wire carries it."""
    bearer = request.header(b"authorization")
    if bearer is not None and bearer[:7].lower() == "bearer ":
        return fingerprint(bearer[7:])
    name = {"anthropic": b"x-api-key", "gemini": b"x-goog-api-key"}.get(wire.name)
    key = request.header(name) if name is not None else None
    if key is None and wire is GEMINI and "key=" in request.query:
        key = request.arguments.get("key")
    return None if key is None else fingerprint(key)


def ask_of(request: Received, where: Route) -> IncomingRequest:
    """The question in a request; `BadAsk` if it is none."""
    wire = where.wire
    if request.method != "POST":
        raise BadAsk(f"method {request.method} is not allowed", 405)
    body = decode_body(request.body)
    if wire is ANTHROPIC and where.errand == "ask":
        if request.header(b"anthropic-version") is None:
            raise BadAsk("anthropic-version: header is required")
        if body.max_tokens is None:
            raise BadAsk("max_tokens: Field required")
    return read_ask(
        body,
        wire=wire.name,
        model=where.model,
        stream=where.stream,
        key=key_of(request, wire),
        sse=wire is not GEMINI or "alt=sse" in request.query,
        transcript=read_transcript(wire.name, request.body),
    )


def model_of(request: Received) -> str:
    """The model that a request about one names, "" for none."""
    try:
        return decode_body(request.body).model or ""
    except BadAsk:
        return ""


def count_tokens(request: Received, where: Route) -> bytes:
    """The reply of the two addresses that count tokens."""
    tokens = ask_of(request, where).input_tokens
    name = "input_tokens" if where.wire is ANTHROPIC else "totalTokens"
    return msgspec.json.encode({name: tokens})
