"""From what a command or program names to a toolbox, with its servers started."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import umwelten
from mcpkit import HOSTILE, running, wait_until_gone
from toolkit import CONTEXT, tool_runner
from umwelten.config.settings import load
from umwelten.errors import ConfigError, UsageError
from umwelten.evaluation.toolboxes import open_toolbox
from umwelten.tool_calls import ToolCall, ToolCallState
from umwelten.tools.rules import ToolRules
from umwelten.tools.tool import ToolError


def words(mark: Path, mode: str = "ok") -> list[str]:
    return [sys.executable, "-S", str(HOSTILE), mode, str(mark)]


def test_servers_of_a_file_a_flag_and_a_program(tmp_path: Path) -> None:
    user = tmp_path / "user"
    user.mkdir()
    (user / "umwelten.toml").write_text(
        f'[tools]\nmine = ["mcp:own.echo"]\n[mcp.own]\ncommand = {words(tmp_path)}\n'
    )
    settings = load(tmp_path, {}, user)
    notes: list[str] = []
    with open_toolbox(
        ["calculator", "@mine", umwelten.MCP(words(tmp_path), name="lib", tools=["echo", "write", "env*"])],
        settings,
        mcp=[" ".join(words(tmp_path))],
        rules=ToolRules(allow=["hostile.drop"]),
        on_note=notes.append,
    ) as toolbox:
        names = [tool.name for tool in toolbox.tools]
        assert names[:5] == ["calculator", "own.echo", "lib.echo", "lib.env", "lib.write"]
        assert names[-1] == "hostile.drop" and "hostile.write" not in names
        assert [note.partition(":")[0] for note in notes] == ["not offered, as they may change something"]
        assert len(running(tmp_path)) == 6
        offered = toolbox.settings("auto", 5).tools[1]
        assert (offered.name, offered.source, offered.definition.name) == ("own.echo", "mcp:own", "own__echo")
        calls = [ToolCall(id="1", name="own__echo", arguments='{"text": "a"}')]
        calls += [ToolCall(id="2", name="lib__write"), ToolCall(id="3", name="own__echo", arguments="[]")]
        outcomes = asyncio.run(_run(toolbox.tools, calls))
    assert [(outcome.state, outcome.text) for outcome in outcomes[:2]] == [
        (ToolCallState.DONE, "a"),
        (ToolCallState.DONE, '{"done":"write"}'),
    ]
    assert outcomes[2].state is ToolCallState.ERROR
    wait_until_gone(tmp_path)
    toolbox.close()


def test_waiting_for_a_busy_server_takes_nothing_of_a_tools_time(tmp_path: Path) -> None:
    async def main() -> list[ToolCallState]:
        runner = tool_runner(toolbox.tools, timeout_s=1.1)
        calls = [ToolCall(id=str(n), name="one__sleep", arguments='{"seconds": 0.3}') for n in range(5)]
        return [outcome.state for outcome in await runner.run(tuple(calls), CONTEXT)]

    server = umwelten.MCP(words(tmp_path), name="one", concurrency=1)
    with open_toolbox([server], load(tmp_path, {}, tmp_path)) as toolbox:
        assert asyncio.run(main()) == [ToolCallState.DONE] * 5


async def _run(tools, calls):  # type: ignore[no-untyped-def]
    return await tool_runner(tools).run(tuple(calls), CONTEXT)


def test_one_wrong_name_ends_what_was_started(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no tool 'ecko'"):
        open_toolbox(["mcp:hostile.ecko"], load(tmp_path, {}, tmp_path), mcp=[" ".join(words(tmp_path))])
    assert running(tmp_path) == []


def test_without_the_package_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "umwelten.tools.mcp.connection", raising=False)
    monkeypatch.delitem(sys.modules, "umwelten.tools.mcp.process", raising=False)
    for name in ("mcp", "mcp_types"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as caught:
        open_toolbox([umwelten.MCP("mcp-server-time")], load(tmp_path, {}, tmp_path))
    assert str(caught.value).endswith('Install it: pip install "umwelten[mcp]"')


@pytest.mark.parametrize(
    ("target", "given", "message"),
    [
        ("", {}, "neither a command nor an address"),
        ([], {}, "neither a command nor an address"),
        (7, {}, "neither a command nor an address"),
        ("x", {"name": "a.b"}, "name='a.b' is not allowed"),
        ("x", {"tools": "echo"}, "Give a list"),
        ("x", {"headers": {"A": "b"}}, "headers are for a server with an address"),
        ("https://x", {"env": ["A"]}, "env is for a server with a command"),
        ("https://x", {"headers": {"A": "${NOT_SET}"}}, "needs the variable NOT_SET"),
        ("https://x", {"headers": {"A": "sk-secret\n"}}, "would hold a line break"),
        ("x", {"concurrency": 0}, "concurrency=0 is not allowed"),
        ("x", {"start_timeout_s": 0}, "start_timeout_s=0 is not allowed"),
    ],
)
def test_what_a_program_cannot_mean(target: object, given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        umwelten.MCP(target, **given)  # type: ignore[arg-type]
    assert message in str(caught.value) and "sk-secret" not in str(caught.value)


def test_what_a_program_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "t-secret")
    web = umwelten.MCP("https://example.com/mcp?key=t-secret", headers={"Authorization": "Bearer ${TOKEN}"})
    assert web.server.headers["Authorization"].reveal() == "Bearer t-secret"
    assert "t-secret" not in repr(web)
    assert umwelten.MCP("x", env=["TOKEN"]).server.env["TOKEN"].reveal() == "t-secret"
    assert umwelten.MCP("x", env={"A": "b"}).server.env["A"].reveal() == "b"


def test_a_toolbox_that_is_closed_refuses_calls(tmp_path: Path) -> None:
    toolbox = open_toolbox([umwelten.MCP(words(tmp_path))], load(tmp_path, {}, tmp_path))
    toolbox.close()
    with pytest.raises(ToolError, match="was closed"):
        asyncio.run(toolbox.tools[0].call("{}", CONTEXT))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="policies have nothing to do with children any more")
def test_in_a_program_that_uses_uvloop_throughout(tmp_path: Path) -> None:
    uvloop = pytest.importorskip("uvloop")
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        with open_toolbox([umwelten.MCP(words(tmp_path))], load(tmp_path, {}, tmp_path)) as toolbox:
            echo = toolbox.find("hostile.echo")
            assert echo is not None
            assert asyncio.run(echo.call('{"text": "hello"}', CONTEXT)) == "hello"
    finally:
        asyncio.set_event_loop_policy(before)


def test_a_run_without_tools_loads_nothing_of_them() -> None:
    program = (
        "import sys, umwelten.evaluation.build_spec, umwelten.evaluation.evaluation\n"
        "heavy = {'mcp', *('umwelten.tools.' + name for name in ('selection', 'runner', 'mcp.servers'))}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout.strip()) == (0, "")
