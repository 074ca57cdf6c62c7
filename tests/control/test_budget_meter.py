"""What is left of a stated budget and when more comes, in figures."""

from __future__ import annotations

import pytest

from umwelten.control.budget_meter import BudgetMeter
from umwelten.types import Budget, Resource


def stated(remaining: float, reset_s: float | None = None, window_s: float | None = None) -> Budget:
    return Budget(
        resource=Resource.REQUESTS, limit=100.0, remaining=remaining, reset_s=reset_s, window_s=window_s
    )


def bucket(level: float = 100.0, rate: float = 10.0) -> BudgetMeter:
    return BudgetMeter(resource=Resource.REQUESTS, limit=100.0, level=level, at=0.0, rate=rate)


def window(level: float = 100.0) -> BudgetMeter:
    return BudgetMeter(
        resource=Resource.REQUESTS, limit=100.0, level=level, at=0.0, votes=2, resets_at=60.0, window_s=60.0
    )


def test_the_first_statement_is_believed_less_what_was_taken_since() -> None:
    meter = bucket(rate=0.0)
    meter.observe(stated(40.0, reset_s=6.0), started_at=1.0, since=5.0, number=3)
    assert (meter.level, meter.at, meter.number) == (35.0, 1.0, 3)
    assert meter.rate == 10.0  # 60 come back in 6 s


def test_less_is_believed_at_once_and_more_by_a_quarter() -> None:
    for remaining, level in ((30.0, 30.0), (60.0, 50.0 + 0.25 * 10.0)):
        meter = bucket(rate=0.0)
        meter.observe(stated(40.0), started_at=0.0, since=0.0, number=1)
        meter.rate = 10.0
        meter.observe(stated(remaining), started_at=1.0, since=0.0, number=2)
        assert (meter.level, meter.at) == (level, 1.0)


def test_a_statement_about_an_earlier_time_is_brought_up_to_now() -> None:
    for remaining, level in ((30.0, 40.0), (60.0, 50.0 + 0.25 * 20.0)):
        meter = bucket()
        meter.observe(stated(30.0), started_at=0.0, since=0.0, number=1)
        meter.take(2.0, 0.0)
        assert meter.level == 50.0
        meter.observe(stated(remaining), started_at=1.0, since=0.0, number=2)
        assert (meter.level, meter.at) == (level, 2.0)


def test_replies_that_come_late_or_state_nothing_change_nothing() -> None:
    meter = bucket()
    meter.observe(stated(40.0), started_at=1.0, since=0.0, number=5)
    for budget, number in ((stated(10.0), 4), (stated(10.0), 5)):
        meter.observe(budget, started_at=2.0, since=0.0, number=number)
    meter.observe(Budget(resource=Resource.REQUESTS, limit=7.0), started_at=2.0, since=0.0, number=6)
    assert (meter.level, meter.limit, meter.number) == (40.0, 100.0, 5)


@pytest.mark.parametrize(
    ("remaining", "reset_s", "window_s", "rate"),
    [
        (90.0, 2.0, None, 5.0),
        (97.0, 2.0, None, 1.5),  # three missing tell enough
        (98.0, 2.0, None, 0.0),
        (98.0, 2.0, 50.0, 2.0),
        (40.0, 0.0, 50.0, 2.0),
        (40.0, None, None, 0.0),
    ],
)
def test_the_rate_is_what_is_missing_by_the_time_to_be_full(
    remaining: float, reset_s: float | None, window_s: float | None, rate: float
) -> None:
    meter = bucket(rate=0.0)
    meter.observe(stated(remaining, reset_s, window_s), started_at=1.0, since=0.0, number=1)
    assert meter.rate == rate


