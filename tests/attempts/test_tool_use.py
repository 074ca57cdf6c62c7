"""What replies with calls of tools come to, and what the next request then offers."""

from __future__ import annotations

from typing import Any

import pytest

from umwelten.attempts.tool_use import LAST_TURN, ToolUse
from umwelten.prompts.tool_turns import CLOSING_WORDS, is_closing, next_request
from umwelten.tool_calls import (
    ModelTurn,
    OfferedTool,
    ToolCall,
    ToolDefinition,
    ToolResult,
    ToolResults,
    ToolSettings,
)
from umwelten.types import (
    Continue,
    Failure,
    FailureKind,
    FinishReason,
    Message,
    Reply,
    Role,
    Text,
    ToolStep,
    Turn,
    Usage,
)

LOOK = ToolDefinition(name="git__look", description="", parameters={"type": "object"})
EMPTY = Failure(kind=FailureKind.EMPTY, message="the answer is empty: no text")


def settings(max_steps: int = 3, choice: str = "auto") -> ToolSettings:
    tool = OfferedTool(name="git.look", definition=LOOK, fingerprint="1")
    return ToolSettings(tools=(tool,), choice=choice, max_steps=max_steps)


def call(n: int = 0, arguments: str = "{}") -> ToolCall:
    return ToolCall(id=f"c{n}", name="git__look", arguments=arguments)


def calls(*asked: ToolCall, **more: Any) -> Reply:
    return Reply(text="", turn=b"{}", calls=asked or (call(),), **more)


def turns(steps: int, *, error: bool = False, arguments: str = "{}", cut: bool = False) -> tuple[Turn, ...]:
    asked = call(arguments=arguments)
    results = ToolResults(results=(ToolResult(call=asked, text="found", is_error=error),))
    return (ModelTurn(raw=b"{}", calls=(asked,), cut=cut), results) * steps


def texts(step: object) -> list[str]:
    assert isinstance(step, ToolStep) and isinstance(step.turns[-1], ToolResults)
    return [result.text for result in step.turns[-1].results]


# --- replies ---------------------------------------------------------------------------------


def test_calls_are_a_step_whose_turn_goes_back_as_it_came() -> None:
    reply = calls(call(1), call(2), usage=Usage(input_tokens=7, output_tokens=2))
    step = ToolUse(settings()).follow(reply, turns(1))
    turn = ModelTurn(raw=b"{}", calls=(call(1), call(2)), context_tokens=9)
    assert step == ToolStep(turns=(*turns(1), turn), reply=reply)


def test_a_pause_is_a_step_without_calls() -> None:
    step = ToolUse(settings()).follow(Reply(text="so far", turn=b"[1]", paused=True), ())
    assert isinstance(step, ToolStep)
    assert step.turns == (ModelTurn(raw=b"[1]"),)


def test_an_answer_is_an_answer_and_marked_where_no_more_could_be_called() -> None:
    use, answer = ToolUse(settings()), Reply(text="42", marks=("coerced",))
    assert use.follow(answer, ()) == use.follow(answer, turns(1)) == answer
    marked = use.follow(answer, turns(2))
    assert isinstance(marked, Reply) and marked.marks == ("coerced", LAST_TURN)


def test_an_answer_with_one_step_allowed_is_not_marked() -> None:
    assert ToolUse(settings(1)).follow(Reply(text="42"), ()) == Reply(text="42")


def test_a_model_that_calls_in_its_last_step_is_told_so_once_then_the_call_fails() -> None:
    use = ToolUse(settings())
    step = use.follow(calls(call(1), call(2)), turns(2))
    assert texts(step) == ["no more tool calls are possible"] * 2
    assert isinstance(step, ToolStep) and all(one.is_error for one in step.turns[-1].results)  # type: ignore[union-attr]
    failed = use.follow(calls(call(3, '{"a": 1}'), usage=Usage(output_tokens=4)), step.turns)
    assert isinstance(failed, Failure)
    assert (failed.kind, failed.retry, failed.usage) == (FailureKind.TOOLS, False, Usage(output_tokens=4))
    assert failed.message.endswith('the last call: git__look({"a": 1})')


