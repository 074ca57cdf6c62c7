from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.control.circuit import NEVER
from umwelten.control.knee import Watch
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.limit_kind import LimitKind
from umwelten.control.refusals import StartSnapshot
from umwelten.types import Budget, Failure, FailureKind, FinishReason, RateLimitHints, Reply, Resource

ANSWER = Reply(text="", finish_reason=FinishReason.STOP)


def refusal(hint: float | None = None, budgets: tuple[Budget, ...] = ()) -> Failure:
    return Failure(
        kind=FailureKind.RATE_LIMIT,
        message="slow down",
        status=429,
        hints=RateLimitHints(retry_after_s=hint, budgets=budgets),
    )


def lane(ceiling: int = 200, *, slow_start: bool = False, watch: Watch = Watch.NO) -> Lane:
    value = 5.0 if slow_start else float(ceiling)
    return Lane(
        name="a", group="a", limit=Limit(value=value, ceiling=ceiling, slow_start=slow_start), watch=watch
    )


def test_a_call_keeps_its_number_and_how_many_were_in_flight_when_it_started() -> None:
    one = lane()
    first = [one.on_start(0.0) for _ in range(3)]
    one.on_end(ANSWER, 0.0, 1.0, first[0])
    later = one.on_start(1.0)
    assert [(mark.number, mark.level, mark.high) for mark in (*first, later)] == [
        (1, 1, 0),
        (2, 2, 1),
        (3, 3, 2),
        (4, 3, 3),
    ]


@pytest.mark.parametrize(("started", "limits"), [(5, [6.0, 7.0]), (3, [5.0, 5.0])])
def test_an_answer_raises_the_limit_where_it_was_used_up_since_the_last(
    started: int, limits: list[float]
) -> None:
    one = lane(slow_start=True)
    marks = [one.on_start(0.0) for _ in range(started)]
    found = []
    for mark in marks[:2]:
        one.on_end(ANSWER, 0.0, 1.0, mark)
        found.append(one.limit.value)
    assert found == limits


Outcomes = Callable[[float, int], tuple[float, Reply | Failure]]


def drive(one: Lane, outcome: Outcomes, until: float, begin: float = 0.0) -> list[tuple[float, int, float]]:
    """Start whatever may start; (time, in flight, limit) at every start."""
    now, pending, number, log = begin, [], 0, []
    while now < until:
        while (at := one.earliest_start(now)) <= now:
            mark = one.on_start(now)
            log.append((now, one.in_flight, one.limit.value))
            took, what = outcome(now, one.in_flight)
            number += 1
            heapq.heappush(pending, (now + took, number, now, mark, what))
        assert at > now
        nxt = min(at, pending[0][0] if pending else NEVER, until)
        assert nxt < NEVER
        now = nxt
        while pending and pending[0][0] <= now:
            _, _, started_at, mark, what = heapq.heappop(pending)
            one.on_end(what, started_at, now, mark)
    for end, _, started_at, mark, what in pending:
        one.on_end(what, started_at, end, mark)
    return log


def test_throttles_with_hints_of_89_s_are_probed_rarely_and_the_lane_comes_back_within_a_minute() -> None:
    one = lane()

    def outcome(now: float, level: int) -> tuple[float, Reply | Failure]:
        return (0.05, refusal(89.0)) if 10 <= now < 100 else (0.5, ANSWER)

    log = drive(one, outcome, 200.0)
    refused = [at for at, _, _ in log if 10 <= at < 100]
    assert len(refused) < 100
    assert sum(at >= 20 for at in refused) < 12
    full = [sum(1 for at, _, _ in log if t <= at < t + 1) for t in range(200)]
    assert max(full[100:161]) >= 0.9 * 400
    assert full[5] >= 0.9 * 400, "the lane was at full speed before"


def test_a_throttle_every_two_seconds_with_answers_between_does_not_freeze_the_lane() -> None:
    one = lane()
    next_refusal = [2.0]

    def outcome(now: float, level: int) -> tuple[float, Reply | Failure]:
        if next_refusal[0] <= now < 100:
            next_refusal[0] = now + 2.0
            return 0.05, refusal(89.0)
        return 0.5, ANSWER

    log = drive(one, outcome, 170.0)
    full = [sum(1 for at, _, _ in log if t <= at < t + 1) for t in range(170)]
    assert max(full[100:161]) >= 0.9 * 400


