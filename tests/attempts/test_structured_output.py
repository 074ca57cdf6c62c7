"""Answers held against a schema, and what is said to the model about those that do not fit."""

from __future__ import annotations

import json

import pytest

from umwelten.attempts.structured_output import StructuredOutput
from umwelten.report.advice import advice
from umwelten.schema import OutputSchema, compile_schema, load_schema
from umwelten.types import (
    Budget,
    Continue,
    Failure,
    FailureKind,
    FinishReason,
    RateLimitHints,
    Reply,
    Resource,
    Role,
    Text,
    Usage,
)
from wirekit import assistant, user

STRUCTURED = StructuredOutput(compile_schema(load_schema("title, year int").schema))
USAGE = Usage(input_tokens=10, output_tokens=20)
HINTS = RateLimitHints(budgets=(Budget(resource=Resource.REQUESTS, limit=60, remaining=3),))
EARLIER = (assistant("{}"), user("title: is missing"))


def reply(text: str, reason: FinishReason = FinishReason.STOP) -> Reply:
    return Reply(text=text, finish_reason=reason, usage=USAGE, request_id="r1", hints=HINTS)


def said(outcome: Reply | Continue) -> list[tuple[Role, str]]:
    assert isinstance(outcome, Continue)
    return [(turn.role, part.text) for turn in outcome.turns for part in turn.parts if isinstance(part, Text)]


def test_an_answer_that_fits_is_the_reply_with_its_record() -> None:
    right = reply('{"title": "A", "year": 7}')
    outcome = STRUCTURED.check(right)
    assert isinstance(outcome, Reply)
    assert outcome.data == '{"title":"A","year":7}'
    assert (outcome.text, outcome.usage, outcome.marks) == (right.text, USAGE, ())


def test_an_answer_that_needed_a_correction_is_marked_behind_what_else_it_took() -> None:
    outcome = STRUCTURED.check(reply('Here:\n```json\n{"title": "A", "year": 7}\n```'), EARLIER)
    assert isinstance(outcome, Reply)
    assert outcome.marks == ("fenced", "asked again")


def test_one_that_does_not_fit_is_followed_by_itself_and_its_faults() -> None:
    wrong = '{"title": 7}'
    outcome = STRUCTURED.check(reply(wrong))
    assert isinstance(outcome, Continue)
    answer, faults = said(outcome)
    assert answer == (Role.ASSISTANT, wrong)
    assert faults[0] is Role.USER
    assert "title: 7 is not a string" in faults[1]
    failure = outcome.failure
    assert (failure.kind, failure.retry, failure.partial) == (FailureKind.SCHEMA, True, wrong)
    assert (failure.request_id, outcome.usage, outcome.hints) == ("r1", USAGE, HINTS)


def test_the_conversation_so_far_comes_first() -> None:
    outcome = STRUCTURED.check(reply("no idea"), EARLIER)
    assert isinstance(outcome, Continue)
    assert outcome.turns[:2] == EARLIER
    assert len(outcome.turns) == 4


def test_an_answer_cut_off_at_its_limit_is_told_so_and_not_repaired() -> None:
    outcome = STRUCTURED.check(reply('{"title": "A", "year": 7', FinishReason.LENGTH))
    assert isinstance(outcome, Continue)
    assert outcome.failure.message == (
        "the answer was cut off at the limit of tokens; thinking counts too: raise max_tokens"
    )
    assert (outcome.failure.partial, outcome.failure.usage) == ('{"title": "A", "year": 7', USAGE)


@pytest.mark.parametrize(
    "text", ["", "Let me think", '{"title": "A", "ye', 'Draft: {"title": "A", "year": 7}. Final: {"ti']
)
def test_one_cut_off_is_not_asked_for_again_under_the_same_limit(text: str) -> None:
    shape = compile_schema(load_schema("title, year int").schema)
    structured = StructuredOutput(shape, spelling=lambda name, _: f"--{name.replace('_', '-')}")
    for turns in ((), EARLIER):
        outcome = structured.check(reply(text, FinishReason.LENGTH), turns)
        assert isinstance(outcome, Continue)
        assert not outcome.failure.retry
        assert "; thinking counts too: raise --max-tokens" in outcome.failure.message
    assert "--max-tokens" in advice(
        "schema", message=outcome.failure.message, spelling=lambda name, _: f"--{name.replace('_', '-')}"
    )


def test_nor_is_one_that_the_provider_says_was_cut_off() -> None:
    rejection = Failure(
        kind=FailureKind.SCHEMA,
        message="Failed to validate JSON. See 'failed_generation'.",
        code="json_validate_failed",
        partial="max completion tokens reached before generating a valid document",
    )
    outcome = STRUCTURED.follow_rejection(rejection)
    assert not outcome.failure.retry
    assert outcome.failure.message.startswith("the answer was cut off at the limit of tokens")


def test_one_that_ends_at_its_limit_and_is_whole_fits() -> None:
    assert isinstance(STRUCTURED.check(reply('{"title": "A", "year": 7}', FinishReason.LENGTH)), Reply)


def test_coercion_is_the_users_choice() -> None:
    spelt = reply('{"title": "A", "year": "7"}')
    assert isinstance(STRUCTURED.check(spelt), Continue)
    outcome = StructuredOutput(compile_schema(load_schema("title, year int").schema), coerce=True).check(
        spelt
    )
    assert isinstance(outcome, Reply)
    assert (json.loads(outcome.data or ""), outcome.marks) == ({"title": "A", "year": 7}, ("coerced",))


@pytest.mark.parametrize("partial", ['{"title":', None])
def test_a_rejection_by_the_provider_goes_on_with_what_it_says(partial: str | None) -> None:
    rejection = Failure(
        kind=FailureKind.SCHEMA,
        message="Failed to validate JSON.",
        code="json_validate_failed",
        status=400,
        partial=partial,
    )
    outcome = STRUCTURED.follow_rejection(rejection, EARLIER)
    assert outcome.turns[:2] == EARLIER
    answer, faults = said(outcome)[2:]
    assert answer == (Role.ASSISTANT, partial or "(no answer)")
    assert "- Failed to validate JSON." in faults[1]
    assert (outcome.failure.code, outcome.failure.status) == (None, 400)


def test_nothing_of_one_call_is_kept_for_another() -> None:
    shape = OutputSchema(load_schema("title").schema)
    structured = StructuredOutput(shape)
    for _ in range(3):
        structured.check(reply("no"))
    outcome = structured.check(reply('{"title": "A"}'))
    assert isinstance(outcome, Reply)
    assert outcome.marks == ()
