"""Five servers that others wrote, in both eras of the protocol, on stdio and over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcpkit import (
    CONTEXT,
    PACKAGES,
    call,
    everything_over_http,
    node_server,
    relayed,
    script,
    started,
    tools_of,
)
from peers import NODE
from umwelten.errors import ConfigError
from umwelten.tools.mcp.servers import McpServers
from umwelten.tools.mcp.settings import McpSettings
from umwelten.tools.tool import ToolError
from umwelten.types import Secret

REQUIRED = os.environ.get("UMWELTEN_TEST_NODE") == "required"
MISSING = NODE is None or not PACKAGES.exists()
WITH_NODE = pytest.mark.skipif(
    MISSING and not REQUIRED, reason="no npm servers here: make node installs them"
)
pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    (folder / "a.txt").write_text("one\n")
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for words in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "The first commit")):
        subprocess.run((*git, *words), cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def python_servers(folder: Path) -> Iterator[McpServers]:
    time = McpSettings(name="time", command=(script("mcp-server-time"), "--local-timezone", "Europe/Berlin"))
    git = McpSettings(name="git", command=(script("mcp-server-git"), "--repository", str(folder)))
    with started(time, git) as servers:
        yield servers


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with everything_over_http(tmp_path_factory.mktemp("http")) as url:
        yield url


@pytest.fixture(scope="module")
def node_servers(folder: Path, web: str) -> Iterator[McpServers]:
    with started(
        McpSettings(name="everything", command=node_server("everything")),
        McpSettings(name="web", url=web, headers={"Authorization": Secret("Bearer sk-secret")}),
        McpSettings(name="files", command=node_server("filesystem", str(folder))),
        McpSettings(
            name="memory",
            command=node_server("memory"),
            env={"MEMORY_FILE_PATH": Secret(str(folder / "memory.jsonl"))},
        ),
    ) as servers:
        yield servers


def test_servers_of_2026(python_servers: McpServers, folder: Path) -> None:
    tools = tools_of(python_servers)
    assert {"time.get_current_time", "git.git_log", "git.git_status"} <= set(tools)
    assert "git.git_commit" not in tools
    told = json.loads(call(tools["time.get_current_time"], '{"timezone": "Asia/Tokyo"}'))
    assert told["timezone"] == "Asia/Tokyo" and "+09:00" in told["datetime"]
    assert "The first commit" in call(tools["git.git_log"], json.dumps({"repo_path": str(folder)}))
    with pytest.raises(ToolError, match="No time zone found"):
        call(tools["time.get_current_time"], '{"timezone": "Nowhere"}')
    assert tools["time.get_current_time"].definition.parameters["required"] == ["timezone"]
    assert [server.info.split()[0] for server in python_servers.servers] == ["mcp-time", "mcp-git"]


def test_a_tool_that_is_not_there_is_an_error_of_both_eras(python_servers: McpServers) -> None:
    for server in python_servers.servers:
        tool = next(iter(server.tools))
        tool.called, called = "no_such_tool", tool.called
        try:
            with pytest.raises(ToolError, match="no_such_tool"):
                call(tool)
        finally:
            tool.called = called


@WITH_NODE
def test_servers_of_2025(node_servers: McpServers, folder: Path) -> None:
    tools = tools_of(node_servers)
    assert "one" in call(tools["files.read_text_file"], json.dumps({"path": str(folder / "a.txt")}))
    with pytest.raises(ToolError, match=r"(?i)denied"):
        call(tools["files.read_text_file"], '{"path": "/etc/hosts"}')
    assert json.loads(call(tools["memory.read_graph"])) == {"entities": [], "relations": []}
    assert "memory.create_entities" not in tools


@WITH_NODE
@pytest.mark.parametrize("name", ["everything", "web"])
def test_the_reference_server_on_stdio_and_over_http(name: str, node_servers: McpServers) -> None:
    tools = tools_of(node_servers)
    assert call(tools[f"{name}.echo"], '{"message": "Grüße 👋"}') == "Echo: Grüße 👋"
    lines = call(tools[f"{name}.get-tiny-image"]).splitlines()
    assert lines[1] == "[image/png, 4.0 kB, not shown]"
    assert "not shown]" in call(tools[f"{name}.get-resource-links"], '{"count": 1}')
    assert json.loads(call(tools[f"{name}.get-structured-content"], '{"location": "Chicago"}'))
    with pytest.raises(ToolError, match=r"(?i)invalid arguments"):
        call(tools[f"{name}.get-sum"], '{"a": "x"}')
    with pytest.raises(TimeoutError):
        call(tools[f"{name}.trigger-long-running-operation"], '{"duration": 1, "steps": 2}', timeout_s=0.1)

    async def many() -> list[str]:
        calls = (tools[f"{name}.get-sum"].call(f'{{"a": {n}, "b": 1}}', CONTEXT) for n in range(50))
        return await asyncio.gather(*calls)

    assert asyncio.run(many()) == [f"The sum of {n} and 1 is {n + 1}." for n in range(50)]
    assert tools[f"{name}.get-sum"].definition.name == f"{name}__get-sum"


@WITH_NODE
def test_a_server_over_http_that_went_away(web: str) -> None:
    with relayed(web) as url:
        servers = McpServers([McpSettings(name="web", url=f"{url}?key=sk-secret")])
        servers.start()
        tools = tools_of(servers)
    try:
        with pytest.raises(ToolError):
            call(tools["web.echo"], '{"message": "x"}')
    finally:
        servers.close()
    again = McpServers([McpSettings(name="web", url=f"{url}?key=sk-secret", start_timeout_s=5)])
    with pytest.raises(ConfigError) as caught:
        again.start()
    assert f"the MCP server web ({url}) cannot be used" in str(caught.value)
    assert "sk-secret" not in str(caught.value)
