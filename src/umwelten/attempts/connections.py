"""Connections that know whether they served a request before, and whether their server answered this one."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler

if TYPE_CHECKING:
    from aiohttp.client_reqrep import ClientRequest
    from aiohttp.connector import Connection

_KEEP_ALIVE_S = 30.0
_DNS_S = 300

_STALE_S = 5.0
"""A server that had hung up says so within a round trip. One that hangs up later may have worked on the
request, and charged for it."""

_HANG_UPS = frozenset((errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN))


class Exchange:
    """One request on its way. `fresh`: it must not go out on a connection that was used before.

    `on_connected` is told how many seconds a new connection took.
    """

    __slots__ = ("fresh", "on_connected", "protocol", "since")

    def __init__(self, *, fresh: bool, on_connected: Callable[[float], None] | None = None) -> None:
        self.fresh, self.since, self.on_connected = fresh, 0.0, on_connected
        self.protocol: _Protocol | None = None
        _current.set(self)

    def is_stale(self, error: Exception) -> bool:
        """Return whether the connection was an old one that its server had closed: nothing was processed."""
        protocol = self.protocol
        if protocol is None or not protocol.reused or protocol.heard:
            return False
        return _is_hang_up(error) and time.monotonic() - self.since < _STALE_S


_current: ContextVar[Exchange] = ContextVar("exchange")


def _is_hang_up(error: Exception) -> bool:
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return True
    if not isinstance(error, aiohttp.ClientOSError):
        return False
    # Where a body cannot be written, the error has no number of its own.
    return error.errno in _HANG_UPS or isinstance(error.__cause__, ConnectionError)


class _Protocol(ResponseHandler):
    """`reused`: it served a request before the present one. `heard`: a byte came since that was sent."""

    used = reused = False
    heard = True

    def data_received(self, data: bytes) -> None:
        self.heard = True
        _received(self, data)


_received = ResponseHandler.data_received
"""Without `super()`, which is looked up for every chunk."""


class Connector(aiohttp.TCPConnector):
    """A pool of connections without a limit: the engine decides how many calls are in flight."""

    def __init__(self) -> None:
        super().__init__(limit=0, ttl_dns_cache=_DNS_S, keepalive_timeout=_KEEP_ALIVE_S)
        self._factory = partial(cast(type[ResponseHandler], _Protocol), loop=self._loop)

    async def connect(
        self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a connection from the pool or a new one, and note on it what `Exchange` asks for."""
        exchange, began = _current.get(), time.monotonic()
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if not isinstance(protocol, _Protocol):
                return connection
            protocol.reused, protocol.used, protocol.heard = protocol.used, True, False
            if not (protocol.reused and exchange.fresh):
                exchange.protocol, exchange.since = protocol, time.monotonic()
                if exchange.on_connected is not None and not protocol.reused:
                    exchange.on_connected(exchange.since - began)
                return connection
            connection.close()

    def drop_idle(self) -> None:
        """Close the connections that no request uses."""
        for pooled in self._conns.values():
            for protocol, _ in pooled:
                protocol.close()
