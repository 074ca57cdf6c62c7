"""Strengths at equal length: what length is worth to judges, and what is left without it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle

from umwelten.scoring.ranking.ranking import POINTS, LengthEffect
from umwelten.statistics import Comparison, CovariateUndetermined, Strengths, clustered_strengths
from umwelten.types import FrozenStruct


class Controlled(FrozenStruct):
    """Strengths at equal length, and the effect of length in points a doubling; `before` is left empty."""

    strengths: Strengths[int]
    effect: LengthEffect
    note: str = ""


def controlled(comparisons: Sequence[Comparison[int]], level: float) -> Controlled | str:
    """Return strengths at equal length, or why they cannot be told.

    `covariate` of each comparison is ln(length of the first ÷ length of the second). ln odds = β_first −
    β_second + γ · covariate. Where every comparison that could tell went to the longer answer (or every one
    to the shorter), γ has no estimate: each pair that met is given half a win each way at unlike lengths, as
    undefeated contestants are against the mean, the far end of γ's interval is open, and the note says so.
    """
    note = ""
    try:
        strengths = clustered_strengths(comparisons, level=level, control=True)
    except CovariateUndetermined:
        if not _varies(comparisons):
            return _FIXED if any(each.covariate for each in comparisons) else _ALIKE
        try:
            strengths = clustered_strengths([*comparisons, *_added(comparisons)], level=level, control=True)
        except CovariateUndetermined:
            return _UNTOLD
        # Of 3 equals of unlike length and 5 files, clusters alone would tell some apart in 28 %.
        strengths, note = strengths.cautious(), _DECIDES
    if strengths.covariate is None:
        return _ALIKE
    doubling = math.log(2) * POINTS
    points = strengths.covariate[0] * doubling
    low, high = (end * doubling for end in ends) if (ends := strengths.covariate_interval()) else (None, None)
    if note:  # it has no bound on that side
        low, high = (low, None) if points > 0 else (None, high)
    effect = LengthEffect(points=points, low=low, high=high, before=())
    return Controlled(strengths=strengths, effect=effect, note=note)


_ALIKE = "all answers that were compared are alike in length"
_FIXED = "the same pair always differs in length alike, which cannot be told from its strengths"
_UNTOLD = "these comparisons do not tell what length is worth"
_DECIDES = (
    "length alone explains the verdicts, so that its effect has no bound: the strengths at equal length were "
    "fitted with half a win each way added for each pair"
)


def _varies(comparisons: Sequence[Comparison[int]]) -> bool:
    """Return whether the lengths of some pair differ now more, now less."""
    first: dict[tuple[int, int], float] = {}
    return any(
        abs(first.setdefault((each.first, each.second), each.covariate) - each.covariate) > 1e-9
        for each in comparisons
    )


def _added(comparisons: Sequence[Comparison[int]]) -> list[Comparison[int]]:
    """Return a tie at either sign of a typical difference for each pair that met.

    They are spread over the clusters that there are: more of them would make every interval too narrow.
    """
    typical = math.sqrt(sum(each.covariate**2 for each in comparisons) / len(comparisons))
    pairs = sorted({(min(each.first, each.second), max(each.first, each.second)) for each in comparisons})
    clusters = cycle(dict.fromkeys(each.cluster for each in comparisons))
    return [
        Comparison(first, second, 0.5, next(clusters), by)
        for first, second in pairs
        for by in (-typical, typical)
    ]
