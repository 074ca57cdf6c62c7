"""Strengths of contestants that are compared two at a time, and how sure their order is."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import add
from typing import Generic, TypeVar

from umwelten.statistics import arguments
from umwelten.statistics.comparisons import Comparison, Disconnected, Record, check_connected, gather
from umwelten.statistics.connectivity import Dominance, dominance
from umwelten.statistics.distributions import t_quantile, two_sided_p, two_sided_z
from umwelten.statistics.linear_systems import Matrix, Singular, factor, inverse, sandwich
from umwelten.statistics.paired_likelihood import Maximum, PairTotals, chance, maximise
from umwelten.statistics.paired_tests import holm

__all__ = [
    "Comparison",
    "Disconnected",
    "Strength",
    "StrengthDifference",
    "Strengths",
    "bradley_terry",
    "clustered_strengths",
]

Name = TypeVar("Name", bound=Hashable)

_TOO_SURE = 0.01
"""Of the variance that independent comparisons have: a clustered one below it is that of a few files whose
residuals happen to be nearly equal. Of rankings of 10 equal contestants, 16, 32, 7 and 4 % tell some apart by
2, 3, 4 and 5 files without it, and 0, 0, 2 and 4 % with it; it makes no difference from 6 files on (1,000
draws each, those with it as `python -m benchmarks.coverage` makes them)."""


@dataclass(frozen=True, slots=True)
class Strength:
    """The strength of one contestant, in log odds against the mean of all.

    `low` or `high` is None where that end is open; `se`, `low` and `high` with one cluster.
    """

    strength: float
    se: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class StrengthDifference:
    """By how much one contestant is stronger than another, in log odds of winning against it.

    `p` is that of a difference so large among equals. `low` or `high` is None where that end is open, `p`
    where both are: then nothing is known of the two. `se`, `low`, `high` and `p` are None with one cluster.
    """

    estimate: float
    se: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True, slots=True)
class Strengths(Generic[Name]):
    """Strengths of contestants, in log odds; their sum is 0.

    `strengths` and the rows of `covariance` are in the order of `names`, which is that of first appearance.
    The chance of the first of two to win is 1/(1 + e^−(difference)). `method` is `"fisher"` or `"sandwich"`;
    `covariance` is None with one cluster, and `clusters` and `df` are None by Fisher's information, whose
    intervals are normal. `covariate` is the effect of one unit of it, in log odds, with its error.

    `undefeated` never lost, not even in part, to any outside of their group, and `winless` never won; if
    there are any, strengths that fit best do not exist, and those here have half a win and half a loss more
    for each of them.
    """

    names: tuple[Name, ...]
    strengths: tuple[float, ...]
    covariance: tuple[tuple[float, ...], ...] | None
    level: float
    clusters: int | None
    df: int | None
    method: str
    undefeated: frozenset[Name]
    winless: frozenset[Name]
    covariate: tuple[float, float | None] | None
    _dominance: Dominance = field(repr=False, compare=False)
    _independent: Matrix = field(repr=False, compare=False)
    _places: dict[Name, int] = field(repr=False, compare=False)

    def of(self, name: Name) -> Strength:
        """Return the strength of one of `names` with its interval. KeyError where there is no such name."""
        one = self._places[name]
        strength = self.strengths[one]
        se = self._error(one, one, centred=True)
        if se is None:
            return Strength(strength, None, None, None)
        half = self._quantile(self.level) * se
        low = None if one in self._dominance.open_low else strength - half
        return Strength(strength, se, low, None if one in self._dominance.open_high else strength + half)

    def difference(self, first: Name, second: Name) -> StrengthDifference:
        """Return by how much `first` is stronger than `second`. KeyError where there is no such name."""
        one, other = self._places[first], self._places[second]
        estimate, se = self.strengths[one] - self.strengths[other], self._error(one, other)
        if se is None:
            return StrengthDifference(estimate, None, None, None, None)
        half = self._quantile(self.level) * se
        low = estimate - half if other in self._dominance.reached[one] else None
        high = estimate + half if one in self._dominance.reached[other] else None
        p = None if low is None and high is None else self._p(estimate, se)
        return StrengthDifference(estimate, se, low, high, p)

    def covariate_interval(self) -> tuple[float, float] | None:
        """Return the ends of the interval of the covariate's effect; None where it has no error."""
        if self.covariate is None or self.covariate[1] is None:
            return None
        estimate, half = self.covariate[0], self._quantile(self.level) * self.covariate[1]
        return estimate - half, estimate + half

    def adjusted_p(self) -> dict[tuple[Name, Name], float | None]:
        """Return p of each pair by Holm over all pairs. Keys have the names in the order of `names`."""
        pairs = [(first, second) for at, first in enumerate(self.names) for second in self.names[at + 1 :]]
        return dict(zip(pairs, holm([self.difference(*pair).p for pair in pairs]), strict=True))

    def rank_ranges(self, level: float | None = None) -> dict[Name, tuple[int, int]]:
        """Return the best and the worst place that each contestant may have.

        The best is 1 + those surely stronger, the worst counts those surely weaker: p by Holm over all pairs
        is at most 1 − `level`, so that any range is wrong in that share of rankings at most. `level` is that
        of the intervals where none is given.
        """
        limit = 1 - (self.level if level is None else arguments.share(level, "level"))
        stronger, weaker = dict.fromkeys(self.names, 0), dict.fromkeys(self.names, 0)
        for pair, p in self.adjusted_p().items():
            if p is not None and p <= limit:
                worse, better = sorted(pair, key=lambda name: self.strengths[self._places[name]])
                stronger[worse] += 1
                weaker[better] += 1
        return {name: (1 + stronger[name], len(self.names) - weaker[name]) for name in self.names}

    def cautious(self) -> Strengths[Name]:
        """Return the same strengths with the variance of independent comparisons added to that of clusters.

        For those that a covariate explains so well that little is left of which to judge how sure they are.
        """
        if self.covariance is None:
            return self
        return replace(
            self,
            covariance=tuple(
                tuple(map(add, found, independent))
                for found, independent in zip(self.covariance, self._independent, strict=False)
            ),
        )

    def _error(self, one: int, other: int, *, centred: bool = False) -> float | None:
        """Return the error of a difference, or of the strength itself.

        By Fisher's information where clusters hardly differ from the fit, as with ties only: no spread among
        a few files is no proof that there is none.
        """
        if self.covariance is None:
            return None
        found, independent = (
            rows[one][one] if centred else rows[one][one] + rows[other][other] - 2 * rows[one][other]
            for rows in (self.covariance, self._independent)
        )
        return _root(found, independent)

    def _quantile(self, level: float) -> float:
        return two_sided_z(level) if self.df is None else t_quantile((1 + level) / 2, self.df)

    def _p(self, estimate: float, se: float) -> float:
        if not se:
            return 1.0  # of a contestant with itself
        if self.df is None:
            return math.erfc(abs(estimate) / se / math.sqrt(2))
        return two_sided_p(estimate / se, self.df)


