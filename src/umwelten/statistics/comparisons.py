"""Comparisons of two contestants, sorted by pair and cluster."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from umwelten.statistics.connectivity import connected_components
from umwelten.statistics.paired_likelihood import CovariateUndetermined, PairTotals

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Comparison(Generic[Name]):
    """What came of comparing `first` and `second`: `value` is 1 where the first won, 0 where it lost.

    A tie is 0.5, and any share between may be meant. `cluster` is what it has in common with others, such as
    the file; None for one by itself. `covariate` is a property of the first minus that of the second, such as
    the logarithm of lengths.
    """

    first: Name
    second: Name
    value: float
    cluster: Hashable = None
    covariate: float = 0.0


class Disconnected(ValueError):
    """Contestants in `groups` that never met those of another group: no strengths compare them."""

    def __init__(self, groups: Sequence[Sequence[Hashable]]) -> None:
        named = "; ".join(", ".join(map(str, group)) for group in groups)
        super().__init__(f"{len(groups)} groups of contestants never met one another: {named}")
        self.groups: tuple[tuple[Hashable, ...], ...] = tuple(map(tuple, groups))


@dataclass(slots=True)
class Record:
    """What happened between two contestants: by cluster and covariate, how many and what `first` got."""

    first: int
    second: int
    entries: dict[tuple[Hashable, float], list[float]] = field(default_factory=dict)

    def totals(self) -> PairTotals:
        """Return it without regard to covariates."""
        number = math.fsum(entry[0] for entry in self.entries.values())
        wins = math.fsum(entry[1] for entry in self.entries.values())
        return PairTotals(self.first, self.second, (0.0,), (number,), (wins,))

    def each(self, scale: float) -> PairTotals:
        """Return it for each covariate, in units of `scale`."""
        numbers, wins = zip(*self.entries.values(), strict=True)
        return PairTotals(self.first, self.second, [x / scale for _, x in self.entries], numbers, wins)


@dataclass(slots=True)
class Gathered(Generic[Name]):
    """All comparisons. `scale` is the root of the mean square of covariates; 1 where they are not used."""

    places: dict[Name, int]
    records: dict[tuple[int, int], Record]
    clusters: int
    scale: float


class _Alone:
    """The cluster of a comparison that has none; all are sorted alike."""

    __slots__ = ()

    def __repr__(self) -> str:
        return ""


def gather(comparisons: Iterable[Comparison[Name]], *, control: bool) -> Gathered[Name]:
    """Return them by pair. ValueError names one that cannot be meant."""
    places: dict[Name, int] = {}
    records: dict[tuple[int, int], Record] = {}
    clusters: set[Hashable] = set()
    number = 0
    squares = 0.0
    for number, each in enumerate(comparisons, 1):
        value, cluster, x = each.value, each.cluster, 0.0
        if not 0 <= value <= 1:  # NaN is neither
            raise ValueError(f"comparison {number} has the value {value!r}: a number from 0 to 1 is expected")
        if control:
            x = each.covariate
            if not math.isfinite(x):
                raise ValueError(f"comparison {number} has the covariate {x!r}: a finite number is expected")
            squares += x * x
        one, other = places.setdefault(each.first, len(places)), places.setdefault(each.second, len(places))
        if one == other:
            raise ValueError(f"comparison {number} is of {each.first!r} with itself")
        if cluster is None:
            cluster = _Alone()
        elif cluster != cluster:
            raise ValueError(f"comparison {number} has the cluster nan: a label is expected, or None")
        clusters.add(cluster)
        if one > other:
            one, other, value, x = other, one, 1 - value, 0.0 - x
        record = records.get((one, other))
        if record is None:
            record = records[one, other] = Record(one, other)
        entry = record.entries.get((cluster, x))
        if entry is None:
            record.entries[cluster, x] = [1.0, value]
        else:
            entry[0] += 1
            entry[1] += value
    if control and number and not squares:
        raise CovariateUndetermined("the covariate is 0 in every comparison, which tells of no effect")
    scale = math.sqrt(squares / number) if control and number else 1.0
    return Gathered(places, records, len(clusters), scale)


def check_connected(names: Sequence[Hashable], met: Iterable[tuple[int, int]]) -> None:
    """Raise Disconnected where some never met the others, not even by way of a third."""
    groups = connected_components(len(names), met)
    if len(groups) > 1:
        raise Disconnected([[names[one] for one in group] for group in groups])
