"""How long the transport waits: for headers, for bytes, for a body that is on its way, and never for less."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from umwelten.attempts.transport import Transport
from umwelten.providers.common.errors import ADDRESS
from umwelten.providers.wires import WIRES
from umwelten.types import Failure, FailureKind, Media, Outcome, Reply
from wirekit import KEY, place, question

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER = b'data: {"choices": [{"delta": {"content": "hello"}, "finish_reason": "stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
SECOND = 0.4  # one second of the time-out that is tried out here

Body = Callable[[], Awaitable[bytes]]
"""Reads the body of the request."""

Serve = Callable[[Body, asyncio.StreamWriter], Awaitable[None]]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def asked(
    serve: Serve, *, timeout_s: float, media: bytes = b"", on_text: Callable[[str], None] | None = None
) -> Outcome:
    """What becomes of one streamed question to a server that does this with each connection."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        assert length is not None
        try:
            await serve(lambda: reader.readexactly(int(length[1])), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def go() -> Outcome:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wire, where = WIRES["openai"], place("openai", f"http://127.0.0.1:{port}/v1")
        parts = (Media(mime="image/png", data=media, name="a.png"),) if media else ()
        async with server, Transport(timeout_s=timeout_s) as transport:
            http = wire.encode(question(*parts, stream=True), where)
            outcome, _ = await transport.ask(http, wire, where, stream=True, on_text=on_text)
            return outcome

    return asyncio.run(asyncio.wait_for(go(), 30))


async def send(writer: asyncio.StreamWriter, *pieces: bytes) -> None:
    writer.write(b"".join(pieces))
    await writer.drain()


def test_late_headers_count_as_bytes_and_the_body_has_its_time_after_them() -> None:
    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.7 * SECOND)
        await send(writer, HEAD)
        await asyncio.sleep(0.7 * SECOND)
        await send(writer, chunk(ANSWER), chunk(DONE), chunk(b""))

    outcome = asked(serve, timeout_s=SECOND)
    assert isinstance(outcome, Reply), outcome


def test_a_stream_goes_on_for_longer_than_the_time_out_while_bytes_come() -> None:
    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        await send(writer, HEAD)
        for _ in range(6):
            await asyncio.sleep(0.5 * SECOND)
            await send(writer, chunk(b": still there\n\n"))
        await send(writer, chunk(ANSWER), chunk(DONE), chunk(b""))

    assert isinstance(asked(serve, timeout_s=SECOND), Reply)


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (b"", "no answer within 0.4 s"),
        (HEAD, "the stream stalled: 0.4 s without a byte, or too long in all"),
        (HEAD + chunk(b": x\n\n"), "the stream stalled: 0.4 s without a byte, or too long in all"),
    ],
    ids=["nothing", "headers", "bytes"],
)
def test_silence_is_a_time_out_wherever_it_begins(begun: bytes, said: str) -> None:
    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        await send(writer, begun)
        await asyncio.sleep(20 * SECOND)

    outcome = asked(serve, timeout_s=SECOND)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.message, outcome.code) == (FailureKind.TIMEOUT, said, "timeout")


def test_an_answer_that_ends_with_the_last_of_its_time_is_kept() -> None:
    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        # A stream has ten time-outs in all. The end mark comes so late that looking for the end of the body,
        # which is left open, takes longer than what is left.
        loop = asyncio.get_running_loop()
        last = loop.time() + 10 * SECOND - 0.15
        await send(writer, HEAD)
        while (left := last - loop.time()) > 0:
            await asyncio.sleep(min(0.1, left))
            await send(writer, chunk(b": still there\n\n"))
        await send(writer, chunk(ANSWER), chunk(DONE))
        await asyncio.sleep(2)

    assert isinstance(asked(serve, timeout_s=SECOND), Reply)


def test_a_pause_while_a_large_body_goes_out_is_no_silence_of_the_other_side() -> None:
    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2.5 * SECOND)
        await body()
        await send(writer, HEAD, chunk(ANSWER), chunk(DONE), chunk(b""))

    assert isinstance(asked(serve, timeout_s=SECOND, media=bytes(16 << 20)), Reply)


def test_pieces_are_all_of_the_text_also_where_its_end_looks_like_the_begin_of_the_key() -> None:
    text = f"A key begins like {KEY[:6]}"

    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        words = [
            json.dumps({"choices": [{"delta": {"content": text[at : at + 5]}}]}) for at in range(0, 24, 5)
        ]
        await send(writer, HEAD, *(chunk(f"data: {word}\n\n".encode()) for word in words))
        await send(writer, chunk(ANSWER.replace(b"hello", b"")), chunk(DONE), chunk(b""))

    pieces: list[str] = []
    outcome = asked(serve, timeout_s=10, on_text=pieces.append)
    assert isinstance(outcome, Reply)
    assert "".join(pieces) == outcome.text == text


def test_a_connection_that_is_reset_is_said_to_be() -> None:
    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        await body()
        there: socket.socket = writer.get_extra_info("socket")
        there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    outcome = asked(serve, timeout_s=10)
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.code, outcome.retry) == (FailureKind.CONNECTION, "reset", True)
    assert outcome.message == "connection lost: Connection reset by peer"


@pytest.mark.parametrize(("kind", "is_page"), [(b"text/html", True), (b"application/json", False)])
def test_a_web_page_in_place_of_an_answer_says_that_the_address_is_wrong(kind: bytes, is_page: bool) -> None:
    async def serve(body: Body, writer: asyncio.StreamWriter) -> None:
        await body()
        page = b"<html>Welcome</html>"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n"
        await send(writer, head % (kind, len(page)), page)

    outcome = asked(serve, timeout_s=10)
    assert isinstance(outcome, Failure)
    assert (outcome.code == ADDRESS) is is_page
