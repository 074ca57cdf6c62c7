"""What calls use of all that is counted, and when a provider was empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from umwelten.types import Resource

ORDER = (Resource.REQUESTS, Resource.TOKENS, Resource.INPUT_TOKENS, Resource.OUTPUT_TOKENS)
"""What the four figures of `Amounts` count."""

Amounts = tuple[float, float, float, float]


def minus(a: Amounts, b: Amounts) -> Amounts:
    """a - b."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3])


def plus(a: Amounts, b: Amounts) -> Amounts:
    """a + b."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3])


@dataclass(slots=True)
class Point:
    """The provider was empty at `at`, when the `number`-th call came and `taken` had been admitted."""

    at: float
    taken: Amounts
    number: int = 0


def evener(points: Sequence[Point], calls: float, by: int) -> int:
    """Return 0 (requests) or 1 (tokens), whichever was admitted more evenly; `by` where neither clearly was.

    Evenly: at the same rate in each stretch of at least so many calls.
    """
    if len(points) < 10:
        return by
    spread = [_spread(points, calls, index) for index in range(2)]
    return 1 if spread[1] < 0.5 * spread[0] else 0 if spread[0] < 0.5 * spread[1] else by


def _spread(points: Sequence[Point], calls: float, index: int) -> float:
    """Standard deviation of those rates by their mean; 1 for fewer than four."""
    rates = []
    start = points[0]
    for point in points:
        if point.taken[0] - start.taken[0] >= calls and point.at > start.at:
            rates.append((point.taken[index] - start.taken[index]) / (point.at - start.at))
            start = point
    if len(rates) < 4:
        return 1.0
    mean = sum(rates) / len(rates)
    return float(sum((rate - mean) ** 2 for rate in rates) / len(rates)) ** 0.5 / mean if mean else 1.0
