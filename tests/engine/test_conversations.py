"""Calls that need more than one request: their turns, estimates, bills and ends."""

from __future__ import annotations

from typing import Any

import pytest

from engine.memory import COMMIT_S, PRICE, MemoryStore, Turns, at, run
from umwelten.engine.interfaces import CallInfo
from umwelten.events import AttemptFailed, CallFailed, CallSucceeded
from umwelten.tally import Tally
from umwelten.types import (
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FailureKind,
    ModelRef,
    RateLimitHints,
    Reply,
    Usage,
)
from wirekit import assistant, user

MODEL = ModelRef("p", "m")
UNFIT = Failure(
    kind=FailureKind.SCHEMA,
    message="title: is missing",
    code="title",
    partial="{}",
    usage=Usage(input_tokens=5, output_tokens=2),
)
BROKEN = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)
LIMITED = Failure(
    kind=FailureKind.RATE_LIMIT, message="wait", status=429, hints=RateLimitHints(retry_after_s=20.0)
)
RIGHT = Reply(text="x")


def turns(n: int) -> Turns:
    """The conversation after `n` wrong answers."""
    return tuple(turn for i in range(n) for turn in (assistant(f"wrong {i}"), user(f"no, not {i}")))


def wrong(n: int) -> Continue:
    """The n-th wrong answer of a call."""
    return Continue(turns=turns(n), failure=UNFIT)


def script(*outcomes: AttemptOutcome) -> Any:
    return lambda call, number: outcomes[number - 1]


@pytest.mark.parametrize("right_at", [1, 2, 3, 4])
def test_an_answer_that_does_not_fit_is_followed_up_at_once_and_at_most_twice(right_at: int) -> None:
    tally, store = Tally(), MemoryStore(1)
    ran = run(store, lambda call, number: RIGHT if number >= right_at else wrong(number), observer=tally)
    attempts = min(right_at, 3)
    assert ran.result.status == ("complete" if right_at <= 3 else "failed")
    assert ran.attempts.seen == [(0, turns(n)) for n in range(attempts)]
    (record,) = store.calls()
    assert (record.attempts, record.cost_nusd) == (attempts, PRICE * attempts)
    assert record.time_s == pytest.approx(attempts)
    assert record.outcome == (RIGHT if right_at <= 3 else UNFIT)
    rows = store.attempts()
    assert [row.cost_nusd for row in rows] == [PRICE] * attempts
    assert [row.outcome for row in rows] == [UNFIT] * min(right_at - 1, 3) + [RIGHT] * (right_at <= 3)
    # No waiting between them.
    assert ran.took == pytest.approx(attempts + COMMIT_S, abs=0.01)
    assert isinstance(ran.events[-1], CallSucceeded if right_at <= 3 else CallFailed)
    again = ran.of(AttemptFailed)
    assert [(event.retry_in_s, event.counted, event.answered) for event in again] == [(0.0, False, True)] * (
        attempts - 1
    )
    assert (tally.asked_again, tally.retries) == (attempts - 1, 0)
    assert tally.failures == ({} if right_at <= 3 else {"schema": 1})


def test_a_follow_up_goes_before_calls_that_were_not_asked_yet() -> None:
    ran = run(MemoryStore(3), lambda call, number: wrong(1) if number == 1 else RIGHT, in_flight=1)
    assert [call for call, _ in ran.attempts.seen] == [0, 0, 1, 1, 2, 2]


def test_conversations_of_many_calls_do_not_mix() -> None:
    def answer(call: Call, number: int) -> AttemptOutcome:
        if number > 1 + call.id % 3:
            return RIGHT
        return Continue(turns=tuple(user(f"{call.id} {i}") for i in range(number)), failure=UNFIT)

    ran = run(MemoryStore(60), answer, in_flight=7)
    for call, said in ran.attempts.seen:
        assert said == tuple(user(f"{call} {i}") for i in range(len(said)))
    assert {len(said) for _, said in ran.attempts.seen} == {0, 1, 2}


def test_a_failure_in_between_keeps_the_conversation_and_has_retries_of_its_own() -> None:
    store = MemoryStore(1)
    ran = run(store, script(BROKEN, wrong(1), BROKEN, LIMITED, wrong(2), RIGHT), retries=2)
    assert [len(said) for _, said in ran.attempts.seen] == [0, 0, 2, 2, 2, 4]
    (record,) = store.calls()
    assert (record.outcome, record.attempts, record.cost_nusd) == (RIGHT, 6, 6 * PRICE)
    assert ran.took > 6 + 1
    assert [event.answered for event in ran.of(AttemptFailed)] == [False, True, False, False, True]


def test_a_failure_that_ends_the_call_in_between_is_the_calls() -> None:
    store = MemoryStore(1)
    run(store, script(wrong(1), BROKEN), retries=0)
    assert [record.outcome for record in store.attempts()] == [UNFIT, BROKEN]
    assert store.calls()[0].outcome == BROKEN


def test_an_answer_that_must_not_be_followed_up_ends_its_call() -> None:
    final = Failure(kind=FailureKind.SCHEMA, message="no", retry=False)
    store = MemoryStore(1)
    ran = run(store, script(Continue(turns=turns(1), failure=final)))
    assert [record.outcome for record in store.calls()] == [final]
    assert len(ran.attempts.seen) == 1


def test_each_request_is_estimated_with_what_was_said_by_then() -> None:
    asked: list[int] = []

    def tokens(call: Call, said: Turns) -> tuple[int, int | None]:
        asked.append(len(said))
        return 10 + len(said), 10

    info = CallInfo({1: MODEL}, tokens=tokens)
    run(MemoryStore(1), script(wrong(1), wrong(2), RIGHT), info=info)
    assert asked == [0, 2, 4]


def test_a_follow_up_that_the_cost_cap_has_no_room_for_is_not_made() -> None:
    info = CallInfo(
        {1: MODEL},
        estimate=lambda call, said: 10 + 40 * len(said),
        tokens=lambda call, said: (1, 1),
    )
    store = MemoryStore(1)
    ran = run(store, script(wrong(1), RIGHT), info=info, cap=60)
    assert len(ran.attempts.seen) == 1
    assert ran.result.status == "stopped"
    assert ran.reason is not None
    assert ran.reason[0] == "max_cost"
    assert (len(store.attempts()), store.calls()) == (1, []), "paid for, recorded, and pending"


def test_a_stop_between_two_requests_leaves_the_call_pending() -> None:
    store = MemoryStore(1)
    ran = run(
        store, lambda call, number: wrong(number), later=lambda engine: at(0.5, lambda: engine.stop("enough"))
    )
    assert len(ran.attempts.seen) == 1
    assert ran.result.status == "stopped"
    assert ([row.outcome for row in store.attempts()], store.calls()) == ([UNFIT], [])
    assert ran.result.failed == 0


def test_a_lane_that_stops_between_two_requests_leaves_the_call_pending() -> None:
    down = Failure(kind=FailureKind.UNAVAILABLE, message="credit used up", retry=False, lane_down=True)
    store = MemoryStore(1)
    ran = run(store, script(wrong(1), down))
    assert (ran.result.status, ran.reason) == ("stopped", ("unavailable", "lane 1 is unavailable"))
    assert store.calls() == []


def test_calls_given_up_for_their_answers_count_for_max_errors() -> None:
    store = MemoryStore(50)
    ran = run(store, lambda call, number: wrong(number), in_flight=1, max_errors=2)
    assert (ran.result.status, ran.result.failed) == ("stopped", 2)
    assert len(ran.attempts.seen) == 6
