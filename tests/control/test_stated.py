"""What stated figures may mean, and how a reading of them wins, errs and loses its say."""

from __future__ import annotations

import pytest

from umwelten.control.stated import MARGIN_S, Meaning, Reading, StatedBudget
from umwelten.types import Budget, Resource


def stated(remaining: float, reset_s: float | None = None, window_s: float | None = None) -> Budget:
    return Budget(
        resource=Resource.REQUESTS, limit=100.0, remaining=remaining, reset_s=reset_s, window_s=window_s
    )


def reading(budget: StatedBudget, meaning: Meaning) -> Reading:
    return next(one for one in budget.readings if one.meaning is meaning)


def follow(limit: float, rate: float, *, says: float = 1.0, calls: int = 120) -> StatedBudget:
    """A budget that is stated by a bucket of that limit and rate; `says`: times what `reset` really is."""
    budget, level, used, now = StatedBudget(Resource.REQUESTS), limit, 0.0, 0.0
    for number in range(1, calls + 1):
        bits = budget.forecasts(now, 1.0)
        let_in = level >= 1.0
        if let_in:
            level, used = level - 1.0, used + 1.0
        budget.take(now, 1.0 if let_in else 0.0)
        budget.judge(bits, let_in=let_in)
        reset_s = says * (limit - level) / rate
        told = Budget(resource=Resource.REQUESTS, limit=limit, remaining=int(level), reset_s=reset_s)
        budget.observe(told, now, used, 0.0, number, float(let_in))
        now += 0.02
        level = min(limit, level + 0.02 * rate)
    return budget


def test_figures_that_foretell_what_comes_are_proven() -> None:
    budget = follow(20.0, 25.0)
    assert budget.proven
    assert reading(budget, Meaning.FULL) in budget.trusted
    assert reading(budget, Meaning.FULL).rate == pytest.approx(25.0, rel=0.1)


def test_figures_that_foretell_badly_hold_nothing_back() -> None:
    # A reset ten times too long would let one call in ten go.
    budget = follow(20.0, 25.0, says=10.0)
    assert not reading(budget, Meaning.FULL).has_say


def test_a_late_reply_or_one_that_states_nothing_changes_nothing() -> None:
    budget = StatedBudget(Resource.REQUESTS)
    budget.observe(stated(40.0, 6.0), 1.0, 5.0, 2.0, 5)
    before = [(one.level, one.at, one.score) for one in budget.readings]
    budget.observe(stated(10.0, 6.0), 2.0, 9.0, 0.0, 4)
    budget.observe(Budget(resource=Resource.REQUESTS, limit=7.0), 2.0, 9.0, 0.0, 6)
    assert [(one.level, one.at, one.score) for one in budget.readings] == before
    assert all(one.level <= 38.0 for one in budget.readings)


def test_a_bucket_refills_by_its_rate_and_never_above_its_limit() -> None:
    bucket = Reading(Meaning.FULL, 0.0, limit=100.0, level=20.0, at=0.0, rate=10.0)
    assert bucket.earliest_start(0.0, 10.0) == 0.0
    assert bucket.earliest_start(0.0, 30.0) == pytest.approx(2.0)  # and a tenth of all is kept back
    assert bucket.left(60.0) == 100.0
    bucket.take(60.0, 30.0)
    assert bucket.left(61.0) == 80.0


def test_a_window_gives_nothing_back_before_it_begins_anew() -> None:
    window = Reading(Meaning.WINDOW, 0.0, limit=100.0, level=5.0, at=0.0, resets_at=60.0, period_s=60.0)
    assert window.earliest_start(50.0, 5.0) == 50.0
    assert window.earliest_start(50.0, 6.0) == 60.0 + MARGIN_S
    assert window.left(61.0) == 100.0
    assert window.resets_at == 120.0


def test_of_equal_readings_the_least_strict_decides() -> None:
    budget = StatedBudget(Resource.REQUESTS)
    budget.observe(stated(0.0, 30.0, 60.0), 0.0, 100.0, 0.0, 1)
    opens = [one.earliest_start(0.0, 1.0) for one in budget.trusted]
    assert len(opens) > 1
    assert budget.earliest_start(0.0, 1.0) == min(opens)


def test_tokens_are_foretold_only_where_their_sizes_do_not_matter() -> None:
    for resource, sure in ((Resource.REQUESTS, True), (Resource.TOKENS, False)):
        budget = StatedBudget(resource)
        budget.observe(
            Budget(resource=resource, limit=100.0, remaining=20.0, reset_s=8.0), 0.0, 80.0, 0.0, 1, 10.0
        )
        assert bool(budget.forecasts(0.0, 15.0) & 1) is sure
