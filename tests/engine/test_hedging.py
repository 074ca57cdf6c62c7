"""The slowest calls are sent once more, within a share of all; the first answer counts, both are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.memory import PRICE, MemoryStore, Run, answer_all, at, model_name, run
from umwelten.control.hedging import FEWEST
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import CallInfo
from umwelten.events import AttemptDropped, AttemptFailed, CallStarted, CallSucceeded, Event, TextArrived
from umwelten.tally import Tally
from umwelten.types import AttemptOutcome, Call, Continue, Failure, FailureKind, Message, Reply, Role

SLOW_S = 6.0
SUPERSEDED = FailureKind.SUPERSEDED
BUSY = Failure(kind=FailureKind.RATE_LIMIT, message="slow down", status=429)
BROKEN = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)
DOWN = Failure(kind=FailureKind.UNAVAILABLE, message="key refused", retry=False, lane_down=True)


def slow(*calls: int, second_s: float = 1.0) -> Callable[[Call, int], float]:
    """These calls take six times as long, others between 0.9 and 1.1 s; second attempts take `second_s`."""
    return lambda call, number: (
        second_s if number > 1 else SLOW_S if call.id in calls else 0.9 + 0.2 * (call.id % 7) / 6
    )


def hedged(ran: Run) -> list[int]:
    return [event.call.id for event in ran.of(CallStarted) if event.hedge]


def rows(store: MemoryStore, call: int) -> list[tuple[int, str, int | None]]:
    """The call's attempts as they are stored: number, outcome, cost."""
    return [
        (a.number, str(a.outcome.kind) if isinstance(a.outcome, Failure) else "answered", a.cost_nusd)
        for a in store.attempts()
        if a.call.id == call
    ]


def test_the_slowest_calls_are_sent_once_more_and_the_first_answer_counts() -> None:
    store = MemoryStore(100)
    ran = run(store, latency_s=slow(50, 99), in_flight=10, hedge=0.05)
    plain = run(MemoryStore(100), latency_s=slow(50, 99), in_flight=10)
    assert (ran.result.status, ran.result.failed) == ("complete", 0)
    assert hedged(ran) == [50, 99]
    assert plain.took - ran.took > 3
    assert hedged(plain) == []
    for call in (50, 99):
        assert rows(store, call) == [(1, "superseded", None), (2, "answered", PRICE)]
        (record,) = [record for record in store.calls() if record.call.id == call]
        assert (record.outcome, record.attempts, record.cost_nusd) == (Reply(text=f"{call}"), 2, None)
        # From the first attempt's start: what the second took is not added.
        assert record.time_s == pytest.approx(2.2, abs=0.3)
    assert ran.attempts.cancelled == 2
    (first, _) = ran.of(AttemptDropped)
    assert (first.attempt, first.hedge, first.failure.kind, first.cost_nusd) == (1, False, SUPERSEDED, None)
    tally = Tally()
    for event in ran.events:
        tally(event)
    assert (tally.hedged, tally.hedges_won, tally.retries, tally.succeeded) == (2, 2, 0, 100)


def test_the_first_attempt_may_still_be_answered_first() -> None:
    store = MemoryStore(100)
    info = CallInfo({1: model_name(1)}, broken_off=lambda call: 0)
    ran = run(store, latency_s=slow(50, second_s=30.0), in_flight=10, hedge=0.05, info=info)
    assert rows(store, 50) == [(2, "superseded", 0), (1, "answered", PRICE)]
    (record,) = [record for record in store.calls() if record.call.id == 50]
    assert (record.attempts, record.cost_nusd, record.time_s) == (2, PRICE, pytest.approx(SLOW_S))
    assert [event.hedge for event in ran.of(AttemptDropped)] == [True]


def test_no_call_is_known_to_be_slow_before_there_are_answers() -> None:
    assert hedged(run(MemoryStore(FEWEST), latency_s=slow(7), in_flight=20, hedge=0.5)) == []
    # All of a first round have run as long as each other: that only some are answered says nothing.
    even = run(MemoryStore(60), latency_s=lambda call, n: 1 + call.id / 50, in_flight=60, hedge=0.05)
    assert len(hedged(even)) <= 3


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from([0.5, 1.0, 1.1, 4.0, 20.0]), min_size=60, max_size=150),
    st.sampled_from([0.01, 0.05, 0.2, 1.0]),
    st.integers(1, 30),
)
def test_no_more_than_the_share_is_sent_again_at_any_time(
    latencies: list[float], share: float, in_flight: int
) -> None:
    store, ended = MemoryStore(len(latencies)), 0

    def answer(call: Call, number: int) -> AttemptOutcome:
        nonlocal ended
        ended += 1
        return answer_all(call, number)

    def observe(event: Event) -> None:
        if isinstance(event, CallStarted) and event.hedge:
            sent_again.append(ended)

    sent_again: list[int] = []
    ran = run(
        store,
        answer,
        observer=observe,
        latency_s=lambda call, n: latencies[(call.id * n) % len(latencies)],
        in_flight=in_flight,
        hedge=share,
    )
    once = again = 0
    for event in ran.of(CallStarted):
        once, again = once + (not event.hedge), again + event.hedge
        assert again <= share * once
    # Of what was spent so far, too: all answers cost the same.
    assert all(number <= share * spent for number, spent in enumerate(sent_again, 1))
    assert ran.attempts.peak <= in_flight
    assert len({record.call.id for record in store.calls()}) == len(store.calls()) == len(latencies)
    assert len(store.attempts()) == once + again
    assert len(set(hedged(ran))) == again


