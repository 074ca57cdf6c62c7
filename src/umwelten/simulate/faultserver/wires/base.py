"""What a wire format must be able to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.tools.values import PlannedTurn
from umwelten.types import FrozenStruct

encode = msgspec.json.Encoder().encode
Json = dict[str, Any]


class ScriptedAnswer(FrozenStruct):
    """A complete answer. Token counts in our sense: input with the cached, output with the reasoning ones.

    With a `turn` it is that, and `text` what stands beside the calls.
    """

    ask: IncomingRequest
    n: int
    text: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    finish: str
    now_unix: float
    latency_s: float
    cost_usd: float | None = None
    turn: PlannedTurn | None = None


class Quota(FrozenStruct):
    """Which limit was met: `resource` as in rate-limit headers, `per_s` the window it counts in."""

    resource: str
    limit: float
    per_s: float | None


class Trouble(FrozenStruct):
    """An error to be told. `message` and `code` left out: the wire's own words for `status`. `param`: the
    field that is to blame, on wires that name it."""

    status: int
    message: str | None = None
    code: str | None = None
    param: str | None = None
    retry_after_s: float | None = None
    quota: Quota | None = None
    headers: Mapping[str, str] = {}


Frames = tuple[list[bytes], list[bytes]]
"""A stream: the pieces of the answer, then what ends it."""


class ServerWire(Protocol):
    """The bodies of one wire format. All methods are pure; bodies are complete, HTTP comes around them."""

    name: str

    def unary(self, answer: ScriptedAnswer) -> bytes:
        """A whole answer."""

    def hollow(self, answer: ScriptedAnswer) -> bytes:
        """A reply with everything but an answer in it."""

    def wrong_type(self, answer: ScriptedAnswer) -> bytes:
        """A reply whose fields have the right names and the wrong types."""

    def stream_type(self, ask: IncomingRequest) -> str:
        """The content type of a stream."""

    def frames(self, answer: ScriptedAnswer, pieces: Sequence[str]) -> Frames:
        """A stream of `pieces`."""

    def hollow_frames(self, answer: ScriptedAnswer) -> Frames:
        """A stream that ends well and has no answer in it."""

    def wrong_frame(self, answer: ScriptedAnswer) -> bytes:
        """A piece of a stream whose fields have the wrong types."""

    def error(self, trouble: Trouble) -> bytes:
        """The body of an error."""

    def error_frame(self, trouble: Trouble, ask: IncomingRequest) -> bytes:
        """An error inside of a stream that began with status 200."""

    def headers(self, n: int) -> str:
        """The header lines that only this wire has, each with its line end."""

    def listing(
        self, models: Sequence[str], query: Mapping[str, str], page_size: int, no_tools: Sequence[str]
    ) -> bytes:
        """A page of the list of models. Those that fit a glob of `no_tools` take no tools."""


def sse(data: bytes, event: bytes = b"") -> bytes:
    """A server-sent event."""
    name = b"event: " + event + b"\n" if event else b""
    return b"".join((name, b"data: ", data, b"\n\n"))


def number(text: str | None, default: int) -> int:
    """A number from a query string, the default for anything else."""
    return int(text) if text is not None and text.isdecimal() else default


def seconds(value: float) -> str:
    """A short decimal number without an exponent: 1.25, 30."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


def cut(text: str, count: int) -> list[str]:
    """A text in `count` parts of about the same length; some are empty if it is shorter."""
    size = len(text)
    return [text[size * part // count : size * (part + 1) // count] for part in range(count)]