def test_a_call_waits_until_the_bucket_holds_it_and_a_tenth_of_all_beyond() -> None:
    assert bucket(level=20.0).earliest_start(0.0, 10.0) == 0.0
    assert bucket(level=15.0).earliest_start(0.0, 10.0) == 0.5
    assert bucket(level=0.0).earliest_start(1.0, 30.0) == 1.0 + (30.0 + 10.0 - 10.0) / 10.0
    # Of a small call as much again is kept back; one that fills the bucket waits a little beyond.
    assert bucket(level=0.0).earliest_start(0.0, 1.0) == 0.2
    assert bucket(level=100.0).earliest_start(0.0, 100.0) == pytest.approx(1.0)
    assert bucket(level=0.0).earliest_start(0.0, 500.0) == pytest.approx(11.0)
    assert bucket(level=0.0, rate=0.0).earliest_start(3.0, 50.0) == 3.0


def test_a_bucket_never_holds_more_than_its_limit() -> None:
    meter = bucket(level=95.0)
    meter.take(10.0, 30.0)
    assert (meter.level, meter.at) == (70.0, 10.0)
    meter.take(9.0, -5.0)
    assert (meter.level, meter.at) == (75.0, 10.0)


def test_a_window_gives_nothing_back_before_it_begins_anew() -> None:
    meter = window(level=30.0)
    meter.take(10.0, 25.0)
    assert meter.level == 5.0
    assert meter.earliest_start(50.0, 5.0) == 50.0
    assert meter.earliest_start(50.0, 6.0) == 60.02
    assert meter.earliest_start(60.01, 6.0) == 60.02
    assert meter.level == 5.0
    assert meter.earliest_start(60.02, 6.0) == 60.02
    assert (meter.level, meter.resets_at) == (100.0, 120.0)
    meter.take(60.1, 99.0)
    # Several windows have passed unused.
    assert meter.earliest_start(500.0, 50.0) == 500.0
    assert (meter.level, meter.resets_at) == (100.0, 560.0)


def test_a_window_is_corrected_to_what_is_stated() -> None:
    meter = window(level=80.0)
    meter.observe(stated(90.0, 50.0, 60.0), started_at=10.0, since=3.0, number=1)
    assert (meter.level, meter.resets_at) == (87.0, 60.0)


@pytest.mark.parametrize(
    ("at", "remaining", "resets_at", "vote"),
    [
        # 50 come back in 5 s. Half a second later 5 more are used: a bucket is full a second later.
        (1.5, 45.0, 6.0, 1),
        (1.5, 45.0, 6.29, 1),
        (1.5, 45.0, 6.31, -1),
        (1.5, 45.0, 5.69, -1),
        (1.5, 45.0, 7.0, -1),
        # Nothing was used, or it is about an earlier time.
        (1.5, 50.0, 6.0, 0),
        (1.5, 55.0, 6.0, 0),
        (0.5, 45.0, 6.0, 0),
        # A time in whole seconds tells nothing of one second, but of two.
        (2.0, 50.0 - 1e-9, 6.0, 0),
        (2.0, 40.0, 6.0, 1),
        (2.0, 40.0, 8.0, -1),
        # Too little for any clock.
        (1.001, 49.9, 6.0, 0),
    ],
)
def test_a_reset_that_moves_by_less_than_a_third_of_a_refill_is_a_windows(
    at: float, remaining: float, resets_at: float, vote: int
) -> None:
    meter = bucket()
    meter.observe(stated(50.0, 5.0), started_at=1.0, since=0.0, number=1)
    meter.observe(stated(remaining, resets_at - at), started_at=at, since=0.0, number=2)
    assert meter.votes == vote


@pytest.mark.parametrize(("before", "for_it", "against"), [(0, 1, -1), (1, 2, 0), (4, 4, 3), (-4, -3, -4)])
def test_votes_are_counted_up_to_four(before: int, for_it: int, against: int) -> None:
    """Two more for it than against make a window; no row of them takes more than a few to undo."""
    for resets_at, votes in ((6.0, for_it), (7.0, against)):
        meter = bucket()
        meter.observe(stated(50.0, 5.0), started_at=1.0, since=0.0, number=1)
        meter.votes = before
        meter.observe(stated(45.0, resets_at - 1.5), started_at=1.5, since=0.0, number=2)
        assert (meter.votes, meter.window) == (votes, votes >= 2)