def test_long_inputs_are_not_sent_again_beyond_the_share_of_tokens() -> None:
    def tokens(call: Call, turns: object) -> tuple[int, int | None]:
        return (5_000, None) if call.id == 50 else (100, None)

    info = CallInfo({1: model_name(1)}, tokens=tokens)
    ran = run(MemoryStore(100), latency_s=slow(50, 70), in_flight=10, hedge=0.05, info=info)
    assert hedged(ran) == [70]


@pytest.mark.parametrize("known", [True, False], ids=["priced", "unpriced"])
def test_long_answers_are_not_sent_again_beyond_the_share_of_the_cost(known: bool) -> None:
    def price(call: Call) -> int | None:
        return (300 if call.id % 25 == 24 or call.id == 3 else 10) if known else None

    # What a dear answer costs is known from the first round on.
    store, again = MemoryStore(400), range(24, 400, 25)
    ran = run(store, latency_s=slow(*again, second_s=SLOW_S), in_flight=10, hedge=0.05, price=price)
    spent = sum(record.cost_nusd or 300 for record in store.calls()) if known else 0
    if known:
        assert 0 < len(hedged(ran)) * 300 <= 0.05 * spent
    else:
        assert 5 < len(hedged(ran)) <= 0.05 * 400


def test_attempts_of_one_call_make_no_room_for_more() -> None:
    """Calls are counted, not the attempts that it takes until they are answered."""

    def answer(call: Call, number: int) -> AttemptOutcome:
        asked_again = call.id < 60 and number < 3
        failure = Failure(kind=FailureKind.SCHEMA, message="no record")
        return Continue(turns=(), failure=failure) if asked_again else answer_all(call, number)

    ran = run(
        MemoryStore(100), answer, latency_s=slow(65, 72, 80, 88, 95), in_flight=10, hedge=0.02,
        price=lambda call: None,
    )  # fmt: skip
    assert ran.result.status == "complete"
    assert len(hedged(ran)) == 2


# --- what a second attempt may come to -------------------------------------------------------


def second(outcome: AttemptOutcome, call: int = 50) -> Callable[[Call, int], AttemptOutcome]:
    return lambda of, number: outcome if of.id == call and number == 2 else answer_all(of, number)


@pytest.mark.parametrize("outcome", [BUSY, BROKEN], ids=["refused", "broken"])
def test_a_second_attempt_that_fails_fails_no_call(outcome: Failure) -> None:
    store = MemoryStore(100)
    ran = run(store, second(outcome), latency_s=slow(50), in_flight=10, hedge=0.05, retries=0)
    assert (ran.result.status, ran.result.failed) == ("complete", 0)
    assert rows(store, 50) == [(2, str(outcome.kind), PRICE), (1, "answered", PRICE)]
    assert ran.of(AttemptFailed) == []
    assert [(event.hedge, event.failure) for event in ran.of(AttemptDropped)] == [(True, outcome)]


def test_a_first_attempt_that_fails_leaves_the_call_to_the_second() -> None:
    def answer(call: Call, number: int) -> AttemptOutcome:
        return BROKEN if call.id == 50 and number == 1 else answer_all(call, number)

    store = MemoryStore(100)
    ran = run(store, answer, latency_s=slow(50, second_s=9.0), in_flight=10, hedge=0.05, retries=0)
    assert ran.result.status == "complete"
    assert rows(store, 50) == [(1, "server", PRICE), (2, "answered", PRICE)]


def test_two_attempts_that_fail_use_up_one_retry() -> None:
    def answer(call: Call, number: int) -> AttemptOutcome:
        return BROKEN if call.id == 50 else answer_all(call, number)

    store = MemoryStore(100)
    ran = run(store, answer, latency_s=slow(50), in_flight=10, hedge=0.05, retries=1)
    assert (ran.result.status, ran.result.failed) == ("failed", 1)
    assert rows(store, 50) == [(number, "server", PRICE) for number in (2, 1, 3)]
    assert len(ran.of(AttemptFailed)) == 1