def test_a_model_that_pauses_for_ever_fails() -> None:
    paused = Reply(text="", turn=b"[]", paused=True)
    failed = ToolUse(settings(2)).follow(paused, (ModelTurn(raw=b"[]"),) * 2)
    assert isinstance(failed, Failure) and "paused" in failed.message


@pytest.mark.parametrize("arguments", ['{"a": "b', "[" * 100_000])
def test_cut_arguments_are_an_error_that_says_so_once(arguments: str) -> None:
    use = ToolUse(settings(9))
    reply = calls(call(1), call(2, arguments), finish_reason=FinishReason.LENGTH)
    step = use.follow(reply, ())
    assert texts(step) == [
        "not run: the limit of tokens cut off this turn",
        "the arguments were cut off at max_tokens",
    ]
    assert isinstance(step, ToolStep)
    failed = use.follow(reply, step.turns)
    assert isinstance(failed, Failure) and failed.kind is FailureKind.TOOLS
    assert "cut off at max_tokens for the second time" in failed.message


def test_whole_arguments_at_the_limit_are_run() -> None:
    step = ToolUse(settings()).follow(calls(call(1), finish_reason=FinishReason.LENGTH), ())
    assert isinstance(step, ToolStep) and isinstance(step.turns[-1], ModelTurn) and step.turns[-1].cut


def test_an_empty_answer_after_results_is_asked_for_once_in_words() -> None:
    use = ToolUse(settings())
    again = use.follow_empty(EMPTY, turns(1))
    assert isinstance(again, Continue) and again.failure is EMPTY
    last = again.turns[-1]
    assert (
        isinstance(last, ToolResults) and last.note == CLOSING_WORDS and last.results == turns(1)[-1].results
    )  # type: ignore[union-attr]
    failed = use.follow_empty(EMPTY, again.turns)
    assert isinstance(failed, Failure) and failed.kind is FailureKind.TOOLS and not failed.retry


@pytest.mark.parametrize("failure", [Failure(kind=FailureKind.SERVER, message="500"), EMPTY])
def test_other_failures_stay_what_they_are(failure: Failure) -> None:
    assert ToolUse(settings()).follow_empty(failure, ()) is failure
    if failure is not EMPTY:
        assert ToolUse(settings()).follow_empty(failure, turns(1)) is failure


# --- requests --------------------------------------------------------------------------------


@pytest.mark.parametrize("choice", ["any", "git.look"])
def test_a_forced_choice_holds_for_the_first_request_alone(choice: str) -> None:
    forced = "git__look" if choice == "git.look" else choice
    found = [next_request(turns(n), settings(4, choice)).choice for n in range(4)]
    assert found == [forced, "auto", "auto", "none"]


def test_no_calls_are_offered_where_the_user_wants_none() -> None:
    assert [next_request(turns(n), settings(4, "none")).choice for n in range(4)] == ["none"] * 4


def test_tools_are_declared_in_every_request_and_the_last_one_asks_for_an_answer() -> None:
    for steps in range(3):
        request = next_request(turns(steps), settings())
        assert request.tools == (LOOK,)
        last = request.turns[-1] if request.turns else ToolResults()
        assert isinstance(last, ToolResults)
        assert last.note == (CLOSING_WORDS if steps == 2 else "")


@pytest.mark.parametrize(
    ("before", "closes"),
    [
        (turns(2, error=True), False),
        (turns(3, error=True), True),
        (turns(3), False),
        ((*turns(2, error=True), *turns(1)), False),
        ((*turns(2, error=True), *turns(1, error=True, arguments='{"other": 1}')), False),
        ((*turns(3, error=True), *turns(1)), False),
    ],
)
def test_the_same_failing_call_three_times_in_a_row_closes_the_conversation(
    before: tuple[Turn, ...], closes: bool
) -> None:
    assert is_closing(before, settings(50)) is closes


def test_an_answer_that_is_put_right_may_call_nothing() -> None:
    correction = Message(role=Role.USER, parts=(Text(text="title is missing"),))
    request = next_request((*turns(1), correction), settings(50))
    assert (request.choice, request.turns) == ("none", (*turns(1), correction))
