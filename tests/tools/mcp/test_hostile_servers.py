"""Servers that do not start, say too much, die or never answer."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from mcpkit import CONTEXT, call, hostile, running, started, tools_of, wait_until_gone
from umwelten.errors import ConfigError, UsageError
from umwelten.tools.mcp.servers import McpServers
from umwelten.tools.mcp.settings import McpSettings
from umwelten.tools.tool import ToolError
from umwelten.types import Secret


def refused(*settings: McpSettings) -> ConfigError:
    servers = McpServers(settings)
    with pytest.raises(ConfigError) as caught:
        servers.start()
    servers.close()
    return caught.value


def test_one_that_never_answers_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    error = refused(hostile("hang", tmp_path, start_timeout_s=1.5))
    assert error.message.startswith("the MCP server hang (")
    assert error.message.endswith(") did not answer within 1.5 s")
    assert error.hint == "loading the index\nIt printed what is no JSON: Welcome to my server!"
    assert running(tmp_path) == []


def test_one_that_does_not_start_takes_the_others_down(tmp_path: Path) -> None:
    env = {"DB_KEY": Secret("xxxxxxxxxx\nDB_URL is")}
    error = refused(hostile("ok", tmp_path), hostile("exit", tmp_path, env=env))
    assert error.message.endswith(") ended during its start (status 3)")
    assert error.hint is not None and error.hint.endswith("x*** not set") and len(error.hint) <= 2_000
    assert running(tmp_path) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-server", "--x"), "no-such-server was not found"),
        (("./no/such/server",), "./no/such/server was not found"),
        ((str(Path(__file__)),), "is not a program that can be run"),
    ],
)
def test_a_command_that_is_not_there(command: tuple[str, ...], message: str) -> None:
    error = refused(McpSettings(name="gone", command=command, where="umwelten.toml, [mcp.gone]"))
    assert message in error.message
    assert "umwelten.toml, [mcp.gone]" in str(error.hint)


def test_lists_of_tools_are_read_to_their_last_page(tmp_path: Path) -> None:
    with started(hostile("many", tmp_path), hostile("none", tmp_path)) as servers:
        assert len(tools_of(servers)) == 300
        assert "the MCP server none has no tools" in servers.notes


def test_references_are_resolved_where_they_end(tmp_path: Path) -> None:
    with started(hostile("refs", tmp_path), hostile("long", tmp_path)) as servers:
        tools = tools_of(servers)
        notes = servers.notes
    assert tools["refs.plain"].definition.parameters == {
        "type": "object",
        "properties": {
            "at": {"type": "object", "properties": {"city": {"type": "string"}}, "description": "where"}
        },
    }
    loop = tools["refs.loop"].definition.parameters
    assert loop["properties"] == {"node": {"$ref": "#/$defs/Node"}}
    assert loop["$defs"]["Node"]["properties"] == {"next": {"$ref": "#/$defs/Node"}}
    assert len(tools["long.long"].definition.description) == 1_024
    assert "the description of long.long was cut at 1,024 characters" in notes


def test_what_it_prints_beside_messages_is_passed_over_and_its_questions_are_refused(tmp_path: Path) -> None:
    with started(hostile("chatty", tmp_path)) as servers:
        tools = tools_of(servers)
        assert json.loads(call(tools["chatty.asks"])) == [
            "Sampling not supported",
            "List roots not supported",
            "Elicitation not supported",
        ]
        assert "the MCP server chatty changed its tools; they stay as they were at the start" in servers.notes


def test_only_tools_that_read_are_offered_unless_named_or_allowed(tmp_path: Path) -> None:
    with started(hostile("ok", tmp_path, tools=("w*", "echo", "drop"))) as servers:
        assert [tool.name for tool in servers.find("ok")] == ["ok.echo"]
        assert servers.notes[-1] == (
            "not offered, as they may change something: ok.write, ok.drop"
            " (to offer one, name it: mcp:ok.write)"
        )
        allowed = servers.find("ok", lambda name: name == "ok.drop")
        assert [tool.name for tool in allowed] == ["ok.echo", "ok.drop"]
        named = servers.find("ok.write")
        assert [(tool.name, tool.definition.name, tool.source) for tool in named] == [
            ("ok.write", "ok__write", "mcp:ok")
        ]
        assert call(named[0]) == '{"done":"write"}'
        with pytest.raises(UsageError) as caught:
            servers.find("ok.ecko")
        assert "Did you mean 'echo'" in str(caught.value)
        with pytest.raises(UsageError, match="is not among the tools"):
            servers.find("ok.env")
        with pytest.raises(UsageError, match="no such server"):
            servers.find("other")
    with started(hostile("ok", tmp_path, named=("write",))) as servers:
        assert {"ok.write", "ok.echo"} < set(tools_of(servers)) and "ok.drop" not in tools_of(servers)
    assert "has no tool 'x*'" in refused(hostile("ok", tmp_path, tools=("x*",))).message


def test_it_gets_few_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("LOGNAME", "ada")
    env = {"TOKEN": Secret("t-123456"), "API_KEY": Secret("short"), "LANG": Secret("de_AT.UTF-8")}
    with started(hostile("ok", tmp_path, env=env)) as servers:
        seen = json.loads(call(tools_of(servers)["ok.env"]))
    # What is a key is not repeated; what is short, or named like none, may be part of other words.
    assert [seen[name] for name in ("LOGNAME", *env)] == ["ada", "***", "short", "de_AT.UTF-8"]
    assert not {"OPENAI_API_KEY", "PYTHONPATH"} & set(seen)


def test_a_call_that_is_given_up_is_cancelled_and_the_server_goes_on(tmp_path: Path) -> None:
    with started(hostile("ok", tmp_path)) as servers:
        tools = tools_of(servers)
        with pytest.raises(TimeoutError):
            call(tools["ok.never"], timeout_s=0.3)
        assert len(json.loads(call(tools["ok.cancelled"]))) == 1
        assert call(tools["ok.echo"], '{"text": "on"}') == "on"
        assert call(tools["ok.half"]) == "half an emoji: ?"
        for arguments in ("[1]", "{", '{"text": "\\ud800"}', '{"text": "\\u0000"}'):
            with pytest.raises(ToolError, match="the arguments"):
                call(tools["ok.echo"], arguments)
        with pytest.raises(ToolError, match="no such thing"):
            call(tools["ok.fails"])


def test_one_that_dies_is_started_again_twice(tmp_path: Path) -> None:
    def both() -> list[str | BaseException]:
        async def together() -> list[str | BaseException]:
            calls = (tools["ok.never"].call("{}", CONTEXT), tools["ok.die"].call("{}", CONTEXT))
            return await asyncio.gather(*calls, return_exceptions=True)

        return asyncio.run(together())

    with started(hostile("ok", tmp_path)) as servers:
        tools = tools_of(servers)
        for _ in range(2):
            # Calls of that moment fail; the next ones find it running again.
            assert [str(error) for error in both()] == ["the MCP server ok ended before it answered"] * 2
            assert call(tools["ok.echo"], '{"text": "again"}') == "again"
        both()
        with pytest.raises(ToolError, match="the MCP server ok has ended"):
            call(tools["ok.echo"])
        assert servers.notes[-2:] == (
            "the MCP server ok ended and is started again; its last words: out of memory",
            "the MCP server ok ended once more; its tools fail from here on",
        )
        wait_until_gone(tmp_path)


def test_at_most_so_many_calls_at_a_time_from_any_loop(tmp_path: Path) -> None:
    with started(hostile("ok", tmp_path, concurrency=1)) as servers:
        tools = tools_of(servers)
        with pytest.raises(TimeoutError):
            call(tools["ok.never"], timeout_s=0.1)  # its place is free again
        with ThreadPoolExecutor(4) as pool:
            texts = [f'{{"text": "{number}"}}' for number in range(20)]
            assert list(pool.map(lambda text: call(tools["ok.echo"], text), texts)) == list(
                map(str, range(20))
            )


def test_closing_ends_calls_and_refuses_further_ones(tmp_path: Path) -> None:
    servers = McpServers([hostile("ok", tmp_path)])
    servers.start()
    tools = tools_of(servers)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(call, tools["ok.never"])
        while not servers.servers[0].busy:
            time.sleep(0.01)
        servers.close()
        with pytest.raises(ToolError, match=r"(was closed|ended before it answered)"):
            waiting.result(20)
    with pytest.raises(ToolError, match="was closed"):
        call(tools["ok.echo"])
    servers.close()


def test_the_fingerprint_is_of_all_that_the_server_says(tmp_path: Path) -> None:
    with started(hostile("ok", tmp_path), hostile("chatty", tmp_path)) as servers:
        tools = tools_of(servers)
        entry = servers.servers[0].entries[0]
    from umwelten.tools.mcp.mcp_tool import fingerprint

    assert tools["ok.echo"].fingerprint == tools["chatty.echo"].fingerprint != tools["ok.env"].fingerprint
    other = [
        entry.model_copy(update={"description": "other"}),
        entry.model_copy(update={"input_schema": {"type": "object"}}),
        entry.model_copy(update={"annotations": None}),
    ]
    assert len({fingerprint(each) for each in (entry, *other)}) == 4
    assert fingerprint(entry.model_copy(update={"icons": [], "meta": {"x": 1}})) == fingerprint(entry)
    assert msgspec.json.encode(tools["ok.echo"].offered)