def bradley_terry(wins: Mapping[tuple[Name, Name], float], *, level: float = 0.95) -> Strengths[Name]:
    """Return strengths from how often each contestant won against each other, by maximum likelihood.

    `wins[a, b]` is how often a won against b; of a tie, half for each. ln P(a wins)/P(b wins) = β_a − β_b,
    Σβ = 0. Errors are from Fisher's information: right if every comparison is independent of all others,
    which several about the same file are not (see `clustered_strengths`).

    Source: Bradley and Terry 1952, Biometrika 39:324; when the estimate exists: Ford 1957, American
    Mathematical Monthly 64(8):28; Agresti 2002, Categorical Data Analysis, 10.6.

    ValueError: a number that is not finite or below 0, a contestant against itself, a level not between 0
    and 1; Disconnected where groups of contestants never met.

        >>> found = bradley_terry({("a", "b"): 30, ("b", "a"): 10})
        >>> round(found.difference("a", "b").estimate, 4)  # ln 3
        1.0986
    """
    arguments.share(level, "level")
    places: dict[Name, int] = {}
    totals: dict[tuple[int, int], list[float]] = {}
    for (first, second), times in wins.items():
        [number] = arguments.finite([times], f"wins[{first!r}, {second!r}]")
        if number < 0 or first == second:
            what = "one contestant, twice" if first == second else f"{times!r}: 0 or more is expected"
            raise ValueError(f"wins[{first!r}, {second!r}] is {what}")
        one, other = places.setdefault(first, len(places)), places.setdefault(second, len(places))
        entry = totals.setdefault((min(one, other), max(one, other)), [0.0, 0.0])
        entry[0] += number
        entry[1] += number if one < other else 0.0
    pairs = [PairTotals(i, j, (0.0,), (n,), (w,)) for (i, j), (n, w) in totals.items() if n]
    names = tuple(places)
    check_connected(names, ((pair.first, pair.second) for pair in pairs))
    order = dominance_of(pairs, len(names))
    found = maximise(pairs, len(names), anchors_of(order), [0.0] * len(names))
    errors = _information_errors(found, len(names))
    return _strengths(places, found, order, errors, errors, level=level, clusters=None)


