"""Old connections that their server has closed: the request goes out again, on a new one, and only then."""

from __future__ import annotations

import asyncio
import errno
import re
from collections.abc import Sequence

import aiohttp
import pytest

from rawserver import Serve, raw_server, reset
from umwelten.attempts import connections
from umwelten.attempts.input_reader import InputReader
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.runner import HttpAttemptRunner
from umwelten.attempts.target import Target
from umwelten.attempts.transport import STALE, Transport
from umwelten.engine.interfaces import AttemptResult
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.protocol import HttpRequest
from umwelten.providers.wires import WIRES
from umwelten.types import Call, Failure, Media, ModelRef, Prompt, Reply, RequestSettings
from wirekit import place, sse

STREAM = sse({"choices": [{"delta": {"content": "fine"}, "finish_reason": "stop"}]}) + b"data: [DONE]\n\n"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(STREAM) + STREAM
)
LARGE = 1_000_000
BUILDER = RequestBuilder(RequestSettings(prompts=(Prompt(name="", text="Hello."),)))


class Server:
    """What each connection replies to its requests in turn; at "" it is closed instead, at `None` reset."""

    def __init__(self, *replies: Sequence[bytes | None]) -> None:
        self._replies = replies
        self.connections = 0
        self.bodies: list[int] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        replies = self._replies[min(self.connections, len(self._replies) - 1)]
        self.connections += 1
        for reply in replies:
            head = await reader.readuntil(b"\r\n\r\n")
            if reply is None:
                reset(writer)
                return
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            if not reply:
                return
            self.bodies.append(len(body))
            writer.write(reply)
            await writer.drain()
        await reader.read()


def attempts(server: Serve, count: int = 2, *, size: int = 0) -> list[AttemptResult]:
    """Attempts one after the other, each with a picture of that many bytes."""

    async def go() -> list[AttemptResult]:
        attached = (Media(mime="image/png", data=bytes(size), name="a.png"),) if size else ()
        async with raw_server(server) as url, Transport(timeout_s=10) as transport:
            where = place("openai", f"{url}/v1")
            runner = HttpAttemptRunner(
                builder=BUILDER,
                targets={
                    1: Target(
                        model=ModelRef("openai", "m"), endpoint=where, wire=WIRES["openai"], attached=attached
                    )
                },
                transport=transport,
                inputs=InputReader(BUILDER, ConversionPool(10), None, lambda event: None),
                price=lambda usage, model: None,
                stream=True,
                observer=lambda event: None,
                check=OutcomeCheck(),
            )
            return [await runner(Call(id=i, model=1, input=None), (), None) for i in range(count)]

    return asyncio.run(asyncio.wait_for(go(), 30))


@pytest.mark.parametrize("size", [0, LARGE], ids=["small", "in pieces"])
@pytest.mark.parametrize("hang_up", [b"", None], ids=["closed", "reset"])
def test_a_request_on_a_closed_connection_goes_out_again_as_part_of_its_attempt(
    hang_up: bytes | None, size: int
) -> None:
    server = Server([ANSWER, hang_up], [ANSWER])
    results = attempts(server, size=size)
    assert all(isinstance(result.outcome, Reply) for result in results), results
    assert server.connections == 2
    assert len(set(server.bodies)) == 1
    assert server.bodies[0] > size


@pytest.mark.parametrize("hang_up", [b"", None], ids=["closed", "reset"])
def test_a_new_connection_that_is_closed_is_a_failure_of_unknown_cost(hang_up: bytes | None) -> None:
    server = Server([hang_up], [ANSWER])
    (result,) = attempts(server, 1)
    assert isinstance(result.outcome, Failure)
    assert (result.outcome.code, result.cost_nusd) == ("reset", None)
    assert server.connections == 1


def test_the_second_time_is_the_last_and_never_on_another_old_connection() -> None:
    server = Server([ANSWER, b""], [b""], [ANSWER])
    _, result = attempts(server)
    assert isinstance(result.outcome, Failure)
    assert result.outcome.code == "reset"
    assert server.connections == 2


@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200", ANSWER[:40], ANSWER[:-30]], ids=len)
@pytest.mark.parametrize("end", [b"", None], ids=["closed", "reset"])
def test_nothing_goes_out_again_once_a_byte_of_the_reply_came(begun: bytes, end: bytes | None) -> None:
    connected = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connected
        connected += 1
        for reply in (ANSWER, begun):
            await reader.readuntil(b"\r\n\r\n")
            await reader.read(1)
            writer.write(reply)
            await writer.drain()
        await asyncio.sleep(0.003)  # what was written leaves before a reset
        if end is None:
            reset(writer)

    _, result = attempts(serve)
    assert isinstance(result.outcome, Failure)
    assert result.outcome.code != STALE
    assert connected == 1


def test_a_server_that_worked_on_the_request_before_it_hung_up_may_have_charged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_STALE_S", 0.0)
    server = Server([ANSWER, b""], [ANSWER])
    _, result = attempts(server)
    assert isinstance(result.outcome, Failure)
    assert result.cost_nusd is None


def test_a_plain_request_goes_out_again_too() -> None:
    body = b'{"data": []}'
    listed = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def go() -> list[object]:
        async with raw_server(Server([listed, None], [listed])) as url, Transport(timeout_s=10) as transport:
            http = HttpRequest(method="POST", url=f"{url}/", headers={}, body=b"{}")
            return [await transport.fetch(http, place("openai", url)) for _ in range(2)]

    answers = asyncio.run(asyncio.wait_for(go(), 30))
    assert not any(isinstance(answer, Failure) for answer in answers), answers


def test_how_long_a_connection_took_is_told_once_for_each() -> None:
    told: list[tuple[str, float]] = []

    async def go() -> None:
        async with (
            raw_server(Server([ANSWER, ANSWER, b""], [ANSWER])) as url,
            Transport(timeout_s=10) as transport,
        ):
            where = place("openai", f"{url}/v1")
            transport.on_connected = lambda endpoint, took_s: told.append((endpoint.base_url, took_s))
            runner = HttpAttemptRunner(
                builder=BUILDER,
                targets={1: Target(model=ModelRef("openai", "m"), endpoint=where, wire=WIRES["openai"])},
                transport=transport,
                inputs=InputReader(BUILDER, ConversionPool(10), None, lambda event: None),
                price=lambda usage, model: None,
                stream=True,
                observer=lambda event: None,
                check=OutcomeCheck(),
            )
            for i in range(3):
                await runner(Call(id=i, model=1, input=None), (), None)
            assert [base for base, _ in told] == [where.base_url] * 2

    asyncio.run(asyncio.wait_for(go(), 30))
    assert all(0 < took_s < 5 for _, took_s in told)


@pytest.mark.parametrize(
    ("cause", "hung_up"),
    [
        (aiohttp.ClientConnectionResetError("Cannot write to closing transport"), True),
        (OSError(errno.EIO, "the disk fails"), False),
        (None, False),
    ],
)
def test_a_body_that_cannot_be_written_tells_by_its_cause_that_the_server_hung_up(
    cause: Exception | None, hung_up: bool
) -> None:
    error = aiohttp.ClientOSError(None, "Can not write request body for http://127.0.0.1/v1")
    error.__cause__ = cause
    assert connections._is_hang_up(error) is hung_up
