"""The mean of a model over the tasks of a suite, and the gates that all tasks decide together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from umwelten.scoring.columns import Column, ColumnName
from umwelten.scoring.figures import bounds, estimate
from umwelten.scoring.gate_outcomes import Found, GateColumn, GateResult, found_of_all, gate_result
from umwelten.scoring.gates import TOTAL, Gate
from umwelten.scoring.shared_inputs import Correlations, correlations
from umwelten.statistics import Estimate
from umwelten.statistics.intervals import wilson_of_spread
from umwelten.types import FrozenStruct

_SHARES = ("answered", "scored")
_ROUNDING = 1e-12
"""An error below it is none: it is that of values which are all alike."""
NOTHING = Estimate(None, None, None, None, 0.95, "t", 0, 0)
"""What is known of a task without a value."""
NONE: Correlations = {}
"""Of tasks that share no inputs."""


class WeightedMean(FrozenStruct):
    """The mean of tasks by weight, its error and the ends of its interval; None is what cannot be known."""

    mean: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None


class SuiteColumn(FrozenStruct):
    """What the gates of all tasks see of a model and prompt.

    `parts` are the weight of each task and the scores of its total, None where the model lacks them. `units`
    are those of `shared_units`, by task; none: no inputs are shared. `of_all` sums up the answers to all
    tasks, its `scores` are by task and scorer. Not `complete`: a task was not begun, and nobody knows what it
    will come to.
    """

    name: ColumnName
    parts: tuple[tuple[float, Column | None], ...]
    of_all: GateColumn
    complete: bool = True
    units: tuple[Sequence[int] | None, ...] = ()


def weighted_mean(
    parts: Iterable[tuple[float, Estimate | None]], correlated: Correlations = NONE
) -> WeightedMean:
    """Return the mean of tasks, each with its weight (0 or more; 0 has no part) and None if it has no value.

    With v = w / Σw it is Σ v·mean, and its error √(Σ v²·se² + 2·Σ r·v·se·v'·se' over pairs of tasks), r their
    correlation in `correlated`, by places of `parts`. Its interval reaches as far down as the same formula
    says of mean − low in place of se, and up as of high − mean: that of one task is the task's own, and where
    all answers are right, so that no error is left, it still has a width. It is nowhere less than without
    correlations: few inputs often have a negative one by chance. Of several tasks it also holds Wilson's for
    that mean and error, for those of small tasks lean towards ½ all alike: without it, the interval of 12
    tasks of 10 answers that are right in 95 % covers 84 %. It lies within 0–1 where those of the tasks do.
    The mean is None if one task has none, the error and the interval if one lacks its own.

    Source: Zou, Huang and Zhang 2009, Computational Statistics & Data Analysis 53:1080 (MOVER); with
    correlations Zou 2007, Psychological Methods 12:399; Wilson 1927.
    """
    known = [(place, weight, part or NOTHING) for place, (weight, part) in enumerate(parts) if weight > 0]
    scale = max((weight for _, weight, _ in known), default=0.0)  # so that no sum overflows or vanishes
    whole = math.fsum(weight / scale for _, weight, _ in known)
    shares = {place: (weight / scale / whole, part) for place, weight, part in known}
    mean = _sum((share, part.mean) for share, part in shares.values())
    if mean is None:
        return WeightedMean()
    below, above, se = (
        _reach({place: (share, value(part)) for place, (share, part) in shares.items()}, correlated)
        for value in (_below, _above, _error)
    )
    if below is None or above is None:
        return WeightedMean(mean=_within(mean), se=se)
    low, high = mean - below, mean + above
    if len(shares) > 1 and se and se > _ROUNDING:
        whole_low, whole_high = wilson_of_spread(mean, se**2, 1, math.inf, known[0][2].level)
        low, high = min(low, whole_low), max(high, whole_high)
    return WeightedMean(mean=_within(mean), se=se, low=_within(low), high=_within(high))


def _sum(values: Iterable[tuple[float, float | None]]) -> float | None:
    """The sum by weight, None if a value is lacking or there is none."""
    weighted = [None if value is None else share * value for share, value in values]
    known = [value for value in weighted if value is not None]
    return math.fsum(known) if known and len(known) == len(weighted) else None


def _reach(values: Mapping[int, tuple[float, float | None]], correlated: Correlations) -> float | None:
    """The root of the sum of squares by weight, and of products; None if a value is lacking."""
    reach = {place: share * value for place, (share, value) in values.items() if value is not None}
    if len(reach) < len(values):
        return None
    squares = math.fsum(value**2 for value in reach.values())
    products = math.fsum(
        2 * r * reach[one] * reach[other]
        for (one, other), r in correlated.items()
        if one in reach and other in reach
    )
    return math.sqrt(squares + max(products, 0.0))


def _below(part: Estimate) -> float | None:
    return _distance(part.mean, part.low)


def _above(part: Estimate) -> float | None:
    return _distance(part.high, part.mean)


def _error(part: Estimate) -> float | None:
    return part.se


def _distance(high: float | None, low: float | None) -> float | None:
    return None if high is None or low is None else max(high - low, 0.0)


def _within(value: float) -> float:
    return min(max(value, 0.0), 1.0)


# --- gates ---------------------------------------------------------------------------------------


def suite_gate_result(gate: Gate, columns: Sequence[SuiteColumn], *, level: float = 0.95) -> GateResult:
    """Return what a gate of all tasks comes to. A task that a model lacks could have been all 0, or all 1."""
    find = _total if gate.name == TOTAL else _of_all
    asked = [column for column in columns if gate.model in (None, column.name.model)]
    return gate_result(gate, [(column.name, find(gate, column, level)) for column in asked])


def suite_mean(column: SuiteColumn, *, level: float = 0.95, unscored: int | None = None) -> WeightedMean:
    """Return the mean of a model's tasks. `unscored` as for `figures.estimate`."""
    parts = [
        (weight, None if scores is None else estimate(scores, level=level, unscored=unscored))
        for weight, scores in column.parts
    ]
    return weighted_mean(parts, suite_correlations(column, unscored=unscored))


