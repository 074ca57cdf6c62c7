"""Tasks about the same inputs: their correlation, and whether the interval of their mean allows for it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.scoring.columns import Column, Files
from umwelten.scoring.figures import estimate
from umwelten.scoring.leaderboard_figures import WeightedMean, weighted_mean
from umwelten.scoring.shared_inputs import UNKNOWN, Correlations, TaskInputs, correlations, shared_units
from umwelten.statistics import clustered_mean

VALUE = st.floats(0, 1, allow_subnormal=False)


def column(values: Sequence[float | None], *, yes_no: bool = False, clusters: Sequence[str] = ()) -> Column:
    made = Column(Files(range(len(values)), dict(enumerate(clusters))), repeats=1, yes_no=yes_no)
    for file, value in enumerate(values):
        if value is not None:
            made.add(file, value)
    return made


def correlated(tasks: Sequence[Column], *keys: Sequence[int], unscored: int | None = None) -> Correlations:
    """Without keys all inputs are common."""
    inputs = [
        TaskInputs(keys=keys[place] if keys else range(len(task.files)), clusters=task.files.clusters)
        for place, task in enumerate(tasks)
    ]
    return correlations(list(zip(tasks, shared_units(inputs), strict=True)), unscored=unscored)


def mean_of(tasks: Sequence[Column], weights: Sequence[float], found: Correlations) -> WeightedMean:
    return weighted_mean(list(zip(weights, map(estimate, tasks), strict=True)), found)


def test_by_hand() -> None:
    one, other = column([0.1, 0.2, 0.6]), column([0.2, 0.2, 0.5])
    assert correlated([one, other], (1, 2, 3), (4, 5, 6)) == {}
    assert correlated([one, other]) == {(0, 1): pytest.approx(0.09 / math.sqrt(0.14 * 0.06))}
    # Only the last of one is the first of the other: 0.3 times −0.1.
    partly = correlated([one, other], (1, 2, 3), (3, 4, 5))
    assert partly == {(0, 1): pytest.approx(-0.03 / math.sqrt(0.0084))}
    assert correlated([one, column([0.2, None, None])]) == {(0, 1): pytest.approx(UNKNOWN / math.sqrt(3))}
    assert correlated([one, column([None] * 3)]) == {}


def test_the_same_answers_twice_are_as_uncertain_as_once() -> None:
    values = [1.0] * 7 + [0.0] * 3
    tasks = [column(values, yes_no=True) for _ in range(3)]
    found, once = mean_of(tasks, [1, 2, 3], correlated(tasks)), estimate(tasks[0])
    assert (found.mean, found.se) == pytest.approx((once.mean, once.se))
    assert (found.low, found.high) == pytest.approx((once.low, once.high), abs=0.02), "Wilson's, of n − 1"


@given(st.lists(st.tuples(VALUE, VALUE, VALUE), min_size=2, max_size=12))
def test_the_error_is_that_of_the_mean_of_each_input(values: list[tuple[float, ...]]) -> None:
    """Or, where tasks go against each other, that of independent ones."""
    weights = [1, 2, 3]
    tasks = [column(one) for one in zip(*values, strict=True)]
    found = mean_of(tasks, weights, correlated(tasks))
    alone = mean_of(tasks, weights, {})
    together = clustered_mean(
        [math.fsum(w * v / 6 for w, v in zip(weights, row, strict=True)) for row in values]
    )
    assert found.se is not None and alone.se is not None and together.se is not None
    assert found.se == pytest.approx(max(together.se, alone.se), abs=1e-9)
    assert found.low is not None and alone.low is not None and found.low <= alone.low


def test_all_right_says_nothing_of_the_correlation() -> None:
    tasks = [column([1.0] * 10, yes_no=True), column([1.0] * 10, yes_no=True)]
    assert correlated(tasks) == {(0, 1): UNKNOWN}
    assert correlated(tasks, range(10), range(5, 15)) == {(0, 1): UNKNOWN / 2}


def test_inputs_that_belong_together_count_as_one() -> None:
    """Within a cluster the tasks go against each other, but clusters go together."""
    one = column([0.0, 0.2, 0.8, 1.0], clusters="aabb")
    other = column([0.2, 0.0, 1.0, 0.8])
    for tasks in ([one, other], [other, one]):
        assert correlated(tasks) == {(0, 1): pytest.approx(1.0)}
    assert correlated([other, column([0.0, 0.2, 0.8, 1.0])])[0, 1] < 0.9


def test_answers_that_are_missing_can_be_set() -> None:
    tasks = [column([None, 0.5, 0.5]), column([None, 0.2, 0.3])]
    assert correlated(tasks) == {(0, 1): pytest.approx(UNKNOWN)}
    assert correlated(tasks, unscored=1)[0, 1] > 0.9


@pytest.mark.parametrize(("tasks", "files"), [(2, 24), (4, 12)])
@pytest.mark.parametrize("yes_no", [True, False])
def test_the_interval_holds_the_truth_as_often_as_it_says(tasks: int, files: int, yes_no: bool) -> None:
    """Values around 0.5 that what an input is like decides for the most part: as independent, it fails."""
    dice = random.Random(f"{tasks} {files} {yes_no}")
    weights, draws = [2.0, *[1.0] * (tasks - 1)], 400
    inside = {True: 0, False: 0}
    for _ in range(draws):
        drawn: list[list[float]] = [[] for _ in range(tasks)]
        for _ in range(files):
            hard = dice.gauss(0, 0.95)
            for values in drawn:
                value = hard + dice.gauss(0, 0.31)
                values.append(float(value > 0) if yes_no else 1 / (1 + math.exp(-value)))
        columns = [column(values, yes_no=yes_no) for values in drawn]
        for shared in inside:
            found = mean_of(columns, weights, correlated(columns) if shared else {})
            assert found.low is not None and found.high is not None
            inside[shared] += found.low <= 0.5 <= found.high
    assert 0.92 <= inside[True] / draws <= 0.985
    assert inside[False] / draws < 0.9
