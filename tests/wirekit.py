"""What the tests of all wire formats share: questions, places, and bytes cut anywhere."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import strategies as st

from umwelten.providers.protocol import Endpoint, Head, HttpRequest, Quirks, Scope, Vendor, Wire
from umwelten.tool_calls import ModelTurn, ToolDefinition, ToolResult, ToolResults
from umwelten.types import (
    Failure,
    Media,
    Message,
    ModelRef,
    Outcome,
    Parameters,
    Part,
    Reply,
    Request,
    Role,
    Secret,
    Text,
    Turn,
)

KEY = "test-key-0123456789"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(32))


def place(
    wire: str,
    base_url: str,
    *,
    quirks: Quirks | None = None,
    key: str | None = KEY,
    scope: Scope = Scope.KEY,
) -> Endpoint:
    """A provider of this wire format at an address."""
    vendor = Vendor(name=wire, wire=wire, base_url=base_url, quirks=quirks or Quirks(), scope=scope)
    return Endpoint(vendor=vendor, base_url=base_url, api_key=Secret(key) if key else None)


def question(
    *parts: Part | str,
    model: str = "some-model",
    system: str | None = None,
    stream: bool = False,
    turns: tuple[Turn, ...] = (),
    **settings: Any,
) -> Request:
    """A request; the parts default to a short text, `turns` follow, `settings` are those of `Parameters`."""
    return Request(
        model=ModelRef("p", model),
        messages=(user(*parts or ("Say hello.",)), *turns),
        system=system,
        parameters=Parameters(**settings),
        stream=stream,
    )


def user(*parts: Part | str) -> Message:
    """A turn of the user; strings are words."""
    return Message(role=Role.USER, parts=tuple(Text(text=p) if isinstance(p, str) else p for p in parts))


def assistant(*texts: str) -> Message:
    """A turn of the model."""
    return Message(role=Role.ASSISTANT, parts=tuple(Text(text=text) for text in texts))


WEATHER = ToolDefinition(
    name="get_weather",
    description="Tells the weather of a city.",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def with_weather(request: Request, *turns: Turn, choice: str = "auto") -> Request:
    """The request with a tool, and with these turns after its question."""
    return msgspec.structs.replace(
        request, tools=(WEATHER,), tool_choice=choice, messages=(*request.messages, *turns)
    )


def told(reply: Reply, *results: str) -> tuple[Turn, Turn]:
    """The turn of a reply that called tools, and the results of its calls."""
    pairs = zip(reply.calls, results, strict=True)
    return (
        ModelTurn(raw=reply.turn, calls=reply.calls),
        ToolResults(results=tuple(ToolResult(call, text) for call, text in pairs)),
    )


def image(name: str = "scan.png") -> Media:
    """A few bytes that call themselves a picture."""
    return Media(mime="image/png", data=PNG, name=name)


def head(status: int = 200, **headers: str) -> Head:
    """A reply's head; underscores in names stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Head(status=status, headers=named, now_unix=1_795_518_000.0)


def body_of(request: HttpRequest) -> dict[str, Any]:
    """The JSON object that a request carries."""
    assert request.body is not None
    loaded = json.loads(request.body)
    assert isinstance(loaded, dict)
    return loaded


def decoded(wire: Wire, endpoint: Endpoint, body: object, status: int = 200, **headers: str) -> Outcome:
    """The outcome of a unary reply with this body, bytes or a JSON value."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return wire.decode(head(status, **headers), raw, endpoint)


def failed(outcome: object) -> Failure:
    """The outcome, which has to be a failure."""
    assert isinstance(outcome, Failure), outcome
    return outcome


def answered(outcome: object) -> Reply:
    """The outcome, which has to be a reply."""
    assert isinstance(outcome, Reply), outcome
    return outcome


def streamed(wire: Wire, endpoint: Endpoint, data: bytes, cuts: tuple[int, ...] = ()) -> tuple[str, Outcome]:
    """The text that a decoder handed out, and its outcome, for a stream cut at these offsets."""
    decoder = wire.stream(head(), endpoint)
    ends = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    text = "".join(decoder.feed(data[a:b]) for a, b in pairwise(ends))
    return text, decoder.finish()


def sse(*values: object, named: bool = False) -> bytes:
    """Server-sent events of these JSON values; `named`: with their `type` as the event's name."""
    return b"".join(_event(value, named) for value in values)


def _event(value: object, named: bool) -> bytes:
    name = f"event: {value['type']}\n" if named and isinstance(value, dict) else ""
    return f"{name}data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


CUTS = st.lists(st.integers(0, 10_000), max_size=12).map(tuple)


def noisy(*pieces: bytes) -> st.SearchStrategy[bytes]:
    """Byte strings made of these pieces, of fragments of them, and of anything else."""
    whole = st.sampled_from(pieces)
    part = st.builds(lambda piece, a, b: piece[min(a, b) : max(a, b)], whole, _OFFSETS, _OFFSETS)
    junk = st.sampled_from((b"\n", b"\r\n", b"\n\n", b"data: ", b"data: {}\n\n", b"{}\n", b"[", b"null\n"))
    return st.lists(st.one_of(whole, part, junk, st.binary(max_size=20)), max_size=10).map(b"".join)


_OFFSETS = st.integers(0, 400)
