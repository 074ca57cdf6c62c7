"""`umwelten tools`: what there is, what models are told of it, and one call of a tool."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from provider import provider
from umwelten.providers.wires import WIRES
from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns

RATES = '''
import umwelten

def rate(currency: str) -> float:
    """EUR for one unit of a currency."""
    return {"USD": 0.9}[currency]

@umwelten.tool(timeout_s=0.05, once=True)
async def slow() -> str:
    import asyncio
    await asyncio.sleep(60)
    return ""

def coloured() -> str:
    return "\\x1b[31mred"

def which(context: umwelten.ToolContext) -> str:
    return context.model

def wait() -> str:
    import time
    time.sleep(1)
    return "late"

def leak() -> str:
    import os
    raise ValueError(os.environ["OPENAI_API_KEY"])
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rates.py").write_text(RATES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_built_in_tools_and_those_of_lists_and_servers_are_listed(cli, folder):
    (folder / "umwelten.toml").write_text(
        '[tools]\noffice = ["now", "rates.py"]\n[mcp.gone]\ncommand = ["no-such-program"]\n'
    )
    code, out, err = cli("tools", "list", "--json", env={"UMWELTEN_TRUST": "1"})
    assert code == 2
    assert "no-such-program" in err
    rows = {row["name"]: row for row in json.loads(out)}
    assert list(rows) == [
        *("calculator", "statistics", "random_number", "now"),
        *("rates.py:rate", "rates.py:slow", "rates.py:coloured", "rates.py:which"),
        *("rates.py:wait", "rates.py:leak"),
    ]
    assert rows["rates.py:rate"]["description"] == "EUR for one unit of a currency."
    assert rows["now"]["read_only"] is True
    code, out, err = cli("tools", "list", "rates.py:rate", "calculater")
    assert code == 2
    assert out.splitlines()[1].split("\t") == ["rates.py:rate", "rates.py", "EUR for one unit of a currency."]
    assert "Did you mean calculator?" in err


def test_the_files_of_a_strangers_list_are_not_run(cli, folder):
    (folder / "umwelten.toml").write_text('[tools]\noffice = ["evil.py"]\n')
    (folder / "evil.py").write_text("open('ran', 'w')\ndef f() -> str:\n    return ''\n")
    for words in (("list",), ("list", "@office"), ("show", "@office"), ("test", "@office")):
        code, _, err = cli("tools", *words)
        assert code == 2
        assert "umwelten.toml:2: this project's file runs the Python file" in err
        assert "umwelten trust" in err
    assert not (folder / "ran").exists()
    assert cli("tools", "list", env={"UMWELTEN_TRUST": "1"})[0] == 0
    assert (folder / "ran").exists()


def test_what_models_are_told_is_shown_for_each_wire_format(cli, folder):
    code, out, _ = cli("tools", "show", "rates.py:slow", "--json")
    assert code == 0
    (view,) = json.loads(out)
    assert (view["name"], view["once"], view["timeout_s"]) == ("slow", True, 0.05)
    assert set(view["wires"]) == set(WIRES) == set(view["wire_tokens"])
    assert view["wires"]["responses"]["name"] == "slow"
    assert view["wires"]["openai"]["function"]["name"] == "slow"
    assert view["wires"]["anthropic"]["input_schema"] == view["parameters"]
    assert 10 < min(view["wire_tokens"].values()) < view["tokens"] == max(view["wire_tokens"].values()) < 200
    code, out, _ = cli("tools", "show", "calculator")
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "calculator (built-in)"
    forms = [line.partition(", about ") for line in lines if line.endswith(" tokens in each request:")]
    assert [names for names, _, _ in forms] == ["openai, ollama", "responses", "gemini", "anthropic"]
    assert len({tokens for _, _, tokens in forms}) > 1


def test_a_tool_is_called_as_a_model_would(cli, folder):
    assert cli("tools", "test", "calculator", "--input", '{"expression": "2.50 * 5000"}')[:2] == (
        0,
        "12500\n",
    )
    assert cli("tools", "test", "rates.py:rate", "--input", "{'currency': 'USD',}")[:2] == (0, "0.9\n")
    assert cli("tools", "test", "rates.py:which")[:2] == (0, "umwelten:test\n")
    code, out, err = cli("tools", "test", "rates.py:rate", "--input", '{"currency": "XYZ"}')
    assert (code, out) == (1, "KeyError: 'XYZ'\n")
    assert "rates.py" in err and "line 6, in rate" in err
    code, out, err = cli("tools", "test", "rates.py:rate", "--input", "[]")
    assert (code, out, err) == (1, "the arguments must be a JSON object, not an array\n", "")
    code, out, _ = cli("tools", "test", "rates.py:slow", "--json")
    assert code == 1
    assert (json.loads(out)["state"], json.loads(out)["text"]) == ("timeout", "no result after 0.05 s")


def test_a_tool_that_is_tried_has_the_limit_of_time_that_runs_have(cli, folder):
    env = {"UMWELTEN_TOOL_TIMEOUT": "0.05"}
    assert cli("tools", "test", "rates.py:wait", env=env)[:2] == (1, "no result after 0.05 s\n")
    words = ("tools", "test", "rates.py:wait", "--tool-timeout", "60ms")
    assert cli(*words, env=env)[:2] == (1, "no result after 0.06 s\n")


def test_no_key_is_in_what_a_tool_that_is_tried_says(cli, folder):
    key = "sk-proj-0aB1cD2eF3gH4iJ5kL6m"
    code, out, err = cli("tools", "test", "rates.py:leak", env={"OPENAI_API_KEY": key})
    assert (code, out) == (1, "ValueError: ***\n")
    assert "in leak" in err and key not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rates.py"], "rates.py has 6 tools\nName one of them: rates.py:rate, rates.py:slow,"),
        (["rates.py:rat"], "rates.py has no function 'rat'\nDid you mean rate?"),
        (["calculater"], "tool 'calculater' is not known\nDid you mean calculator?"),
        (["mcp:none.tool"], "there is no MCP server 'none'"),
        (["calculator", "--tool-timeout", "soon"], "--tool-timeout: 'soon' is not allowed\nWrite seconds"),
        (["none.py"], "no such file: none.py"),
    ],
)
def test_what_cannot_be_called_is_an_error_with_what_to_do(cli, folder, words, said):
    code, _, err = cli("tools", "test", *words)
    assert code == 2
    assert said in err


def test_neither_help_nor_import_loads_the_tools() -> None:
    code = "import sys, umwelten.cli.app; print([m for m in sys.modules if m.startswith('umwelten.tools')])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


def test_the_demo_shows_each_step_as_it_happens_and_keeps_nothing(cli, tmp_path):
    turns = ToolTurns(turns=1, tools=("calculator",), arguments=({"expression": "0.15 * 2480"},))
    with provider(Profile(default=Behaviour(text="It is {results}.", tool_turns=turns))) as server:
        code, out, err = cli("tools", "demo", "-m", "openai:gpt-5.4-mini", env=server.env())
    assert code == 0, err
    lines = out.splitlines()
    assert lines[:2] == ["step 1: calls 1 tool", '  calculator({"expression": "0.15 * 2480"})']
    assert lines[2].startswith("  calculator = 372  (")
    assert lines[-1] == "It is 372."
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(("flags", "env"), [(("--max-steps", "2"), {}), ((), {"UMWELTEN_MAX_STEPS": "2"})])
def test_a_demo_without_an_answer_fails(cli, flags, env):
    with provider(Profile(default=Behaviour(tool_turns=ToolTurns(quirks=("always_calls",))))) as server:
        code, out, err = cli("tools", "demo", "-m", "openai:gpt-5.4-mini", *flags, env=server.env() | env)
    assert code == 1
    assert "step 2" in out and "step 4" not in out
    assert "the model went on calling tools after it was told to answer" in err
