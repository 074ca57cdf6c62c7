"""A lane that stands still says why, since when, until when and when it gives up, and not too often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from engine.memory import MemoryStore, Run, at, run
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import CallInfo
from umwelten.engine.waits import FIRST_S
from umwelten.events import LaneResumed, LaneStopped, LaneWaiting
from umwelten.types import (
    AttemptOutcome,
    Budget,
    Call,
    Failure,
    FailureKind,
    ModelRef,
    RateLimitHints,
    Reply,
    Resource,
    Usage,
)

Answer = Callable[[Call, int], AttemptOutcome]
SPENT = RateLimitHints(budgets=(Budget(resource=Resource.TOKENS, limit=100, remaining=0, reset_s=60.0),))


def refused(hint: float | None = None, hints: RateLimitHints | None = None, status: int = 429) -> Failure:
    hints = hints or RateLimitHints(retry_after_s=hint)
    return Failure(kind=FailureKind.RATE_LIMIT, message="slow down", status=status, hints=hints)


def broken(kind: FailureKind, status: int | None = None) -> Failure:
    return Failure(kind=kind, message="gone", status=status)


def always(failure: Failure) -> Answer:
    return lambda call, number: failure


def after(n: int, failure: Failure, until: float = float("inf")) -> Answer:
    """`n` answers first, and answers again once so many seconds have passed."""
    left = [n]

    def answer(call: Call, number: int) -> AttemptOutcome:
        left[0] -= 1
        well = left[0] >= 0 or asyncio.get_running_loop().time() >= until
        return Reply(text="x", usage=Usage(input_tokens=1, output_tokens=1)) if well else failure

    return answer


def waits(ran: Run) -> list[LaneWaiting]:
    return ran.of(LaneWaiting)


# --- a provider that only refuses ------------------------------------------------------------


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (6, 5), (0, 100)])
@pytest.mark.parametrize("first", [0, 20])
@pytest.mark.parametrize(
    "failure", [refused(), refused(60.0), refused(hints=SPENT), refused(status=529)], ids=str
)
def test_nothing_but_refusals_ends_when_it_was_said_to_end(
    retries: int, calls: int, first: int, failure: Failure
) -> None:
    store = MemoryStore(first + calls)
    ran = run(store, after(first, failure), retries=retries, max_errors=1)
    (stopped,) = ran.of(LaneStopped)
    assert (ran.result.status, ran.result.failed, len(store.calls())) == ("stopped", 0, first)
    assert ran.reason == ("unavailable", "lane 1 is unavailable")
    said = waits(ran)
    assert {(event.reason, event.status, event.message) for event in said} == {
        ("rate_limit", failure.status, "slow down")
    }
    assert stopped.failure.message.startswith("nothing but rate limits for 90")
    # The attempt that ends it goes when it was said, and takes a second; so all the reports are true.
    ends = [event.gives_up_unix or 0.0 for event in said]
    assert ends == pytest.approx([said[0].since_unix + 900] * len(said), abs=0.01)
    assert ran.took == pytest.approx(ends[-1] - said[0].since_unix + first / 4 + 2, abs=1.1)
    assert {event.resource for event in said} <= {None, Resource.TOKENS, Resource.REQUESTS}


def test_reports_come_ever_more_rarely() -> None:
    said = waits(run(MemoryStore(5), always(refused())))
    times = [round(event.waited_s) for event in said]
    assert times[0] in (2, 3)
    assert all(1.5 * a <= b <= 2.5 * a for a, b in pairwise(times))
    assert len(said) == 9
    assert [event.failures for event in said] == sorted({event.failures for event in said})
    assert said[0].failures > 0


def test_a_lane_that_has_answered_is_told_later() -> None:
    said = waits(run(MemoryStore(30), after(20, refused(), until=45.0), retries=0))
    assert round(said[0].waited_s) in (5, 6)


def test_a_wait_that_is_longer_than_the_patience_ends_at_once() -> None:
    ran = run(MemoryStore(5), always(refused(901.0)))
    assert (ran.result.status, ran.took <= 3, waits(ran)) == ("stopped", True, [])


# --- other reasons ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (broken(FailureKind.SERVER, 503), "outage"),
        (broken(FailureKind.TIMEOUT), "outage"),
        (broken(FailureKind.CONNECTION), "connection"),
    ],
    ids=["503", "timeout", "connection"],
)
def test_an_outage_is_told_with_its_end(failure: Failure, reason: str) -> None:
    ran = run(MemoryStore(100), after(20, failure), retries=6)
    assert {event.reason for event in waits(ran)} == {reason}
    last = waits(ran)[-1]
    assert last.gives_up_unix is not None
    assert last.gives_up_unix - last.since_unix == pytest.approx(300)
    assert len(ran.of(LaneStopped)) == 1
    assert ran.of(LaneResumed) == []


def test_a_lane_resumed_with_an_answer_and_not_with_an_attempt() -> None:
    ran = run(MemoryStore(30), after(20, refused(), until=45.0), retries=0)
    assert ran.result.status == "complete"
    told = [event for event in waits(ran) if event.reason == "rate_limit"]
    (went_on,) = [event for event in ran.of(LaneResumed) if event.reason == "rate_limit"]
    assert went_on.waited_s == pytest.approx(45, abs=10)
    assert len(told) == 4
    assert all(event.at_unix < went_on.at_unix for event in told)


def test_a_call_that_waits_after_failures_is_told_and_nothing_gives_up() -> None:
    failure = Failure(
        kind=FailureKind.SERVER, message="gone", status=503, hints=RateLimitHints(retry_after_s=20.0)
    )
    ran = run(MemoryStore(1), lambda call, n: failure if n == 1 else Reply(text="x"), retries=3)
    first = waits(ran)[0]
    assert (first.reason, first.gives_up_unix, first.message) == ("retry", None, "gone")
    assert first.until_unix is not None
    assert first.until_unix - first.since_unix == pytest.approx(20, abs=1.1)
    assert [event.waited_s for event in waits(ran)] == pytest.approx([2, 4, 8, 16], abs=1.1)
    assert {event.failures for event in waits(ran)} == {1}


def window(limit: int, period_s: float, resource: Resource = Resource.REQUESTS) -> Answer:
    """A fixed window of calls, stated as calls or as tokens, ten a call."""
    each = 1 if resource is Resource.REQUESTS else 10
    begun, used = -1, 0

    def answer(call: Call, number: int) -> AttemptOutcome:
        nonlocal begun, used
        now = asyncio.get_running_loop().time()
        if now // period_s > begun:
            begun, used = int(now // period_s), 0
        used += 1
        budget = Budget(
            resource=resource,
            limit=limit * each,
            remaining=max(0, limit - used) * each,
            reset_s=(begun + 1) * period_s - now,
            window_s=period_s,
        )
        hints = RateLimitHints(budgets=(budget,))
        if used > limit:
            return refused(hints=hints)
        return Reply(text="x", hints=hints, usage=Usage(input_tokens=5, output_tokens=5))

    return answer


def test_what_is_used_up_is_told_by_what_the_provider_counts() -> None:
    info = CallInfo({1: ModelRef("p", "m")}, tokens=lambda call, turns: (5, 5))
    for resource in (Resource.TOKENS, Resource.REQUESTS):
        ran = run(MemoryStore(200), window(10, 60.0, resource), info=info, latency_s=0.5)
        assert {event.resource for event in waits(ran)} == {resource}
        told = [event for event in waits(ran) if event.reason == "budget"]
        assert all(event.until_unix and event.gives_up_unix is None for event in told)
    assert told


def test_a_window_that_is_used_up_every_minute_does_not_fill_the_log() -> None:
    ran = run(MemoryStore(6000), window(100, 60.0), in_flight=8, latency_s=0.5)
    assert ran.took > 3000
    assert 2 <= len(waits(ran)) <= 20
    assert len(ran.of(LaneResumed)) <= len(waits(ran))


def test_a_model_that_is_being_loaded_is_told() -> None:
    store = MemoryStore(4)
    times = {"lane 1": (0.0, 120.0)}
    ran = run(store, latency_s=12.0, loading=times.get)
    assert {(event.reason, event.waited_s >= FIRST_S) for event in waits(ran)} == {("loading", True)}


def test_calls_of_another_lane_that_take_all_slots_are_told() -> None:
    """The second model's calls are found when those of the first are under way."""

    class Late(MemoryStore):
        def lease(self, model: int, n: int) -> list[Call]:
            return super().lease(model, n) if model == 1 or self.complete else []

    store = Late(4, models=2, complete=False)

    def later(engine: Engine) -> None:
        at(1.0, lambda: store.grow(complete=True))

    ran = run(store, models=2, in_flight=4, latency_s=15.0, later=later)
    assert ("lane 2", "slots") in {(event.lane, event.reason) for event in waits(ran)}
    assert ran.result.status == "complete"


def test_views_say_the_same_as_events() -> None:
    views: list[LaneWaiting | None] = []

    def later(engine: Engine) -> None:
        for when in (0.5, 30.5):
            at(when, lambda: views.append(engine.lanes()[0].wait))

    run(MemoryStore(5), always(refused()), later=later)
    assert views[0] is None
    assert views[1] is not None
    assert (views[1].reason, views[1].waited_s > 29) == ("rate_limit", True)


def test_a_request_that_is_refused_for_itself_was_let_in() -> None:
    lane = Lane("x", "x", limit=Limit(value=4.0, ceiling=4, slow_start=False))
    for now, outcome in ((0.0, refused()), (1.0, broken(FailureKind.BAD_REQUEST, 400))):
        lane.on_end(outcome, now, now + 0.1, lane.on_start(now))
    assert lane.throttled_since is None