def clustered_strengths(
    comparisons: Iterable[Comparison[Name]], *, level: float = 0.95, control: bool = False
) -> Strengths[Name]:
    """Return strengths from single comparisons, with errors that know which belong together.

    The strengths are those of `bradley_terry`; a value between 0 and 1, such as the mean of several verdicts,
    counts as that share of a win. Their covariance is H⁻¹ (Σ_c s_c s_cᵀ) H⁻¹ · C/(C−1), H the information and
    s_c the sum over cluster c of the first derivatives, with t(C−1) for intervals and tests. Comparisons
    without a cluster are one each. With `control` the model is β_first − β_second + γ · covariate:
    strengths are those at equal covariates.

    Half a win and half a loss that are added for undefeated and winless contestants are half a cluster each
    in the sum, for where one always wins the other clusters have next to no spread. So the finite end for one
    that won in all of 10 files is a chance of 0.67, and 0.84 for 20 (Wilson's: 0.72 and 0.84).

    Source: Liang and Zeger 1986, Biometrika 73:13; Cameron and Miller 2015, Journal of Human Resources
    50:317.

    ValueError: a value outside of 0–1, a covariate that is not finite, a contestant against itself, a level
    not between 0 and 1; Disconnected where groups of contestants never met; CovariateUndetermined where the
    effect of the covariate cannot be told.

        >>> files = [Comparison("a", "b", value, file) for file, value in enumerate([1, 1, 0.5, 1, 0, 1])]
        >>> found = clustered_strengths(files).difference("a", "b")
        >>> round(found.estimate, 3), round(found.se, 3)
        (1.099, 0.911)
    """
    arguments.share(level, "level")
    gathered = gather(comparisons, control=control)
    names, size = tuple(gathered.places), len(gathered.places)
    check_connected(names, gathered.records)
    totals = [record.totals() for record in gathered.records.values()]
    order = dominance_of(totals, size)
    anchors = anchors_of(order)
    found = maximise(totals, size, anchors, [0.0] * size)
    if control and size:
        each = [record.each(gathered.scale) for record in gathered.records.values()]
        found = maximise(each, size, anchors, [*found.place, 0.0], control=True)
    independent = _information_errors(found, size)
    errors: Matrix | None = None
    clusters = gathered.clusters
    if clusters > 1:
        spread = _meat(gathered.records.values(), found.place, size, anchors, gathered.scale)
        factor_of_few = clusters / (clusters - 1)
        errors = [[factor_of_few * value for value in row] for row in sandwich(independent, spread)]
    scale = gathered.scale if control else None
    return _strengths(
        gathered.places, found, order, errors, independent, level=level, clusters=clusters, scale=scale
    )