BUDGETS = st.builds(
    Budget,
    resource=st.sampled_from(list(Resource)),
    limit=st.one_of(st.none(), st.floats(0, 1000)),
    remaining=st.one_of(st.none(), st.floats(0, 1000)),
    reset_s=st.one_of(st.none(), st.floats(0, 100)),
    window_s=st.one_of(st.none(), st.just(60.0)),
)
HINTS = st.builds(
    RateLimitHints,
    retry_after_s=st.one_of(st.none(), st.floats(0, 1000)),
    budgets=st.lists(BUDGETS, max_size=2).map(tuple),
)
FAILURES = st.builds(
    Failure,
    kind=st.sampled_from(list(FailureKind)),
    message=st.just("no"),
    hints=HINTS,
)
OUTCOMES = st.one_of(st.none(), st.builds(Reply, text=st.just(""), hints=HINTS), FAILURES)


@settings(deadline=None)
@given(st.data(), st.integers(1, 40), st.booleans(), st.sampled_from(Watch))
def test_whatever_a_provider_says_the_lane_keeps_its_promises(
    data: st.DataObject, ceiling: int, slow: bool, watch: Watch
) -> None:
    one = lane(ceiling, slow_start=slow, watch=watch)
    one.limit.hold_at(min(one.limit.slots, ceiling))
    now = 0.0
    running: list[tuple[float, StartSnapshot]] = []
    for _ in range(data.draw(st.integers(1, 60))):
        at = one.earliest_start(now)
        assert at >= now, "a past time was named"
        if at <= now:
            mark = one.on_start(now)
            running.append((now, mark))
            assert one.in_flight <= max(1, one.limit.slots)
        elif running:
            now += data.draw(st.floats(0, 120))
            started_at, mark = running.pop(data.draw(st.integers(0, len(running) - 1)))
            cuts, cut_at = one.limit.cuts, one.limit.cut_at
            outcome = data.draw(OUTCOMES)
            one.on_end(outcome, started_at, now, mark)
            assert one.limit.cuts <= cuts + (started_at > cut_at)
            assert one.in_flight == len(running)
        else:
            assert at < NEVER, "nothing in flight and no time to come: the lane is stuck"
            now = at
        assert 1.0 <= one.limit.value <= ceiling


def test_errors_of_the_server_and_time_outs_never_shrink_the_limit() -> None:
    one = lane(20)
    for kind in (FailureKind.SERVER, FailureKind.TIMEOUT, FailureKind.CONNECTION):
        for i in range(30):
            mark = one.on_start(float(i))
            failure = Failure(kind=kind, message="no", status=None)
            one.on_end(failure, float(i), i + 0.5, mark)
            one.on_error(float(i), i + 0.5)
    assert one.limit.value == 20


def test_a_cap_on_calls_in_flight_is_told_from_a_rate() -> None:
    def capped(now: float, level: int) -> tuple[float, Reply | Failure]:
        return (0.05, refusal()) if level > 7 else (0.5, ANSWER)

    one = lane()
    drive(one, capped, 30.0)
    assert one.kind is LimitKind.CONCURRENCY
    assert 6 <= one.limit.value <= 9

    taken = [0]

    def rate(now: float, level: int) -> tuple[float, Reply | Failure]:
        if taken[0] < 20 + 20 * now:
            taken[0] += 1
            return 0.5, ANSWER
        return 0.05, refusal()

    two = lane()
    drive(two, rate, 30.0)
    assert two.kind is LimitKind.BUCKET
    assert two.limit.value == 200
    assert two.pacer.estimator.rate == pytest.approx(20, rel=0.15)


def test_a_stated_cap_on_calls_in_flight_is_believed() -> None:
    one = lane(10)
    marks = [one.on_start(0.0) for _ in range(5)]
    one.on_end(refusal(budgets=(Budget(resource=Resource.IN_FLIGHT, remaining=0),)), 0.0, 0.1, marks[-1])
    assert one.kind is LimitKind.CONCURRENCY
    assert one.limit.value == 4


def test_padded_hints_are_found_out_by_the_calls_that_are_let_in_meanwhile() -> None:
    one = lane(10)
    mark = one.on_start(0.0)
    one.on_end(refusal(30.0), 0.0, 0.1, mark)
    assert one.trusts_retry_after
    for i in range(3):
        mark = one.on_start(1.0 + i)
        one.on_end(ANSWER, 1.0 + i, 1.5 + i, mark)
    assert not one.trusts_retry_after


def test_a_lane_of_nothing_but_refusals_is_stopped_some_time() -> None:
    one = lane(10)
    mark = one.on_start(0.0)
    one.on_end(refusal(), 0.0, 0.1, mark)
    assert not one.judge(refusal(), 800.0).lane_down
    assert one.judge(refusal(), 901.0).lane_down


