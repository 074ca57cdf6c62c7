"""What progress and the closing summary say of calls with tools."""

from __future__ import annotations

import io
import json

import msgspec
import pytest

from cli.progress.happenings import FLASH, GEMMA, NASTY, begun, call, finished, good
from umwelten.cli.progress import make
from umwelten.cli.summary import print_summary
from umwelten.events import Event, LaneView, StepEnded, ToolEnded, ToolStarted
from umwelten.report.progress.board import Watch
from umwelten.report.run_summary import RunSummary, summarize
from umwelten.tally import Tally
from umwelten.types import Timing, Usage

STARTED = msgspec.structs.replace(begun(2), tools=("look", "rate"))


def step(number: int = 1, tools: tuple[str, ...] = ("look", "rate", "look")) -> StepEnded:
    return StepEnded(
        call=call(1),
        model=FLASH,
        lane="google",
        step=number,
        tools=tools,
        cost_nusd=2_000_000,
        timing=Timing(started_at=0, latency_s=1.2),
        usage=Usage(input_tokens=300, output_tokens=20),
    )


def ended(tool: str = "look", state: str = "done", took: float | None = 0.5, message: str | None = None):
    return ToolEnded(call=call(1), model=FLASH, step=1, tool=tool, state=state, took_s=took, message=message)


def shown(style: str, *events: Event, **flags: bool) -> list[str]:
    stderr, tally = io.StringIO(), Tally()
    progress = make(style, stderr=stderr, tally=tally, **flags)
    for event in events:
        tally(event)
        progress(event)
    return stderr.getvalue().splitlines()


def summary(*events: Event) -> RunSummary:
    tally = Tally()
    for event in events:
        tally(event)
    return summarize(tally, folder="output/demo", resume="")


def printed(found: RunSummary) -> str:
    stderr = io.StringIO()
    print_summary(found, stderr=stderr)
    return stderr.getvalue()


def test_verbose_has_a_line_a_step_and_one_for_each_failure_of_a_tool():
    events = (
        step(),
        ToolStarted(call=call(1), model=FLASH, step=1, tool="look"),
        ended(),
        ended("rate", "timeout", 30.0, "no result after 30 s"),
        ended(f"lo{NASTY}ok", "unknown", None, f"there is no tool {NASTY}"),
    )
    lines = shown("plain", *events, verbose=True)
    assert lines[0] == (
        "step  google:gemini-2.5-flash scan.jpg  step 1: calls look ×2, rate  1.2s  300→20 tokens  $0.002"
    )
    assert lines[1] == (
        "tool  google:gemini-2.5-flash scan.jpg  step 1: rate timed out after 30.0s  no result after 30 s"
    )
    assert "does not exist  there is no tool" in lines[2]
    assert not set("\x1b\x9b\u202e") & set("".join(lines))
    assert len(lines) == 3
    assert shown("plain", *events) == []


def test_verbose_tells_the_requests_of_a_call_that_used_tools_from_attempts():
    for tool_calls, noun in ((3, "requests"), (0, "attempts"), (None, "attempts")):
        answered = msgspec.structs.replace(good(1), attempts=3, tool_calls=tool_calls)
        assert shown("plain", STARTED, answered, verbose=True)[-1].endswith(f"  3 {noun}")


def test_json_has_the_events_with_their_fields():
    events = (step(), ToolStarted(call=call(1), model=FLASH, step=1, tool="look"), ended())
    first, second, third = map(json.loads, shown("json", *events))
    assert (first["type"], first["step"], first["tools"]) == ("step_ended", 1, ["look", "rate", "look"])
    assert (first["timing"]["latency_s"], first["usage"]["input_tokens"], first["cost_nusd"]) == (
        1.2,
        300,
        2_000_000,
    )
    assert (second["type"], second["tool"]) == ("tool_started", "look")
    assert (third["type"], third["state"], third["took_s"], third["message"]) == (
        "tool_ended",
        "done",
        0.5,
        None,
    )


@pytest.mark.parametrize(
    ("waiting", "state"), [(0, "12 at tools"), (3, "3 to retry: 503, 12 at tools")], ids=["alone", "retries"]
)
def test_the_live_display_says_how_many_calls_wait_for_their_tools(waiting, state):
    watch = Watch(Tally(), lambda: 0.0)
    view = LaneView(
        name="google", in_flight=1, limit=5, ready=0, waiting=waiting, waiting_why="503", parked=12
    )
    watch.start(lambda: [view])
    assert watch.look().lanes[0].state == state


def test_the_summary_counts_calls_of_tools_and_requests():
    tools = (ended(), ended(state="error", message="no"), ended("rate", took=2.0))
    found = summary(STARTED, step(), *tools, step(2, ()), good(1), good(2), finished(0, "complete"))
    assert found.tools is not None
    assert (found.tools.calls, found.tools.tools, found.tools.errors) == (3, 2, 1)
    assert (found.tools.seconds, found.tools.requests_per_call) == (3.0, 2.0)
    assert "  tools    3 calls of 2 tools, 1 error, 3.00 s; 2.0 requests a call\n" in printed(found)
    assert found.never_called == ()


def test_the_summary_names_models_that_never_called_a_tool():
    other = msgspec.structs.replace(good(2), model=GEMMA)
    found = summary(STARTED, step(), ended(), good(1), other, finished(0, "complete"))
    assert found.never_called == (str(GEMMA),)
    assert f"tools were offered and never called by {GEMMA}" in " ".join(printed(found).split())
    again = msgspec.structs.replace(STARTED, done=1)
    assert summary(again, other, finished(0, "complete")).never_called == ()


def test_a_run_without_tools_says_nothing_of_them():
    found = summary(begun(1), good(1), finished(0, "complete"))
    assert (found.tools, found.never_called) == (None, ())
    assert "tools" not in printed(found)
