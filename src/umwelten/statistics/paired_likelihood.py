"""The likelihood of Bradley and Terry and where it is greatest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from umwelten.statistics.linear_systems import Matrix, Singular, factor, solve

_STEPS = 200
"""Newton's method takes six or so, and one for each factor of e in odds that are larger than a thousand."""

_FAR = 30.0
"""A covariate that multiplies odds by e^30 per unit of its spread decides every comparison by itself."""

_VAGUE = 25.0
"""The error of such a slope above which it is not one: that of a single comparison is about 2."""


class CovariateUndetermined(ValueError):
    """The effect of the covariate cannot be told from these comparisons; the message says why."""


@dataclass(slots=True)
class PairTotals:
    """What happened between two contestants, in one entry for each covariate.

    `first` got `wins` of the `numbers` there were; `covariates` are those of `first` minus `second`.
    """

    first: int
    second: int
    covariates: Sequence[float]
    numbers: Sequence[float]
    wins: Sequence[float]


@dataclass(slots=True)
class Maximum:
    """Where the likelihood is greatest, and the information there.

    `information` is its negative second derivative, made regular by `ridge` in each element among
    contestants: it does not see a shift of all strengths. The covariate's slope comes last in `place`.
    """

    place: list[float]
    information: Matrix
    ridge: float


def chance(log_odds: float) -> float:
    """Return 1/(1 + e^−x) without overflow."""
    if log_odds >= 0:
        return 1 / (1 + math.exp(-log_odds))
    odds = math.exp(log_odds)
    return odds / (1 + odds)


def maximise(
    pairs: Sequence[PairTotals],
    size: int,
    anchored: Sequence[int],
    start: Sequence[float],
    *,
    control: bool = False,
) -> Maximum:
    """Return the maximum of Σ w·ln P + (n−w)·ln(1−P), P of ln odds = β_first − β_second + γ·covariate.

    Each of `anchored` has half a win and half a loss more, against the mean of all strengths. By Newton's
    method with halved steps: the function is concave, so it arrives wherever a maximum exists. Strengths sum
    to 0. CovariateUndetermined where γ has none.
    """
    place = list(start)
    if not size:
        return Maximum(place, [], 0.0)
    value, gradient, information = _around(pairs, size, anchored, place, control)
    # Where less is gained, steps are below 1e-10 of an error. The gain's own rounding grows with n.
    enough = 1e-20 + 1e-28 * sum(map(math.fsum, (pair.numbers for pair in pairs)))
    for _ in range(_STEPS):
        ridge = _regularise(information, size)
        try:
            step = solve(factor(information), gradient)
        except Singular as singular:
            if control and singular.row == size:
                raise CovariateUndetermined(_COLLINEAR) from None
            break  # as far as doubles can tell
        gain = sum(slope * move for slope, move in zip(gradient, step, strict=True))
        if gain < enough:
            break
        length = 1.0
        while True:
            new = _centred([at + length * move for at, move in zip(place, step, strict=True)], size)
            found = _around(pairs, size, anchored, new, control)
            # The last digits of the sum are rounding: near the maximum they say nothing.
            if found[0] >= value + 1e-4 * length * gain or gain < 1e-9 or length < 1e-9:
                break
            length /= 2
        place, (value, gradient, information) = new, found
        if control and abs(place[size]) > _FAR:
            raise CovariateUndetermined(_DECIDES)
    else:
        ridge = _regularise(information, size)
    if control:
        _check_slope(information, size)
    return Maximum(place, information, ridge)


_COLLINEAR = (
    "the covariate follows from who meets whom (each contestant always has the same, say): "
    "its effect cannot be told from their strengths"
)
_DECIDES = "the covariate alone decides every comparison that could tell its effect, which has no estimate"


def _check_slope(information: Matrix, size: int) -> None:
    """Raise CovariateUndetermined where the likelihood is flat along the slope."""
    unit = [0.0] * size + [1.0]
    try:
        variance = solve(factor(information), unit)[size]
    except Singular:
        variance = math.inf
    if variance > _VAGUE**2:
        raise CovariateUndetermined(_DECIDES)


def _centred(place: list[float], size: int) -> list[float]:
    mean = math.fsum(place[:size]) / size
    return [at - mean for at in place[:size]] + place[size:]


def _regularise(information: Matrix, size: int) -> float:
    """Add to the information what holds the sum of strengths at 0, and return how much to each element."""
    ridge = sum(information[one][one] for one in range(size)) / size / size
    for row in information[:size]:
        for column in range(size):
            row[column] += ridge
    return ridge


def _around(
    pairs: Sequence[PairTotals], size: int, anchored: Sequence[int], place: Sequence[float], control: bool
) -> tuple[float, list[float], Matrix]:
    """Return the logarithm of the likelihood, its gradient, and the information."""
    width = size + control
    value, gradient = 0.0, [0.0] * width
    information = [[0.0] * width for _ in range(width)]
    slope = place[size] if control else 0.0
    exp, log1p = math.exp, math.log1p
    for pair in pairs:
        i, j = pair.first, pair.second
        apart = place[i] - place[j]
        residual = weight = across = along = pull = 0.0
        for x, n, w in zip(pair.covariates, pair.numbers, pair.wins, strict=True):
            odds = apart + slope * x
            small = exp(-abs(odds))
            p = 1 / (1 + small)
            value += w * odds - n * (log1p(small) + (odds if odds > 0 else 0.0))
            h = n * small * p * p
            r = w - n * (p if odds >= 0 else small * p)
            residual += r
            weight += h
            if control:
                hx = h * x
                across += hx
                along += hx * x
                pull += r * x
        gradient[i] += residual
        gradient[j] -= residual
        information[i][i] += weight
        information[j][j] += weight
        information[i][j] -= weight
        information[j][i] -= weight
        if control:
            gradient[size] += pull
            information[size][size] += along
            for one, signed in ((i, across), (j, -across)):
                information[one][size] += signed
                information[size][one] += signed
    return value + _anchor(anchored, size, place, gradient, information), gradient, information


def _anchor(
    anchored: Sequence[int], size: int, place: Sequence[float], gradient: list[float], information: Matrix
) -> float:
    """Add half a win and half a loss of each against the mean of all, and return their likelihood."""
    if not anchored:
        return 0.0
    value, weights = 0.0, [0.0] * size
    mean = math.fsum(place[:size]) / size
    for one in anchored:
        odds = place[one] - mean
        p = chance(odds)
        value += odds / 2 - max(odds, 0.0) - math.log1p(math.exp(-abs(odds)))
        weights[one] = p * (1 - p)
        gradient[one] += 0.5 - p
        for other in range(size):
            gradient[other] -= (0.5 - p) / size
    spread = math.fsum(weights) / size / size
    for i in range(size):
        information[i][i] += weights[i]
        for j in range(size):
            information[i][j] += spread - (weights[i] + weights[j]) / size
    return value
