"""Tools and a schema together: told in words while tools may be called, enforced once none may."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from provider import provider
from toolrunkit import ARGUMENTS, batch, calling, rows, write
from umwelten.simulate.faultserver import Behaviour, ToolTurns
from umwelten.simulate.faultserver.profile import Rule

SCHEMA = ("--schema", "total: number, city: string")
FIELDS = ("response_format", "output_config", "format")
ENFORCES = {
    "openai:gpt-5.4": "response_format",
    "openrouter:openai/gpt-5.4": "response_format",
    "anthropic:claude-opus-4-7": "output_config",
    "google:gemini-3-flash": "responseMimeType",
    "ollama:qwen3": "format",
    # Told in words alone: status 400 for both together, and a model that may know no such field.
    "google:gemini-2.5-flash": None,
    "anthropic:claude-3-haiku": None,
}
CONFIG = ("responseMimeType",)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, 1)
    return tmp_path


def enforced(body: dict[str, Any]) -> str | None:
    config = body.get("generationConfig") or {}
    return next((name for name in (*FIELDS, *CONFIG) if name in body or name in config), None)


def bodies(records: list[Any]) -> dict[str, list[dict[str, Any]]]:
    """The bodies of the requests to each model, by the end of its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        found.setdefault(f"{record.wire}:{record.model}", []).append(json.loads(record.body or ""))
    wires = {"google": "gemini"}
    return {
        model: found[f"{wires.get(provider, provider)}:{name}"]
        for model in ENFORCES
        for provider, _, name in (model.partition(":"),)
    }


def test_an_answer_in_another_shape_is_asked_for_again_in_the_conversation_without_tools(
    cli: Any, root: Path
) -> None:
    wrong = Behaviour(tool_turns=ToolTurns(arguments=ARGUMENTS), shaped="invalid", text="four")
    names = [model.partition(":")[2] for model in ENFORCES]
    rules = tuple(Rule(model=name, step=2, first=1, behaviour=wrong) for name in names)
    with provider(calling(rules=rules)) as server:
        code, err = batch(cli, server, "t.py:look", *SCHEMA, models=",".join(ENFORCES))
        ledger = server.idle()
    assert (code, ledger.verdicts) == (0, []), err
    for model, sent in bodies(ledger.records).items():
        assert [enforced(body) for body in sent] == [None, None, ENFORCES[model]], model
        # In words, so that the model knows from the start.
        assert all('"total"' in json.dumps(body).replace("\\", "") for body in sent), model
        turns = [body.get("messages") or body["contents"] for body in sent]
        assert turns[2][: len(turns[1])] == turns[1], model
    found = rows(
        root,
        "SELECT a.marks, a.data, c.steps, c.tool_calls, c.attempts"
        " FROM calls c JOIN answers a ON a.call_id = c.id",
    )
    assert len(found) == len(ENFORCES)
    for marks, record, *counts in found:
        assert "asked again" in marks
        assert set(json.loads(record)) == {"total", "city"}
        assert counts == [2, 1, 3]


def test_the_last_turn_enforces_the_shape_where_the_model_can(cli: Any, root: Path) -> None:
    with provider(calling(turns=9, thinking=True)) as server:
        options = (*SCHEMA, "--max-steps", "2")
        code, err = batch(cli, server, "t.py:look", *options, models=",".join(ENFORCES))
        ledger = server.idle()
    assert (code, ledger.verdicts) == (0, []), err
    for model, sent in bodies(ledger.records).items():
        assert [enforced(body) for body in sent] == [None, ENFORCES[model]], model
    marked = rows(root, "SELECT count(*) FROM answers WHERE marks LIKE '%last turn without tools%'")
    assert marked == [(len(ENFORCES),)]


def test_an_answer_that_never_fits_fails_for_its_shape(cli: Any, root: Path) -> None:
    with provider(calling(behaviour={"shaped": "invalid", "text": "four"})) as server:
        code, err = batch(cli, server, "t.py:look", *SCHEMA)
        assert not server.idle().verdicts
    assert (code, "1 × schema" in err) == (1, True)
    assert rows(root, "SELECT error_kind, steps, tool_calls FROM calls")[0][0] == "schema"


def test_openais_other_api_enforces_the_shape_when_no_tool_may_be_called(cli: Any, root: Path) -> None:
    wrong = Behaviour(tool_turns=ToolTurns(arguments=ARGUMENTS), shaped="invalid", text="four")
    with provider(calling(rules=(Rule(step=2, first=1, behaviour=wrong),))) as server:
        code, err = batch(cli, server, "t.py:look", *SCHEMA, "--api", "responses", models="openai:gpt-5.4")
        ledger = server.idle()
    assert (code, ledger.verdicts, {record.wire for record in ledger.records}) == (0, [], {"responses"}), err
    sent = [json.loads(record.body or "") for record in ledger.records]
    formats = [body.get("text", {}).get("format", {}).get("type") for body in sent]
    assert formats == [None, None, "json_schema"]
    assert sent[2]["input"][: len(sent[1]["input"])] == sent[1]["input"]
    assert sent[2]["tool_choice"] == "none"
    assert rows(root, "SELECT steps, tool_calls, attempts FROM calls") == [(2, 1, 3)]
