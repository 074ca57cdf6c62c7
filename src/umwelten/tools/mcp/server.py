"""One MCP server of a run: started once, and again at most twice where it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from umwelten.errors import UmweltenError
from umwelten.tools.mcp.mcp_tool import McpTool, fingerprint
from umwelten.tools.mcp.settings import McpSettings
from umwelten.tools.tool import ToolError

if TYPE_CHECKING:
    import mcp_types

    from umwelten.tools.mcp.connection import Connection

MOST_RESTARTS = 2
"""A server that dies a third time would die again: the model is told, and the run goes on."""


class McpServer:
    """A server by its settings. All but `kill` belongs to the loop that `start` was called in."""

    def __init__(self, settings: McpSettings, note: Callable[[str], None]) -> None:
        self.settings = settings
        self.tools: tuple[McpTool, ...] = ()
        self.entries: tuple[mcp_types.Tool, ...] = ()
        """Its tools as it lists them."""
        self.info = ""
        """Its own name and version."""
        self._note = note
        self._connection: Connection | None = None
        self._restarting: asyncio.Task[Connection] | None = None
        self._restarts = 0
        self._closed = False
        self._at_work = 0
        self._slots = asyncio.Semaphore(settings.concurrency)

    @property
    def name(self) -> str:
        """The name that users call it."""
        return self.settings.name

    @property
    def busy(self) -> int:
        """How many calls it is at work on."""
        return self._at_work

    async def start(self, call: Callable[[McpServer, str, dict[str, Any]], Awaitable[str]]) -> None:
        """Start it and list its tools, whose calls go through `call`. Raises `ConfigError`."""
        from umwelten.tools.mcp.connection import Connection

        connection = await Connection.open(self.settings, self._note)
        self._connection, self.info, self.entries = connection, connection.info, connection.tools
        at_once = self.settings.concurrency
        self.tools = tuple(
            McpTool(self.name, entry, partial(call, self), at_once=at_once) for entry in connection.tools
        )

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """Return what a tool says. Raises `ToolError` for its errors, and for those of the connection."""
        async with self._slots:
            self._at_work += 1
            try:
                return await self._call(tool, arguments)
            finally:
                self._at_work -= 1

    async def _call(self, tool: str, arguments: dict[str, Any]) -> str:
        from umwelten.tools.mcp.call_results import result_text
        from umwelten.tools.mcp.connection import told

        connection = await self._connected()
        try:
            result = await connection.call(tool, arguments)
        except Exception as error:  # noqa: BLE001 - the package raises whatever happens to it
            if not connection.alive:
                raise ToolError(f"the MCP server {self.name} ended before it answered") from None
            raise ToolError(self.settings.mask(told(error))) from None
        text = self.settings.mask(result_text(result))
        if result.is_error:
            raise ToolError(text or "the tool failed without a word")
        return text

    async def close(self) -> None:
        """End it. Safe to call twice."""
        self._closed = True
        if self._restarting is not None:
            self._restarting.cancel()
            await asyncio.wait({self._restarting})
        if self._connection is not None:
            await self._connection.close()

    def kill(self) -> None:
        """End it at once."""
        if self._connection is not None:
            self._connection.kill()

    async def _connected(self) -> Connection:
        """Return the connection, a new one where the server died. Raises `ToolError` where there is none."""
        assert self._connection is not None
        if self._connection.alive:
            return self._connection
        if self._closed:
            raise ToolError(f"the MCP server {self.name} was closed")
        if self._restarting is None:
            if self._restarts == MOST_RESTARTS:
                self._note(f"the MCP server {self.name} ended once more; its tools fail from here on")
                raise ToolError(f"the MCP server {self.name} has ended")
            self._restarts += 1
            self._restarting = asyncio.create_task(self._restart(self._connection))
        try:
            # All wait for one restart, which goes on when a call of them is cancelled.
            return await asyncio.shield(self._restarting)
        except UmweltenError as error:
            raise ToolError(f"the MCP server {self.name} ended and does not come back") from error

    async def _restart(self, old: Connection) -> Connection:
        from umwelten.tools.mcp.connection import Connection

        try:
            words = f"; its last words: {old.last_words}" if old.last_words else ""
            again = "is connected to again" if self.settings.url else "is started again"
            self._note(f"the MCP server {self.name} ended and {again}{words}")
            await old.close()
            new = await Connection.open(self.settings, self._note)
            known = {tool.called: tool.fingerprint for tool in self.tools}
            if {entry.name: fingerprint(entry) for entry in new.tools} != known:
                self._note(f"the MCP server {self.name} has other tools than before it was started again")
            self._connection = new
            return new
        finally:
            self._restarting = None
