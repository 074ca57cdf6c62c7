"""Whether one column's scores are better than another's, over the files that both have."""

from __future__ import annotations

import dataclasses
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from msgspec.structs import replace

from umwelten.scoring.columns import Column, ColumnName
from umwelten.statistics import Difference, holm, paired_difference, wilson
from umwelten.types import FrozenStruct


class ScoreDifference(FrozenStruct):
    """How far `first` lies above `second` by one scorer, file by file, from −1 to 1.

    `low` and `high` are the ends of its interval of `level`, by t; where all files differ by the same,
    others that were not seen widen it. `p` is that of no difference by `test`
    ("mcnemar", "t", "sign"); `p_adjusted` the same after Holm's correction for all pairs of the table.
    `detectable` is the difference that four of five such runs would have found. `files` were compared;
    `left_out` were not, by the reason why one of the two has no score. `words` says what follows for `first`.
    None is what cannot be known.
    """

    scorer: str
    first: ColumnName
    second: ColumnName
    files: int
    left_out: dict[str, int]
    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    level: float
    p: float | None
    p_adjusted: float | None
    test: str | None
    detectable: float | None
    words: str


def differences(
    scorer: str,
    columns: Mapping[ColumnName, Column],
    *,
    level: float = 0.95,
    pairs: Iterable[tuple[ColumnName, ColumnName]] | None = None,
) -> tuple[ScoreDifference, ...]:
    """Return the differences of these pairs of columns, else of all; the columns must share their `Files`.

    p-values are adjusted for as many pairs as are returned.
    """
    wanted = list(combinations(columns, 2) if pairs is None else pairs)
    means = {name: columns[name].means() for name in {name for pair in wanted for name in pair}}
    found = []
    for first, second in wanted:
        if columns[first].files is not columns[second].files:
            raise ValueError(f"{first} and {second} are not of the same files")
        both, left_out = _common(columns[first], means[first], columns[second], means[second])
        tested = paired(columns[first], means[first], means[second], both, both, level)
        found.append((first, second, tested, left_out))
    adjusted = holm([tested.p for _, _, tested, _ in found])
    return tuple(
        ScoreDifference(
            scorer=scorer,
            first=first,
            second=second,
            files=tested.files,
            left_out=left_out,
            mean=tested.mean,
            se=tested.se,
            low=_ends(tested)[0],
            high=_ends(tested)[1],
            level=level,
            p=tested.p,
            p_adjusted=p,
            test=tested.test,
            detectable=tested.detectable,
            words=_words(tested, p),
        )
        for (first, second, tested, left_out), p in zip(found, adjusted, strict=True)
    )


def opposite(found: ScoreDifference) -> ScoreDifference:
    """Return the same difference as one of `second` to `first`."""
    words = {"better": "worse", "worse": "better"}
    return replace(
        found,
        first=found.second,
        second=found.first,
        mean=_negative(found.mean),
        low=_negative(found.high),
        high=_negative(found.low),
        words=words.get(found.words, found.words),
    )


def _negative(number: float | None) -> float | None:
    return None if number is None else 0.0 - number  # not -0.0


def paired(
    first: Column,
    first_means: array[float],
    second_means: array[float],
    first_places: Sequence[int],
    second_places: Sequence[int],
    level: float,
) -> Difference:
    """Return the difference over files at these places, pair by pair; clusters are the first column's."""
    labels = first.files.clusters
    found = paired_difference(
        [first_means[place] for place in first_places],
        [second_means[place] for place in second_places],
        None if labels is None else [labels[place] for place in first_places],
        level=level,
    )
    if found.low is None or found.high is None:
        return found
    # Values lie between 0 and 1, so no difference is beyond 1 either way; t does not know that.
    return dataclasses.replace(found, low=max(-1.0, found.low), high=min(1.0, found.high))


def significant(p: float | None, level: float) -> bool:
    """Whether such a p, adjusted for its table, is too small for chance."""
    # 1 − 0.95 is a hair above 0.05.
    return p is not None and p < round(1 - level, 12)


def _common(
    first: Column, first_means: array[float], second: Column, second_means: array[float]
) -> tuple[list[int], dict[str, int]]:
    """The places of the files that both have, and the number of the others of the plan by reason."""
    both: list[int] = []
    left_out: Counter[str] = Counter()
    for place, (one, other) in enumerate(zip(first_means, second_means, strict=True)):
        if not (math.isnan(one) or math.isnan(other)):
            both.append(place)
        elif first.planned(place) or second.planned(place):
            lacking = first if math.isnan(one) else second
            left_out[lacking.reason(place)] += 1
    return both, dict(sorted(left_out.items()))


def _ends(tested: Difference) -> tuple[float | None, float | None]:
    """The ends of the interval. Of files that all differ by the same, t knows nothing.

    By Wilson, at most a share of all files differs in another way, by −1 or 1 at worst.
    """
    if tested.se != 0 or tested.mean is None:
        return tested.low, tested.high
    others = wilson(0, tested.clusters, tested.level).high
    return tested.mean - others * (1 + tested.mean), tested.mean + others * (1 - tested.mean)


def _words(tested: Difference, p: float | None) -> str:
    if tested.mean is None or tested.se is None or p is None:
        return "cannot be told: too few files that both have"
    if significant(p, tested.level):
        return "better" if tested.mean > 0 else "worse"
    if tested.detectable is None:
        return "no difference seen"
    if tested.detectable >= 1:
        return "no difference seen (too few files to see one)"
    return f"no difference seen (one of ±{share_text(tested.detectable)} would have been)"


def share_text(share: float) -> str:
    """Return a share to two places, a small one to its first digit."""
    return f"{share:.2f}" if share >= 0.01 else f"{share:.1g}"
