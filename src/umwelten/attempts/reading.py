"""Reads a reply to its end, and knows what to keep where the end does not come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp

from umwelten.attempts.deadlines import Wait
from umwelten.attempts.reply_room import SMALL, ReplyRoom
from umwelten.providers.common.streams import WholeBody
from umwelten.providers.protocol import Endpoint, Head, StreamDecoder, Wire
from umwelten.types import FailureKind, Outcome, Reply

MAX_BODY = 64 << 20
"""A reply of more bytes (after decompression) is a failure: no chat answer is that long."""

_GRACE_S = 3.0
"""After a finish reason, so long without a byte is waited for token counts and the end mark. Servers that
send them do so at once; others leave the connection open, some for ever. The call keeps its slot meanwhile.
`Deadlines` looks at it once a second at most, so that it takes up to two seconds more."""

_GRACE_TOTAL_S = 10.0
"""So long in all, where a server keeps the connection alive after the answer."""


class TooLarge(Exception):
    """The reply passed `MAX_BODY`."""


def decoder_for(
    head: Head, wire: Wire, endpoint: Endpoint, stream: bool, *, tools: bool = False
) -> StreamDecoder:
    """Return the decoder for a reply that begins with this head; `tools`: its request offered some."""
    if stream and head.status == 200:
        return wire.stream(head, endpoint, tools=tools)
    return WholeBody(lambda body: wire.decode(head, body, endpoint, tools=tools))


def salvage(error: Exception, decoder: StreamDecoder | None) -> Outcome | None:
    """Return what had arrived in full before the connection broke or the time was up; else `None`.

    That is an answer whose finish reason came, or a refusal, for which its status is enough.
    """
    if decoder is None or isinstance(error, TooLarge):
        return None
    outcome = decoder.finish()
    # Only now: the last event or line is read too, if nothing but its end is missing.
    if not decoder.complete and not isinstance(decoder, WholeBody):
        return None
    return outcome if _is_conclusive(outcome) else None


def _is_conclusive(outcome: Outcome) -> bool:
    """Return whether more bytes could not change the outcome: an answer, a refusal, not a broken reply."""
    if isinstance(outcome, Reply):
        return True
    return outcome.kind is not FailureKind.SERVER or (outcome.status or 0) >= 400


async def read_body(response: aiohttp.ClientResponse, wait: Wait, room: ReplyRoom) -> bytes:
    """Return the whole body. Raises `TooLarge`, and what aiohttp raises for a broken one.

    It counts in `room`; whoever calls frees it.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_any():
        wait.heard = True
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLarge
        chunks.append(chunk)
        await room.grow(wait, size)
    return b"".join(chunks)


async def read_answer(
    response: aiohttp.ClientResponse,
    decoder: StreamDecoder,
    on_piece: Callable[[str], None],
    wait: Wait,
    room: ReplyRoom,
) -> Outcome:
    """Return the outcome of a reply, as soon as it is there. Raises and counts as `read_body` does."""
    content, size = response.content, 0
    is_whole = False
    while not content.at_eof():
        try:
            chunk = await (_within_grace(content) if is_whole else content.readany())
        except (aiohttp.ClientError, OSError):
            _feed_rest(content, decoder, on_piece)
            raise
        if chunk is None:
            outcome = decoder.finish()
            if _is_conclusive(outcome):
                return outcome
            is_whole = False  # It only looked like that.
            continue
        wait.heard = True
        size += len(chunk)
        if size > MAX_BODY:
            raise TooLarge
        text = decoder.feed(chunk)
        if text:
            on_piece(text)
        if not decoder.complete:
            is_whole = False
            wait.relax()
            if size > SMALL:  # as `grow` says; looked at here, most chunks cost no coroutine
                await room.grow(wait, size)
        elif decoder.done:
            await _read_end(content, wait)
            break
        elif decoder.is_body:
            is_whole = True
        else:
            # When the time is up, `salvage` keeps the answer.
            wait.hasten(_GRACE_TOTAL_S, _GRACE_S)
    return decoder.finish()


async def _within_grace(content: aiohttp.StreamReader) -> bytes | None:
    """Return further bytes of a body that looks whole, `None` if there are none in time."""
    try:
        async with asyncio.timeout(_GRACE_S):
            return await content.readany()
    except TimeoutError:
        return None


async def _read_end(content: aiohttp.StreamReader, wait: Wait) -> None:
    """Read the end of the body after the end mark, so that the connection can be reused."""
    if content.at_eof():
        return
    wait.settle()
    with contextlib.suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(0.2):
            await content.read(1)


def _feed_rest(
    content: aiohttp.StreamReader, decoder: StreamDecoder, on_piece: Callable[[str], None]
) -> None:
    """Read what came just before the connection broke; aiohttp's reader reports the break first."""
    content._exception = None
    text = decoder.feed(content.read_nowait())
    if text:
        on_piece(text)
