"""What is kept of a reply whose end does not come: its connection breaks or stays open."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import pytest

from rawserver import raw_server, reset
from umwelten.attempts import reading
from umwelten.attempts import transport as transport_module
from umwelten.attempts.transport import Transport
from umwelten.providers.wires import WIRES
from umwelten.types import Failure, FailureKind, Outcome, Reply
from wirekit import place, question, sse

TEXT = "the whole answer"
OPEN_AI = sse({"choices": [{"delta": {"content": TEXT}, "finish_reason": "stop"}]})
USAGE = sse({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
DONE = b"data: [DONE]\n\n"
STREAMS = {
    "openai": OPEN_AI,
    "gemini": sse({"candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}]}),
    "anthropic": sse(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        named=True,
    ),
    "ollama": json.dumps({"message": {"content": TEXT}, "done": True, "done_reason": "stop"}).encode()
    + b"\n",
}
UNFINISHED = {
    "openai": sse({"choices": [{"delta": {"content": TEXT}, "finish_reason": None}]}),
    "gemini": sse({"candidates": [{"content": {"parts": [{"text": TEXT}]}}]}),
    "anthropic": sse(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": TEXT}}, named=True
    ),
    "ollama": json.dumps({"message": {"content": TEXT}, "done": False}).encode() + b"\n",
}
BODIES = {
    "openai": {"choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}]},
    "gemini": {"candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}]},
    "anthropic": {"content": [{"type": "text", "text": TEXT}], "stop_reason": "end_turn"},
    "ollama": {"message": {"content": TEXT}, "done": True, "done_reason": "stop"},
}
every = pytest.mark.parametrize("wire", STREAMS)
End = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def close(writer: asyncio.StreamWriter) -> None:
    return


async def break_off(writer: asyncio.StreamWriter) -> None:
    reset(writer)


async def stay(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(20)


ENDS: dict[str, End] = {"closed": close, "reset": break_off}
with_ends = pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)


def head(fields: bytes = b"Transfer-Encoding: chunked", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Type: text/event-stream\r\n%b\r\n\r\n" % (status, fields)


def chunked(*pieces: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


SOON_S = 10.0
"""A tenth of a second as a rule; what is not to be waited for would be until a time-out of 20 s."""


def outcome_of(
    wire: str, pieces: list[bytes | float], end: End, *, stream: bool = True, timeout_s: float = 20
) -> tuple[Outcome, float]:
    """What becomes of a reply of these bytes and pauses that ends so, and how long it took."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)
        await asyncio.sleep(0.003)  # what was written leaves before a reset
        await end(writer)

    async def go() -> tuple[Outcome, float]:
        async with raw_server(serve) as url, Transport(timeout_s=timeout_s) as transport:
            where = place(wire, f"{url}/v1")
            http = WIRES[wire].encode(question(stream=stream), where)
            begun = time.monotonic()
            outcome, _ = await transport.ask(http, WIRES[wire], where, stream=stream)
            return outcome, time.monotonic() - begun

    return asyncio.run(asyncio.wait_for(go(), 30))


@pytest.fixture
def grace(monkeypatch: pytest.MonkeyPatch) -> float:
    """A shorter wait than the real one, in seconds."""
    monkeypatch.setattr(reading, "_GRACE_S", 0.08)
    monkeypatch.setattr(reading, "_GRACE_TOTAL_S", 0.24)
    return 0.08


@every
@with_ends
def test_an_answer_is_kept_whose_connection_breaks_after_the_finish_reason(wire: str, end: End) -> None:
    outcome, _ = outcome_of(wire, [head(), chunked(STREAMS[wire])], end)
    assert isinstance(outcome, Reply), outcome
    assert outcome.text == TEXT


@every
@with_ends
def test_an_answer_is_kept_of_whose_last_event_only_the_end_is_missing(wire: str, end: End) -> None:
    outcome, _ = outcome_of(wire, [head(), chunked(STREAMS[wire].rstrip(b"\n"))], end)
    assert isinstance(outcome, Reply), outcome
    assert outcome.text == TEXT


@every
def test_an_answer_is_kept_whose_last_bytes_come_with_the_break(wire: str) -> None:
    # The reader is told of the break before it has read those bytes.
    async def at_once(writer: asyncio.StreamWriter) -> None:
        writer.write(head() + chunked(STREAMS[wire]))

    outcome, _ = outcome_of(wire, [], at_once)
    assert isinstance(outcome, Reply), outcome


@every
def test_an_answer_is_kept_after_which_comes_no_http(wire: str, grace: float) -> None:
    outcome, _ = outcome_of(wire, [head(), 0.01, chunked(STREAMS[wire]), 0.01, b"no chunk\r\n"], stay)
    assert isinstance(outcome, Reply), outcome


@every
@with_ends
def test_text_without_a_finish_reason_is_a_failure_with_that_text(wire: str, end: End) -> None:
    outcome, _ = outcome_of(wire, [head(), chunked(UNFINISHED[wire])], end)
    assert isinstance(outcome, Failure)
    assert (outcome.partial, outcome.retry) == (TEXT, True)


@every
def test_a_connection_that_stays_open_after_the_answer_is_not_waited_for(wire: str, grace: float) -> None:
    outcome, took = outcome_of(wire, [head(), chunked(STREAMS[wire])], stay)
    assert isinstance(outcome, Reply), outcome
    assert took < SOON_S


