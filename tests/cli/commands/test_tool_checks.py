"""What is said of tools before the first call: models that take none, and tools in parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import umwelten
from provider import Provider, provider
from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns

ASKS = ("eval", "run", "-p", "What is 2*3?", "--tools", "calculator")
OLD = Profile(no_tools=("old*",), models=("old", "new"))
CALLS = Profile(default=Behaviour(tool_turns=ToolTurns(arguments=({"expression": "2*3"},))), keep_bodies=True)


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("ollama:old", "ollama:old takes no tools: `ollama show old` has no tools among its capabilities"),
        ("openrouter:old", "openrouter:old takes no tools: they are not among the parameters"),
        ("lmstudio:any", "lmstudio:any takes no tools: the chat template of http://127.0.0.1:"),
    ],
)
def test_a_model_that_takes_no_tools_is_told_apart_before_anything_is_asked(
    cli: Any, tmp_path: Path, models: str, said: str
) -> None:
    with provider(OLD) as server:
        code, out, err = cli(*ASKS, "-m", models, env=server.env())
        assert (code, out, server.idle().requests) == (2, "", 0)
    assert said in err
    assert "Ask another model, or ask without --tools." in err
    assert not (tmp_path / "output").exists()


def test_all_models_that_take_none_are_named_at_once(cli: Any) -> None:
    with provider(OLD) as server:
        code, _, err = cli(*ASKS, "-m", "ollama:old,openrouter:old,openai:new", env=server.env())
        assert (code, server.idle().requests) == (2, 0)
    assert "ollama:old takes no tools" in err
    assert "openrouter:old takes no tools" in err
    assert "Leave them out of --models, or ask without --tools." in err


def test_models_that_take_tools_and_servers_that_are_down_are_asked(cli: Any) -> None:
    with provider(OLD) as server:
        env = server.env()
        assert cli(*ASKS, "-m", "ollama:new,openrouter:new", env=env)[0] == 0
        assert cli(*ASKS[:-2], "-m", "ollama:old", env=env)[0] == 0
    code, _, err = cli(*ASKS, "-m", "ollama:old", "--retries", "0", env=env)
    assert (code, "takes no tools" in err) == (3, False)


def test_a_dry_run_asks_no_server(cli: Any) -> None:
    with provider(OLD) as server:
        assert cli(*ASKS, "-m", "ollama:old,openrouter:old", "--dry-run", env=server.env())[0] == 0
        assert server.idle().listings == 0


def test_a_model_in_a_file_whose_template_has_no_place_for_tools(cli: Any, tmp_path: Path) -> None:
    text = b"".join(len(part).to_bytes(8, "little") + part for part in (b"tokenizer.chat_template",))
    value = (8).to_bytes(4, "little") + (5).to_bytes(8, "little") + b"plain"
    head = b"GGUF" + (3).to_bytes(4, "little") + bytes(8) + (1).to_bytes(8, "little")
    (tmp_path / "m.gguf").write_bytes(head + text + value)
    for more in ((), ("--dry-run",)):
        code, _, err = cli(*ASKS, "-m", "local:./m.gguf", *more)
        assert (code, "local:./m.gguf takes no tools: the chat template in its file" in err) == (2, True)


def test_a_model_that_refuses_tools_is_stopped_and_the_others_go_on(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n in range(6):
        (tmp_path / "in" / f"{n}.txt").write_text(str(n))
    asks = ("eval", "batch", "-p", "go", "--directory", "in", "-i", "s", "--tools", "calculator")
    with provider(OLD) as server:
        code, _, err = cli(*asks, "-m", "openai:old,anthropic:new", env=server.env())
        assert server.idle().totals.invalid == 1
    assert code == 3
    assert "openai:old: 400: this model takes no tools here; the server says: old does not support" in (
        " ".join(err.split())
    )
    assert "→ leave the model out of --models, or ask without --tools" in err
    assert "6 of 12 calls succeeded, 6 pending" in err


# --- tools in parameters ---------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI", "ANTHROPIC", "GOOGLE"):
        monkeypatch.setenv(f"{name}_API_KEY", "test-key-checks-91c0")


def read(param: str) -> dict[str, Any]:
    """What a parameter is as an argument."""
    name, _, value = param.partition("=")
    return {name: json.loads(value)}


@pytest.mark.parametrize(
    ("model", "param", "named"),
    [
        ("openai:m", 'tools=[{"type": "function", "function": {"name": "weather"}}]', "the function weather"),
        ("openai:m", 'functions=[{"name": "weather"}]', "functions"),
        ("openai:m", 'tools={"name": "weather"}', "tools, which is no list,"),
        ("anthropic:m", 'tools=[{"name": "weather", "input_schema": {}}]', "the function weather"),
        ("anthropic:m", 'tools=[{"type": "custom", "name": "weather"}]', "the function weather"),
        ("google:m", 'tools=[{"functionDeclarations": [{"name": "weather"}]}]', "the function weather"),
        ("ollama:m", 'tools=[{"type": "function"}]', "a function in tools"),
        ("anthropic:m", 'tools=[{"type": "bash_20250124", "name": "bash"}]', "the function bash"),
        ("google:m", 'tools=[{"computerUse": {}}]', "a function in tools"),
    ],
)
def test_functions_in_parameters_beside_tools_are_refused_with_the_way(
    keys: None, model: str, param: str, named: str
) -> None:
    with pytest.raises(umwelten.UsageError) as refused:
        umwelten.run("go", model, tools="calculator", params=read(param)).wait()
    assert f"params: {named} can't be run beside tools" in refused.value.message
    assert 'tools="FILE.py"' in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("model", "param"),
    [
        ("openai:m", 'tool_choice="required"'),
        ("openai:m", 'function_call="weather"'),
        ("anthropic:m", 'tool_choice={"type": "any"}'),
        ("google:m", 'toolConfig={"functionCallingConfig": {"mode": "ANY"}}'),
    ],
)
def test_a_choice_in_parameters_is_refused_as_it_would_hold_forever(
    keys: None, model: str, param: str
) -> None:
    with pytest.raises(umwelten.UsageError, match="can't be set beside tools") as refused:
        umwelten.run("go", model, tools="calculator", params=read(param)).wait()
    assert 'tool_choice="any"' in (refused.value.hint or "")


def test_a_forced_call_leaves_a_request_for_the_answer(keys: None) -> None:
    with pytest.raises(umwelten.UsageError, match="tool_choice calculator needs a second request"):
        umwelten.run("go", "openai:m", tools="calculator", tool_choice="calculator", max_steps=1).wait()


def test_a_command_is_told_in_flags(cli: Any) -> None:
    env = {"OPENAI_API_KEY": "test-key-checks-91c0"}
    code, _, err = cli(*ASKS, "-m", "openai:m", "--param", 'functions=[{"name": "weather"}]', env=env)
    assert (code, "--param: functions can't be run beside --tools" in err) == (2, True)
    assert "name that: --tools FILE.py." in err


def sent(server: Provider) -> dict[str, Any]:
    """The first request of the conversation."""
    body = server.idle().records[0].body
    assert body is not None
    return dict(json.loads(body))


def asked(cli: Any, model: str, *params: str) -> dict[str, Any]:
    with provider(CALLS) as server:
        more = [word for param in params for word in ("--param", param)]
        code, out, err = cli(*ASKS, "-m", model, *more, env=server.env())
        assert code == 0, err
        assert out.endswith(": 6\n")
        assert server.idle().requests == 2
        return sent(server)


def test_tools_that_run_at_the_provider_are_sent_beside_ours(cli: Any) -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    tools = asked(cli, "anthropic:m", f"tools=[{json.dumps(search)}]")["tools"]
    assert (tools[0], tools[1]["name"]) == (search, "calculator")
    body = asked(
        cli, "google:gemini-3-flash", 'tools=[{"googleSearch": {}}]', 'toolConfig={"retrievalConfig": {}}'
    )
    assert body["tools"][0] == {"googleSearch": {}}
    assert body["tools"][1]["functionDeclarations"][0]["name"] == "calculator"
    assert body["toolConfig"] == {"retrievalConfig": {}}


def test_what_says_how_tools_are_called_goes_along(cli: Any) -> None:
    body = asked(cli, "openai:m", "parallel_tool_calls=false", "tool_choice=auto", "max_tool_calls=3")
    assert (body["parallel_tool_calls"], body["max_tool_calls"]) == (False, 3)
    one = {"type": "auto", "disable_parallel_tool_use": True}
    assert asked(cli, "anthropic:m", f"tool_choice={json.dumps(one)}")["tool_choice"] == one
