"""HTTP/1.1 on a bare transport: requests in, bytes, pauses and breaks out."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from enum import Enum
from typing import Protocol, cast
from urllib.parse import parse_qsl

_MAX_HEAD = 65_536
_LINGER_ZERO = struct.pack("ii", 1, 0)
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Stop(Enum):
    """How a reply ends other than well."""

    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


Step = bytes | float | Stop
"""What to do next: write these bytes, let so many seconds pass, or stop in such a way."""


class Received:
    """A request as it came. Header names are asked for in lower case."""

    __slots__ = ("_head", "_lowered", "body", "method", "path", "query")

    def __init__(self, head: bytes) -> None:
        self._head, self._lowered = head, head.lower()
        self.method, target, _ = head[: head.index(b"\r\n")].decode("latin-1").split(" ", 2)
        self.path, _, self.query = target.partition("?")
        self.body = b""

    def header(self, name: bytes) -> str | None:
        """A header's value."""
        start = self._lowered.find(b"\r\n" + name + b":")
        if start < 0:
            return None
        start += len(name) + 3
        return self._head[start : self._head.index(b"\r\n", start)].decode("latin-1").strip()

    @property
    def arguments(self) -> dict[str, str]:
        """The query string, taken apart."""
        return dict(parse_qsl(self.query))

    @property
    def last(self) -> bool:
        """Return whether the client wants the connection closed after this request."""
        return self._lowered.find(b"\r\nconnection: close") >= 0


class Player(Protocol):
    """Whoever answers a request; told once how it went."""

    def on_end(self, complete: bool) -> None:
        """The reply is out to its end, or the client went away before."""


class Handler(Protocol):
    """Whoever takes requests."""

    connections: set[Connection]

    def handle(self, connection: Connection, request: Received) -> None:
        """Answer it, now or later, by one call of `connection.play`."""


class Connection(asyncio.Protocol):
    """One client. Requests on it are answered one after the other."""

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop) -> None:
        self._handler, self._loop = handler, loop
        self._buffer = bytearray()
        self._request: Received | None = None
        self._length: int | None = 0
        self._busy = self._pumping = self._paused = self._last = self._closed = False
        self._steps: Iterator[Step] = iter(())
        self._timer: asyncio.TimerHandle | None = None
        self.player: Player | None = None

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._handler.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._handler.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._finish(complete=False)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._busy:
            self._pump()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._busy and self._timer is None:
            self._advance()

    # --- requests in

    def _pump(self) -> None:
        self._pumping = True
        while not self._busy and not self._closed:
            try:
                request = self._take()
            except ValueError:
                self._transport.write(_BAD_REQUEST)
                self.stop(Stop.CLOSE)
                break
            if request is None:
                break
            self._busy, self._last = True, request.last
            self._handler.handle(self, request)
        self._pumping = False

    def _take(self) -> Received | None:
        """The next whole request in the buffer; ValueError if these bytes are none."""
        if self._request is None and not self._take_head():
            return None
        request, buffer = self._request, self._buffer
        if request is None:
            return None
        if self._length is None:
            unchunked = unchunk(buffer)
            if unchunked is None:
                return None
            request.body, end = unchunked
        else:
            end = self._length
            if len(buffer) < end:
                return None
            request.body = bytes(buffer[:end])
        del buffer[:end]
        self._request = None
        return request

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise ValueError("a head without end")
            return False
        request = self._request = Received(bytes(self._buffer[: end + 2]))
        del self._buffer[: end + 4]
        length = request.header(b"content-length")
        chunked = length is None and request.header(b"transfer-encoding") is not None
        self._length = None if chunked else int(length or 0)
        if request.header(b"expect") is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    # --- replies out

    def play(self, steps: Iterator[Step]) -> None:
        """Do these steps, one after the other."""
        self._steps = steps
        self._advance()

    def stop(self, how: Stop) -> None:
        """Close, reset, or (`HANG`) leave things as they are."""
        if how is Stop.HANG:
            return
        self._finish(complete=True)
        self._closed = True
        if how is Stop.CLOSE:
            self._transport.close()
            return
        peer: socket.socket | None = self._transport.get_extra_info("socket")
        if peer is not None:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()

    def drop(self) -> None:
        """Break off: the server ends."""
        self._transport.abort()

    def _wake(self) -> None:
        self._timer = None
        self._advance()

    def _advance(self) -> None:
        while not self._paused:
            step = next(self._steps, None)
            if type(step) is bytes:
                self._transport.write(step)
            elif step is None:
                self._done()
                return
            elif isinstance(step, Stop):
                self.stop(step)
                return
            else:
                self._timer = self._loop.call_later(cast(float, step), self._wake)
                return

    def _done(self) -> None:
        if self._last:
            self.stop(Stop.CLOSE)
            return
        self._finish(complete=True)
        self._busy = False
        if not self._pumping:
            self._pump()

    def _finish(self, complete: bool) -> None:
        player, self.player = self.player, None
        if player is not None:
            player.on_end(complete)


def unchunk(data: bytes | bytearray) -> tuple[bytes, int] | None:
    """The body in chunked transfer coding and where it ends; `None` while it is not all there."""
    parts: list[bytes] = []
    at = 0
    while (line_end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:line_end].split(b";")[0], 16)
        start = line_end + 2
        at = start + size + 2
        if len(data) < at:
            return None
        if size == 0:
            # Trailers are not read: no client of these formats sends any.
            return b"".join(parts), at
        parts.append(bytes(data[start : start + size]))
    return None
