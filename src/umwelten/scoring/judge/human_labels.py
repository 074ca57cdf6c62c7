"""How far a judge agrees with people who labelled the same answers."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from typing import Any

from umwelten.scoring.judge.scale import Scale
from umwelten.scoring.score import Result, Unscored
from umwelten.statistics import Kappa, cohens_kappa, wilson
from umwelten.types import FrozenStruct

WORST = 10
"""Disagreements that are shown."""
_DRAW = "draw"


class Labelled(FrozenStruct):
    """An answer that a person labelled: `key` names it for reports, `person` is the share (0–1) it was given.

    `read_label` makes the share of what stands in a table.
    """

    key: str
    person: float
    result: Result


class Rate(FrozenStruct):
    """A rate with its interval (Wilson's), `count` of `of`; `None` where there is nothing to count."""

    rate: float | None
    low: float | None
    high: float | None
    count: int
    of: int


class Disagreement(FrozenStruct):
    """An answer on which judge and person differ. Values are shares of the scale; `reason` is the judge's."""

    key: str
    person: float
    judge: float
    label: str | None
    reason: str | None


class HumanCheck(FrozenStruct):
    """How far scores agree with people's labels.

    `labelled` = `compared` + `unscored`. `kappa` holds the agreement of verdicts, and Cohen's κ with its
    interval; a score halfway between two verdicts counts as a draw, which no person gives. `distance` is the
    mean distance of values. `true_pass`: of the answers that people pass, those that the scorer passes;
    `true_fail` likewise; a draw is neither. `worst` are the gravest disagreements. Intervals take the answers
    as independent.
    """

    labelled: int
    compared: int
    unscored: int
    kappa: Kappa
    distance: float | None
    true_pass: Rate
    true_fail: Rate
    worst: tuple[Disagreement, ...]


def read_label(scale: Scale, *, value: Any = None, label: str | None = None) -> float:
    """Return the share that a person gave: a word of the scale, or a number on it (also written in text).

    Errors: `ValueError` says what must be given.
    """
    if label is not None:
        known = {word.casefold(): word for word in scale.words}
        word = known.get(label.strip().casefold())
        if word is None:
            raise ValueError(f"is {label!r:.60}; it must be one of {', '.join(scale.words[:20])}")
        return float(scale.share(word))
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"is {value!r:.60}; it must be a number") from None
    return scale.from_raw(value)


def check_against(
    answers: Iterable[Labelled], scale: Scale, at_least: float | None, *, level: float = 0.95
) -> HumanCheck:
    """Return how far the scores of a judge, or of any scorer, agree with people.

    `at_least` is the share from which an answer passes; without one there is neither true pass nor true
    fail. Errors: `ValueError` for a person's share that is none.
    """
    judged: list[str] = []
    meant: list[str] = []
    distances: list[float] = []
    counts = {True: [0, 0], False: [0, 0]}
    unscored = 0

    def differing() -> Iterable[tuple[float, int, Labelled]]:
        nonlocal unscored
        for place, answer in enumerate(answers):
            result = answer.result
            if not 0 <= answer.person <= 1:
                raise ValueError(f"{answer.key}: a label is a share from 0 to 1, not {answer.person!r}")
            if isinstance(result, Unscored):
                unscored += 1
                continue
            judged.append(scale.nearest(result.value) or _DRAW)
            meant.append(scale.nearest(answer.person) or _DRAW)
            distances.append(abs(result.value - answer.person))
            if at_least is not None:
                passes = answer.person >= at_least
                counts[passes][1] += 1
                counts[passes][0] += result.passed is passes
            if distances[-1] > 0:
                # The first of equal ones; the place also keeps answers from being compared.
                yield distances[-1], -place, answer

    worst = heapq.nlargest(WORST, differing())
    compared = len(judged)
    return HumanCheck(
        labelled=compared + unscored,
        compared=compared,
        unscored=unscored,
        kappa=cohens_kappa(judged, meant, level=level),
        distance=math.fsum(distances) / compared if compared else None,
        true_pass=_rate(counts[True], level),
        true_fail=_rate(counts[False], level),
        worst=tuple(_disagreement(answer) for _, _, answer in worst),
    )


def _rate(counts: list[int], level: float) -> Rate:
    count, of = counts
    if not of:
        return Rate(rate=None, low=None, high=None, count=0, of=0)
    low, high = wilson(count, of, level)
    return Rate(rate=count / of, low=low, high=high, count=count, of=of)


def _disagreement(answer: Labelled) -> Disagreement:
    result = answer.result
    assert not isinstance(result, Unscored)
    return Disagreement(
        key=answer.key,
        person=answer.person,
        judge=result.value,
        label=result.label,
        reason=result.reason,
    )
