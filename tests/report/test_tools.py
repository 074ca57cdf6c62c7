"""What reports, `eval show` and the library say of the tools that models called."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import umwelten
from provider import Profile, provider
from report.making import CALL_NAMES, GEMMA, NOON, spec
from report.making import work as stored
from umwelten.records import CallRecord, StepRecord, ToolCallsRecord, ToolTotals
from umwelten.report.output_files import render
from umwelten.report.queries.calls import call_detail, find
from umwelten.report.render.call import render_call
from umwelten.simulate.faultserver import Behaviour, ToolTurns
from umwelten.simulate.faultserver.profile import Rule
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.tool_calls import (
    ModelTurn,
    OfferedTool,
    ToolCall,
    ToolCallState,
    ToolDefinition,
    ToolOutcome,
    ToolSettings,
)
from umwelten.types import Call, FoundInput, Reply, Timing, Usage

NAMES = ("steps", "tool_calls", "tool_errors", "tool_s")
EXPRESSION = {"expression": "2.50 * 5000"}
TURNS = ToolTurns(
    turns=2, calls=(1, 2), tools=("calculator", "broken"), arguments=(EXPRESSION, {"name": "x"}, EXPRESSION)
)


def broken(name: str) -> str:
    """Fails."""
    raise KeyError(name)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[umwelten.Results]:
    """Of three models: one calls tools and answers, one calls them until it may not, one never calls any."""
    rules = (
        Rule(model="never", behaviour=Behaviour(text="no")),
        Rule(model="always", behaviour=Behaviour(tool_turns=ToolTurns(turns=9, arguments=(EXPRESSION,)))),
    )
    folder = tmp_path_factory.mktemp("tools")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_CONFIG_HOME", os.devnull)
        with provider(Profile(rules=rules, default=Behaviour(tool_turns=TURNS))) as server:
            for name, value in server.env().items():
                patch.setenv(name, value)
            yield umwelten.run(
                "How much?",
                "lmstudio:good,lmstudio:always,lmstudio:never",
                tools=["calculator", broken],
                max_steps=4,
                id="tools",
            ).wait()


def written(folder: Path, format_: str, *, short: bool = False) -> str:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        render(format_, [reader], out, short=short)
    return out.getvalue()


def rows(folder: Path, **options: bool) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(folder, "csv", **options))))


def shown(folder: Path, *words: str) -> tuple[str, dict[str, Any]]:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        detail = call_detail(reader, next(find(reader, words)))
    render_call(detail, out)
    return out.getvalue(), json.loads(msgspec.json.encode(detail))


def test_calls_and_models_have_columns_of_tools(results):
    calls, models = rows(results.folder), rows(results.folder, short=True)
    assert [[row[name] for name in NAMES[:3]] for row in calls] == [
        ["3", "3", "1"],
        ["4", "3", "0"],
        ["1", "0", "0"],
    ]
    assert [[row[name] for name in NAMES[:3]] for row in models] == [
        [row[name] for name in NAMES[:3]] for row in calls
    ]
    assert float(calls[0]["tool_s"]) > 0


def test_data_frames_and_parquet_have_them_too(results, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = results.to_arrow()
    assert [table.column(name).to_pylist() for name in NAMES[:3]] == [[3, 4, 1], [3, 3, 0], [1, 0, 0]]
    results.report(tmp_path / "calls.parquet")
    read = parquet.read_table(tmp_path / "calls.parquet")
    assert read.column_names == table.column_names
    assert str(read.schema.field("tool_s").type) == "double"


def test_no_report_has_them_where_no_tools_were_offered(tmp_path):
    stored(tmp_path / "plain", spec(), ["a.txt"], lambda call: None)
    assert tuple(written(tmp_path / "plain", "csv").strip().split(",")) == CALL_NAMES
    for format_ in ("json", "markdown", "html"):
        text = written(tmp_path / "plain", format_, short=True)
        assert "tool_calls" not in text
        assert "Tools</h2>" not in text
        assert "## Tools" not in text


def test_the_json_report_has_figures_by_tool(results):
    found = json.loads(written(results.folder, "json"))
    calculator, other = found["tools"]
    assert (calculator["tool"], calculator["source"], calculator["calls"], calculator["errors"]) == (
        "calculator",
        "built-in",
        5,
        0,
    )
    assert (other["tool"], other["calls"], other["errors"], other["timeouts"]) == ("broken", 1, 1, 0)
    assert 0 < calculator["p50_s"] < 5
    assert found["settings"]["tools"] == {
        "names": ["calculator", "broken"],
        "choice": "auto",
        "max_steps": 4,
    }
    assert [row["tool_calls"] for row in found["models"]] == [3, 3, 0]
    assert [row["metrics"]["steps"] for row in found["results"]] == [3, 4, 1]
    assert [row["marks"] for row in found["results"]] == [[], ["last turn without tools"], []]


def test_markdown_and_html_name_the_model_that_never_called_a_tool(results):
    markdown, html = written(results.folder, "markdown"), written(results.folder, "html")
    assert "lmstudio:never: tools were offered and never called" in html
    for model in ("good", "always"):
        assert f"lmstudio:{model}: tools were offered" not in html
    assert r"never called" in markdown
    assert "| calculator | built-in | 5 | 0 | 0 |" in markdown
    assert "3 requests, 3 tool calls, 1 tool error" in markdown
    assert '"4 requests","3 tool calls","last turn without tools"' in html


def test_show_has_the_steps_that_led_to_the_answer(results):
    text, found = shown(results.folder, "lmstudio:good")
    assert [(step["number"], [call["state"] for call in step["calls"]]) for step in found["steps"]] == [
        (1, ["done"]),
        (2, ["error", "done"]),
        (3, []),
    ]
    first = found["steps"][0]["calls"][0]
    assert (first["tool"], json.loads(first["arguments"]), first["result"]) == (
        "calculator",
        EXPRESSION,
        "12500",
    )
    assert (found["tool_calls"], found["tool_errors"]) == (3, 1)
    assert sum(step["input_tokens"] for step in found["steps"]) == found["input_tokens"]
    assert [attempt["step"] for attempt in found["attempts"]] == [1, 2, 3]
    assert text.index("STEP 1") < text.index("STEP 3") < text.index("ANSWER")
    assert "ATTEMPT" not in text
    assert 'called         calculator {"expression": "2.50 * 5000"}\ndone           12500 (' in text
    assert "error          KeyError: 'x' (" in text
    assert "raised         KeyError: 'x' at " in text
    assert "in broken" in text


def test_an_answer_has_its_calls_of_tools(results):
    good, always, never = results
    assert [(call.step, call.tool, call.state) for call in good.tool_calls] == [
        (1, "calculator", "done"),
        (2, "broken", "error"),
        (2, "calculator", "done"),
    ]
    assert good.tool_calls[1].error.startswith("Traceback")
    assert (good.steps, good.tool_errors, always.steps) == (3, 1, 4)
    assert always.marks == ("last turn without tools",)
    assert (never.steps, never.tool_calls, never.tool_errors) == (1, (), 0)


def test_a_function_that_scores_sees_the_calls_of_tools(results):
    scores = results.score(used=lambda answer: float(bool(answer.tool_calls))).wait()
    assert [score.value for score in scores] == [1.0, 1.0, 0.0]


ADD = OfferedTool(
    name="add",
    definition=ToolDefinition(name="add", description="", parameters={"type": "object"}),
    fingerprint="1",
)


def begun(store: Store, names: tuple[str, ...], *, number: int = 1) -> tuple[Call, tuple[ToolCall, ...]]:
    """A step of the only call, with calls of these tools."""
    asked = tuple(ToolCall(id=str(n), name=name, arguments=f'{{"n": {n}}}') for n, name in enumerate(names))
    (call,) = store.lease(1, 1)
    store.submit(
        StepRecord(
            call=call,
            number=number,
            turn=ModelTurn(raw=b"{}", calls=asked),
            started_at=NOON,
            key="k",
            content=b"",
            names=names,
            usage=Usage(input_tokens=10, output_tokens=4),
            cost_nusd=5,
            served_by="ollama",
        )
    )
    return call, asked


def with_tools(folder: Path) -> Store:
    store = Store.resume(folder, spec(tools=ToolSettings(tools=(ADD,))))
    found = [FoundInput(name="a.txt", path="/data/a.txt", size=1, stamp="1")]
    store.set_inputs(found, read_hash=lambda *_: b"")
    store.start_run({})
    return store


@pytest.mark.parametrize(("steps", "calls"), [(2, 5), (1, 0)], ids=["built on", "left over"])
def test_figures_by_tool_are_of_the_calls_that_led_to_the_answer(tmp_path, steps, calls):
    took = (0.4, 0.1, 0.2, None, None)
    states = (ToolCallState.TIMEOUT, *[ToolCallState.DONE] * 2, ToolCallState.DENIED, ToolCallState.UNKNOWN)
    with with_tools(tmp_path / "half") as store:
        call, asked = begun(store, (*["add"] * 4, "invented"))
        outcomes = tuple(
            ToolOutcome(call=one, tool=one.name, state=state, text="", took_s=s)
            for one, state, s in zip(asked, states, took, strict=True)
        )
        store.submit(ToolCallsRecord(call=call, step=1, outcomes=outcomes, places=(0, 1, 2, 3, 4)))
        timing = Timing(started_at=NOON, latency_s=1.0)
        answer = CallRecord(
            call=call,
            key="k",
            content=b"",
            outcome=Reply(text="3"),
            timing=timing,
            attempts=2,
            time_s=2.0,
            tools=ToolTotals(steps=steps, calls=calls, errors=3 if calls else 0),
        )
        store.submit(answer)
        store.end_run("complete", None, 1)
    found = json.loads(written(tmp_path / "half", "json"))
    rows = [
        [row[name] for name in ("tool", "source", "calls", "errors", "timeouts", "p50_s")]
        for row in found["tools"]
    ]
    if not calls:
        assert rows == [["add", "", 0, 0, 0, None]]
        return
    assert rows == [["add", "", 4, 2, 1, 0.2], ["invented", None, 1, 1, 0, None]]
    assert sum(row[2] for row in rows) == found["models"][0]["tool_calls"]
    assert "unknown: a model made it up" in written(tmp_path / "half", "markdown")


def test_show_has_the_steps_of_a_call_that_has_not_ended(tmp_path):
    with with_tools(tmp_path / "half") as store:
        call, asked = begun(store, ("add", "add"))
        done = ToolOutcome(
            call=asked[0],
            tool="add",
            state=ToolCallState.DONE,
            text="x" * 5_000,
            started_at=NOON,
            took_s=0.25,
        )
        store.submit(ToolCallsRecord(call=call, step=1, outcomes=(done,), places=(0,)))
        store.end_run("interrupted", None, 1)
    text, found = shown(tmp_path / "half", "a.txt", str(GEMMA))
    assert found["status"] == "pending"
    assert [call["state"] for call in found["steps"][0]["calls"]] == ["done", "pending"]
    assert (found["tool_calls"], found["tool_s"], found["steps"][0]["cost_usd"]) == (1, 0.25, 5e-9)
    assert "pending        no result yet" in text
    assert "xxx … xxx" in text
    assert "(5,000 characters) (0.25 s)" in text
    assert len(text) < 2_000
