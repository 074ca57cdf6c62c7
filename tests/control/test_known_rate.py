"""A rate that the user knows is never exceeded, whatever happens; and what lies beneath it is still found."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.control.attribution import advice
from umwelten.control.circuit import NEVER
from umwelten.control.known_rate import KnownRate, KnownRates
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pacer import Pacer
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import Start, WaitUntil
from umwelten.control.waits import wait_of
from umwelten.events import WaitReason
from umwelten.types import (
    AttemptOutcome,
    Budget,
    Call,
    Failure,
    FailureKind,
    FinishReason,
    RateLimitHints,
    Reply,
    Resource,
    Usage,
)

ANSWER = Reply(text="", finish_reason=FinishReason.STOP)
REFUSED = Failure(kind=FailureKind.RATE_LIMIT, message="slow down", status=429)
BROKEN = Failure(kind=FailureKind.SERVER, message="oh", status=500)


def lane(*known: KnownRate, share: float = 1.0) -> Lane:
    limit = Limit(value=200.0, ceiling=200, slow_start=False)
    return Lane(name="a", group="a", limit=limit, pacer=Pacer(known=KnownRates.of(known, share)))


def starts(
    one: Lane, calls: int, answer: Callable[[float], tuple[AttemptOutcome | None, float]], late_s: float = 0.0
) -> list[float]:
    """When so many calls start, each of which ends as `answer` says of its start."""
    now, found, ends, dice = 0.0, [], [], random.Random(7)
    while len(found) < calls and now < 1e5:
        at = one.earliest_start(now, 100, None)
        if at <= now:
            mark = one.on_start(now, 100, None)
            outcome, took = answer(now)
            heapq.heappush(ends, (now + took, len(found), now, mark, outcome))
            found.append(now)
        elif ends and ends[0][0] <= at:
            now, _, started_at, mark, outcome = heapq.heappop(ends)
            one.on_end(outcome, started_at, now, mark)
        else:
            assert at < NEVER
            now = at + late_s * dice.random()
    return found


def most_within(times: list[float], period_s: float) -> int:
    most = first = 0
    for i, at in enumerate(times):
        while times[first] <= at - period_s + 1e-6:
            first += 1
        most = max(most, i - first + 1)
    return most


@pytest.mark.parametrize(
    ("amount", "period_s"),
    [(60, 60.0), (500, 60.0), (6000, 60.0), (10, 1.0), (3, 60.0), (1, 10.0), (50, 7.0)],
)
def test_no_stretch_of_a_period_sees_more_and_hardly_less_is_used(amount: int, period_s: float) -> None:
    calls = 4 * amount + 3
    for late_s in (0.0, 0.05 * period_s / amount):
        times = starts(lane(KnownRate(amount, period_s)), calls, lambda now: (ANSWER, 0.3), late_s)
        assert most_within(times, period_s) <= amount
        assert times[-1] <= 1.025 * (calls - 1) * period_s / amount


def test_sixty_a_minute_begin_at_one_a_second() -> None:
    times = starts(lane(KnownRate(60, 60.0)), 30, lambda now: (ANSWER, 2.0))
    assert min(b - a for a, b in pairwise(times)) > 0.7
    assert most_within(times, 5.0) <= 6


def outcomes() -> st.SearchStrategy[tuple[AttemptOutcome | None, float]]:
    return st.tuples(st.sampled_from([ANSWER, REFUSED, BROKEN, None]), st.floats(0.01, 5.0))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(outcomes(), min_size=1, max_size=8), st.integers(1, 300), st.sampled_from([0.5, 1.0, 10.0, 60.0])
)
def test_neither_refusals_nor_tests_nor_patience_exceed_it(
    ends: list[tuple[AttemptOutcome | None, float]], amount: int, period_s: float
) -> None:
    turn = iter(ends * 60)
    times = starts(lane(KnownRate(amount, period_s)), 60, lambda now: next(turn))
    assert most_within(times, period_s) <= amount


def test_a_lower_limit_is_learnt_beneath_it() -> None:
    level, last = 2.0, 0.0

    def bucket(now: float) -> tuple[AttemptOutcome, float]:
        # Two a second, of which two may be saved up.
        nonlocal level, last
        level, last = min(2.0, level + 2.0 * (now - last)), now
        if level < 1.0:
            return REFUSED, 0.05
        level -= 1.0
        return ANSWER, 0.5

    times = starts(lane(KnownRate(20.0, 1.0)), 600, bucket)
    later = [at for at in times if at > times[-1] / 2]
    assert len(later) / (later[-1] - later[0]) < 2.6


def test_tokens_are_reserved_and_settled() -> None:
    reply = Reply(text="", finish_reason=FinishReason.STOP, usage=Usage(input_tokens=100, output_tokens=400))
    times = starts(lane(KnownRate(30_000, 60.0, Resource.TOKENS)), 120, lambda now: (reply, 0.5))
    pace = 100 / (times[-1] - times[-101])
    assert pace == pytest.approx(1.0, abs=0.05)
    cheap = Reply(text="", finish_reason=FinishReason.STOP, usage=Usage(input_tokens=10, output_tokens=0))
    times = starts(lane(KnownRate(30_000, 60.0, Resource.TOKENS)), 600, lambda now: (cheap, 0.1))
    assert 300 / (times[-1] - times[-301]) > 5.0


def test_a_call_larger_than_the_limit_goes_all_the_same() -> None:
    times = starts(lane(KnownRate(60, 60.0, Resource.TOKENS)), 3, lambda now: (ANSWER, 0.5))
    assert times[-1] < NEVER


class Bucket:
    """Ten a second, up to 100 saved up, of which others take a quarter; it states them."""

    level, at = 100.0, 0.0

    def __call__(self, now: float) -> tuple[AttemptOutcome, float]:
        self.level, self.at = min(100.0, self.level + 7.5 * (now - self.at)) - 1.0, now
        assert self.level >= 0
        budget = Budget(
            resource=Resource.REQUESTS, limit=100, remaining=int(self.level), reset_s=(100 - self.level) / 10
        )
        return told(budget), 0.1


class Window:
    """So many in each so many seconds; it states how many are left until the next begins."""

    def __init__(self, window_s: float | None) -> None:
        self.window_s, self.begun, self.left = window_s, 0.0, 200

    def __call__(self, now: float) -> tuple[AttemptOutcome, float]:
        if now - self.begun >= 20.0:
            self.begun += 20.0 * ((now - self.begun) // 20.0)
            self.left = 200
        self.left -= 1
        assert self.left >= 0
        budget = Budget(
            resource=Resource.REQUESTS,
            limit=200,
            remaining=self.left,
            reset_s=self.begun + 20.0 - now,
            window_s=self.window_s,
        )
        return told(budget), 0.1


def told(budget: Budget) -> Reply:
    return Reply(text="", finish_reason=FinishReason.STOP, hints=RateLimitHints(budgets=(budget,)))


@pytest.mark.parametrize("server", [Bucket(), Window(20.0), Window(None)], ids=["bucket", "period", "window"])
def test_a_share_of_what_is_stated_is_taken_whatever_remains(server: Bucket | Window) -> None:
    times = starts(lane(share=0.5), 600, server)
    later = times[300:]
    assert 299 / (later[-1] - later[0]) == pytest.approx(5.0, rel=0.05)


def test_a_share_of_what_is_known_is_taken() -> None:
    times = starts(lane(KnownRate(600, 60.0), share=0.25), 100, lambda now: (ANSWER, 0.1))
    assert most_within(times, 60.0) <= 150
    assert times[-1] < 1.05 * 99 / 2.5


def test_a_wait_for_a_known_limit_is_told_as_such() -> None:
    one = lane(KnownRate(1, 60.0))
    pool = Pool({0: one}, policy=RetryPolicy())
    pool.add_calls(0, [ScheduledCall(Call(id=i, model=0, input=None)) for i in range(2)], drained=True)
    first = pool.next(0.0)
    assert isinstance(first, Start)
    pool.on_end(first.lease, ANSWER, 1.0, 0.5)
    step = pool.next(1.0)
    assert isinstance(step, WaitUntil)
    told = wait_of(pool, one)
    assert told is not None
    assert (told.reason, told.until) == (WaitReason.KNOWN_LIMIT, step.at)
    second = pool.next(step.at)
    assert isinstance(second, Start)
    pool.on_end(second.lease, ANSWER, step.at + 1.0, 0.5)
    pool.account(step.at + 1.0)
    assert "held to the known limit of requests" in str(advice(one.attribution(step.at + 1.0)))
