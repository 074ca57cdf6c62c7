"""One connection to a server, from its start to its end, in either era of the protocol.

Servers of 2026-07-28 are asked `server/discover`, older ones `initialize`. This needs the package `mcp`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import signal
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx2
import mcp_types
from mcp import Client
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from umwelten.errors import ConfigError, UmweltenError
from umwelten.tools.mcp.process import ServerProcess, open_streams, start_process
from umwelten.tools.mcp.settings import McpSettings
from umwelten.version import __version__

CONNECT_TIMEOUT_S = 30.0
STDERR_TAIL = 2_000
"""Characters of what a server wrote last, for messages."""
_SHOWN = 200
_MOST_PAGES = 1_000
"""Of the list of tools: a server that repeats its cursor must not be asked for ever."""
_CLOSE_S = 8.0
_ENDED_BY_US = tuple(128 + number for number in (signal.SIGTERM, signal.SIGKILL))

# Without a handler of its own, Python would print the package's warnings about a server on stderr.
logging.getLogger("mcp").addHandler(logging.NullHandler())


class Connection:
    """A server that runs and knows us. Created by `open`; belongs to the loop that called it.

    `tools` are its tools as it lists them, `info` its name and version, "" where it does not say.
    """

    def __init__(self, settings: McpSettings, note: Callable[[str], None]) -> None:
        self.tools: tuple[mcp_types.Tool, ...] = ()
        self.info = ""
        self._settings = settings
        self._note = note
        self._process: ServerProcess | None = None
        self._client: Client | None = None
        self._is_open = False
        self._stop = asyncio.Event()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._serve())

    @classmethod
    async def open(cls, settings: McpSettings, note: Callable[[str], None]) -> Connection:
        """Start or reach a server and list its tools. Raises `ConfigError`; then nothing of it is left."""
        connection = cls(settings, note)
        try:
            async with asyncio.timeout(settings.start_timeout_s):
                await asyncio.shield(connection._ready)
        except TimeoutError:
            connection.kill()  # it had its time
            await connection.close()
            raise connection._error(f"did not answer within {settings.start_timeout_s:g} s") from None
        except UmweltenError:
            await connection.close()
            raise
        except Exception as error:  # noqa: BLE001 - the package raises whatever happens to it
            await connection.close()
            raise connection._start_error(error) from None
        except BaseException:
            await connection.close()
            raise
        return connection

    @property
    def alive(self) -> bool:
        """Whether the server may be asked: it listed its tools, and is not known to be gone."""
        return self._is_open and not (self._process is not None and self._process.is_silent)

    async def call(self, name: str, arguments: dict[str, Any]) -> mcp_types.CallToolResult:
        """Call a tool. Cancelled, it tells the server. Raises whatever the package raises."""
        assert self._client is not None
        try:
            return await self._client.call_tool(name, arguments)
        except MCPError as error:
            # By the words too: servers use that code for errors of their own.
            if (error.error.code, error.error.message) == (mcp_types.CONNECTION_CLOSED, "Connection closed"):
                self._is_open = False
            raise

    async def close(self) -> None:
        """End the connection, and the server where it is a process of ours. Safe to call twice."""
        self._is_open = False
        self._stop.set()
        if not self._ready.done():
            self._task.cancel()
        done, _ = await asyncio.wait({self._task}, timeout=_CLOSE_S)
        if not done:
            self._task.cancel()
            if self._process is not None:
                self._process.kill()
            await asyncio.wait({self._task}, timeout=_CLOSE_S)
        if self._ready.done() and not self._ready.cancelled():
            self._ready.exception()  # or Python would tell of it where nobody waits any more

    def kill(self) -> None:
        """End the server at once, where it is a process of ours."""
        if self._process is not None:
            self._process.kill()

    @property
    def last_words(self) -> str:
        """What the server wrote last on stderr, or else on stdout where it should have written JSON."""
        if self._process is None:
            return ""
        mask, wrong = self._settings.mask, self._process.not_json
        words = (
            mask(self._process.stderr)[-STDERR_TAIL:].strip(),
            f"It printed what is no JSON: {mask(wrong)[:_SHOWN].strip()}" if wrong else "",
        )
        return "\n".join(filter(None, words))

    async def _serve(self) -> None:
        """Keep the connection: what the package opens must be closed by the task that opened it."""
        try:
            async with contextlib.AsyncExitStack() as stack:
                transport = await self._transport(stack)
                client = Client(
                    transport,
                    message_handler=self._on_message,
                    client_info=mcp_types.Implementation(name="umwelten", version=__version__),
                    cache=None,
                )
                self._client = await stack.enter_async_context(client)
                self.tools = await self._list_tools(self._client)
                info = self._client.server_info
                self.info = self._settings.mask(f"{info.name} {info.version}") if info is not None else ""
                self._is_open = True
                self._ready.set_result(None)
                await self._stop.wait()
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                self._ready.cancel()
                raise
            if not self._ready.done():
                self._ready.set_exception(_first(error))
        finally:
            self._is_open = False

    async def _transport(self, stack: contextlib.AsyncExitStack) -> Transport:
        settings = self._settings
        if settings.url:
            client = httpx2.AsyncClient(
                headers={name: value.reveal() for name, value in settings.headers.items()},
                # How long an answer may take is the limit of the tool.
                timeout=httpx2.Timeout(CONNECT_TIMEOUT_S, read=None),
                trust_env=not _is_loopback(settings.url),
                event_hooks={"response": [self._on_response]},
            )
            await stack.enter_async_context(client)
            return streamable_http_client(settings.url, http_client=client)
        self._process = await start_process(settings)
        return open_streams(self._process)

    async def _list_tools(self, client: Client) -> tuple[mcp_types.Tool, ...]:
        """List the tools, page by page."""
        found: dict[str, mcp_types.Tool] = {}
        cursor: str | None = None
        if client.server_capabilities.tools is None:
            return ()
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            for tool in page.tools:
                found.setdefault(tool.name, _masked(tool, self._settings))
            cursor = page.next_cursor
            if cursor is None:
                return tuple(found.values())
        raise self._error(f"lists its tools on more than {_MOST_PAGES:,} pages")

    async def _on_response(self, response: httpx2.Response) -> None:
        """Notice that a server over HTTP no longer knows the session, whatever it says in words."""
        if response.status_code == 404 and "mcp-session-id" in response.request.headers:
            self._is_open = False

    async def _on_message(self, message: object) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            self._note(
                f"the MCP server {self._settings.name} changed its tools; they stay as they were at the start"
            )

    def _start_error(self, error: Exception) -> ConfigError:
        if self._process is not None and self._process.is_silent:
            status = self._process.status
            if status is None or status in _ENDED_BY_US:
                return self._error("closed its output during its start")
            return self._error(f"ended during its start (status {status})")
        return self._error(f"cannot be used: {self._settings.mask(told(error))}")

    def _error(self, what: str) -> ConfigError:
        return ConfigError(
            f"the MCP server {self._settings.name} ({self._settings.shown}) {what}", self.last_words or None
        )


def told(error: BaseException) -> str:
    """Return an error of the package as a message, on one line where it is about the protocol."""
    error = _first(error)
    if isinstance(error, MCPError):
        return _QUOTED_INPUT.sub("", error.error.message)
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        return f"its message does not follow the protocol: {where}: {first['msg']}"
    return _QUOTED_INPUT.sub("", str(error)) or type(error).__name__


_QUOTED_INPUT = re.compile(r" \[type=\w+, input_value=.*", re.DOTALL)
"""What Pydantic quotes of a message, cut in its middle, where half a secret may be left."""


def _masked(tool: mcp_types.Tool, settings: McpSettings) -> mcp_types.Tool:
    """Return a tool as its server lists it, without secrets in it: that is stored and sent to models."""
    said = tool.model_dump(by_alias=True, exclude_unset=True)
    masked = _mask_texts(said, settings.mask)
    return tool if masked == said else mcp_types.Tool.model_validate(masked)


def _mask_texts(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): _mask_texts(each, mask) for key, each in value.items()}
    return [_mask_texts(each, mask) for each in value] if isinstance(value, list) else value


def _first(error: BaseException) -> BaseException:
    """Return the first error of a group, however deep."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
