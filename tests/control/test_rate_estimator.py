"""What refusals teach about a rate: measured, put to the test where it is doubtful, gone faster in quiet."""

from __future__ import annotations

import itertools

import pytest

from umwelten.control.rate_estimator import Point, RateEstimator


def refuse(estimator: RateEstimator, at: float, taken: float, number: int = 0) -> bool:
    """A call that started at `at`, after `taken` had been admitted, is refused 50 ms later."""
    estimator.note(Point(at, (taken, 0.0, 0.0, 0.0), number))
    return estimator.on_refusal(at, at + 0.05)


def doubted(rate: float = 100.0) -> RateEstimator:
    """A rate that two refusals in a row came too early for: it is put to the test at 2.05 s."""
    estimator = RateEstimator(rate=rate)
    refuse(estimator, 1.0, 0.0, 1)
    assert estimator.test is None
    assert refuse(estimator, 2.0, rate, 2)
    return estimator


@pytest.mark.parametrize(("rate", "calls"), [(10.0, 4), (100.0, 9), (400.0, 24), (1000.0, 40)])
def test_a_test_is_of_four_calls_and_what_came_back_meanwhile_and_of_forty_at_most(
    rate: float, calls: int
) -> None:
    estimator = doubted(rate)
    assert estimator.test is not None
    assert (estimator.test.size, estimator.test.left, estimator.test.began_at) == (calls, calls, 2.05)
    for left in reversed(range(calls)):
        assert estimator.earliest_start(2.1, 1.0) == 2.1
        estimator.take(2.1, 1.0)
        assert estimator.test.left == left
    assert estimator.test.until == pytest.approx(2.2)
    assert estimator.earliest_start(2.1, 1.0) > 2.1


@pytest.mark.parametrize(("rate", "refused", "helped"), [(100.0, 2, True), (100.0, 3, False)])
def test_a_test_that_is_admitted_doubles_the_rate(rate: float, refused: int, helped: bool) -> None:
    estimator = doubted(rate)
    for _ in range(9):
        estimator.take(2.1, 1.0)
    for number in range(refused):
        assert refuse(estimator, 2.1, 100.0, 10 + number)
    # Of a call that started before it, nothing is learnt about the test.
    assert estimator.on_refusal(2.0, 2.15)
    estimator.earliest_start(2.19, 1.0)
    assert estimator.test is not None
    estimator.earliest_start(2.21, 1.0)
    assert estimator.test is None
    assert estimator.rate == (pytest.approx(200.0) if helped else pytest.approx(100.0, rel=0.1))


def test_tests_that_fail_are_made_ever_more_rarely() -> None:
    """The next one is due 12, 24, 48 calls later, however early the refusals are."""
    estimator = RateEstimator(rate=100.0)
    begun, calls, now = [], 0, 0.0
    while len(begun) < 4:
        now += 0.3
        estimator.take(now, 1.0)
        calls += 1
        refuse(estimator, now, 30.0 * calls, calls)
        if estimator.test is not None:
            begun.append(calls)
            for _ in range(estimator.test.size):
                estimator.take(now + 0.1, 1.0)
                estimator.on_refusal(now + 0.1, now + 0.15)
            calls += 9
            now += 1.0
            estimator.earliest_start(now, 1.0)
    gaps = [later - earlier - 9 for earlier, later in itertools.pairwise(begun)]
    assert gaps == [12, 24, 48]


def test_a_bucket_is_measured_over_a_dozen_calls_and_some_time_at_least() -> None:
    estimator = RateEstimator()
    assert not refuse(estimator, 0.0, 0.0, 1)
    assert not refuse(estimator, 0.1, 2.0, 2)
    assert estimator.rate is None
    # Three calls in more than 0.15 s are a first guess, a dozen replace it.
    assert refuse(estimator, 0.2, 4.0, 3)
    assert estimator.rate == pytest.approx(20.0)
    # What was expected to come back counts as well as what came: nine are too few for the rate believed.
    assert refuse(estimator, 1.2, 13.0, 4)
    assert estimator.rate == pytest.approx((13.0 - 4.0) / 1.0)


def test_a_call_refused_at_a_slow_pace_does_not_make_it_slower_each_time() -> None:
    # Others take a part: each sixth call is refused, however slowly they go.
    estimator, now, let_in = RateEstimator(), 0.0, 0.0
    for number in range(1, 400):
        estimator.take(now, 1.0)
        now += 2.0 if estimator.rate is None else 1.0 / estimator.rate
        if number % 6 == 0:
            refuse(estimator, now, let_in, number)
        else:
            let_in += 1.0
    assert estimator.rate is not None and estimator.rate > 0.3


