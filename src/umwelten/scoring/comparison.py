"""Whether a new evaluation is worse than an earlier one: pairs of equal files, by model and scorer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Literal

from umwelten.scoring.columns import Column
from umwelten.scoring.differences import paired, significant
from umwelten.statistics import Difference, holm
from umwelten.statistics.means import clustered_mean, mean_of
from umwelten.types import FrozenStruct

ComparisonOutcome = Literal["regressed", "held", "unclear"]
"""Surely worse by more than is allowed; surely not worse by more; neither can be told."""

Pair = tuple[int, int]
"""A file of the base and the file of the new evaluation that is equal to it."""


class Compared(FrozenStruct):
    """A row to compare: the scores of a model, and perhaps prompt, by one scorer in both evaluations.

    `left_out` counts files that are not paired, by reason: only in one, or with other contents.
    """

    model: str
    prompt: str | None
    scorer: str
    base: Column
    new: Column
    pairs: Sequence[Pair]
    left_out: Mapping[str, int] = {}


class ComparisonRow(FrozenStruct):
    """What a row came to, from −1 to 1; `base` and `new` are means over the `files` that both have scores of.

    `difference` is new − base, `low` and `high` the ends of its interval of `level`. `p` is that of no
    difference, or of a drop of just the one that is allowed if that is larger, by `test` ("mcnemar", "t",
    "sign"); `p_adjusted` is after Holm's correction for all rows. `detectable` is the difference that four of
    five such comparisons would have found. None is what cannot be known.
    """

    model: str
    prompt: str | None
    scorer: str
    base: float | None
    new: float | None
    difference: float | None
    low: float | None
    high: float | None
    level: float
    p: float | None
    p_adjusted: float | None
    test: str | None
    detectable: float | None
    files: int
    left_out: dict[str, int]
    outcome: ComparisonOutcome


class Flips(FrozenStruct):
    """Files that went from passing to failing (`broke`) or back (`mended`), as pairs in the order given."""

    broke: tuple[Pair, ...]
    mended: tuple[Pair, ...]


class Ratio(FrozenStruct):
    """A measure, such as cost, of the new evaluation over that of the base, over files that both know it of.

    `base` and `new` are means, or medians, by file; `ratio` is theirs, None where the base's is 0, with the
    interval `low` to `high` for means. `left_out` counts pairs of files one of which has no value.
    """

    base: float | None
    new: float | None
    ratio: float | None
    low: float | None
    high: float | None
    files: int
    left_out: int


def compare_scores(
    rows: Iterable[Compared], *, max_drop: float = 0.0, level: float = 0.95
) -> tuple[ComparisonRow, ...]:
    """Return what each row comes to. `max_drop` is the drop that is allowed, from 0 to 1.

    A row regressed where the difference is below −max_drop and surely so: by the test of no difference
    (McNemar's, or t) and, where a drop is allowed, by t against a difference of −max_drop as well; adjusted
    for all rows. It held where the interval's lower end is not below −max_drop.
    """
    if not 0 <= max_drop < 1:
        raise ValueError(f"max_drop is {max_drop!r}: a number from 0, and below 1, is expected")
    found = [(row, *_paired(row, level)) for row in rows]
    tests = [_test(tested, max_drop) for _, tested, _, _, _ in found]
    adjusted_ps = holm([p for p, _ in tests])
    return tuple(
        ComparisonRow(
            model=row.model,
            prompt=row.prompt,
            scorer=row.scorer,
            base=base,
            new=new,
            difference=tested.mean,
            low=tested.low,
            high=tested.high,
            level=level,
            p=p,
            p_adjusted=adjusted,
            test=test,
            detectable=tested.detectable,
            files=tested.files,
            left_out=left_out,
            outcome=_outcome(tested, adjusted, max_drop),
        )
        for (row, tested, base, new, left_out), (p, test), adjusted in zip(
            found, tests, adjusted_ps, strict=True
        )
    )


def failing(rows: Iterable[ComparisonRow], *, require_held: bool = False) -> bool:
    """Whether the rows end the command with the status of a regression."""
    failing_outcomes = ("regressed", "unclear") if require_held else ("regressed",)
    return any(row.outcome in failing_outcomes for row in rows)


def flips(row: Compared) -> Flips:
    """Return the files of a row that pass in one evaluation and fail in the other.

    Of repeats, more than half decide; a file whose repeats are split evenly neither passes nor fails.
    """
    changes: dict[tuple[bool | None, bool | None], list[Pair]] = {}
    for pair, base, new in _places(row):
        changes.setdefault((_passes(row.base, base), _passes(row.new, new)), []).append(pair)
    return Flips(broke=tuple(changes.get((True, False), ())), mended=tuple(changes.get((False, True), ())))


def mean_ratio(base: Sequence[float | None], new: Sequence[float | None], *, level: float = 0.95) -> Ratio:
    """Return the ratio of means of a measure, such as cost or tokens, given file by file.

    Its interval is by t from the files' deviations new_f − ratio · base_f (linearisation; Cochran 1977,
    Sampling Techniques, 6.4), cut at 0.
    """
    pairs, left_out = _known(base, new)
    first, second = _mean([one for one, _ in pairs]), _mean([other for _, other in pairs])
    ratio = second / first if first and second is not None else None
    low = high = None
    if ratio is not None and first:
        spread = clustered_mean([(other - ratio * one) / first for one, other in pairs], level=level)
        if spread.low is not None and spread.high is not None:
            low, high = max(0.0, ratio + spread.low), ratio + spread.high
    return Ratio(base=first, new=second, ratio=ratio, low=low, high=high, files=len(pairs), left_out=left_out)


def median_ratio(base: Sequence[float | None], new: Sequence[float | None]) -> Ratio:
    """Return the ratio of medians of a measure, such as the time of a call, given file by file."""
    pairs, left_out = _known(base, new)
    first = median([one for one, _ in pairs]) if pairs else None
    second = median([other for _, other in pairs]) if pairs else None
    ratio = second / first if first and second is not None else None
    return Ratio(
        base=first, new=second, ratio=ratio, low=None, high=None, files=len(pairs), left_out=left_out
    )


def _test(tested: Difference, max_drop: float) -> tuple[float | None, str | None]:
    """The p of a row and what it is from.

    Who is surely below −max_drop is surely below 0: with few files t alone may say the one and the exact test
    deny the other.
    """
    against = tested.p_against(-max_drop) if max_drop else None
    if against is None or tested.p is None or against <= tested.p:
        return tested.p, tested.test
    return against, "t" if tested.se else "sign"


def _outcome(tested: Difference, adjusted: float | None, max_drop: float) -> ComparisonOutcome:
    if tested.mean is not None and tested.mean < -max_drop and significant(adjusted, tested.level):
        return "regressed"
    return "held" if tested.low is not None and tested.low >= -max_drop else "unclear"


def _paired(row: Compared, level: float) -> tuple[Difference, float | None, float | None, dict[str, int]]:
    """The difference new − base, both means over the files compared, and the files left out by reason."""
    means = row.base.means(), row.new.means()
    left_out = Counter({reason: number for reason, number in row.left_out.items() if number})
    base_places: list[int] = []
    new_places: list[int] = []
    for _, base, new in _places(row):
        lacking = [
            column.reason(place)
            for column, place, values in ((row.base, base, means[0]), (row.new, new, means[1]))
            if math.isnan(values[place])
        ]
        if lacking:
            left_out[lacking[0]] += 1
        else:
            base_places.append(base)
            new_places.append(new)
    tested = paired(row.new, means[1], means[0], new_places, base_places, level)
    base_mean = _mean([means[0][place] for place in base_places])
    return tested, base_mean, _mean([means[1][place] for place in new_places]), dict(sorted(left_out.items()))


def _places(row: Compared) -> Iterable[tuple[Pair, int, int]]:
    """The pairs with the places of both files."""
    for pair in row.pairs:
        yield pair, row.base.files.places[pair[0]], row.new.files.places[pair[1]]


def _passes(column: Column, place: int) -> bool | None:
    twice, number = 2 * column.passes[place], column.judged[place]
    return None if twice == number else twice > number


def _known(
    base: Sequence[float | None], new: Sequence[float | None]
) -> tuple[list[tuple[float, float]], int]:
    pairs = [
        (one, other) for one, other in zip(base, new, strict=True) if one is not None and other is not None
    ]
    return pairs, len(base) - len(pairs)


def _mean(values: Sequence[float]) -> float | None:
    return mean_of(values) if values else None
