"""Heads that no provider would send: each is an outcome that makes sense, in time; nothing is followed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import msgspec
import pytest

from rawserver import raw_server
from umwelten.attempts.transport import Transport
from umwelten.providers.protocol import HttpRequest
from umwelten.providers.wires import WIRES
from umwelten.types import Failure, FailureKind, Outcome, Reply
from wirekit import KEY, place, question

ANSWER = json.dumps({"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}).encode()
TARGETS = (
    *("http://evil.example/x", "//evil.example", "/v2/chat", "?a=b", "", "\x00", "http://[::1", "http://[/"),
    *(f"https://user:{KEY}@evil.example/", "javascript:alert(1)", "http://" + "h" * 5000, "http://\x80\xff/"),
    *("\x1b]0;x\x07://y\x1b[2J/", "http://evil.example:99999999/"),
)
DURATIONS = (
    *("-1", "1e999", "9" * 400, "nan", "inf", "\xb2", "0x10", "5, 6", "1h" * 2000, "Infinity"),
    *("Fri, 31 Dec 1000000 23:59:59 GMT", "Thu, 01 Jan -001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"),
    *("1000000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "Thu, 01 Jan 1970 00:00:00 +9999"),
)
SPENT = ("x-ratelimit-remaining-requests", "x-ratelimit-limit-tokens", "x-ratelimit-reset-requests")


def _reply(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def _outcomes(replies: list[bytes]) -> list[Outcome]:
    """What becomes of as many questions, every other one streamed."""

    async def go() -> list[Outcome]:
        left: Iterator[bytes] = iter(replies)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r")[0]))
            writer.write(next(left))
            await writer.drain()

        found = []
        async with raw_server(serve) as url, Transport(timeout_s=10) as transport:
            endpoint, wire = place("openai", url), WIRES["openai"]
            for number in range(len(replies)):
                http = wire.encode(question(stream=bool(number % 2)), endpoint)
                found.append((await transport.ask(http, wire, endpoint, stream=bool(number % 2)))[0])
        return found

    return asyncio.run(asyncio.wait_for(go(), 60))


def _texts(outcome: Outcome) -> str:
    return json.dumps(msgspec.to_builtins(outcome, enc_hook=str))


def test_a_redirect_is_told_and_not_followed_wherever_it_leads() -> None:
    replies = [
        _reply(status, b"x", f"location: {target}") for target in TARGETS for status in ("302 F", "308 P")
    ]
    for reply, outcome in zip(replies, _outcomes(replies), strict=True):
        assert isinstance(outcome, Failure), reply
        assert KEY not in _texts(outcome)
        assert len(outcome.message) < 600
        if b"\x00" not in reply and b"\x1b" not in reply:  # no HTTP, says aiohttp
            assert (outcome.code, outcome.lane_down) == ("redirect", True), (reply, outcome)


def test_a_list_and_a_file_are_not_fetched_from_elsewhere() -> None:
    async def go() -> list[object]:
        left = iter(TARGETS)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(_reply("307 T", b"", f"location: {next(left)}"))
            await writer.drain()

        async with raw_server(serve) as url, Transport(timeout_s=10) as transport:
            endpoint = place("gemini", url)
            http = HttpRequest(method="GET", url=f"{url}/v1/models", headers={})
            return [await transport.fetch(http, endpoint, patient=bool(n % 2)) for n in range(len(TARGETS))]

    assert all(isinstance(found, Failure) for found in asyncio.run(asyncio.wait_for(go(), 30)))


@pytest.mark.parametrize("status", ["200 OK", "429 T", "503 U"])
def test_times_that_cannot_be_are_not_waited_for(status: str) -> None:
    body = ANSWER if status[0] == "2" else b'{"error": {"message": "slow down"}}'
    names = ("retry-after", "retry-after-ms", "date", *SPENT)
    replies = [_reply(status, body, f"{name}: {text}") for text in DURATIONS for name in names]
    replies += [_reply(status, body, *(f"{name}: {text}" for name in names)) for text in DURATIONS]
    for reply, outcome in zip(replies, _outcomes(replies), strict=True):
        kind = None if isinstance(outcome, Reply) else outcome.kind
        assert kind in {"2": (None,), "4": (FailureKind.RATE_LIMIT,)}.get(status[0], (FailureKind.SERVER,)), (
            reply
        )
        times = (outcome.hints.retry_after_s, *(budget.reset_s for budget in outcome.hints.budgets))
        assert all(time is None or 0 <= time < 10**12 for time in times), (reply, outcome.hints)


def test_an_answer_stays_one_whatever_stands_in_its_head() -> None:
    heads = [
        ["set-cookie: a=b; domain=.example"] * 9,
        ["content-encoding: x"],
        ["content-type: ;;;"],
        ["content-type: text/plain; charset=nope"],
        ["content-type: application/json; charset=\x80"],
        ["x-request-id: " + "n" * 5000],
        ["x-request-id: \x80\xff\xfe"],
        ["x-ratelimit-remaining-requests: \x80"],
        ["trailer: x"],
    ]
    statuses = ("200 OK", "200", "200 \x80\xff", "201 C", "206 P")
    replies = [_reply(status, ANSWER, *lines) for lines in heads for status in statuses for _ in range(2)]
    for reply, outcome in zip(replies, _outcomes(replies), strict=True):
        assert isinstance(outcome, Reply), (reply, outcome)
        assert outcome.text == "hi"


def test_names_of_megabytes_are_cut() -> None:
    long = "n" * 3_000_000
    function = {"function": {"name": long}}
    bodies = [
        {"choices": [{"message": {"content": "hi"}, "finish_reason": long}], "model": long, "id": long},
        {"choices": [{"message": {"content": ""}, "finish_reason": long}]},
        {"choices": [{"message": {"content": "", "tool_calls": [function]}, "finish_reason": "stop"}]},
        {"choices": [{"message": {"refusal": long}, "finish_reason": "stop"}]},
        {"error": {"message": long, "code": long, "type": long, "param": long}},
        {"error": {"message": long, "code": "content_filter", "status": long}},
    ]
    outcomes = _outcomes([_reply("200 OK", json.dumps(body).encode()) for body in bodies])
    assert isinstance(outcomes[0], Reply)
    for outcome in outcomes:
        assert len(_texts(outcome)) < 60_000
        wording = None if isinstance(outcome, Reply) else outcome.wording
        assert wording is None or len(str(wording)) < 1000