def test_of_calls_that_left_together_the_first_tells() -> None:
    estimator = RateEstimator()
    for number in (7, 5, 6):
        estimator.note(Point(1.0, (float(number), 0.0, 0.0, 0.0), number))
    estimator.note(Point(0.5, (0.0, 0.0, 0.0, 0.0), 1))
    assert [point.number for point in estimator.points] == [5]


def test_a_refusal_of_an_earlier_call_is_taken_off_later_points() -> None:
    estimator = RateEstimator()
    for number in (3, 5, 8):
        estimator.note(Point(float(number), (float(number), 10.0, 6.0, 4.0), number))
    estimator.take_back(5, (1.0, 2.0, 1.0, 1.0))
    assert [point.taken for point in estimator.points] == [
        (3.0, 10.0, 6.0, 4.0),
        (5.0, 10.0, 6.0, 4.0),
        (7.0, 8.0, 5.0, 3.0),
    ]


def test_a_short_hint_tells_how_much_of_a_call_there_is_already() -> None:
    hinted, plain = RateEstimator(rate=2.0), RateEstimator(rate=2.0)
    for estimator, hint in ((hinted, 0.2), (plain, None)):
        for n in range(3):
            estimator.note(Point(10.0 * n, (20.0 * n, 0.0, 0.0, 0.0), n))
        estimator.on_refusal(0.0, 20.0, hint)
    assert plain.rate == hinted.rate == pytest.approx(2.0)
    assert plain.level == 0.0
    assert hinted.level == pytest.approx(1 - 0.25 * 2.0)


def test_in_quiet_it_goes_faster_by_two_parts_in_a_hundred_and_doubles_only_then() -> None:
    estimator = RateEstimator(rate=16.0, measured=48.0)
    assert estimator.speed(0.0) == 16.0
    # 48 calls in 3 s: until then a growth of 2 %, afterwards a doubling every 24 calls and 1 s.
    estimator.calls = 24.0
    assert estimator.speed(1.5) == pytest.approx(16 * 1.01)
    estimator.calls = 48.0
    assert estimator.speed(3.0) == pytest.approx(16 * 1.02)
    estimator.calls = 72.0
    assert estimator.speed(3.5) == pytest.approx(16 * 1.02 * 2**0.5)
    estimator.calls = 60.0
    assert estimator.speed(4.0) == pytest.approx(16 * 1.02 * 2**0.5)
    estimator.calls = 72.0
    assert estimator.speed(4.0) == pytest.approx(16 * 1.02 * 2)


def test_a_rate_measured_over_few_calls_is_doubted_after_few() -> None:
    estimator = RateEstimator(rate=16.0, measured=0.0)
    estimator.calls = 4.0
    assert estimator.speed(0.25) == pytest.approx(16 * 1.02)
    estimator.calls = 8.0
    assert estimator.speed(3.0) > 2 * 16


@pytest.mark.parametrize(("rate", "idle_s", "factor"), [(16.0, 10.0, 1), (16.0, 20.0, 2), (1.0, 48.0, 2)])
def test_an_idle_lane_goes_faster_by_the_time(rate: float, idle_s: float, factor: int) -> None:
    assert RateEstimator(rate=rate).speed(idle_s) == pytest.approx(rate * factor)


def test_what_is_saved_up_is_two_calls_or_a_tenth_of_a_second() -> None:
    slow, fast = RateEstimator(rate=2.0), RateEstimator(rate=100.0)
    for estimator, at_once in ((slow, 2), (fast, 10)):
        started = 0
        while estimator.earliest_start(9.0, 1.0) == 9.0:
            estimator.take(9.0, 1.0)
            started += 1
        assert started == at_once


def test_what_was_learnt_is_dropped_or_only_put_aside() -> None:
    estimator = RateEstimator(rate=2.0)
    refuse(estimator, 1.0, 0.0)
    estimator.suspend()
    assert (estimator.rate, estimator.test, len(estimator.points)) == (None, None, 1)
    assert estimator.earliest_start(5.0, 1.0) == 5.0
    estimator.rate = 3.0
    estimator.forget()
    assert (estimator.rate, estimator.level, estimator.calls, len(estimator.points)) == (None, 0.0, 0.0, 0)


def test_no_rate_is_learnt_where_nothing_came_back() -> None:
    estimator = RateEstimator()
    for number in range(5):
        assert not refuse(estimator, float(number), 0.0, number)
    assert not RateEstimator().learn(1.0)
