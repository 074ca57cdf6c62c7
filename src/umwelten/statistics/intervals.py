"""Intervals of rates that hold for few files."""

from __future__ import annotations

import math
from typing import NamedTuple

from umwelten.statistics import arguments
from umwelten.statistics.distributions import two_sided_z


class Interval(NamedTuple):
    """Both ends of an interval of confidence, in the unit of the values."""

    low: float
    high: float


def wilson(successes: float, n: float, level: float = 0.95) -> Interval:
    """Return Wilson's score interval of a rate, without correction for continuity.

    (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n), p = successes/n. Neither number needs to be whole: `n`
    may be an effective one. Its ends lie in 0–1, and it has a width at no success and at all.

    Source: Wilson 1927, JASA 22:209; Newcombe 1998, Statistics in Medicine 17:857, method 3.

    ValueError: `n` is not above 0, `successes` not from 0 to `n`, `level` not between 0 and 1.

        >>> tuple(round(end, 4) for end in wilson(0, 20))
        (0.0, 0.1611)
    """
    if not 0 <= successes <= arguments.above_zero(n, "n"):
        raise ValueError(f"successes is {successes!r}: a number from 0 to n = {n!r} is expected")
    shrink = two_sided_z(level) ** 2 / n
    p, q = successes / n, (n - successes) / n
    # An end near 0 or 1 would be the difference of nearly equal numbers; the product of both ends is known.
    low = p * p / _upper_end(p, shrink) / (1 + shrink)
    high = 1 - q * q / _upper_end(q, shrink) / (1 + shrink)
    return Interval(low, high)


def _upper_end(rate: float, shrink: float) -> float:
    """Return the upper end of Wilson's interval, where `shrink` is z²/n."""
    return (rate + shrink / 2 + math.sqrt(shrink * (rate * (1 - rate) + shrink / 4))) / (1 + shrink)


def wilson_of_spread(
    rate: float, variance: float, units: float, most: float, level: float = 0.95
) -> Interval:
    """Return Wilson's interval on the effective number of units: as many as give this variance of the rate.

    n = rate(1−rate)/variance, at most `most`; `units` where the variance is 0, which says nothing about n.
    """
    n = min(most, rate * (1 - rate) / variance) if variance > 0 else units
    # Rounding may put the rate a hair outside of 0–1, or n at 0 for a rate at the end of the scale.
    rate = min(1.0, max(0.0, rate))
    n = n if n > 0 else units
    return wilson(min(n, rate * n), n, level)
