"""The MCP servers of a run, and which of their tools models are offered."""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from concurrent.futures import Future
from fnmatch import fnmatchcase
from typing import Any, TypeVar

from umwelten.errors import ConfigError, UmweltenError, UsageError
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.tools.mcp.mcp_tool import McpTool
from umwelten.tools.mcp.server import McpServer
from umwelten.tools.mcp.server_loop import ServerLoop
from umwelten.tools.mcp.settings import McpSettings
from umwelten.tools.names import LONGEST_DESCRIPTION
from umwelten.tools.tool import Tool, ToolError

T = TypeVar("T")
_SHOWN = 8


class McpServers:
    """Servers that start together and end together; safe to use from any thread and any loop.

    `on_note` gets what the user should know, maybe in another thread, and never the same twice.
    """

    def __init__(self, settings: Iterable[McpSettings], on_note: Callable[[str], None] | None = None) -> None:
        self._settings = tuple(settings)
        self._on_note = on_note
        self._servers: tuple[McpServer, ...] = ()
        self._loop: ServerLoop | None = None
        self._notes: dict[str, None] = {}
        self._lock = threading.Lock()

    @property
    def servers(self) -> tuple[McpServer, ...]:
        """Those that were started."""
        return self._servers

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know."""
        return tuple(self._notes)

    def start(self) -> None:
        """Start all of them and list their tools.

        Raises `ConfigError` for one that does not start within its time or has no tool of a name that its
        settings hold; then none is left running.
        """
        if not self._settings:
            return
        _import_package()
        self._loop = ServerLoop()
        # The end of the program ends them even where nobody closes them.
        atexit.register(self.close)
        try:
            self._loop.submit(self._start_all()).result()
        except BaseException:
            self.close()
            raise

    def find(self, entry: str, allows: Callable[[str], bool] = lambda name: False) -> tuple[Tool, ...]:
        """Return the tools of `SERVER`, or the one of `SERVER.tool`.

        Of a whole server those are left out that may change something, unless its settings name them or
        `allows` says of the full name, such as `git.git_commit`, that it may be offered.

        Raises `UsageError` for a server or tool that is not there.
        """
        name, _, tool = entry.partition(".")
        server = next((each for each in self._servers if each.name == name), None)
        if server is None:
            raise UsageError(
                f"mcp:{entry}: there is no such server",
                _hint(name, [each.name for each in self._servers]),
                argument="tools",
            )
        by_name = {each.called: each for each in _selected(server)}
        if not tool:
            return self._all(server, by_name, allows)
        if tool not in by_name:
            raise _unknown(server, tool, by_name)
        return (by_name[tool],)

    def close(self) -> None:
        """End all of them. Safe to call twice; Ctrl-C meanwhile kills them."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        atexit.unregister(self.close)
        try:
            loop.submit(self._close_all()).result()
        except BaseException:
            for server in self._servers:
                server.kill()
            raise
        finally:
            loop.stop()

    async def _start_all(self) -> None:
        self._servers = tuple(McpServer(settings, self._note) for settings in self._settings)
        try:
            async with asyncio.TaskGroup() as group:
                for server in self._servers:
                    group.create_task(server.start(self._call))
        except ExceptionGroup as errors:
            raise next(
                (e for e in errors.exceptions if isinstance(e, UmweltenError)), errors.exceptions[0]
            ) from None
        for server in self._servers:
            _check_patterns(server)
            for tool in server.tools:
                if tool.was_cut:
                    self._note(
                        f"the description of {tool.name} was cut at {LONGEST_DESCRIPTION:,} characters"
                    )

    async def _close_all(self) -> None:
        await asyncio.gather(*(server.close() for server in self._servers))

    async def _call(self, server: McpServer, tool: str, arguments: dict[str, Any]) -> str:
        """Call a tool from the loop of the caller. Cancelled here, it is cancelled in the servers' loop."""
        try:
            return await asyncio.wrap_future(self._submit(server.call(tool, arguments), server.name))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise ToolError(f"the MCP server {server.name} was closed") from None

    def _submit(self, work: Coroutine[Any, Any, T], server: str) -> Future[T]:
        with self._lock:  # a loop that has ended would never do it
            if self._loop is not None:
                return self._loop.submit(work)
        work.close()
        raise ToolError(f"the MCP server {server} was closed")

    def _note(self, text: str) -> None:
        with self._lock:
            if text in self._notes:
                return
            self._notes[text] = None
        if self._on_note is not None:
            self._on_note(text)

    def _all(
        self, server: McpServer, by_name: Mapping[str, McpTool], allows: Callable[[str], bool]
    ) -> tuple[Tool, ...]:
        if not server.tools:
            self._note(f"the MCP server {server.name} has no tools")
        offered: list[McpTool] = []
        left_out: list[McpTool] = []
        for name, tool in by_name.items():
            is_offered = tool.read_only or name in server.settings.named or allows(tool.name)
            (offered if is_offered else left_out).append(tool)
        if left_out:
            names = [tool.name for tool in left_out]
            more = ", …" if len(names) > _SHOWN else ""
            self._note(
                f"not offered, as they may change something: {', '.join(names[:_SHOWN])}{more}"
                f" (to offer one, name it: mcp:{names[0]})"
            )
        return tuple(offered)


def _selected(server: McpServer) -> list[McpTool]:
    patterns = server.settings.tools
    return [
        tool
        for tool in server.tools
        if patterns is None or any(fnmatchcase(tool.called, pattern) for pattern in patterns)
    ]


def _check_patterns(server: McpServer) -> None:
    names = [tool.called for tool in server.tools]
    for pattern in server.settings.tools or ():
        if not any(fnmatchcase(name, pattern) for name in names):
            where = f"{server.settings.where}: " if server.settings.where else ""
            raise ConfigError(
                f"{where}the MCP server {server.name} has no tool {pattern!r}", _hint(pattern, names)
            )


def _unknown(server: McpServer, name: str, known: Collection[str]) -> UsageError:
    if any(tool.called == name for tool in server.tools):
        where = server.settings.where or "its settings"
        return UsageError(
            f"mcp:{server.name}.{name} is not among the tools that {where} leaves", argument="tools"
        )
    hint = _hint(name, known)
    return UsageError(f"the MCP server {server.name} has no tool {name!r}", hint, argument="tools")


def _hint(name: str, known: Collection[str]) -> str | None:
    if not known:
        return None
    return did_you_mean(closest(name, known), "{!r}") or f"It has: {', '.join(sorted(known))}."


def _import_package() -> None:
    try:
        import umwelten.tools.mcp.connection  # noqa: F401 - slow to load, and most runs have no server
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("umwelten"):
            raise
        raise ConfigError(
            f"MCP servers need the package mcp, which is not installed ({error.name} is missing)",
            'Install it: pip install "umwelten[mcp]"',
        ) from None
