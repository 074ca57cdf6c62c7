"""Runs of the command line and of Python programs whose models use an MCP server."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

import umwelten
from mcpkit import HOSTILE, running, wait_until_gone
from provider import provider
from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns


def calling(tool: str, turns: int = 1) -> Profile:
    """Models that call this tool, and then answer with what it said."""
    use = ToolTurns(turns=turns, tools=(tool,), arguments=({"text": "hello"},))
    return Profile(default=Behaviour(tool_turns=use, text="Results: {results}"))


def words(mark: Path) -> list[str]:
    return [sys.executable, "-S", str(HOSTILE), "ok", str(mark)]


def test_a_command_uses_a_server_and_leaves_nothing_of_it(cli: Any, tmp_path: Path) -> None:
    asks = ("eval", "run", "-p", "Say hello", "-m", "openai:gpt-4o-mini")
    with provider(calling("hostile__echo")) as server:
        code, out, err = cli(*asks, "--mcp", shlex.join(words(tmp_path)), env=server.env())
    assert (code, out) == (0, "Results: hello\n")
    assert "not offered, as they may change something: hostile.write, hostile.drop" in err
    assert running(tmp_path) == []


def test_a_batch_goes_on_where_its_server_dies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.txt").write_text(name)
    notes: list[str] = []

    def listen(event: umwelten.Event) -> None:
        if type(event).__name__ == "Note":
            notes.append(event.text)  # type: ignore[union-attr]

    with provider(calling("own__die")) as server:
        for name, value in server.env().items():
            monkeypatch.setenv(name, value)
        results = umwelten.batch(
            "What is it?",
            "openai:gpt-4o-mini",
            directory=tmp_path,
            tools=[umwelten.MCP(words(tmp_path), name="own", tools=["die"])],
            max_concurrency=1,
            tool_concurrency=1,
            on_event=listen,
        ).wait()
    texts = [answer.text for answer in results]
    ended, gone = (
        "Results: Error: the MCP server own ended before it answered",
        "Results: Error: the MCP server own has ended",
    )
    assert texts == [ended, ended, ended, gone]
    assert "the MCP server own ended and is started again; its last words: out of memory" in notes
    assert "the MCP server own ended once more; its tools fail from here on" in notes
    wait_until_gone(tmp_path)
