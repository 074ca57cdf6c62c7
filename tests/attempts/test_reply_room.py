"""Many long replies at once are read a few at a time, and all of them in the end."""

from __future__ import annotations

import asyncio
import time

import pytest

from rawserver import raw_server
from umwelten.attempts.deadlines import Deadlines
from umwelten.attempts.reply_room import SMALL, ReplyRoom
from umwelten.attempts.transport import Transport
from umwelten.providers.protocol import HttpRequest
from umwelten.providers.wires import WIRES
from umwelten.types import Failure, Outcome, Reply
from wirekit import place, question

TEXT = "a" * 3_000_000


class MeasuredRoom(ReplyRoom):
    """Knows the most bytes that were ever held."""

    peak = 0

    async def grow(self, wait, size):
        await super().grow(wait, size)
        self.peak = max(self.peak, self.held)


@pytest.mark.parametrize("stream", [False, True])
def test_long_replies_share_the_room_and_all_arrive(stream: bool) -> None:
    choice = b'{"choices": [{"%s": {"content": "%s"}%s}]}'
    if stream:
        pieces = [choice % (b"delta", TEXT[:100_000].encode(), b"")] * 30
        pieces.append(choice % (b"delta", b"", b', "finish_reason": "stop"'))
        body = b"".join(b"data: %s\n\n" % piece for piece in pieces) + b"data: [DONE]\n\n"
    else:
        body = choice % (b"message", TEXT.encode(), b', "finish_reason": "stop"')
    kind = b"text/event-stream" if stream else b"application/json"

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        writer.write(head % (kind, len(body)) + body)
        await writer.drain()
        writer.close()

    room = MeasuredRoom(most=3_000_000)

    async def go() -> list[Outcome]:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        wire, where = WIRES["openai"], place("openai", f"http://127.0.0.1:{port}/v1")
        async with server, Transport(timeout_s=20) as transport:
            transport._room = room
            asks = (
                transport.ask(wire.encode(question(stream=stream), where), wire, where, stream=stream)
                for _ in range(8)
            )
            return [outcome for outcome, _ in await asyncio.gather(*asks)]

    outcomes = asyncio.run(asyncio.wait_for(go(), 30))
    assert [outcome.text for outcome in outcomes if isinstance(outcome, Reply)] == [TEXT] * 8
    # Each is read until it counts, and by one chunk more; all together would be 24 MB.
    assert 2_000_000 < room.peak < 3_000_000 + len(body) + 8 * 3 * SMALL
    assert room.held == 0


def test_no_time_passes_for_a_reply_that_waits_for_room() -> None:
    async def go() -> float:
        deadlines, room = Deadlines(0.2), ReplyRoom(most=SMALL + 2)
        first, second = deadlines.within(10), deadlines.within(0.2, 0.1)
        await room.grow(first, SMALL + 1)
        asyncio.get_running_loop().call_later(0.4, room.free, first)
        start = time.monotonic()
        with second:
            await room.grow(second, SMALL + 1)
        room.free(second)
        assert room.held == 0
        return time.monotonic() - start

    assert 0.35 < asyncio.run(asyncio.wait_for(go(), 5)) < 3


def test_a_paused_reply_that_is_given_up_leaves_the_others_their_room() -> None:
    async def go() -> None:
        deadlines, room = Deadlines(5), ReplyRoom(most=SMALL + 2)
        first, second, third = (deadlines.within(5) for _ in range(3))
        await room.grow(first, SMALL + 1)
        waiting = [asyncio.create_task(room.grow(wait, SMALL + 1)) for wait in (second, third)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.wait(waiting[:1])
        room.free(second)
        room.free(first)
        await waiting[1]
        room.free(third)
        assert room.held == 0

    asyncio.run(asyncio.wait_for(go(), 5))


def test_what_is_held_is_the_large_replies_at_their_last_size() -> None:
    async def go() -> None:
        room, deadlines = ReplyRoom(), Deadlines(60)
        first, second, small = (deadlines.within(60) for _ in range(3))
        for wait, sizes in ((first, (SMALL + 1, 3 * SMALL)), (second, (2 * SMALL,)), (small, (SMALL,))):
            for size in sizes:
                await room.grow(wait, size)
        assert room.held == 5 * SMALL
        for wait, left in ((small, 5), (first, 2), (first, 2), (second, 0)):
            room.free(wait)
            assert room.held == left * SMALL

    asyncio.run(go())


@pytest.mark.parametrize("missing", [0, 1], ids=["whole", "cut off"])
def test_a_large_list_gives_its_room_back_whether_it_arrives_or_not(missing: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (2 * SMALL))
        writer.write(bytes(2 * SMALL - missing))
        await writer.drain()

    async def go() -> None:
        async with raw_server(serve) as url, Transport(timeout_s=10) as transport:
            room = transport._room = MeasuredRoom()
            http = HttpRequest(method="GET", url=f"{url}/", headers={})
            answer = await transport.fetch(http, place("openai", url))
            assert isinstance(answer, Failure) == bool(missing)
            assert room.peak > SMALL
            assert room.held == 0

    asyncio.run(asyncio.wait_for(go(), 30))