def test_a_second_attempt_that_is_told_the_key_is_wrong_stops_the_lane_and_not_the_first() -> None:
    store = MemoryStore(100)
    ran = run(store, second(DOWN), latency_s=slow(50), in_flight=10, hedge=0.05)
    assert ran.result.status == "stopped"
    assert rows(store, 50)[-1] == (1, "answered", PRICE)


def test_a_second_attempt_that_is_answered_at_the_same_moment_is_priced() -> None:
    sent: dict[int, float] = {}

    def latency(call: Call, number: int) -> float:
        now = asyncio.get_running_loop().time()
        if call.id != 50:
            return 1.0
        if number == 1:
            sent[1] = now
            return SLOW_S
        return sent[1] + SLOW_S - now

    store = MemoryStore(100)
    run(store, latency_s=latency, in_flight=10, hedge=0.05)
    assert sorted(rows(store, 50)) == [(1, "answered", PRICE), (2, "superseded", PRICE)]
    (record,) = [record for record in store.calls() if record.call.id == 50]
    assert record.cost_nusd == 2 * PRICE


def test_a_conversation_goes_on_from_the_attempt_that_was_answered_first() -> None:
    failure = Failure(kind=FailureKind.SCHEMA, message="no record")
    turns = (Message(role=Role.ASSISTANT, parts=()),)

    def answer(call: Call, number: int) -> AttemptOutcome:
        asked_again = call.id == 50 and number == 2
        return Continue(turns=turns, failure=failure) if asked_again else answer_all(call, number)

    store = MemoryStore(100)
    ran = run(store, answer, latency_s=slow(50), in_flight=10, hedge=0.05)
    assert ran.result.status == "complete"
    assert rows(store, 50) == [(1, "superseded", None), (2, "schema", PRICE), (3, "answered", PRICE)]
    assert [seen for call, seen in ran.attempts.seen if call == 50] == [(), (), turns]


# --- when none is sent -----------------------------------------------------------------------


def test_none_is_sent_while_the_lane_is_throttled_or_down() -> None:
    for failure in (BUSY, BROKEN):

        def answer(call: Call, number: int, failure: Failure = failure) -> AttemptOutcome:
            return failure if call.id > 50 else answer_all(call, number)

        # The slow call is the only one that could still be answered.
        ran = run(
            MemoryStore(90), answer, latency_s=slow(50), in_flight=4, hedge=0.5, retries=0, max_errors=9
        )
        assert 50 not in hedged(ran)


@pytest.mark.parametrize(("room", "sent"), [(12, [59]), (4, [])])
def test_the_cost_cap_holds_for_both_attempts(room: int, sent: list[int]) -> None:
    """All calls but the slow one cost 7 each of a cap; how much is left when it may be sent again?"""
    info = CallInfo({1: model_name(1)}, estimate=lambda call, turns: 10, tokens=lambda call, turns: (1, 1))
    store = MemoryStore(60)
    ran = run(store, latency_s=slow(59), in_flight=10, hedge=0.05, info=info, cap=59 * PRICE + 10 + room)
    assert hedged(ran) == sent
    assert ran.result.status == "complete"
    # What was broken off may have cost all that was held for it.
    assert sum(10 if a.cost_nusd is None else a.cost_nusd for a in store.attempts()) <= 59 * PRICE + 10 + room


def test_stopping_breaks_both_off_and_leaves_the_call_pending() -> None:
    store = MemoryStore(100)

    def later(engine: Engine) -> None:
        at(11.5, lambda: engine.stop("enough", grace_s=0.0))

    ran = run(store, latency_s=slow(99, second_s=9.0), in_flight=10, hedge=0.05, later=later)
    assert hedged(ran) == [99]
    assert 99 not in {record.call.id for record in store.calls()}
    assert rows(store, 99) == []


# --- streams ---------------------------------------------------------------------------------


def test_of_two_streams_only_the_text_of_the_one_that_counts_is_shown() -> None:
    for second_s, dropped in ((1.0, 1), (5.5, 2), (30.0, 2)):
        # The text of a first attempt that is slow comes after three seconds, when the second is under way.
        # That of the second comes before the first is answered, if it takes 5.5 s in all.
        ran = run(
            MemoryStore(100), latency_s=slow(50, second_s=second_s), in_flight=10, hedge=0.05, stream=True
        )
        assert [event.attempt for event in ran.of(AttemptDropped)] == [dropped]
        texts = [event.text for event in ran.of(TextArrived) if event.call.id == 50]
        assert texts == ["so far "]
        assert len(ran.of(TextArrived)) == len(ran.of(CallSucceeded)) == 100


def test_a_call_of_which_text_was_shown_is_not_sent_again() -> None:
    ran = run(
        MemoryStore(100), latency_s=lambda call, n: 2.1 if call.id == 50 else 1.0, in_flight=10, hedge=0.05,
        stream=True,
    )  # fmt: skip
    assert hedged(ran) == []