def _root(clustered: float, independent: float) -> float:
    """Return the error from the clustered variance, or the other one where that is too sure."""
    return math.sqrt(max(0.0, clustered if clustered > _TOO_SURE * independent else independent))


def dominance_of(pairs: Iterable[PairTotals], size: int) -> Dominance:
    """Return who got anything from whom."""
    won = []
    for pair in pairs:
        number, wins = math.fsum(pair.numbers), math.fsum(pair.wins)
        # A share of a win below a billionth has no strength that doubles could find.
        if wins > 1e-9 * number:
            won.append((pair.first, pair.second))
        if number - wins > 1e-9 * number:
            won.append((pair.second, pair.first))
    return dominance(size, won)


def anchors_of(order: Dominance) -> list[int]:
    """Return those that half a win and half a loss is added for."""
    return sorted(order.undefeated | order.winless)


def _information_errors(found: Maximum, size: int) -> Matrix:
    """Return the inverse of the information, without what was added to hold the sum at 0."""
    if not size:
        return []
    try:
        rows = inverse(factor(found.information))
    except Singular:
        raise ValueError(
            "the numbers of comparisons or wins are too far apart to compute with: leave out pairs that have "
            "next to none"
        ) from None
    # The ridge is an eigenvalue `ridge · size` of equal shifts, whose inverse is spread over all elements.
    shift = 1 / (found.ridge * size) / size
    for row in rows[:size]:
        for column in range(size):
            row[column] -= shift
    return rows


def _meat(
    records: Iterable[Record], place: list[float], size: int, anchors: list[int], scale: float
) -> Matrix:
    """Return Σ_c s_c s_cᵀ over clusters, and over the halves of wins and losses that were added."""
    width = len(place)
    slope = place[size] if width > size else 0.0
    scores: dict[Hashable, dict[int, float]] = {}
    for record in records:
        i, j = record.first, record.second
        apart = place[i] - place[j]
        p = chance(apart)
        for (cluster, x), (number, wins) in record.entries.items():
            if slope:
                p = chance(apart + slope * x / scale)
            residual = wins - number * p
            score = scores.get(cluster)
            if score is None:
                score = scores[cluster] = {}
            score[i] = score.get(i, 0.0) + residual
            score[j] = score.get(j, 0.0) - residual
            if width > size:
                score[size] = score.get(size, 0.0) + residual * x / scale
    meat = [[0.0] * width for _ in range(width)]
    for score in scores.values():
        entries = list(score.items())
        for one, value in entries:
            row = meat[one]
            for other, by in entries:
                row[other] += value * by
    for one in anchors:
        p = chance(place[one])
        square = ((1 - p) ** 2 + p**2) / 2
        shares = [-1 / size] * size
        shares[one] += 1
        for i in range(size):
            for j in range(size):
                meat[i][j] += square * shares[i] * shares[j]
    return meat


def _strengths(
    places: dict[Name, int],
    found: Maximum,
    order: Dominance,
    errors: Matrix | None,
    independent: Matrix,
    *,
    level: float,
    clusters: int | None,
    scale: float | None = None,
) -> Strengths[Name]:
    names, size = tuple(places), len(places)
    covariate = None
    if scale is not None and size:
        se = None if errors is None else _root(errors[size][size], independent[size][size]) / scale
        covariate = (found.place[size] / scale, se)
    return Strengths(
        names=names,
        strengths=tuple(found.place[:size]),
        covariance=None if errors is None else tuple(tuple(row[:size]) for row in errors[:size]),
        level=level,
        clusters=clusters,
        df=None if clusters is None else max(0, clusters - 1),
        method="fisher" if clusters is None else "sandwich",
        undefeated=frozenset(names[one] for one in order.undefeated),
        winless=frozenset(names[one] for one in order.winless),
        covariate=covariate,
        _dominance=order,
        _independent=independent,
        _places=places,
    )
