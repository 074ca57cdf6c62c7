"""How far judges, people or samples agree beyond chance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

from umwelten.statistics import arguments
from umwelten.statistics.intervals import wilson_of_spread
from umwelten.statistics.ranks import mid_ranks

Metric = Literal["nominal", "ordinal", "interval"]


def krippendorffs_alpha(ratings: Sequence[Sequence[Hashable]], metric: Metric = "nominal") -> float | None:
    """Return Krippendorff's α: 1 where all agree, 0 at chance, below 0 where they contradict each other.

    `ratings` has a row for each judge and in it a value for each unit; None is one that was not given. α = 1
    − D_o/D_e, the disagreement within units over the one among all values: δ² is 1 for unlike values
    (`nominal`), (x−y)² (`interval`), or that of mid-ranks (`ordinal`). Units with fewer than two values are
    not counted. None where no unit has two, or where all values are equal: that judges who always say the
    same agree is no evidence.

    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability, repository.upenn.edu/asc_papers/43.

    ValueError: rows of unlike length, NaN, text where `ordinal` or `interval` needs numbers, an unknown
    metric.

        >>> round(krippendorffs_alpha([["a", "b", "b", "a"], ["a", "b", "a", "a"]]), 4)
        0.5333
    """
    if metric not in ("nominal", "ordinal", "interval"):
        raise ValueError(f"metric is {metric!r}: nominal, ordinal or interval is expected")
    units = _units(ratings)
    if not units:
        return None
    given = [value for unit in units for value in unit]
    if metric == "nominal":
        return _alpha([_unlike(unit) for unit in units], [len(unit) for unit in units], _unlike(given))
    flat = arguments.finite(given, "ratings")
    numbers = mid_ranks(flat) if metric == "ordinal" else flat
    within: list[float] = []
    start = 0
    for unit in units:
        within.append(_squares(numbers[start : start + len(unit)]))
        start += len(unit)
    return _alpha(within, [len(unit) for unit in units], _squares(numbers))


def _units(ratings: Sequence[Sequence[Hashable]]) -> list[list[Hashable]]:
    """Return the values of each unit that has at least two."""
    for judge, row in enumerate(ratings):
        arguments.same_length(row, ratings[0], f"ratings[{judge}]", "ratings[0]")
        for place, value in enumerate(row):
            arguments.label(value, f"ratings[{judge}][{place}]")
    units = [[value for value in unit if value is not None] for unit in zip(*ratings, strict=True)]
    return [unit for unit in units if len(unit) > 1]


def _unlike(values: Sequence[Hashable]) -> float:
    """Return the sum of δ² over all ordered pairs: the pairs of unlike values."""
    return len(values) ** 2 - sum(times * times for times in Counter(values).values())


def _squares(values: Sequence[float]) -> float:
    """Return the sum of (x−y)² over all ordered pairs, 2m · Σ(x−mean)², without going through them."""
    if min(values) == max(values):
        return 0.0  # exactly: a mean that was rounded would leave a trace
    mean = math.fsum(values) / len(values)
    return 2 * len(values) * math.fsum((value - mean) ** 2 for value in values)


def _alpha(within: Sequence[float], sizes: Sequence[int], among: float) -> float | None:
    if not among:
        return None
    total = sum(sizes)
    observed = math.fsum(unlike / (size - 1) for unlike, size in zip(within, sizes, strict=True)) / total
    return 1 - observed / (among / (total * (total - 1)))


@dataclass(frozen=True, slots=True)
class Kappa:
    """Agreement of two: `agreement` is the share of equal labels from 0 to 1, `kappa` what is beyond chance.

    None is what cannot be known: all of them without labels; `kappa`, `se`, `low`, `high` where both always
    give the same one label.
    """

    kappa: float | None
    se: float | None
    low: float | None
    high: float | None
    level: float
    agreement: float | None
    units: int


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable], *, level: float = 0.95) -> Kappa:
    """Return Cohen's κ of two judges who labelled the same units, with its error and interval.

    κ = (p_o − p_e)/(1 − p_e): p_o the share of equal labels, p_e the one that chance would give with both
    judges' shares of labels. `se` is the large-sample error of Fleiss, Cohen and Everitt. The interval is
    Wilson's of p_o on the number of units that has this error, p_e held, in units of κ: for many units it is
    κ ± z·se; for twenty it holds better, and it keeps a width where the judges never differ, where se is 0.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37; Fleiss, Cohen and Everitt 1969,
    Psychological Bulletin 72:323.

    ValueError: sequences of unlike lengths, a label that is None or NaN, a level not between 0 and 1.

        >>> found = cohens_kappa([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2])
        >>> round(found.kappa, 6)
        0.428571
    """
    arguments.same_length(second, first, "second", "first")
    arguments.share(level, "level")
    for name, labels in (("first", first), ("second", second)):
        for place, value in enumerate(labels):
            if arguments.label(value, f"{name}[{place}]") is None:
                raise ValueError(f"{name}[{place}] is None: leave out units without a label")
    units = len(first)
    if not units:
        return Kappa(None, None, None, None, level, None, 0)
    rows, columns = Counter(first), Counter(second)
    same = sum(a == b for a, b in zip(first, second, strict=True)) / units
    by_chance = sum(times * columns[label] for label, times in rows.items()) / units**2
    if len(rows) == len(columns) == 1 and by_chance:
        return Kappa(None, None, None, None, level, same, units)
    kappa = (same - by_chance) / (1 - by_chance)
    se = _kappa_error(Counter(zip(first, second, strict=True)), rows, columns, kappa, by_chance)
    of_rate = wilson_of_spread(same, (se * (1 - by_chance)) ** 2, units, math.inf, level)
    low, high = ((end - by_chance) / (1 - by_chance) for end in of_rate)
    return Kappa(kappa, se, max(-1.0, low), high, level, same, units)


def _kappa_error(
    pairs: Counter[tuple[Hashable, Hashable]],
    rows: Counter[Hashable],
    columns: Counter[Hashable],
    kappa: float,
    by_chance: float,
) -> float:
    """Return the standard error of κ where it is not 0."""
    units = pairs.total()
    terms = []
    for (a, b), times in pairs.items():
        if a == b:
            chance = (rows[a] + columns[a]) / units
            terms.append(times / units * (1 - chance * (1 - kappa)) ** 2)
        else:
            terms.append(times / units * ((1 - kappa) * (columns[a] + rows[b]) / units) ** 2)
    variance = math.fsum(terms) - (kappa - by_chance * (1 - kappa)) ** 2
    return math.sqrt(variance / units) / (1 - by_chance) if variance > 1e-15 else 0.0
