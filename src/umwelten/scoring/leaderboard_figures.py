"""The mean of a model over the tasks of a suite, and the gates that all tasks decide together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from umwelten.scoring.columns import Column, ColumnName
from umwelten.scoring.figures import bounds, estimate
from umwelten.scoring.gate_outcomes import Found, GateColumn, GateResult, found_of_all, gate_result
from umwelten.scoring.gates import TOTAL, Gate
from umwelten.statistics import Estimate
from umwelten.statistics.intervals import wilson_of_spread
from umwelten.types import FrozenStruct

_SHARES = ("answered", "scored")
_ROUNDING = 1e-12
"""An error below it is none: it is that of values which are all alike."""
NOTHING = Estimate(None, None, None, None, 0.95, "t", 0, 0)
"""What is known of a task without a value."""


class WeightedMean(FrozenStruct):
    """The mean of tasks by weight, its error and the ends of its interval; None is what cannot be known."""

    mean: float | None = None
    se: float | None = None
    low: float | None = None
    high: float | None = None


class SuiteColumn(FrozenStruct):
    """What the gates of all tasks see of a model and prompt.

    `parts` are the weight of each task and the scores of its total, None where the model lacks them. `of_all`
    sums up the answers to all tasks, its `scores` are by task and scorer. Not `complete`: a task was not
    begun, and nobody knows what it will come to.
    """

    name: ColumnName
    parts: tuple[tuple[float, Column | None], ...]
    of_all: GateColumn
    complete: bool = True


def weighted_mean(parts: Iterable[tuple[float, Estimate | None]]) -> WeightedMean:
    """Return the mean of tasks, each with its weight (0 or more; 0 has no part) and None if it has no value.

    With v = w / Σw it is Σ v·mean, and its error √Σ v²·se², as the tasks are independent: each has files of
    its own. Its interval reaches √Σ v²·(mean − low)² down and √Σ v²·(high − mean)² up: that of one task is
    the task's own, and where all answers are right, so that no error is left, it still has a width. Of
    several tasks it also holds Wilson's for that mean and error, for those of small tasks lean towards ½ all
    alike: without it, the interval of 12 tasks of 10 answers that are right in 95 % covers 84 %. It lies
    within 0–1 where those of the tasks do. The mean is None if one task has none, the error and the interval
    if one lacks its own.

    Source: Zou, Huang and Zhang 2009, Computational Statistics & Data Analysis 53:1080 (MOVER); Wilson 1927.
    """
    counted = [(weight, part or NOTHING) for weight, part in parts if weight > 0]
    scale = max((weight for weight, _ in counted), default=0.0)  # so that no sum overflows or vanishes
    whole = math.fsum(weight / scale for weight, _ in counted)
    shares = [(weight / scale / whole, part) for weight, part in counted]
    mean = _sum((share, part.mean) for share, part in shares)
    if mean is None:
        return WeightedMean()
    below = _root((share, _distance(part.mean, part.low)) for share, part in shares)
    above = _root((share, _distance(part.high, part.mean)) for share, part in shares)
    se = _root((share, part.se) for share, part in shares)
    if below is None or above is None:
        return WeightedMean(mean=_within(mean), se=se)
    low, high = mean - below, mean + above
    if len(shares) > 1 and se and se > _ROUNDING:
        whole_low, whole_high = wilson_of_spread(mean, se**2, 1, math.inf, shares[0][1].level)
        low, high = min(low, whole_low), max(high, whole_high)
    return WeightedMean(mean=_within(mean), se=se, low=_within(low), high=_within(high))


def _sum(values: Iterable[tuple[float, float | None]]) -> float | None:
    """The sum by weight, None if a value is lacking or there is none."""
    weighted = [None if value is None else share * value for share, value in values]
    known = [value for value in weighted if value is not None]
    return math.fsum(known) if known and len(known) == len(weighted) else None


def _root(values: Iterable[tuple[float, float | None]]) -> float | None:
    """The root of the sum of squares by weight, None if a value is lacking."""
    squares = _sum((share**2, None if value is None else value**2) for share, value in values)
    return None if squares is None else math.sqrt(squares)


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
    return weighted_mean(
        (weight, None if scores is None else estimate(scores, level=level, unscored=unscored))
        for weight, scores in column.parts
    )


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
