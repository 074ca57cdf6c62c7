"""A server that runs as a child process: its pipes as the package `mcp` takes them, and its end.

This module needs the package `mcp`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage

from umwelten import child_processes
from umwelten.errors import ConfigError
from umwelten.tools.mcp.settings import PASSED_ON, McpSettings

_SCRIPT = Path(child_processes.__file__).with_name("process_watcher.py")
_LONGEST_LINE = 64 << 20
"""Bytes of one message: far more than any model is told, and room for an image that is not shown."""
_END_S = 5.0
"""The watcher ends a server within 2 s, what that left within 2 s more."""
_LAST_WORDS_S = 0.5
_LOOK_EVERY_S = 0.01
_CHUNK = 64 * 1024
_KEPT = 8_000
"""Bytes of what a server wrote last: what is shown of it, and room for a secret to be found whole."""

_Reader = tuple[asyncio.StreamReader, asyncio.ReadTransport]
_Streams = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]


class _Pipes:
    """The pipes of a process, in the loop that calls `of`."""

    def __init__(self, stdin: asyncio.StreamWriter, readers: list[_Reader]) -> None:
        self.stdin = stdin
        self._readers = readers
        self.stdout, self.stderr = (reader for reader, _ in readers)

    @classmethod
    async def of(cls, process: subprocess.Popen[bytes]) -> _Pipes:
        """Connect them."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(_protocol, process.stdin)
        readers: list[_Reader] = []
        for pipe in (process.stdout, process.stderr):
            reader = asyncio.StreamReader()
            read, _ = await loop.connect_read_pipe(partial(_protocol, reader), pipe)
            readers.append((reader, read))
        return cls(asyncio.StreamWriter(transport, protocol, None, loop), readers)

    def close(self) -> None:
        """Close all of them."""
        if self.stdin.transport.get_write_buffer_size():  # what nobody reads any more
            self.stdin.transport.abort()
        for _, transport in self._readers:
            transport.close()


def _protocol(reader: asyncio.StreamReader | None = None) -> asyncio.StreamReaderProtocol:
    return asyncio.StreamReaderProtocol(reader or asyncio.StreamReader())


class ServerProcess:
    """The watcher of a server, with the server's own pipes. Belongs to the loop that started it."""

    def __init__(self, process: subprocess.Popen[bytes], pipes: _Pipes, lifeline: int) -> None:
        self.not_json = ""
        """The first line on stdout that is no JSON, "" for none."""
        self.is_silent = False
        """Its stdout ended: it is gone, or answers nothing any more."""
        self._process, self._pipes = process, pipes
        self._lifeline: int | None = lifeline
        self._stderr = b""
        self._stderr_task = asyncio.create_task(self._read_stderr())
        child_processes.remember(self)

    @property
    def stderr(self) -> str:
        """What it wrote to stderr last."""
        return self._stderr.decode(errors="replace")

    @property
    def status(self) -> int | None:
        """The server's exit status, `None` while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """Have the watcher kill the server and all that it started, at once."""
        self._process.terminate()

    async def read(self) -> AsyncIterator[SessionMessage]:
        """Yield the messages that it prints. Lines that are none are passed over."""
        pieces: list[bytes] = []
        held = 0
        while chunk := await self._pipes.stdout.read(_CHUNK):
            first, *others = chunk.split(b"\n")
            pieces.append(first)
            held += len(first)
            if held > _LONGEST_LINE:
                self.not_json = f"a line of more than {_LONGEST_LINE >> 20} MiB"
                return
            for line in others:
                if (message := self._message(b"".join(pieces))) is not None:
                    yield message
                pieces, held = [line], len(line)

    def _message(self, line: bytes) -> SessionMessage | None:
        for read in (bytes, _repaired):
            with contextlib.suppress(ValueError):
                text = read(line)
                return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(text, by_name=False))
        self.not_json = self.not_json or line[:_KEPT].decode(errors="replace").strip()
        return None

    async def write(self, message: SessionMessage) -> None:
        """Send it one message. Raises `OSError` where it reads no more."""
        text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
        self._pipes.stdin.write(text.encode(errors="replace") + b"\n")
        await self._pipes.stdin.drain()

    async def stop(self) -> None:
        """End the server and all that it started, gracefully where it does. Safe to call twice."""
        self._pipes.stdin.close()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        # A server that is stuck in writing would not see the end of stdin.
        drain = asyncio.create_task(_drain(self._pipes.stdout))
        try:
            if not await self._has_ended(_END_S):
                self._process.kill()
                await self._has_ended(_END_S)
        finally:
            # Where no watcher can find them, processes of its own may hold the pipes open.
            await asyncio.wait({self._stderr_task}, timeout=_LAST_WORDS_S)
            for task in (drain, self._stderr_task):
                task.cancel()
            await asyncio.wait({drain, self._stderr_task})
            self._pipes.close()

    async def _has_ended(self, within_s: float) -> bool:
        """Wait for the watcher's end, for so long.

        By looking: what asyncio has for it, some loops' policies do not, and it waits for the pipes as well.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while self._process.poll() is None:
            if loop.time() > until:
                return False
            await asyncio.sleep(_LOOK_EVERY_S)
        return True

    async def _read_stderr(self) -> None:
        while chunk := await self._pipes.stderr.read(_CHUNK):
            self._stderr = (self._stderr + chunk)[-_KEPT:]


