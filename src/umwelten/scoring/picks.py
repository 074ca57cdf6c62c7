"""Which column to take by its scores: the best, those that may be as good, and the cheapest of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from umwelten.scoring.columns import ColumnName
from umwelten.scoring.differences import ScoreDifference, significant
from umwelten.scoring.figures import ScoreFigures
from umwelten.types import FrozenStruct

NEARLY = 0.05
"""A column that lacks more of its planned scores than this beyond the most complete one is no candidate: a
model that answers one question of ten, and that rightly, is not the best. As for picks by cost and time."""


class AsGood(FrozenStruct):
    """A column that is as good as the best, as far as can be told.

    `behind` is how far it lies behind the best, `behind_at_most` the largest such difference that is still
    possible (the end of its interval); None is what cannot be known.
    """

    column: ColumnName
    behind: float | None
    behind_at_most: float | None


class ScorePicks(FrozenStruct):
    """Which column to take by one scorer.

    `best` has the highest mean, None where no column has one. `best_value` is the cheapest of `best` and
    `as_good` whose cost is known, None where that of none is.
    """

    scorer: str
    best: ColumnName | None
    as_good: tuple[AsGood, ...]
    best_value: ColumnName | None


def picks(
    figures: Mapping[ColumnName, ScoreFigures],
    differences: Iterable[ScoreDifference],
    costs: Mapping[ColumnName, float | None],
) -> ScorePicks | None:
    """Return the picks by one scorer, whose figures and differences these are; None without columns.

    `costs` are of equal work, such as 1,000 calls. A higher value must be better. Equal means: the cheaper,
    then the first given. A pair that no difference is given for cannot be told apart.
    """
    if not figures:
        return None
    scorer = next(iter(figures.values())).scorer
    means = {name: row.mean for name, row in _complete(figures).items() if row.mean is not None}
    if not means:
        return ScorePicks(scorer=scorer, best=None, as_good=(), best_value=None)
    best = min(means, key=lambda name: (-means[name], _known_first(costs.get(name))))
    to_best = {name: None for name in means if name != best} | _to_best(best, means, differences)
    as_good = tuple(
        AsGood(
            column=name,
            behind=None if row is None else row[0],
            behind_at_most=None if row is None else row[1],
        )
        for name, row in to_best.items()
        if row is None or not row[2]
    )
    priced = [name for name in (best, *(row.column for row in as_good)) if costs.get(name) is not None]
    value = min(priced, key=lambda name: (_known_first(costs[name]), -means[name])) if priced else None
    return ScorePicks(scorer=scorer, best=best, as_good=as_good, best_value=value)


def _complete(figures: Mapping[ColumnName, ScoreFigures]) -> dict[ColumnName, ScoreFigures]:
    shares = {name: row.scored / row.planned for name, row in figures.items() if row.planned}
    least = max(shares.values(), default=0.0) - NEARLY
    return {name: figures[name] for name, share in shares.items() if share >= least}


def _known_first(cost: float | None) -> tuple[bool, float]:
    return cost is None, cost or 0.0


def _to_best(
    best: ColumnName, candidates: Iterable[ColumnName], differences: Iterable[ScoreDifference]
) -> dict[ColumnName, tuple[float | None, float | None, bool] | None]:
    """How far candidates lie behind the best, at most, and whether surely."""
    names = set(candidates)
    found: dict[ColumnName, tuple[float | None, float | None, bool] | None] = {}
    for row in differences:
        surely = significant(row.p_adjusted, row.level)
        if row.first == best and row.second in names:
            found[row.second] = row.mean, row.high, surely and (row.mean or 0) > 0
        elif row.second == best and row.first in names:
            behind = None if row.mean is None else 0.0 - row.mean  # not -0.0
            most = None if row.low is None else 0.0 - row.low
            found[row.first] = behind, most, surely and (behind or 0) > 0
    return found
