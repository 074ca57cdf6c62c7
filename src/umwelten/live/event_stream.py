"""The events of a run as a stream (Server-Sent Events), for each who watches it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from aiohttp import web

from umwelten.live.encoding import encode
from umwelten.live.events import EventRing, Told

_BEAT_S = 0.1
"""Between looks at what is new: asking costs the run nothing, and being told by it would."""

_MOST = 500
"""Events in one write: what comes meanwhile is not held up."""

_SILENCE_S = 15.0
"""After so long without an event, a comment keeps the connection from being taken for dead."""

_LAST_S = 1.0
"""Once the run has ended, a watcher has so long to take the rest."""


class EventStream:
    """Serves whoever watches; nobody holds up the run or another."""

    def __init__(self, ring: EventRing) -> None:
        self._ring = ring
        self._closed = False
        self._pieces: list[tuple[int, str, str, int]] = []
        self._beat = 0
        self._ticker: asyncio.Task[None] | None = None

    def close(self) -> None:
        """End the streams once they have been told everything."""
        self._closed = True

    async def serve(self, request: web.Request, *, after: int, text: bool) -> web.StreamResponse:
        """Tell the events after that one, and go on until the run ends or nobody listens."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        await response.prepare(request)
        if text:
            self._ring.want_pieces(1)
            if self._ticker is None:
                self._ticker = asyncio.create_task(self._tick())
        try:
            await self._tell(response, min(after, self._ring.last), text)
        except ConnectionError:
            pass
        finally:
            if text:
                self._ring.want_pieces(-1)
        return response

    async def _tell(self, response: web.StreamResponse, last: int, text: bool) -> None:
        beat, wrote_at = self._beat, time.monotonic()
        while True:
            closed = self._closed
            events, gone = self._ring.after(last, _MOST)
            parts = [_frame("gap", {"missed": gone})] if gone else []
            parts += [_event(told, text) for told in events]
            if text and beat != self._beat:
                beat = self._beat
                parts += [_piece(*piece) for piece in self._pieces]
            if events:
                last = events[-1].id
            if parts:
                await response.write(b"".join(parts))
                wrote_at = time.monotonic()
            elif time.monotonic() - wrote_at > _SILENCE_S:
                await response.write(b": still here\n\n")
                wrote_at = time.monotonic()
            if closed and not events:
                return
            if len(events) < _MOST:
                await asyncio.sleep(_BEAT_S if not self._closed else 0)

    async def _tick(self) -> None:
        """Take the pieces of answers ten times a second, for all who want them."""
        while not self._closed:
            if self._ring.streaming:
                self._pieces = self._ring.take_pieces()
                self._beat += 1
            await asyncio.sleep(_BEAT_S)


def _event(told: Told, text: bool) -> bytes:
    facts = told.facts if not text or told.words is None else {**told.facts, "message": told.words}
    return b"id: %d\n" % told.id + _frame(told.name, facts)


def _piece(call: int, model: str, text: str, left_out: int) -> bytes:
    return _frame("text", {"call": call, "model": model, "text": text, "left_out": left_out})


def _frame(name: str, facts: dict[str, Any]) -> bytes:
    # JSON has no raw line breaks, so the data is one line.
    return b"event: %s\ndata: %s\n\n" % (name.encode(), encode(facts))
