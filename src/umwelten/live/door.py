"""Lets so many connections in at a time, and those for a while only that ask for nothing.

Each takes an open file, of which the run needs its own. Whoever may connect is this user; what has gone wrong
is a loop in a script, or a client that hangs.
"""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from umwelten.live.encoding import encode

MOST = 64
"""Connections at a time. A screen or a page takes two; a process may have 256 open files on some systems."""

FIRST_S = 10.0
"""For a request to come, and for its body."""

_MOMENT_S = 0.1
"""From the making of a protocol until its server counts it: one turn of the loop, which then runs timers."""

_FULL = {"error": "this run has as many connections as it takes", "hint": "Close some, or try again."}


class Door:
    """Makes the protocol of each connection to a server."""

    def __init__(self, server: web.Server, *, most: int = MOST, first_s: float = FIRST_S) -> None:
        self._server, self._most, self._first_s = server, most, first_s
        self._silent: set[RequestHandler] = set()
        self._made: set[RequestHandler] = set()

    def __call__(self) -> asyncio.Protocol:
        """Return what a connection is served by."""
        connected = set(self._server.connections)
        self._made -= connected
        if len(connected) + len(self._made) >= self._most:
            return _Refusal(self._first_s)
        loop, protocol = asyncio.get_running_loop(), self._server()
        self._silent.add(protocol)
        loop.call_later(self._first_s, self._close, protocol)
        # The server counts it once it is connected, which is next: many may come at the same moment. Who only
        # looks whether anybody listens is gone before that can be seen, and takes no room for longer.
        self._made.add(protocol)
        loop.call_later(_MOMENT_S, self._made.discard, protocol)
        return protocol

    def note(self, request: web.Request) -> None:
        """A connection has asked for something."""
        self._silent.discard(request.protocol)
        self._made.discard(request.protocol)

    def _close(self, protocol: RequestHandler) -> None:
        if protocol in self._silent:
            self._silent.discard(protocol)
            protocol.force_close()


class _Refusal(asyncio.Protocol):
    """Says that there is no room once something was asked: who had not been read would see a reset."""

    def __init__(self, first_s: float) -> None:
        self._first_s = first_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._timer = asyncio.get_running_loop().call_later(self._first_s, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        body = encode(_FULL)
        head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
        self._transport.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._timer.cancel()
