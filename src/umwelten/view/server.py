"""The server of the page: a loop of its own, until it is told to end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Collection
from pathlib import Path
from urllib.parse import quote, urlencode

from aiohttp import web

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.view import security
from umwelten.view.assets import Assets
from umwelten.view.control import Control
from umwelten.view.live import Live
from umwelten.view.readers import Readers
from umwelten.view.requests import as_json_errors
from umwelten.view.routes import Routes

LOOPBACK = "127.0.0.1"
_MOST_BODY = 64_000
"""Bytes of a POST: a rating with the longest comment."""
_SILENT = logging.Logger("umwelten.view", logging.CRITICAL + 1)
"""What others send that is no request is none of the terminal's: an address may have the token in it."""
_PAGES = (
    "/",
    "/compare",
    "/e/{id}",
    "/e/{id}/{view:calls|compare|ratings|control}",
    "/e/{id}/calls/{call}",
)


class ViewServer:
    """A server that listens from the moment it is made. `serve` answers until `stop` is called."""

    def __init__(
        self,
        output_dir: Path,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        token: str | None = None,
        origins: Collection[str] = (),
        read_only: bool = False,
    ) -> None:
        """Bind the socket. `token`: the user's own. Raises UsageError if the address cannot be had."""
        self._socket = _listen(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._token = token or security.new_token()
        self.origins = tuple(origins)
        self.rules = security.policy(self._token, self.port, origins, host)
        self._readers, self._read_only = Readers(output_dir), read_only
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def url(self, id_: str | None = None) -> str:
        """Return the address of the page, or of an evaluation, with the token."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        base = self.origins[0].rstrip("/") if self.origins else f"http://{shown}:{self.port}"
        path = "/" if id_ is None else f"/e/{quote(id_, safe='')}"
        return f"{base}{path}?{urlencode({security.TOKEN: self._token})}"

    def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Answer until `stop`; `ready` is called once it does."""
        asyncio.run(self._serve(ready))

    def stop(self) -> None:
        """End `serve`, from any thread."""
        if self._loop is not None and self._end is not None:
            self._loop.call_soon_threadsafe(self._end.set)

    def close(self) -> None:
        """Give the port back, if it was never served."""
        self._socket.close()

    async def _serve(self, ready: Callable[[], None]) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        routes = Routes(self._readers, read_only=self._read_only)
        control = Control(routes)
        runner = web.AppRunner(
            self._application(routes, control),
            access_log=None,
            logger=_SILENT,
            shutdown_timeout=0.2,
            handler_cancellation=True,
        )
        await runner.setup()
        try:
            await web.SockSite(runner, self._socket).start()
            ready()
            await self._end.wait()
        finally:
            await runner.cleanup()
            for pool in (routes.pool, control.pool):
                pool.shutdown(wait=False, cancel_futures=True)

    def _application(self, routes: Routes, control: Control) -> web.Application:
        assets = Assets()
        app = web.Application(
            middlewares=[security.guard(self.rules), as_json_errors], client_max_size=_MOST_BODY
        )
        routes.add_to(app)
        Live(routes).add_to(app)
        control.add_to(app)
        app.router.add_get("/assets/{name:.+}", assets.file)
        for page in _PAGES:
            app.router.add_get(page, assets.index)
        return app


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise UsageError(f"{host!r} is no address of this machine: {error.strerror}") from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        made.close()
        hint = Phrase("Choose another {option:port}, or omit it: then a free one is found.")
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}", hint) from error
    return made