def queueing(k: int) -> Outcomes:
    """A server that works on `k` calls at a time and lets all others wait."""
    return lambda now, in_flight: (0.1 * max(1.0, in_flight / k), ANSWER)


@pytest.mark.parametrize("watch", [Watch.UNTIL_REFUSED, Watch.ALWAYS])
def test_a_watched_server_that_queues_is_not_flooded(watch: Watch) -> None:
    one = lane(1000, slow_start=True, watch=watch)
    log = drive(one, queueing(16), 60.0)
    assert max(in_flight for now, in_flight, _ in log if now > 30) <= 28
    assert one.kind is LimitKind.QUEUE
    flooded = lane(1000, slow_start=True)
    assert max(in_flight for _, in_flight, _ in drive(flooded, queueing(16), 60.0)) > 200


def test_an_account_that_refuses_is_watched_no_longer() -> None:
    """One call in 20 is refused, whatever the limit: nothing for a lane to shrink for."""
    starts = {}
    for watch in Watch:
        number = iter(range(1_000_000))

        def noisy(
            now: float, in_flight: int, number: Iterator[int] = number
        ) -> tuple[float, Reply | Failure]:
            return (0.1, ANSWER) if next(number) % 20 else (0.02, refusal())

        starts[watch] = len(drive(lane(40, slow_start=True, watch=watch), noisy, 60.0))
    assert starts[Watch.UNTIL_REFUSED] > 0.8 * starts[Watch.NO]
    # A host's refusals mean that it is full: they hold it down, until it refuses a call that is alone.
    assert starts[Watch.ALWAYS] > 0.5 * starts[Watch.NO]


def test_a_host_that_refuses_by_time_is_watched_no_longer() -> None:
    """Twenty a second, of which twenty may be saved up: fewer calls in flight are refused as well."""
    level, last, refused = 20.0, 0.0, 0

    def bucket(now: float, in_flight: int) -> tuple[float, Reply | Failure]:
        nonlocal level, last, refused
        level, last = min(20.0, level + 20.0 * (now - last)), now
        if level < 1.0:
            refused += 1
            return 0.002, refusal()
        level -= 1.0
        return 0.02, ANSWER

    one = lane(100, slow_start=True, watch=Watch.ALWAYS)
    calls = len(drive(one, bucket, 30.0))
    assert one.knee is None
    assert refused < 0.3 * (calls - refused)


def test_a_level_that_was_found_stays_the_most_when_the_watch_ends() -> None:
    one = lane(1000, slow_start=True, watch=Watch.UNTIL_REFUSED)
    drive(one, queueing(16), 60.0)
    found = one.limit.slots
    drive(one, lambda now, _: (0.1, refusal() if now < 61 else ANSWER), 120.0, begin=60.0)
    assert one.knee is None
    assert one.limit.ceiling == found


@pytest.mark.parametrize("code", ["refused", "proxy"])
def test_nobody_there_stops_a_lane_that_was_never_answered_and_no_other(code: str) -> None:
    gone = Failure(kind=FailureKind.CONNECTION, message="nothing listens", code=code)
    lane = Lane(name="l", group="g", limit=Limit(value=10.0, ceiling=10))
    assert lane.judge(gone, 1.0).lane_down
    assert not lane.judge(Failure(kind=FailureKind.SERVER, message="x", code=code), 1.0).lane_down
    lane.answered = True
    assert not lane.judge(gone, 1.0).lane_down


@pytest.mark.parametrize("status", [500, 429, None])
def test_an_error_with_a_status_is_a_sign_of_life_and_another_no_sign_of_death(status: int | None) -> None:
    gone = Failure(kind=FailureKind.CONNECTION, message="nothing listens", code="refused")
    error = Failure(kind=FailureKind.SERVER, message="x", status=status)
    one = lane()
    one.on_end(error, 0.0, 1.0, one.on_start(0.0))
    assert one.judge(gone, 1.0).lane_down is (status is None)
    one.on_end(ANSWER, 1.0, 2.0, one.on_start(1.0))
    one.on_end(gone, 2.0, 3.0, one.on_start(2.0))
    assert not one.judge(gone, 3.0).lane_down


def test_a_call_that_we_cancelled_used_nothing() -> None:
    one = lane()
    one.on_end(None, 0.0, 1.0, one.on_start(0.0, 50, 100))
    assert (one.pacer.used, one.in_flight) == ((0.0,) * 4, 0)