def test_counts_that_come_a_little_later_are_read(grace: float) -> None:
    later = [head(), chunked(OPEN_AI), grace / 2, chunked(USAGE)]
    outcome, took = outcome_of("openai", later, stay)
    assert isinstance(outcome, Reply), outcome
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (3, 2)
    assert took < SOON_S


def test_a_server_that_keeps_the_connection_alive_after_the_answer_is_left(grace: float) -> None:
    pings = [part for _ in range(40) for part in (grace / 2, chunked(b": ping\n\n"))]
    outcome, took = outcome_of("openai", [head(), chunked(OPEN_AI), *pings], stay)
    assert isinstance(outcome, Reply), outcome
    assert took < SOON_S


def test_a_server_that_states_a_finish_reason_in_every_chunk_is_read_to_its_end(grace: float) -> None:
    frame = sse({"choices": [{"delta": {"content": "word "}, "finish_reason": "stop"}]})
    pieces = [head(), chunked(frame), chunked(frame), 2 * grace, chunked(frame, DONE)]
    outcome, _ = outcome_of("openai", pieces, stay)
    assert isinstance(outcome, Reply), outcome
    assert outcome.text == "word word word "


@every
def test_an_answer_is_kept_when_the_time_is_up_after_its_finish_reason(wire: str) -> None:
    outcome, took = outcome_of(wire, [head(), chunked(STREAMS[wire])], stay, timeout_s=0.3)
    assert isinstance(outcome, Reply), outcome
    assert took < SOON_S


@every
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize(
    ("fields", "end"),
    [(b"Content-Length: 9999", close), (b"Transfer-Encoding: chunked", break_off)],
    ids=["longer", "chunked"],
)
def test_a_whole_json_body_is_kept_however_its_connection_ends(
    wire: str, end: End, stream: bool, fields: bytes
) -> None:
    body = json.dumps(BODIES[wire], indent=2).encode()
    sent = chunked(body) if fields.startswith(b"Transfer") else body
    outcome, _ = outcome_of(wire, [head(fields), sent], end, stream=stream)
    assert isinstance(outcome, Reply), outcome
    assert outcome.text == TEXT


@every
def test_a_whole_json_body_is_not_waited_for_longer(wire: str, grace: float) -> None:
    body = json.dumps(BODIES[wire], indent=2).encode()
    cut = body.index(b"}") + 1  # where it only looks whole
    pieces = [head(), chunked(body[:cut]), 2 * grace, chunked(body[cut:])]
    outcome, took = outcome_of(wire, pieces, stay, stream=False)
    assert isinstance(outcome, Reply), outcome
    assert took < SOON_S


@every
@with_ends
def test_half_a_json_body_is_a_failure(wire: str, end: End) -> None:
    body = json.dumps(BODIES[wire]).encode()[:-1]
    outcome, _ = outcome_of(wire, [head(), chunked(body)], end, stream=False)
    assert isinstance(outcome, Failure)
    assert outcome.kind in (FailureKind.SERVER, FailureKind.CONNECTION)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (b"429 No", FailureKind.RATE_LIMIT),
        (b"401 No", FailureKind.UNAVAILABLE),
        (b"400 No", FailureKind.BAD_REQUEST),
        (b"500 No", FailureKind.SERVER),
        (b"503 No", FailureKind.SERVER),
    ],
)
@with_ends
def test_a_refusal_stays_one_if_its_body_does_not_come(status: bytes, kind: FailureKind, end: End) -> None:
    outcome, _ = outcome_of("openai", [head(b"Content-Length: 50", status), b'{"error"'], end)
    assert isinstance(outcome, Failure)
    assert outcome.kind is kind


LIMITED = {"error": {"message": "Rate limit reached", "code": "rate_limit_exceeded"}}


@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@with_ends
def test_a_refusal_inside_a_good_status_stays_one_however_its_connection_ends(end: End, stream: bool) -> None:
    body = sse(LIMITED) if stream else json.dumps(LIMITED).encode()
    outcome, _ = outcome_of("openai", [head(), chunked(body)], end, stream=stream)
    assert isinstance(outcome, Failure)
    assert outcome.kind is FailureKind.RATE_LIMIT


def test_a_connection_whose_reply_was_left_after_an_error_is_not_used_again(
    grace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the rest of the reply comes while it is watched for being closed."""
    monkeypatch.setattr(transport_module, "_HANG_UP_S", 2.5 * grace)
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        first, last = (LIMITED, 1.8 * grace) if connections == 1 else (BODIES["openai"], 0)
        writer.write(head() + chunked(json.dumps(first).encode()))
        await asyncio.sleep(last)
        writer.write(b"0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head() + chunked(json.dumps(BODIES["openai"]).encode()) + b"0\r\n\r\n")
        await reader.read()

    async def go() -> list[Outcome]:
        async with raw_server(serve) as url, Transport(timeout_s=10) as transport:
            where, wire = place("openai", f"{url}/v1"), WIRES["openai"]
            return [(await transport.ask(wire.encode(question(), where), wire, where))[0] for _ in range(2)]

    first, second = asyncio.run(asyncio.wait_for(go(), 30))
    assert isinstance(first, Failure)
    assert isinstance(second, Reply), second
    assert connections == 2