def _repaired(line: bytes) -> bytes:
    """Return a line of JSON without what is not Unicode: JavaScript cuts texts in the middle of an emoji."""
    try:
        return json.dumps(json.loads(line.decode(errors="replace")), ensure_ascii=False).encode(
            errors="replace"
        )
    except (ValueError, RecursionError):
        return line


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(_CHUNK):
        pass


async def start_process(settings: McpSettings) -> ServerProcess:
    """Start a server's watcher, which starts the server. Raises `ConfigError` for a command not found."""
    env = environment(settings)
    program = find_program(settings, env)
    ended, lifeline = os.pipe()
    try:
        process = subprocess.Popen(  # noqa: ASYNC220 - it takes milliseconds, in a thread of its own
            (
                *(sys.executable, "-I", "-S", str(_SCRIPT), str(ended), str(os.getpid()), ""),
                *(program, *settings.command[1:]),
            ),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=settings.folder,
            env=env,
            pass_fds=(ended,),
            start_new_session=True,  # Ctrl-C at the terminal must reach this process alone
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(ended)
    try:
        pipes = await _Pipes.of(process)
    except BaseException:
        os.close(lifeline)  # with which the watcher ends
        raise
    return ServerProcess(process, pipes, lifeline)


def environment(settings: McpSettings) -> dict[str, str]:
    """Return the variables that a server gets."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return passed | {name: value.reveal() for name, value in settings.env.items()}


def find_program(settings: McpSettings, env: Mapping[str, str]) -> str:
    """Return the path of a server's program. Raises `ConfigError` if there is none, or no such folder."""
    if not settings.folder.is_dir():
        raise ConfigError(f"the MCP server {settings.name} cannot run in {settings.folder}: no such folder")
    program = settings.command[0]
    # A path is meant from the folder that the server runs in.
    given = str(settings.folder / Path(program).expanduser()) if "/" in program else program
    found = shutil.which(given, path=env.get("PATH"))
    if found is None:
        why = (
            "is not a program that can be run" if Path(given).exists() and "/" in program else "was not found"
        )
        raise ConfigError(
            f"the MCP server {settings.name} cannot start: {program} {why}",
            "Install it, or write its whole path."
            + (f" It stands in {settings.where}." if settings.where else ""),
        )
    return os.path.abspath(found)  # noqa: PTH100 - links are kept: programs look at how they were called


@asynccontextmanager
async def open_streams(process: ServerProcess) -> AsyncIterator[_Streams]:
    """Connect a running server's pipes to the streams that `mcp.Client` takes; ends the server at the end."""
    incoming, read_stream = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write_stream, outgoing = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        # Its end is the end of the connection for the client.
        with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            async for message in process.read():
                await incoming.send(message)
        process.is_silent = True
        incoming.close()

    async def write() -> None:
        try:
            async for message in outgoing:
                await process.write(message)
        except OSError:
            process.is_silent = True
            incoming.close()  # it may run on, but what it is asked would never be answered

    tasks = [asyncio.create_task(read()), asyncio.create_task(write())]
    try:
        yield read_stream, write_stream
    finally:
        with anyio.CancelScope(shield=True):
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for stream in (incoming, read_stream, write_stream, outgoing):
                stream.close()
            await process.stop()
