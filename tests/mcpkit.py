"""MCP servers for tests: those that others wrote, one that misbehaves, and which of them still run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from peers import NODE
from umwelten.tools.mcp.servers import McpServers
from umwelten.tools.mcp.settings import McpSettings
from umwelten.tools.tool import Tool, ToolContext

PACKAGES = Path(sys.prefix, "mcp/node_modules/@modelcontextprotocol")
HOSTILE = Path(__file__).with_name("hostile_mcp.py")
CONTEXT = ToolContext(model="test:model")

# Node.js of these servers listens on all interfaces, and at a port that it does not name.
_LOOPBACK = """
const net = require("node:net"), listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (port, ...rest) {
  this.once("listening", () => console.error("http://127.0.0.1:" + this.address().port));
  return listen.call(this, 0, "127.0.0.1", ...rest.filter((each) => typeof each === "function"));
};
"""


def script(name: str) -> str:
    """A program of the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


def node_server(name: str, *arguments: str) -> tuple[str, ...]:
    assert NODE is not None
    return (NODE, str(PACKAGES / f"server-{name}/dist/index.js"), *arguments)


def hostile(mode: str, mark: object = "", **settings: Any) -> McpSettings:
    """The server that misbehaves so; `mark` is what `running` finds it by."""
    command = (sys.executable, "-S", str(HOSTILE), mode, str(mark))
    return McpSettings(name=mode, command=command, **settings)


@contextmanager
def started(*settings: McpSettings, **more: Any) -> Iterator[McpServers]:
    servers = McpServers(settings, **more)
    servers.start()
    try:
        yield servers
    finally:
        servers.close()


def tools_of(servers: McpServers) -> dict[str, Tool]:
    """The tools that only read, by their names."""
    return {tool.name: tool for server in servers.servers for tool in servers.find(server.name)}


def call(tool: Tool, arguments: str = "{}", timeout_s: float = 20.0) -> str:
    async def within() -> str:
        async with asyncio.timeout(timeout_s):
            return await tool.call(arguments, CONTEXT)

    return asyncio.run(within())


def running(mark: object) -> list[int]:
    """The processes that have this in their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if os.fsencode(str(mark)) in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


def wait_until_gone(mark: object, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while left := running(mark):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@contextmanager
def everything_over_http(folder: Path) -> Iterator[str]:
    """The address of server-everything, on 127.0.0.1."""
    assert NODE is not None
    patch, log = folder / "loopback.cjs", folder / "log"
    patch.write_text(_LOOPBACK)
    index = PACKAGES / "server-everything/dist/index.js"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            (NODE, "--require", str(patch), str(index), "streamableHttp"), stdout=stderr, stderr=stderr
        )
    try:
        deadline = time.monotonic() + 30
        while "http://127.0.0.1:" not in (said := log.read_text()):
            assert process.poll() is None and time.monotonic() < deadline, said
            time.sleep(0.02)
        root = said[said.index("http://127.0.0.1:") :].split()[0]
        yield f"{root}/mcp"
    finally:
        process.kill()
        process.wait()


@contextmanager
def relayed(url: str) -> Iterator[str]:
    """The same server at another port, where it is gone after the block: less than another start of it."""
    parts = urlsplit(url)
    opened: list[socket.socket] = []

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((parts.hostname, parts.port)) as there:
                opened.extend((self.request, there))
                back = threading.Thread(target=_pass_on, args=(there, self.request))
                back.start()
                _pass_on(self.request, there)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        try:
            yield parts._replace(netloc=f"127.0.0.1:{server.server_address[1]}").geturl()
        finally:
            server.shutdown()
            for each in opened:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
