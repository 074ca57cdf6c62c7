from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.control.amounts import Point
from umwelten.control.pacer import NOTHING, Pacer, amounts
from umwelten.control.rate_estimator import RateEstimator
from umwelten.control.stated import Meaning, StatedBudget
from umwelten.types import Budget, RateLimitHints, Resource, Usage

NUMBER = st.one_of(st.none(), st.floats(0, 1e7, allow_nan=False))
BUDGETS = st.builds(
    Budget,
    resource=st.sampled_from(list(Resource)),
    limit=NUMBER,
    remaining=NUMBER,
    reset_s=NUMBER,
    window_s=st.one_of(st.none(), st.sampled_from([1.0, 60.0, 86400.0])),
)


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.lists(BUDGETS, max_size=3), st.integers(0, 30000), st.booleans()),
        max_size=40,
    )
)
def test_no_stream_of_hints_makes_the_pacer_name_a_past_time(stream: list) -> None:
    pacer, now = Pacer(), 0.0
    for number, (wait, budgets, tokens, refused) in enumerate(stream, 1):
        now += wait
        need = pacer.need(tokens, None)
        used, refusals = pacer.used, pacer.refusals
        pacer.take(now, need)
        if refused:
            pacer.on_refusal(now, need, number)
            pacer.estimator.note(Point(now, pacer.let_in_before(used, number, refusals), number))
            pacer.estimator.on_refusal(now, now)
        else:
            pacer.settle(now, need, Usage(input_tokens=tokens, output_tokens=5))
        pacer.observe(RateLimitHints(budgets=tuple(budgets)), now, pacer.used, number)
        at, _ = pacer.earliest_start(now, need)
        assert at >= now


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 500), st.sampled_from("asf")), max_size=60))
def test_what_is_reserved_comes_back_but_for_what_was_used(calls: list) -> None:
    pacer = Pacer()
    really = 0.0
    for number, (tokens, output, end) in enumerate(calls, 1):
        need = pacer.need(tokens, 400)
        pacer.take(0.0, need)
        if end == "a":
            pacer.settle(0.0, need, Usage(input_tokens=tokens, output_tokens=output))
            really += tokens + output
        elif end == "s":
            pacer.on_refusal(0.0, need, number)
        else:
            pacer.refund(0.0, need)
    assert pacer.used[1] == pytest.approx(really, abs=1e-6)


def test_a_flow_measures_the_refill_between_two_refusals_exactly() -> None:
    flow = RateEstimator()
    for i in range(6):
        flow.note(Point(2.0 * i, (40.0 * i, 0.0, 0.0, 0.0), i))
        flow.on_refusal(2.0 * i, 2.0 * i)
    assert flow.rate == pytest.approx(20.0)


def test_a_flow_goes_faster_the_longer_nothing_is_refused_and_no_slower_than_learnt() -> None:
    flow = RateEstimator(rate=20.0, measured=100.0)
    speeds = []
    for i in range(400):
        now = i / 20
        speeds.append(flow.speed(now))
        flow.take(now, 1.0)
    assert speeds[0] == 20.0
    assert speeds == sorted(speeds)
    assert speeds[50] < 20.0 * 1.03
    assert speeds[-1] > 40.0


def bucket(remaining: float, reset_s: float, limit: float = 100) -> Budget:
    return Budget(resource=Resource.REQUESTS, limit=limit, remaining=remaining, reset_s=reset_s)


def meanings(stated: StatedBudget) -> set[Meaning]:
    return {reading.meaning for reading in stated.trusted}


def test_what_the_figures_mean_is_told_by_what_they_foretell() -> None:
    window, moving, unit = (StatedBudget(resource=Resource.REQUESTS) for _ in range(3))
    for i in range(1, 8):
        now, used = float(i), 90.0 * i
        window.observe(bucket(1000 - used, 60.0 - i, 1000), now, used, 0.0, i)
        # Fifty a second come back.
        moving.observe(bucket(1000 - 40 * i, 40 * i / 50, 1000), now, used, 0.0, i)
        unit.observe(bucket(1000 - 40 * i, 0.02, 3000), now, used, 0.0, i)
    assert Meaning.WINDOW in meanings(window)
    assert meanings(moving) == {Meaning.FULL}
    assert meanings(unit) == {Meaning.MINUTE}


def test_a_window_that_is_used_up_opens_at_its_reset_with_all_of_its_size() -> None:
    stated = StatedBudget(resource=Resource.REQUESTS)
    budget = Budget(resource=Resource.REQUESTS, limit=100, remaining=0, reset_s=50.0, window_s=60.0)
    stated.observe(budget, 10.0, 100.0, 0.0, 1)
    window = next(reading for reading in stated.readings if reading.meaning is Meaning.WINDOW)
    assert window.earliest_start(11.0, 1.0) == pytest.approx(60.0, abs=0.1)
    assert window.earliest_start(60.1, 1.0) == 60.1
    assert window.level == 100


def test_a_budget_that_is_said_to_be_empty_and_is_not_holds_nothing_back_for_long() -> None:
    stated = StatedBudget(resource=Resource.REQUESTS)
    stated.observe(bucket(0, 50.0), 0.0, 1.0, 0.0, 1)
    for _ in range(8):
        forecasts = stated.forecasts(0.0, 1.0)
        stated.take(0.0, 1.0)
        stated.judge(forecasts, let_in=True)
    assert not stated.trusted
    assert stated.earliest_start(1.0, 1.0) == 1.0


def test_a_call_larger_than_the_bucket_is_let_go_when_the_bucket_is_full() -> None:
    stated = StatedBudget(resource=Resource.TOKENS)
    stated.observe(
        Budget(resource=Resource.TOKENS, limit=1000, remaining=0, reset_s=10.0), 0.0, 1000.0, 0.0, 1
    )
    full = next(reading for reading in stated.readings if reading.meaning is Meaning.FULL)
    assert full.earliest_start(0.0, 5000.0) < 12.0


def test_output_is_reserved_by_the_maximum_first_and_by_the_mean_later() -> None:
    pacer = Pacer()
    assert pacer.need(10, 4096) == amounts(10, 4096)
    for _ in range(50):
        pacer.settle(0.0, NOTHING, Usage(input_tokens=10, output_tokens=100))
    assert pacer.need(10, 4096)[3] == pytest.approx(100)


@pytest.mark.parametrize(("limit", "waits"), [(1e-300, False), (0.5, True)])
def test_a_budget_of_next_to_nothing_is_none_and_holds_nothing_back(limit: float, waits: bool) -> None:
    pacer = Pacer()
    hints = RateLimitHints(
        budgets=(Budget(resource=Resource.REQUESTS, limit=limit, remaining=0.0, window_s=60.0),)
    )
    pacer.observe(hints, 0.0, pacer.used, 1)
    at, _ = pacer.earliest_start(0.0, pacer.need(1, 1))
    assert (0.0 < at <= 121.0) if waits else at == 0.0
    assert (pacer.stated_empty(hints, pacer.need(1, 1)) is not None) is waits
