"""Servers over HTTP that forget sessions, fail in codes of the protocol, and repeat what is secret."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mcpkit import call, started, tools_of
from umwelten.errors import ConfigError
from umwelten.tools.mcp.servers import McpServers
from umwelten.tools.mcp.settings import McpSettings
from umwelten.tools.tool import ToolError
from umwelten.types import Secret

KEY = "canary-z1x2c3v4b5n6"


class Handler(BaseHTTPRequestHandler):
    """A server of 2025-11-25. The first session is forgotten at the first call of `echo`."""

    protocol_version = "HTTP/1.1"
    path_of_garbage = "/garbage"
    sessions = 0

    def log_message(self, *_: object) -> None: ...

    def do_DELETE(self) -> None:
        self.reply(200, b"")

    def do_GET(self) -> None:
        self.reply(405, b"")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key, method = self.headers["authorization"], asked["method"]
        if self.path == self.path_of_garbage:
            return self.reply(200, f"{{no json {key}".encode())
        if "id" not in asked:
            return self.reply(202, b"")
        if method == "initialize":
            Handler.sessions += 1
            info = {"name": f"server {key}", "version": "1"}
            result: Any = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
            return self.say(200, asked["id"], result=result)
        if method == "tools/list":
            properties = {"text": {"type": "string", "description": f"as {key}"}}
            schema = {"type": "object", "properties": properties}
            tool = {"description": f"for {key}", "inputSchema": schema, "annotations": {"readOnlyHint": True}}
            named = [{"name": name, **tool} for name in ("echo", "fail")]
            return self.say(200, asked["id"], result={"tools": named})
        if method != "tools/call":
            return self.say(200, asked["id"], error={"code": -32601, "message": "no such method"})
        if asked["params"]["name"] == "fail":
            return self.say(200, asked["id"], error={"code": -32000, "message": f"no room for {key}"})
        if self.headers["mcp-session-id"] == "1":
            return self.say(404, asked["id"], error={"code": -32001, "message": "Session not found"})
        return self.say(200, asked["id"], result={"content": [{"type": "text", "text": "hello"}]})

    def say(self, status: int, number: object, **said: Any) -> None:
        self.reply(status, json.dumps({"jsonrpc": "2.0", "id": number, **said}).encode())

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Mcp-Session-Id", str(Handler.sessions))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def url() -> Iterator[str]:
    Handler.sessions = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def settings(url: str) -> McpSettings:
    return McpSettings(name="web", url=url, headers={"Authorization": Secret(f"Bearer {KEY}")})


def test_a_session_that_is_forgotten_is_begun_anew(url: str) -> None:
    with started(settings(url)) as servers:
        tools = tools_of(servers)
        with pytest.raises(ToolError, match="ended before it answered"):
            call(tools["web.echo"])
        assert call(tools["web.echo"]) == "hello"


def test_an_error_of_the_servers_own_is_told_and_ends_nothing(url: str) -> None:
    with started(settings(url)) as servers:
        for _ in range(4):
            with pytest.raises(ToolError, match=r"^no room for Bearer \*\*\*$"):
                call(tools_of(servers)["web.fail"])
        assert Handler.sessions == 1


def test_what_a_server_repeats_of_its_key_is_neither_offered_nor_told(url: str) -> None:
    with started(settings(url)) as servers:
        tools = tools_of(servers)
        assert KEY not in repr([(tool.definition, tool.offered) for tool in tools.values()])
        assert tools["web.echo"].definition.description == "for Bearer ***"
        assert tools["web.echo"].definition.parameters["properties"]["text"]["description"] == "as Bearer ***"
    servers = McpServers([settings(url + Handler.path_of_garbage)])
    with pytest.raises(ConfigError) as caught:
        servers.start()
    servers.close()
    assert "canary" not in str(caught.value) and "Invalid JSON" in str(caught.value)
