"""What a column of scores comes to: means over files, intervals, and what unscored answers could change."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

import msgspec

from umwelten.scoring.columns import Column
from umwelten.statistics import Estimate, pass_all_k, pass_at_k
from umwelten.statistics.means import clustered_mean, mean_of, rate_of_means
from umwelten.types import FrozenStruct

Figure = Literal["mean", "pass", "pass_at", "pass_all"]
"""The mean of the values; the share that passes; that any of k repeats passes; that all of them do."""

_MOST_K = 10
"""pass@k is shown up to it; a larger k if it is asked for, as a gate does."""


class Share(FrozenStruct):
    """A share of files, from 0 to 1. `method` is that of the interval: "wilson" or "t".

    `bounds`: the mean if all unscored answers of the plan failed, and if all passed. `files` have the answers
    that it takes, `left_out` have too few. None is what cannot be known.
    """

    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    method: str
    bounds: tuple[float, float] | None
    files: int
    left_out: int


class ScoreFigures(FrozenStruct):
    """The scores of one model and prompt by one scorer, as a report has them.

    `files` and `planned` (answers) are the plan's, `scored` the answers with a value, `unscored` the others
    by kind. `mean` is that of the files' means, `se` its standard error, `low` and `high` the ends of its
    interval of `level` by `method` ("wilson" or "t"). `bounds`: the mean if all unscored answers of the plan
    were 0, and if all were 1. `pass` is None where nothing says what passes; so are `pass_at` and `pass_all`,
    by number of repeats, empty. `unsteady` is the share of files with several repeats that do not all pass or
    all fail. None is what cannot be known, never 0.
    """

    scorer: str
    files: int
    planned: int
    scored: int
    unscored: dict[str, int]
    mean: float | None
    se: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    bounds: tuple[float, float] | None
    pass_: Share | None = msgspec.field(name="pass")
    pass_at: dict[int, Share]
    pass_all: dict[int, Share]
    unsteady: float | None


def figures(column: Column, scorer: str, *, level: float = 0.95, ks: Iterable[int] = ()) -> ScoreFigures:
    """Return the figures of a column. `ks`: further repeats that pass@k and pass^k are wanted for."""
    planned = [column.planned(place) for place in range(len(column.files))]
    most = max(planned, default=0)
    passing = column.passing
    usual = range(2, min(most, _MOST_K) + 1)
    wanted = sorted({*usual, *(k for k in ks if 1 < k <= most)}) if passing else []
    mean = estimate(column, level=level)
    files, could_be = sum(map(bool, planned)), bounds(column)
    passes: Share | None = None
    if passing and column.passes_are_values:  # the same figures, and there may be a million answers
        passes = _share_of(mean, could_be, files)
    elif passing:
        passes = _share(column, "pass", 1, level, files)
    once = {} if passes is None else {1: passes}  # of one repeat, any and all are the same
    return ScoreFigures(
        scorer=scorer,
        files=files,
        planned=sum(planned),
        scored=sum(column.scored),
        unscored=column.unscored(),
        mean=mean.mean,
        se=mean.se,
        low=mean.low,
        high=mean.high,
        level=level,
        method=mean.method,
        bounds=could_be,
        pass_=passes,
        pass_at=once | {k: _share(column, "pass_at", k, level, files) for k in wanted},
        pass_all=once | {k: _share(column, "pass_all", k, level, files) for k in wanted},
        unsteady=_unsteady(column),
    )


def estimate(
    column: Column, figure: Figure = "mean", k: int = 1, *, level: float = 0.95, unscored: int | None = None
) -> Estimate:
    """Return a figure of a column and its interval.

    `unscored`: what the answers of the plan without a value count as, 0 or 1; None leaves them out. Values of
    yes and no, and those that are all alike, have Wilson's interval, others Student's t, within 0–1.
    """
    values: list[float] = []
    places: list[int] = []
    answers = 0
    for place, value, number in _by_file(column, figure, k, unscored):
        values.append(value)
        places.append(place)
        answers += number
    labels = column.files.clusters
    clusters = None if labels is None else [labels[place] for place in places]
    if column.yes_no if figure == "mean" else k == 1:
        return rate_of_means(values, answers, clusters, level=level)
    if figure != "mean" and all(value in (0, 1) for value in values):  # such as pass^3 of three repeats
        return rate_of_means(values, len(values), clusters, level=level)
    found = clustered_mean(values, clusters, level=level, scale=(0.0, 1.0))
    # Of a few files that are all alike, t knows nothing. Yes and no of the same mean vary most.
    return rate_of_means(values, len(values), clusters, level=level) if found.se == 0 else found


def bounds(column: Column, figure: Figure = "mean", k: int = 1) -> tuple[float, float] | None:
    """Return the figure if all unscored answers were 0, and if all were 1; None without a plan."""
    low = _mean(column, figure, k, 0)
    complete = sum(column.scored if figure == "mean" else column.judged) == column.answers
    high = low if complete else _mean(column, figure, k, 1)
    return None if low is None or high is None else (low, high)


def _mean(column: Column, figure: Figure, k: int, unscored: int) -> float | None:
    values = array("d", (value for _, value, _ in _by_file(column, figure, k, unscored)))
    return mean_of(values) if values else None


def file_means(column: Column, *, unscored: int | None = None) -> Iterator[tuple[int, float]]:
    """Yield the place and mean of each file that has one; `unscored` as for `estimate`."""
    return ((place, value) for place, value, _ in _by_file(column, "mean", 1, unscored))


def _by_file(
    column: Column, figure: Figure, k: int, unscored: int | None
) -> Iterator[tuple[int, float, int]]:
    """The place, value and number of answers of each file that has the figure."""
    has = column.scored if figure == "mean" else column.judged
    of_repeats = {"pass_at": _pass_at, "pass_all": _pass_all}.get(figure)
    for place in range(len(column.files)):
        number = has[place]
        value = column.sum(place) if figure == "mean" else column.passes[place]
        if unscored is not None:
            missing = column.planned(place) - number
            number, value = number + missing, value + unscored * missing
        if number < k:
            continue
        if of_repeats is None:
            yield place, value / number, number
        else:
            yield place, of_repeats(number, int(value), k), number


_pass_at = lru_cache(maxsize=4096)(pass_at_k)
_pass_all = lru_cache(maxsize=4096)(pass_all_k)


def _share(column: Column, figure: Figure, k: int, level: float, files: int) -> Share:
    found = estimate(column, figure, k, level=level)
    return _share_of(found, bounds(column, figure, k), files)


def _share_of(found: Estimate, could_be: tuple[float, float] | None, files: int) -> Share:
    return Share(
        mean=found.mean,
        se=found.se,
        low=found.low,
        high=found.high,
        method=found.method,
        bounds=could_be,
        files=found.files,
        left_out=files - found.files,
    )


def _unsteady(column: Column) -> float | None:
    several = unsteady = 0
    for number, passes in zip(column.judged, column.passes, strict=True):
        several += number > 1
        unsteady += 0 < passes < number
    return unsteady / several if several else None
