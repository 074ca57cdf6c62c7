"""Whether two columns of the same files differ: tests of pairs, and their correction for many pairs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from umwelten.statistics import arguments
from umwelten.statistics.distributions import heads_at_most, two_sided_p
from umwelten.statistics.means import Estimate, clustered_mean
from umwelten.statistics.power import detectable_difference

_ROUNDING = 1e-12
"""Differences below it come from means that were rounded; no score is given to so many digits."""


@dataclass(frozen=True, slots=True)
class McNemar:
    """`b` files are right in the first column only, `c` in the second only; `p` of both being as likely.

    `chi_square` is (b−c)²/(b+c), None where no file differs.
    """

    b: int
    c: int
    p: float
    chi_square: float | None


def mcnemar(b: int, c: int) -> McNemar:
    """Return the exact test of McNemar: whether as many files went from right to wrong as the other way.

    p = min(1, 2 · P(Bin(b+c, ½) ≤ min(b, c))): 1 where none differs. Files that are right or wrong in both
    columns tell nothing and are not asked for.

    Source: McNemar 1947, Psychometrika 12:153; the exact form: Agresti 2002, Categorical Data Analysis, 10.1.

    ValueError: a number that is not whole, or below 0.

        >>> round(mcnemar(14, 6).p, 4)
        0.1153
    """
    arguments.count(b, "b")
    arguments.count(c, "c")
    p = min(1.0, 2 * heads_at_most(min(b, c), b + c))
    return McNemar(b, c, p, (b - c) ** 2 / (b + c) if b + c else None)


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference over files, first minus second, in the unit of the values.

    `test` is what `p` is from: `"mcnemar"`, `"t"`, or `"sign"` where all clusters differ by the same. `t` and
    `df` are those of Student's test, `sd` is se · √files: the spread that `files_needed` asks for.
    `detectable` is the difference that four of five such runs would have found. None is what cannot be known.
    """

    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    level: float
    p: float | None
    test: str | None
    t: float | None
    df: int | None
    sd: float | None
    detectable: float | None
    files: int
    clusters: int

    def p_against(self, value: float) -> float | None:
        """Return the two-sided p of the difference being `value`, by t or by signs; None without an error.

        >>> round(paired_difference([1, 1, 0, 1], [0, 1, 0, 0]).p_against(-0.1), 3)
        0.129
        """
        arguments.finite([value], "value")
        if self.mean is None or self.se is None:
            return None
        return _p_of(self.mean - value, self.se, self.clusters)


def paired_difference(
    first: Sequence[float],
    second: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> Difference:
    """Return how far `first` lies above `second`, file by file, and how likely that is by chance.

    d_f = first_f − second_f; mean, clustered error and t interval as in `clustered_mean`. p is McNemar's
    where every d_f is −1, 0 or 1 and there are no `clusters`, else that of t = mean/se with C−1 degrees of
    freedom. Where all clusters differ by the same d ≠ 0, se is 0 and there is no t: p is that of so many
    tosses, 2 · ½^C (the sign test). Values that differ by their last digits are taken for equal.

    Source: Student 1908, Biometrika 6:1; Miller 2024, arXiv:2411.00640.

    ValueError: sequences of unlike lengths, a value that is not finite, a level not between 0 and 1.

        >>> found = paired_difference([0.9, 0.8, 0.7], [0.5, 0.6, 0.6])
        >>> round(found.mean, 4), round(found.p, 4)
        (0.2333, 0.1181)
    """
    arguments.same_length(second, first, "second", "first")
    pairs = zip(arguments.finite(first, "first"), arguments.finite(second, "second"), strict=True)
    values = [0.0 if math.isclose(one, other, rel_tol=_ROUNDING) else one - other for one, other in pairs]
    found = clustered_mean(values, clusters, level=level)
    t = found.mean / found.se if found.mean is not None and found.se else None
    p, test = _tested(values, clusters, found)
    return Difference(
        mean=found.mean,
        se=found.se,
        low=found.low,
        high=found.high,
        level=level,
        p=p,
        test=test,
        t=t,
        df=None if found.se is None else found.clusters - 1,
        sd=None if found.se is None else found.se * math.sqrt(found.files),
        detectable=None if found.se is None else detectable_difference(found.se, level=level),
        files=found.files,
        clusters=found.clusters,
    )


def _tested(
    values: Sequence[float], clusters: Sequence[Hashable] | None, found: Estimate
) -> tuple[float | None, str | None]:
    """Return p and the name of the test that it is from."""
    if not values:
        return None, None
    if clusters is None and all(value in (-1, 0, 1) for value in values):
        return mcnemar(values.count(1), values.count(-1)).p, "mcnemar"
    if found.mean is None or found.se is None:
        return None, None
    return _p_of(found.mean, found.se, found.clusters), "t" if found.se else "sign"


def _p_of(distance: float, se: float, clusters: int) -> float:
    """Return the two-sided p of a mean so far from the value that is tested."""
    if se:
        return two_sided_p(distance / se, clusters - 1)
    # All clusters lie at the same distance: as likely as that so many tosses all show the same side.
    return mcnemar(0 if abs(distance) <= _ROUNDING else clusters, 0).p


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted for being several, in the order given.

    The i-th smallest of m becomes max over j ≤ i of min(1, (m−j+1) · p_(j)): the chance that any of the true
    hypotheses is rejected stays below the level, however the tests depend on each other. None, an unknown p,
    stays None and is not counted.

    Source: Holm 1979, Scandinavian Journal of Statistics 6:65.

    ValueError: a value outside of 0–1.

        >>> holm([0.01, 0.04, None])
        [0.02, 0.04, None]
    """
    known = [
        (arguments.probability(p, f"p_values[{place}]"), place)
        for place, p in enumerate(p_values)
        if p is not None
    ]
    adjusted: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(sorted(known)):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        adjusted[place] = largest
    return adjusted
