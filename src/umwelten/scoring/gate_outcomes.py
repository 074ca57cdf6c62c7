"""Whether gates are met: also a third outcome, where unscored answers could turn it; and the exit status."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from umwelten.scoring.columns import Column, ColumnName
from umwelten.scoring.figures import bounds, estimate
from umwelten.scoring.gates import TOTAL, Gate
from umwelten.types import FrozenStruct

Outcome = Literal["met", "missed", "undecided"]
"""It holds whatever the unscored answers come to; it fails whatever they come to; they decide."""

_ROUNDING = 1e-9
"""A mean of many numbers that should be 0.9 may be less by its last digits; no score has so many."""


class GateColumn(FrozenStruct):
    """What gates see of a column. `scores` are by scorer, and "total" where a gate asks for it.

    `planned`, `succeeded` and `pending` count calls. `cost_usd` is the sum of the known costs, `unpriced` the
    number of calls whose cost is unknown. `p95_s` is None where no call succeeded.
    """

    name: ColumnName
    scores: Mapping[str, Column]
    planned: int
    succeeded: int
    pending: int
    cost_usd: float
    unpriced: int
    p95_s: float | None


class GateValue(FrozenStruct):
    """What a gate found in a column: the value, the ends of its interval, and the outcome.

    `bounds` are the least and the most that what the gate asks for (the value; of a sure gate the end of its
    interval) can come to by unscored answers, pending calls or unknown costs. None is what cannot be known.
    """

    model: str
    prompt: str | None
    value: float | None
    low: float | None
    high: float | None
    bounds: tuple[float | None, float | None]
    outcome: Outcome


class GateResult(FrozenStruct):
    """A gate and what it found. It is missed if it is in one column, and met only if it is in all."""

    gate: str
    outcome: Outcome
    models: tuple[GateValue, ...]


class Found(FrozenStruct):
    """A value and what it can come to, at least and at most; None is what cannot be known."""

    value: float | None
    least: float | None
    most: float | None
    low: float | None = None
    high: float | None = None


def gate_results(
    gates: Sequence[Gate], columns: Sequence[GateColumn], *, level: float = 0.95
) -> tuple[GateResult, ...]:
    """Return what each gate comes to, in the order given; the gates must have been checked."""
    return tuple(_result(gate, columns, level) for gate in gates)


def _result(gate: Gate, columns: Sequence[GateColumn], level: float) -> GateResult:
    asked = [column for column in columns if gate.model in (None, column.name.model)]
    return gate_result(gate, [(column.name, _found(gate, column, level)) for column in asked])


def gate_result(gate: Gate, found: Sequence[tuple[ColumnName, Found]]) -> GateResult:
    """Return what a gate comes to, from what was found in each column that it is about."""
    values = tuple(_value(gate, name, one) for name, one in found)
    outcomes = {value.outcome for value in values}
    outcome: Outcome = "met" if outcomes == {"met"} else "undecided"
    return GateResult(gate=gate.text, outcome="missed" if "missed" in outcomes else outcome, models=values)


def _found(gate: Gate, column: GateColumn, level: float) -> Found:
    return found_of_all(gate.name, column) if gate.figure is None else _of_scorer(gate, column, level)


def _value(gate: Gate, name: ColumnName, found: Found) -> GateValue:
    outcome: Outcome = "undecided"
    if found.least is not None and found.most is not None:
        holds = {_holds(gate, found.least), _holds(gate, found.most)}
        if len(holds) == 1:
            outcome = "met" if holds.pop() else "missed"
    return GateValue(
        model=name.model,
        prompt=name.prompt,
        value=found.value,
        low=found.low,
        high=found.high,
        bounds=(found.least, None if found.most is None or math.isinf(found.most) else found.most),
        outcome=outcome,
    )


def _holds(gate: Gate, value: float) -> bool:
    distance = value - gate.number if gate.lower else gate.number - value
    return distance >= -_ROUNDING if gate.operator in (">=", "<=") else distance > _ROUNDING


def _of_scorer(gate: Gate, column: GateColumn, level: float) -> Found:
    scores = column.scores.get(gate.name)
    if scores is None or gate.figure is None:
        return Found(value=None, least=None, most=None)
    found = estimate(scores, gate.figure, gate.k, level=level)
    if gate.sure:
        ends = [
            (end.low if gate.lower else end.high)
            for end in (
                estimate(scores, gate.figure, gate.k, level=level, unscored=unscored) for unscored in (0, 1)
            )
        ]
        known = [end for end in ends if end is not None]
        least, most = (min(known), max(known)) if len(known) == 2 else (None, None)
    else:
        least, most = bounds(scores, gate.figure, gate.k) or (None, None)
    return Found(value=found.mean, least=least, most=most, low=found.low, high=found.high)


def found_of_all(name: str, column: GateColumn) -> Found:
    """Return what a metric of no scorer, such as "answered", comes to in a column."""
    if name == "cost_usd":
        known = not (column.unpriced or column.pending)
        most = column.cost_usd if known else math.inf
        return Found(value=column.cost_usd if known else None, least=column.cost_usd, most=most)
    if name == "p95_s":
        if column.pending or column.p95_s is None:  # what has not ended may be slower, or faster
            return Found(value=column.p95_s, least=0.0, most=math.inf)
        return Found(value=column.p95_s, least=column.p95_s, most=column.p95_s)
    if name == "answered":
        return _share(column.succeeded, column.pending, column.planned)
    found = [_scored(scores) for scorer, scores in column.scores.items() if scorer != TOTAL]
    ends = [
        (share.least, share.most) for share in found if share.least is not None and share.most is not None
    ]
    if not ends:
        return Found(value=None, least=None, most=None)
    least, most = (min(each) for each in zip(*ends, strict=True))
    return Found(value=least, least=least, most=most)


def _scored(scores: Column) -> Found:
    unscored = scores.unscored()
    scored = sum(scores.scored)
    return _share(scored, unscored.get("pending", 0), scored + sum(unscored.values()))


def _share(number: int, pending: int, of: int) -> Found:
    if not of:
        return Found(value=None, least=None, most=None)
    return Found(value=number / of, least=number / of, most=(number + pending) / of)


def exit_status(
    outcomes: Iterable[str],
    *,
    failed: int = 0,
    pending: int = 0,
    stopped: bool = False,
    interrupted: bool = False,
    exit_zero: bool = False,
) -> int:
    """Return the exit status of scoring or comparing, whose gates and rows have these outcomes.

    130 interrupted; 4 a gate is missed or a row regressed, which no call that failed or is pending can turn;
    3 stopped by a rule, or verdicts pending; 1 calls or verdicts failed, or a gate is undecided; 0 else.
    `exit_zero`: 0 in place of 4 and 1. An "unclear" row counts only for who requires that rows are held.
    """
    found = set(outcomes)
    if interrupted:
        return 130
    if found & {"missed", "regressed"} and not exit_zero:
        return 4
    if stopped or pending:
        return 3
    return 1 if (failed or "undecided" in found) and not exit_zero else 0