def suite_correlations(column: SuiteColumn, *, unscored: int | None = None) -> Correlations:
    """Return how the means of a model's tasks are correlated. `unscored` as for `figures.estimate`."""
    tasks = [
        (scores, units)
        for (_, scores), units in zip(column.parts, column.units or [None] * len(column.parts), strict=True)
    ]
    return correlations(tasks, unscored=unscored)


def _total(gate: Gate, column: SuiteColumn, level: float) -> Found:
    found = suite_mean(column, level=level)
    least: float | None
    most: float | None
    if gate.sure:
        both = [suite_mean(column, level=level, unscored=unscored) for unscored in (0, 1)]
        ends = [end for end in (one.low if gate.lower else one.high for one in both) if end is not None]
        least, most = (min(ends), max(ends)) if len(ends) == 2 else (None, None)
    else:
        reach = [
            (weight, (scores and bounds(scores)) or (0.0, 1.0))
            for weight, scores in column.parts
            if weight > 0
        ]
        least, most = (
            weighted_mean((weight, _exactly(ends[n])) for weight, ends in reach).mean for n in (0, 1)
        )
    return Found(value=found.mean, least=least, most=most, low=found.low, high=found.high)


def _exactly(value: float) -> Estimate:
    return replace(NOTHING, mean=value)


def _of_all(gate: Gate, column: SuiteColumn, level: float) -> Found:
    found = found_of_all(gate.name, column.of_all)
    if column.complete:
        return found
    least = found.least if gate.name == "cost_usd" else 0.0
    return Found(value=found.value, least=least, most=1.0 if gate.name in _SHARES else math.inf)
