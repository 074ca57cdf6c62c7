"""Estimates from a sample: what is drawn, and how often the interval holds the truth."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.evaluation.estimate import ModelEstimate, least
from umwelten.evaluation.sampling import (
    CostPart,
    DrawnSample,
    Range,
    Seen,
    draw,
    part,
    student,
    together,
)
from umwelten.types import ModelRef

Size = Callable[[random.Random], float]


@settings(deadline=None)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200), st.integers(1, 60), st.floats(0, 0.999))
def test_a_draw_takes_exactly_so_many_each_once(weights: list[int], n: int, dice: float) -> None:
    weights.sort(reverse=True)
    drawn = draw(lambda: weights, n, lambda: dice)
    assert not set(drawn.sure) & set(drawn.picked)
    chosen = {**drawn.sure, **drawn.picked}
    assert len(chosen) == min(n, len(weights))
    assert all(weights[position] == weight for position, weight in chosen.items())
    assert drawn.weight == sum(weights)
    assert drawn.calls == len(weights)


def test_a_call_is_drawn_as_often_as_its_weight_says() -> None:
    weights = [float(n) for n in range(100, 0, -1)]
    rng, times = random.Random(1), [0] * 100
    for _ in range(4000):
        drawn = draw(lambda: weights, 10, rng.random)
        for position in drawn.picked:
            times[position] += 1
    for position in (0, 20, 50, 80):
        assert times[position] / 4000 == pytest.approx(10 * weights[position] / sum(weights), abs=0.03)


def test_what_outweighs_all_else_is_always_drawn() -> None:
    drawn = draw(lambda: [1000.0, 900.0, *[1.0] * 500], 10, lambda: 0.5)
    assert set(drawn.sure) == {0, 1}
    assert len(drawn.picked) == 8


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.706), (2, 4.303), (3, 3.182), (5, 2.571), (19, 2.093), (1000, 1.962)]
)
def test_students_quantiles(freedom: float, value: float) -> None:
    assert student(0.975, freedom) == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize(("freedom", "value"), [(5, 2.5706), (8, 2.3060), (12, 2.1788), (30, 2.0423)])
def test_students_quantiles_are_close_where_they_are_mostly_used(freedom: float, value: float) -> None:
    assert student(0.975, freedom) == pytest.approx(value, rel=0.0008)


HALF = DrawnSample(calls=4, weight=10.0, squares=30.0, sure={0: 4.0}, picked={2: 2.0})


def test_what_was_seen_stands_for_the_rest_by_weight() -> None:
    """By hand: costs a weight of 2 and 1, a weight of 4 is left, whose squares come to 10."""
    found = part([Seen(weight=4.0, value=8.0), Seen(weight=2.0, value=2.0)], HALF)
    assert found == CostPart(known=10.0, rest=6.0, variance=0.5 * (4 * 4 / 2 + 10), freedom=1.0, unseen=5.0)


def test_calls_that_were_sure_say_nothing_of_the_rest_if_two_others_do() -> None:
    seen = [
        Seen(weight=4.0, value=400.0, sure=True),
        Seen(weight=1.0, value=1.0),
        Seen(weight=1.0, value=3.0),
    ]
    found = part(seen, HALF)
    assert found is not None
    assert (found.known, found.rest, found.freedom) == (404.0, 8.0, 1.0)
    fewer = part(seen[:2], HALF)
    assert fewer is not None
    assert fewer.rest == 5.0 * (100.0 + 1.0) / 2


def test_one_call_alone_may_be_wrong_by_as_much_as_it_is() -> None:
    found = part([Seen(weight=2.0, value=6.0)], HALF)
    assert found == CostPart(known=6.0, rest=24.0, variance=9 * (64 + 26), freedom=1.0, unseen=0.0)


def test_the_interval_is_students_and_wider_upwards() -> None:
    parts = [
        CostPart(known=3.0, rest=10.0, variance=4.0, freedom=4.0, unseen=1.0),
        CostPart(known=5.0, rest=30.0, variance=12.0),
    ]
    off = math.exp(student(0.975, 16**2 / (4**2 / 4)) * 4 / 40)
    whole = together(parts)
    assert whole.mean == 48.0
    assert whole.low == pytest.approx(8 + 40 / off)
    assert whole.high == pytest.approx(8 + 40 * off + 1)


def test_an_interval_ends_however_little_is_known() -> None:
    whole = together([CostPart(known=0.0, rest=1.0, variance=1e6, freedom=1.0)])
    assert whole.high == pytest.approx(math.exp(10))


def _of_a_model(cost: Range | None, calls: int) -> ModelEstimate:
    return ModelEstimate(
        model=ModelRef("openai", "m"), calls=calls, sampled=2, succeeded=2, failed=0, spent=5, cost=cost,
        input_tokens=None, output_tokens=None, busy_s=None,
    )  # fmt: skip


def test_a_calls_share_is_the_cost_by_the_calls() -> None:
    cost = Range(low=10.0, mean=20.0, high=40.0)
    share = _of_a_model(cost, 4).per_call
    assert share is not None
    assert (share.low, share.mean, share.high) == (2.5, 5.0, 10.0)
    assert _of_a_model(cost, 0).per_call is None
    assert _of_a_model(None, 4).per_call is None


def test_an_estimate_needs_two_calls_a_model_where_there_are_two() -> None:
    assert [least(3), least(3, 1), least(3, 2), least(3, 9)] == [6, 3, 6, 6]


def test_a_sample_of_all_is_exact() -> None:
    drawn = draw(lambda: [3.0, 2.0, 1.0], 5, lambda: 0.1)
    found = part([Seen(weight=w, value=7.0, sure=True) for w in (3.0, 2.0, 1.0)], drawn)
    assert found is not None
    whole = together([found])
    assert (whole.low, whole.mean, whole.high) == (21.0, 21.0, 21.0)


def test_a_sample_of_all_is_exact_however_weights_are_rounded() -> None:
    weights = [0.9, 0.8, 0.7, 0.6]
    drawn = draw(lambda: weights, 4, lambda: 0.1)
    assert drawn.weight > math.fsum(weights), "or this shows nothing"
    assert part([Seen(weight=w, value=7.0, sure=True) for w in weights], drawn) == CostPart(known=28.0)


def test_nothing_seen_gives_no_estimate() -> None:
    assert part([], DrawnSample(calls=5, weight=5.0, squares=5.0, sure={}, picked={})) is None


def test_free_calls_are_estimated_to_be_free() -> None:
    drawn = draw(lambda: [1.0] * 100, 10, lambda: 0.5)
    found = part([Seen(weight=1.0, value=0.0) for _ in drawn.picked], drawn)
    assert found is not None
    assert together([found]).high == 0


SIZES: dict[str, Size] = {
    "even": lambda dice: dice.uniform(500, 5_000),
    "lognormal": lambda dice: dice.lognormvariate(7.5, 1.5),
    "pareto": lambda dice: min(1000 * dice.paretovariate(1.2), 2e6),
}
ANSWERS: dict[str, Callable[[random.Random, float], float]] = {
    "alike": lambda dice, size: dice.uniform(250, 350),
    "lognormal": lambda dice, size: min(dice.lognormvariate(5, 1.2), 8192),
    "pareto": lambda dice, size: min(60 * dice.paretovariate(1.4), 4096),
    "as long as the file": lambda dice, size: size / 4 * dice.uniform(0.7, 1.3),
    "now and then a long one": lambda dice, size: 20 if dice.random() < 0.85 else dice.uniform(1500, 2500),
}


def _job(sizes: str, answers: str, calls: int, dice: random.Random) -> tuple[list[float], list[float]]:
    """Weights and true costs, largest file first."""
    found = sorted((SIZES[sizes](dice) for _ in range(calls)), reverse=True)
    costs = [
        (size / 4 * dice.uniform(0.8, 1.2) + 30) * 0.15 + ANSWERS[answers](dice, size) * 0.6 for size in found
    ]
    return [(size / 4 + 8) * 0.15 + 300 * 0.6 for size in found], costs


def _holds(weights: list[float], costs: list[float], n: int, dice: random.Random) -> bool:
    drawn = draw(lambda: weights, n, dice.random)
    seen = [
        *(Seen(weight=w, value=costs[k], sure=True) for k, w in drawn.sure.items()),
        *(Seen(weight=w, value=costs[k]) for k, w in drawn.picked.items()),
    ]
    found = part(seen, drawn)
    assert found is not None
    whole = together([found])
    return whole.low <= sum(costs) <= whole.high


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("sizes", SIZES)
def test_the_real_cost_falls_inside_in_85_of_100_jobs(sizes: str, answers: str) -> None:
    dice = random.Random(f"{sizes} {answers}")
    inside = sum(_holds(*_job(sizes, answers, 800, dice), 30, dice) for _ in range(100))
    print(f"{sizes} files, answers {answers}: {inside} of 100")
    assert inside >= 85


def test_two_models_together_hold_the_truth_as_well() -> None:
    dice, inside = random.Random(3), 0
    for _ in range(100):
        parts, truth = [], 0.0
        for answers in ("lognormal", "pareto"):
            weights, costs = _job("lognormal", answers, 500, dice)
            drawn = draw(lambda weights=weights: weights, 20, dice.random)
            seen = [
                Seen(weight=w, value=costs[k], sure=k in drawn.sure)
                for k, w in {**drawn.sure, **drawn.picked}.items()
            ]
            parts.append(part(seen, drawn))
            truth += sum(costs)
        whole = together([one for one in parts if one is not None])
        inside += whole.low <= truth <= whole.high
    assert inside >= 85
