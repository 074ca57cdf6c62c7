"""The mean over tasks: its arithmetic, and whether its interval holds what it says."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.scoring.leaderboard_figures import WeightedMean, weighted_mean
from umwelten.statistics import Estimate, clustered_mean
from umwelten.statistics.means import rate_of_means

VALUES = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=2, max_size=20)
WEIGHTS = st.floats(1e-9, 1e9)
Parts = list[tuple[float, list[float]]]
TASKS = st.lists(st.tuples(WEIGHTS, VALUES), min_size=1, max_size=12)


def task(*values: float) -> Estimate:
    return clustered_mean(values, scale=(0.0, 1.0))


def rate(*values: float) -> Estimate:
    return rate_of_means(list(values), len(values))


def test_by_hand() -> None:
    one, other = task(0.2, 0.4, 0.9), task(0.5, 0.7)
    found = weighted_mean([(2, one), (1, other)])
    assert one.se is not None and other.se is not None and one.low is not None and other.low is not None
    assert found.mean == pytest.approx((2 * 0.5 + 0.6) / 3)
    assert found.se == pytest.approx(math.sqrt(4 * one.se**2 + other.se**2) / 3)
    assert found.low == pytest.approx(found.mean - math.hypot(2 * (0.5 - one.low), 0.6 - other.low) / 3)


def test_what_is_unknown_stays_unknown() -> None:
    known, unknown, one_file = task(0.2, 0.4), task(), task(0.5)
    assert weighted_mean([]) == weighted_mean([(0, known)]) == WeightedMean()
    assert weighted_mean([(1, known), (1, None)]) == WeightedMean()
    assert weighted_mean([(1, known), (1, unknown)]) == WeightedMean()
    assert weighted_mean([(1, known), (0, None)]) == weighted_mean([(7, known)])
    assert weighted_mean([(1, known), (1, one_file)]) == WeightedMean(mean=0.4)


@given(TASKS)
def test_the_mean_lies_in_its_interval_and_both_within_the_scale(
    parts: list[tuple[float, list[float]]],
) -> None:
    tasks = [(weight, task(*values)) for weight, values in parts]
    found = weighted_mean(tasks)
    assert found.mean is not None and found.low is not None and found.high is not None
    assert 0 <= found.low <= found.mean <= found.high <= 1
    means = [one.mean for _, one in tasks if one.mean is not None]
    assert min(means) - 1e-12 <= found.mean <= max(means) + 1e-12
    scaled = weighted_mean([(weight * 1e-3, one) for weight, one in reversed(tasks)])
    for name in ("mean", "se", "low", "high"):
        assert getattr(scaled, name) == pytest.approx(getattr(found, name), abs=1e-9)


@given(WEIGHTS, VALUES)
def test_the_mean_of_one_task_is_the_task(weight: float, values: list[float]) -> None:
    one = task(*values)
    found = weighted_mean([(weight, one)])
    expected = (one.mean, one.se, one.low, one.high)
    assert (found.mean, found.se, found.low, found.high) == pytest.approx(expected, abs=1e-12)


def test_all_right_leaves_doubt() -> None:
    found = weighted_mean([(1, rate(*[1] * 10)), (1, rate(*[1] * 10))])
    assert found.se == 0 and found.high == 1
    assert found.low is not None and 0.75 < found.low < 0.85


@pytest.mark.parametrize("right", [0.5, 0.95])
def test_many_small_tasks_are_not_too_sure(right: float) -> None:
    """Twelve tasks of 10 answers: Wilson's intervals of all lean to the same side."""
    dice = random.Random(f"small tasks {right}")
    inside, draws = 0, 300
    for _ in range(draws):
        found = weighted_mean(
            [(1, rate(*(float(dice.random() < right) for _ in range(10)))) for _ in range(12)]
        )
        assert found.low is not None and found.high is not None
        inside += found.low <= right <= found.high
    assert inside / draws >= 0.93


@pytest.mark.parametrize("weights", [(1, 1, 1), (4, 1, 1)])
@pytest.mark.parametrize("rates", [(0.5, 0.7, 0.9), (0.95, 0.95, 0.98)])
def test_the_interval_holds_the_truth_as_often_as_it_says(
    weights: tuple[float, ...], rates: tuple[float, ...]
) -> None:
    """Three tasks of 20, 30 and 40 files: two of yes and no, one whose values lie between."""
    dice = random.Random(f"{weights}{rates}")
    truth = sum(weight * p for weight, p in zip(weights, rates, strict=True)) / sum(weights)
    inside, draws = 0, 600
    for _ in range(draws):
        yes_no = [
            rate(*(float(dice.random() < p) for _ in range(n)))
            for p, n in zip(rates[:2], (20, 30), strict=True)
        ]
        graded = task(*(dice.betavariate(10 * rates[2], 10 * (1 - rates[2])) for _ in range(40)))
        found = weighted_mean(zip(weights, [*yes_no, graded], strict=True))
        assert found.low is not None and found.high is not None
        inside += found.low <= truth <= found.high
    assert 0.92 <= inside / draws <= 0.985
