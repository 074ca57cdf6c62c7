"""How calls of tools are run: together, in order, bounded in number and time, and what the model is told."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from reliability.runs import wait_for
from toolkit import CONTEXT, call, result, run, tool_runner
from umwelten.errors import UmweltenError
from umwelten.tool_calls import RunEnds, ToolCall, ToolCallState, ToolOutcome
from umwelten.tools.functions import FunctionTool, function_tool
from umwelten.tools.runner import MOST_CALLS, ToolsStuck
from umwelten.tools.tool import StopCall, Tool, ToolContext, ToolError, tool


def echo(text: str) -> str:
    return text


def states(outcomes: tuple[ToolOutcome, ...]) -> list[str]:
    return [str(outcome.state) for outcome in outcomes]


def test_results_are_in_the_order_of_the_calls_whatever_the_order_they_ended_in() -> None:
    first_may_end = threading.Event()

    def first() -> str:
        assert first_may_end.wait(10)
        return "first"

    async def second() -> str:
        first_may_end.set()
        return "second"

    outcomes = run([first, second], call("first"), call("second"))
    assert [outcome.text for outcome in outcomes] == ["first", "second"]
    assert all(outcome.started_at is not None and outcome.took_s is not None for outcome in outcomes)


def test_errors_are_told_and_their_traceback_begins_in_the_tool() -> None:
    def broken() -> str:
        raise ValueError("no rate for XYZ")

    outcome = result(broken)
    assert (outcome.state, outcome.text) == (ToolCallState.ERROR, "ValueError: no rate for XYZ")
    assert outcome.error is not None
    assert outcome.error.count("File ") == 1 and "in broken" in outcome.error


def test_an_error_that_has_no_text_of_its_own_is_told_by_its_type() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def broken() -> str:
        raise Mute

    outcome = result(broken)
    assert (outcome.state, outcome.text) == (ToolCallState.ERROR, "Mute")


def test_a_tool_error_is_told_as_it_is_and_a_stop_ends_the_call() -> None:
    def refusing() -> str:
        raise ToolError("no such account")

    def stopping() -> str:
        raise StopCall("the office is closed")

    refused, stopped = run([refusing, stopping], call("refusing"), call("stopping"))
    assert (refused.state, refused.text, refused.error) == (ToolCallState.ERROR, "no such account", None)
    assert (stopped.state, stopped.error) == (ToolCallState.STOPPED, "the office is closed")


@pytest.mark.parametrize(
    "raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(), asyncio.CancelledError()]
)
@pytest.mark.parametrize("as_coroutine", [False, True])
def test_whatever_a_tool_raises_ends_neither_the_run_nor_the_other_calls(
    raised: BaseException, as_coroutine: bool
) -> None:
    def blocking() -> str:
        raise raised

    async def waiting() -> str:
        raise raised

    waiting.__name__ = "blocking"
    outcomes = run([waiting if as_coroutine else blocking, echo], call("blocking"), call("echo", text="x"))
    assert states(outcomes) == ["error", "done"]


def test_a_call_without_a_result_in_time_is_an_error_and_the_others_go_on() -> None:
    never = threading.Event()

    def stuck() -> str:
        never.wait()
        return ""

    @tool(timeout_s=0.02)
    async def slow() -> str:
        await asyncio.sleep(60)
        return ""

    @tool(timeout_s=30)
    def quick() -> str:
        return "x"

    outcomes = run([stuck, slow, quick], call("stuck"), call("slow"), call("quick"), timeout_s=0.05)
    assert states(outcomes) == ["timeout", "timeout", "done"]
    assert [outcome.text for outcome in outcomes] == ["no result after 0.05 s", "no result after 0.02 s", "x"]
    never.set()


def test_tools_that_do_not_return_keep_their_places_until_none_is_left() -> None:
    never = threading.Event()

    @tool(timeout_s=0.02)
    def stuck() -> str:
        never.wait()
        return ""

    async def main() -> None:
        runner = tool_runner([function_tool(stuck), function_tool(echo)], concurrency=2)
        (first,) = await runner.run((call("stuck"),), CONTEXT)
        assert first.state is ToolCallState.TIMEOUT
        assert runner.given_up == {"stuck": 1}
        (second,) = await runner.run((call("echo", text="x"),), CONTEXT)
        assert second.state is ToolCallState.DONE
        with pytest.raises(ToolsStuck, match="2 tool calls ran out of time and did not return: stuck"):
            async with asyncio.timeout(30):
                await runner.run((call("stuck"), call("echo", text="x"), call("echo", text="y")), CONTEXT)
        with pytest.raises(ToolsStuck):
            await runner.run((call("echo", text="x"),), CONTEXT)
        never.set()
        while runner.given_up:
            await asyncio.sleep(0.005)
        (last,) = await runner.run((call("echo", text="again"),), CONTEXT)
        assert last.text == "again"

    asyncio.run(main())


def test_a_coroutine_that_ignores_its_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("umwelten.tools.runner._CANCEL_S", 0.01)

    async def main() -> None:
        may_end = threading.Event()

        async def stubborn() -> str:
            while not may_end.is_set():
                try:
                    await asyncio.sleep(0.001)
                except asyncio.CancelledError:
                    continue
            return "too late"

        runner = tool_runner([function_tool(stubborn)], timeout_s=0.01)
        (outcome,) = await runner.run((call("stubborn"),), CONTEXT)
        assert outcome.state is ToolCallState.TIMEOUT
        assert runner.given_up == {"stubborn": 1}
        may_end.set()
        while runner.given_up:
            await asyncio.sleep(0.001)

    asyncio.run(main())


def test_no_more_tools_are_at_work_than_allowed() -> None:
    at_work, most = 0, 0

    async def counted(n: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.001)
        at_work -= 1
        return n

    outcomes = run([counted], *(call("counted", n=n) for n in range(20)), concurrency=3)
    assert [outcome.text for outcome in outcomes] == [str(n) for n in range(20)]
    assert most == 3


def test_a_sequential_tool_is_run_one_at_a_time_in_order() -> None:
    order: list[str] = []

    @tool(sequential=True)
    async def book(seat: int) -> str:
        order.append(f"begin {seat}")
        await asyncio.sleep(0)
        order.append(f"end {seat}")
        return "booked"

    run([book], *(call("book", seat=n) for n in range(3)))
    assert order == [f"{what} {n}" for n in range(3) for what in ("begin", "end")]


def test_a_sequential_tool_that_does_not_return_is_not_run_beside_itself() -> None:
    never = threading.Event()

    @tool(sequential=True, timeout_s=0.02)
    def book() -> str:
        never.wait()
        return ""

    first, second = run([book], call("book"), call("book"))
    assert (first.state, second.state) == (ToolCallState.TIMEOUT, ToolCallState.ERROR)
    assert second.text == "book is still at work on an earlier call, which ran out of time"
    never.set()


@pytest.mark.parametrize("as_coroutine", [False, True])
def test_a_tool_that_fails_is_tried_again_as_often_as_it_says(
    as_coroutine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("umwelten.tools.work._PAUSE_S", 0.001)
    tries = 0

    def attempt() -> str:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("not yet")
        return "at last"

    @tool(retries=2, name="flaky")
    def blocking() -> str:
        return attempt()

    @tool(retries=2, name="flaky")
    async def waiting() -> str:
        return attempt()

    function = waiting if as_coroutine else blocking
    assert result(function).text == "at last"
    tries = -1  # one try more than it has
    assert result(function).text == "OSError: not yet"
    assert tries == 2


def test_at_most_32_calls_of_a_turn_are_run() -> None:
    outcomes = run([echo], *(call("echo", text=str(n)) for n in range(200)))
    assert states(outcomes) == ["done"] * MOST_CALLS + ["error"] * (200 - MOST_CALLS)
    assert outcomes[-1].text == "too many calls in one turn: at most 32 are run"


def test_an_unknown_tool_is_told_with_those_that_there_are() -> None:
    (outcome,) = run([echo], call("ecko"))
    assert outcome.state is ToolCallState.UNKNOWN
    assert outcome.text == "there is no tool 'ecko'. Did you mean echo? The tools are: echo"
    assert run([echo], ToolCall(id="x", name="\ud800\0" * 10_000))[0].text.isprintable()


def test_a_denied_tool_is_not_run() -> None:
    (outcome,) = run([echo], call("echo", text="x"), denied=lambda each: f"denied: {each.name}")
    assert (outcome.state, outcome.text, outcome.started_at) == (ToolCallState.DENIED, "denied: echo", None)


def test_known_outcomes_are_not_run_again_and_each_start_is_announced() -> None:
    seen: list[Any] = []

    async def main() -> tuple[ToolOutcome, ...]:
        async def on_start(place: int, started: ToolCall, announced: Tool) -> None:
            seen.append(("start", place, announced.name))

        runner = tool_runner([function_tool(echo)], clock=lambda: 5.0)
        calls = (call("echo", text="a"), call("echo", text="b"), call("none"))
        known = {0: ToolOutcome(call=calls[0], tool="echo", state=ToolCallState.DONE, text="stored")}
        return await runner.run(
            calls,
            CONTEXT,
            on_start=on_start,
            on_end=lambda place, outcome: seen.append(("end", place)),
            known=known,
        )

    outcomes = asyncio.run(main())
    assert [outcome.text for outcome in outcomes][:2] == ["stored", "b"]
    assert sorted(seen) == [("end", 1), ("end", 2), ("start", 1, "echo")]
    assert outcomes[1].started_at == 5.0


def test_a_start_that_cannot_be_stored_starts_nothing() -> None:
    ran = []

    def effect() -> str:
        ran.append(1)
        return ""

    async def main() -> None:
        async def on_start(*_: object) -> None:
            raise UmweltenError("the disk is full")

        runner = tool_runner([function_tool(effect)], concurrency=1)
        for _ in range(2):  # the place is free again
            with pytest.raises(UmweltenError, match="the disk is full"):
                await runner.run((call("effect"),), CONTEXT, on_start=on_start)

    asyncio.run(main())
    assert not ran


def test_a_run_that_is_cancelled_cancels_its_tools() -> None:
    began, ended = [], []

    async def waiting() -> str:
        began.append(1)
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(1)
        return ""

    async def main() -> None:
        runner = tool_runner([function_tool(waiting)])
        task = asyncio.ensure_future(runner.run((call("waiting"), call("waiting")), CONTEXT))
        while len(began) < 2:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    wait_for(lambda: ended == [1, 1])


def test_secrets_are_taken_out_of_what_is_told_and_kept() -> None:
    def leaking() -> str:
        raise ValueError("key sk-123")

    def hide(text: str) -> str:
        return text.replace("sk-123", "***")

    (outcome,) = run([leaking], call("leaking"), masked=hide, masked_error=hide)
    assert "sk-123" not in f"{outcome.text}{outcome.error}"


def test_a_context_says_for_which_call_a_tool_is_run() -> None:
    def who(context: ToolContext) -> str:
        return f"{context.model} {context.input_name} {context.step} {context.place}"

    outcomes = run([who], call("who"), call("who"))
    assert [outcome.text for outcome in outcomes] == ["simulated:a a.txt 1 0", "simulated:a a.txt 1 1"]
    assert "context" not in str(FunctionTool(who).definition.parameters)


def test_where_the_run_ends_no_further_tool_starts_and_those_at_work_may_end() -> None:
    ended: list[int] = []
    may_end = threading.Event()

    def slow() -> str:
        assert may_end.wait(10)
        return "done"

    async def on_start(place: int, asked: ToolCall, tool: Tool) -> None:
        if place:
            may_end.set()
            raise RunEnds

    async def main() -> None:
        runner = tool_runner([function_tool(slow)])
        await runner.run(
            (call("slow"), call("slow")),
            CONTEXT,
            on_start=on_start,
            on_end=lambda place, outcome: ended.append(place),
        )

    with pytest.raises(RunEnds):
        asyncio.run(main())
    assert ended == [0]
