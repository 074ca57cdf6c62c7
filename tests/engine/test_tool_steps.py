"""Calls with tools in virtual time: what holds a slot, what is stored before what, and what a resume does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from engine.memory import COMMIT_S, PRICE, MemoryStore, Turns, at, run
from engine.tool_base import DOWN
from umwelten.control.queues import WINDOW
from umwelten.engine.interfaces import CallInfo
from umwelten.errors import UmweltenError
from umwelten.events import CallFailed, Note, StepEnded, ToolEnded, ToolStarted
from umwelten.records import BegunCall, CallRecord, ToolTotals
from umwelten.tool_calls import (
    ModelTurn,
    ToolCall,
    ToolCallState,
    ToolOutcome,
    ToolResult,
    ToolResults,
)
from umwelten.types import (
    AttemptOutcome,
    Call,
    Failure,
    FailureKind,
    ModelRef,
    Reply,
    ToolStep,
    Turn,
    Usage,
)

USED = Usage(input_tokens=10, output_tokens=3, cached_tokens=1)
BROKEN = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)


def asked(step: int, n: int = 1) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(id=f"{step}.{i}", name="look", arguments=f'{{"at": {i}}}') for i in range(n))


def turn(step: int, n: int = 1) -> ModelTurn:
    return ModelTurn(raw=b'"turn %d"' % step, calls=asked(step, n), context_tokens=13)


def results(step: int, n: int = 1) -> ToolResults:
    return ToolResults(
        results=tuple(ToolResult(call=call, text=f"found {call.id}") for call in asked(step, n))
    )


def conversation(steps: int, n: int = 1) -> Turns:
    return tuple(one for step in range(1, steps + 1) for one in (turn(step, n), results(step, n)))


def calling(steps: int, n: int = 1) -> Callable[[Call, int], AttemptOutcome]:
    """A model that calls `n` tools in so many turns, then answers."""

    def answer(call: Call, number: int) -> AttemptOutcome:
        if number > steps:
            return Reply(text="done", usage=USED)
        reply = Reply(text="", usage=USED, calls=asked(number, n), turn=b'"turn %d"' % number)
        return ToolStep(turns=(*conversation(number - 1, n), turn(number, n)), reply=reply)

    return answer


class Tools:
    """Tools that take `took_s` each, together; `ran` are the calls that were started, with the time."""

    def __init__(self, took_s: float = 1.0, *, once: bool = False, stops: bool = False) -> None:
        self.took_s, self.once, self.stops = took_s, once, stops
        self.ran: list[tuple[float, str]] = []
        self.error: Exception | None = None
        self.traceback: str | None = None

    def name(self, one: ToolCall) -> str:
        return "look"

    def is_once(self, name: str) -> bool:
        return self.once

    async def run(
        self,
        call: Call,
        calls: tuple[ToolCall, ...],
        *,
        step: int,
        key: str,
        started_at: float,
        known: Mapping[int, ToolOutcome],
        on_start: Callable[[int], Awaitable[None]],
        on_end: Callable[[int, ToolOutcome], None],
    ) -> tuple[ToolOutcome, ...]:
        if self.error is not None:
            raise self.error

        async def one(place: int) -> ToolOutcome:
            if place in known:
                return known[place]
            await on_start(place)
            self.ran.append((round(asyncio.get_running_loop().time(), 3), calls[place].id))
            await asyncio.sleep(self.took_s)
            state = ToolCallState.STOPPED if self.stops else ToolCallState.DONE
            text = f"found {calls[place].id}"
            if self.traceback is not None:
                state, text = ToolCallState.ERROR, "KeyError: 'x'"
            outcome = ToolOutcome(
                call=calls[place],
                tool="look",
                state=state,
                text=text,
                error=self.traceback,
                started_at=0.0,
                took_s=self.took_s,
            )
            on_end(place, outcome)
            return outcome

        return tuple(await asyncio.gather(*(one(place) for place in range(len(calls)))))


def test_a_call_that_waits_for_its_tools_holds_no_slot() -> None:
    store = MemoryStore(3)
    ran = run(store, calling(1), in_flight=1, tools=Tools(2.0))
    # Six requests of a second; only the last answer waits for its tools' end.
    assert ran.result.peak_in_flight == 1
    assert ran.took <= 6.0 + 1.0 + 4 * COMMIT_S
    assert [call for call, turns in ran.attempts.seen] == [0, 1, 2, 0, 1, 2]


def test_conversations_go_on_with_the_results_and_end_with_what_they_took() -> None:
    store = MemoryStore(1)
    ran = run(store, calling(2, n=3), tools=Tools())
    assert [turns for _, turns in ran.attempts.seen] == [conversation(n, 3) for n in range(3)]
    (record,) = store.calls()
    assert record.outcome == Reply(
        text="done", usage=Usage(input_tokens=30, output_tokens=9, cached_tokens=3)
    )
    assert record.tools == ToolTotals(steps=3, calls=6, errors=0, seconds=6.0)
    assert (record.cost_nusd, record.attempts) == (3 * PRICE, 3)
    assert [(one.number, one.usage, one.cost_nusd) for one in store.steps()] == [
        (1, USED, PRICE),
        (2, USED, PRICE),
    ]
    assert [type(event) for event in ran.events if type(event) in (StepEnded, ToolStarted, ToolEnded)] == (
        [StepEnded, *[ToolStarted] * 3, *[ToolEnded] * 3] * 2
    )


def test_a_tool_that_raises_is_noted_once() -> None:
    tools = Tools()
    tools.traceback = (
        "Traceback …\n  File \"rates.py\", line 9, in rate\n    raise KeyError(name)\nKeyError: 'x'\n"
    )
    ran = run(MemoryStore(3), calling(1, n=2), tools=tools)
    assert sum(type(event) is ToolEnded for event in ran.events) == 6
    notes = [event.text for event in ran.events if type(event) is Note]
    assert notes == ["tool look raised KeyError: 'x' at rates.py, line 9, in rate; models are told"]


def test_calls_that_were_not_let_run_are_told_of_too() -> None:
    def answer(call: Call, number: int) -> AttemptOutcome:
        outcome = calling(1)(call, number)
        if isinstance(outcome, Reply):
            return outcome
        (one,) = asked(1)
        refused = ToolResults(results=(ToolResult(call=one, text="no more", is_error=True),))
        return ToolStep(turns=(*outcome.turns, refused), reply=outcome.reply)

    store = MemoryStore(1)
    ran = run(store, answer, tools=Tools())
    (ended,) = (event for event in ran.events if type(event) is ToolEnded)
    assert (ended.state, ended.message, ended.took_s) == ("error", "no more", None)
    (record,) = store.calls()
    assert record.tools is not None
    assert (record.tools.calls, record.tools.errors) == (1, 1)


def test_a_step_is_committed_before_the_next_request() -> None:
    store = MemoryStore(1, commits=False)

    def later(engine: Any) -> None:
        at(10.0, store.commit_all)
        at(30.0, store.commit_all)

    ran = run(store, calling(1), tools=Tools(0.0), later=later)
    assert ran.took == pytest.approx(30.0)
    assert [attempt.timing.started_at for attempt in store.attempts()] == [0.0, 10.0]


def test_what_may_run_once_starts_when_that_is_stored() -> None:
    store, tools = MemoryStore(1, commits=False), Tools(once=True)

    def later(engine: Any) -> None:
        at(5.0, store.commit_all)
        at(20.0, store.commit_all)

    run(store, calling(1), tools=tools, later=later)
    assert tools.ran == [(5.0, "1.0")]
    states = [outcome.state for record in store.tool_calls() for outcome in record.outcomes]
    assert states == [ToolCallState.STARTED, ToolCallState.DONE]


def test_a_tool_may_end_the_call() -> None:
    store = MemoryStore(1)
    ran = run(store, calling(1), tools=Tools(stops=True))
    (record,) = store.calls()
    assert isinstance(record.outcome, Failure) and record.outcome.kind is FailureKind.TOOLS
    assert record.outcome.message == "look ended the call: found 1.0"
    assert (record.outcome.usage, record.tools) == (USED, ToolTotals(steps=1, calls=1, errors=1, seconds=1.0))
    assert ran.result.status == "failed" and len(ran.of(CallFailed)) == 1


def test_tools_that_can_no_longer_be_run_stop_the_run() -> None:
    store, tools = MemoryStore(5), Tools()
    tools.error = UmweltenError("all places are taken by tools that do not return")
    ran = run(store, calling(1), in_flight=1, tools=tools)
    assert ran.result.status == "stopped"
    assert ran.reason == ("tools", "all places are taken by tools that do not return")
    assert store.calls() == []


def test_a_run_that_is_stopped_lets_tools_end_within_the_grace() -> None:
    store, tools = MemoryStore(1), Tools(5.0)
    ran = run(
        store,
        calling(1),
        tools=tools,
        later=lambda engine: at(2.0, lambda: engine.stop("enough", grace_s=9.0)),
    )
    assert ran.took == pytest.approx(6.0, abs=0.1)
    assert [one.state for record in store.tool_calls() for one in record.outcomes] == [ToolCallState.DONE]
    assert store.calls() == [] and len(ran.attempts.seen) == 1


def test_a_run_that_is_stopped_breaks_tools_off_after_the_grace() -> None:
    store, tools = MemoryStore(1), Tools(50.0)
    ran = run(
        store,
        calling(1),
        tools=tools,
        later=lambda engine: at(2.0, lambda: engine.stop("enough", grace_s=3.0)),
    )
    assert ran.took == pytest.approx(5.0)
    assert store.tool_calls() == store.calls() == []


def test_a_run_that_is_stopped_starts_no_tool_that_waits_for_its_turn() -> None:
    class InTurn(Tools):
        """One tool at a time."""

        async def run(self, call: Call, calls: tuple[ToolCall, ...], **more: Any) -> tuple[ToolOutcome, ...]:
            parts = [await Tools.run(self, call, (one,), **more) for one in calls]
            return tuple(outcome for part in parts for outcome in part)

    store, tools = MemoryStore(1), InTurn(1.0, once=True)
    ran = run(
        store,
        calling(1, n=30),
        tools=tools,
        later=lambda engine: at(2.5, lambda: engine.stop("enough", grace_s=20.0)),
    )
    assert len(tools.ran) == 2 and ran.took == pytest.approx(3.0, abs=0.1)
    states = [outcome.state for record in store.tool_calls() for outcome in record.outcomes]
    assert states == [ToolCallState.STARTED, ToolCallState.DONE] * 2


def test_a_store_that_fails_leaves_no_tool_waiting_for_it() -> None:
    store, tools = MemoryStore(1, commits=False), Tools(once=True)
    ran = run(
        store,
        calling(1),
        tools=tools,
        later=lambda engine: at(3.0, lambda: store.break_down(OSError("full"))),
    )
    assert ran.result.status == "stopped" and tools.ran == []
    assert ran.took == pytest.approx(3.0)


def test_lanes_stay_busy_while_tools_take_as_long_as_models() -> None:
    store = MemoryStore(100)
    ran = run(store, calling(3), in_flight=20, tools=Tools(1.0))
    ideal = 400 * 1.0 / 20
    assert ran.took <= 1.15 * ideal
    (sheet,) = ran.engine.attributions()
    busy = sheet.concurrency_s + sheet.latency_s
    assert busy >= 0.9 * ran.took


def test_a_failed_request_is_retried_with_its_conversation() -> None:
    store = MemoryStore(1)
    good = calling(1)

    def answer(call: Call, number: int) -> AttemptOutcome:
        return good(call, 1) if number == 1 else BROKEN if number < 4 else good(call, 2)

    ran = run(store, answer, retries=2, tools=Tools())
    assert [turns for _, turns in ran.attempts.seen] == [(), *[conversation(1)] * 3]
    assert store.calls()[0].outcome.usage == Usage(input_tokens=20, output_tokens=6, cached_tokens=2)


def test_a_request_that_was_refused_leaves_the_tokens_of_the_steps_known() -> None:
    store = MemoryStore(1)
    run(store, lambda call, number: calling(1)(call, 1) if number == 1 else BROKEN, tools=Tools())
    (record,) = store.calls()
    assert isinstance(record.outcome, Failure) and record.outcome.usage == USED


def test_calls_that_wait_for_their_tools_at_once_leave_no_slot_empty() -> None:
    def known(call: Call) -> BegunCall | None:
        return begun(turn(1)) if call.id < 256 else None

    store = MemoryStore(257)
    ran = run(store, calling(0), begun=known, tools=Tools(50.0))
    assert ran.attempts.seen[0] == (256, ())
    assert min(one.timing.started_at for one in store.attempts()) == 0.0


# --- going on after an interruption ----------------------------------------------------------


def begun(*turns: Turn, **more: Any) -> BegunCall:
    steps = sum(isinstance(one, ModelTurn) for one in turns)
    fields: dict[str, Any] = {
        "key": "k0",
        "content": b"",
        "turns": turns,
        "outcomes": {},
        "totals": ToolTotals(steps=steps, calls=steps, errors=0, seconds=1.0 * steps),
        "usage": USED,
        "cost_nusd": 100,
        "served_by": "lane 1",
        "started_at": 5.0,
        "tools": ("look",),
    }
    return BegunCall(**(fields | more))


def resumed(one: BegunCall, answer: Any, tools: Tools) -> tuple[Any, CallRecord | None]:
    store = MemoryStore(1)
    ran = run(store, answer, tools=tools, begun=lambda call: one)
    return ran, next(iter(store.calls()), None)


def test_a_call_goes_on_after_its_last_whole_step() -> None:
    tools = Tools()
    ran, record = resumed(begun(*conversation(1)), lambda call, number: Reply(text="done", usage=USED), tools)
    assert ran.attempts.seen == [(0, conversation(1))] and tools.ran == []
    assert record is not None
    assert record.tools == ToolTotals(steps=2, calls=1, errors=0, seconds=1.0)
    assert record.outcome.usage.input_tokens == 20
    assert record.cost_nusd == 100 + PRICE


def test_only_calls_without_a_result_are_run_again() -> None:
    tools = Tools()
    there = ToolOutcome(
        call=asked(1, 2)[0], tool="look", state=ToolCallState.DONE, text="found 1.0", took_s=1.0
    )
    one = begun(turn(1, 2), outcomes={0: there})
    ran, record = resumed(one, lambda call, number: Reply(text="done", usage=USED), tools)
    assert [id for _, id in tools.ran] == ["1.1"]
    assert ran.attempts.seen == [(0, conversation(1, 2))]
    assert record is not None and record.tools == ToolTotals(steps=2, calls=2, errors=0, seconds=2.0)


def test_what_may_run_once_and_had_started_fails_its_call() -> None:
    tools = Tools(once=True)
    ran, record = resumed(begun(turn(1), running=("look",)), calling(0), tools)
    assert tools.ran == [] and ran.attempts.seen == []
    assert record is not None and isinstance(record.outcome, Failure)
    assert "look was started before the interruption and may have run" in record.outcome.message


def test_what_had_not_started_runs() -> None:
    tools = Tools(once=True)
    _, record = resumed(begun(turn(1)), lambda call, number: Reply(text="done", usage=USED), tools)
    assert [id for _, id in tools.ran] == ["1.0"]
    assert record is not None and isinstance(record.outcome, Reply)


@pytest.mark.parametrize("once", [True, False])
def test_a_conversation_that_came_to_no_answer_begins_anew_unless_its_tools_may_not(once: bool) -> None:
    tools = Tools(once=once)
    one = begun(*conversation(1), failed_as="tools")
    ran, record = resumed(one, lambda call, number: Reply(text="done", usage=USED), tools)
    assert record is not None
    assert isinstance(record.outcome, Failure if once else Reply)
    assert ran.attempts.seen == ([] if once else [(0, ())])


# --- what is held in memory ---------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 40_000])
def test_no_more_calls_begin_than_their_conversations_have_room(limit: int | None) -> None:
    store, tools = MemoryStore(2000), Tools(30.0)
    under_way = most = 0

    def answer(call: Call, number: int) -> AttemptOutcome:
        nonlocal under_way, most
        under_way += 1 if number == 1 else -1 if number == 3 else 0
        most = max(most, under_way)
        return calling(2)(call, number)

    def lengthy(call: Call, number: int) -> AttemptOutcome:
        step = answer(call, number)
        if not isinstance(step, ToolStep):
            return step
        long = ModelTurn(raw=b'"%s"' % (b"x" * 400), calls=asked(number))
        return ToolStep(turns=(*step.turns[:-1], long), reply=step.reply)

    ran = run(store, lengthy, in_flight=50, latency_s=0.01, tools=tools, max_bytes=limit)
    assert ran.result.status == "complete" and len(store.calls()) == 2000
    # Those that were fetched before it was full: a window, and what is in flight.
    assert most == 2000 if limit is None else 40_000 / 400 <= most <= 40_000 / 400 + 2 * WINDOW + 50


def test_conversations_of_a_lane_that_was_stopped_hold_no_other_model_back() -> None:
    def answer(call: Call, number: int) -> AttemptOutcome:
        if call.model == 2:
            return Reply(text="done")
        if number == 2:
            return DOWN
        long = ModelTurn(raw=b"x" * 400, calls=asked(1))
        return ToolStep(turns=(long,), reply=Reply(text="", calls=long.calls, turn=long.raw))

    def latency_s(call: Call, number: int) -> float:
        return 50.0 if call.model == 2 and call.id % WINDOW == 0 else 0.1

    store = MemoryStore(5 * WINDOW, models=2)
    ran = run(
        store,
        answer,
        models=2,
        in_flight=50,
        latency_s=latency_s,
        tools=Tools(),
        max_bytes=40_000,
    )
    assert [lane.name for lane in ran.pool.stopped_lanes()] == ["lane 1"]
    assert len(store.calls()) == 5 * WINDOW
    assert ran.took < 2 * 50.0, ran.took


# --- what requests take ----------------------------------------------------------------------


def test_a_cap_of_costs_waits_for_calls_whose_tools_are_run() -> None:
    def estimate(call: Call, turns: Turns) -> int:
        return 60 if turns else 50

    info = CallInfo({1: ModelRef("p1", "m")}, estimate=estimate)
    store = MemoryStore(2)
    ran = run(store, calling(1), in_flight=1, cap=75, info=info, tools=Tools(5.0))
    # The second call's first request fits beside what was paid; each next one is held to the cap as well.
    assert len(store.calls()) == 2
    assert ran.result.reason is None
