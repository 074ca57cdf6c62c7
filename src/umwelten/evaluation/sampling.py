"""Which calls to try first, and what they tell about all of them. Pure arithmetic.

Calls are drawn with a chance that grows with their `weight`, a guess of what each costs (any unit, above
0): what costs much tells much. Going through the calls from the largest to the smallest in equal steps of
weight spreads the draw over all sizes. A call whose weight is a whole step is always drawn.

So the mean of cost / weight over the drawn calls, times the weight of all, estimates the cost of all
without bias however wrong the weights are; the better they are, the narrower the interval.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from statistics import NormalDist, fmean, variance

from umwelten.types import FrozenStruct

CONFIDENCE = 0.95
"""Of the intervals, were costs spread like a bell. Rare expensive calls make them miss more often."""

_UNSEEN = 5.0
"""A sample misses the rarest and most expensive calls: of `n` drawn calls the most expensive is taken to
stand for `n + 5` in the upper end. Chosen in simulations with heavy tails; see docs/costs.md."""


class DrawnSample(FrozenStruct):
    """How a sample was drawn from `calls` of weight `weight` in all, of squared weights `squares` in all.

    `sure` are the positions (in the order given) with a chance of one, `picked` those drawn at random; both
    map a position to its weight.
    """

    calls: int
    weight: float
    squares: float
    sure: dict[int, float]
    picked: dict[int, float]


class Seen(FrozenStruct):
    """One sampled call: its weight, what was measured of it, and whether it was sure to be drawn."""

    weight: float
    value: float
    sure: bool = False


class Range(FrozenStruct):
    """An estimate and the ends of its interval."""

    low: float
    mean: float
    high: float

    def times(self, factor: float) -> Range:
        """All three, so many times."""
        return Range(low=self.low * factor, mean=self.mean * factor, high=self.high * factor)


class CostPart(FrozenStruct):
    """What a group of calls comes to: `known` of the seen ones and `rest` estimated for the others.

    `variance` and its degrees of freedom are the rest's; `unseen` is added to the upper end.
    """

    known: float
    rest: float = 0.0
    variance: float = 0.0
    freedom: float = math.inf
    unseen: float = 0.0


def draw(weights: Callable[[], Iterable[float]], n: int, dice: Callable[[], float]) -> DrawnSample:
    """Draw `n` of the calls, or all if they are fewer; `weights()` gives theirs anew, largest first.

    Goes through them twice and holds `n` of them. `dice` gives numbers from 0 to 1.
    """
    calls, total, squares, largest = _survey(weights(), n)
    bound, left, rest = _certain(largest, n, total)
    step = rest / left if left else math.inf
    sure: dict[int, float] = {}
    picked: dict[int, float] = {}
    at, passed = dice() * step, 0.0
    for position, weight in enumerate(weights()):
        if weight >= bound or calls <= n:
            sure[position] = weight
            continue
        passed += weight
        if passed > at and len(picked) < left:
            picked[position] = weight
            at += step
    return DrawnSample(calls=calls, weight=total, squares=squares, sure=sure, picked=picked)


def _survey(weights: Iterable[float], n: int) -> tuple[int, float, float, list[float]]:
    """How many, their sum, the sum of their squares, the `n` largest in descending order."""
    calls, total, squares = 0, 0.0, 0.0
    largest: list[float] = []
    for weight in weights:
        calls, total, squares = calls + 1, total + weight, squares + weight * weight
        if len(largest) < n:
            heapq.heappush(largest, weight)
        else:
            heapq.heappushpop(largest, weight)
    return calls, total, squares, sorted(largest, reverse=True)


def _certain(largest: Sequence[float], n: int, total: float) -> tuple[float, int, float]:
    """From which weight on a call is sure to be drawn, how many of `n` are left then, and of what weight.

    A weight that stands for more than a whole step is; so are then all that equal it.
    """
    bound, left, rest = math.inf, n, total
    for weight in largest:
        if weight != bound and weight * left <= rest * (1 + 1e-9):
            break
        bound, left, rest = weight, left - 1, rest - weight
    return bound, max(left, 0), max(rest, 0.0)


def part(seen: Sequence[Seen], drawn: DrawnSample) -> CostPart | None:
    """What all calls come to by those that were `seen`; `None`: nothing to go by.

    Calls of the sample that gave nothing are taken to be as the others are.
    """
    if not seen:
        return None
    known = math.fsum(one.value for one in seen)
    weight = drawn.weight - math.fsum(one.weight for one in seen)
    if len(seen) >= drawn.calls or weight <= 0:
        return CostPart(known=known)
    rates = [one.value / one.weight for one in seen if not one.sure]
    if len(rates) < 2:
        rates = [one.value / one.weight for one in seen]
    n, mean = len(rates), fmean(rates)
    spread = variance(rates) if n > 1 else mean * mean
    squares = max(drawn.squares - math.fsum(one.weight**2 for one in seen), 0.0)
    return CostPart(
        known=known,
        rest=weight * mean,
        # Of the mean, and of what the calls that are still to come differ from it.
        variance=spread * (weight * weight / n + squares),
        freedom=max(n - 1.0, 1.0),
        unseen=weight * (max(rates) - mean) * _UNSEEN / n,
    )


def together(parts: Sequence[CostPart]) -> Range:
    """The sum of independent parts with its interval, which is wider upwards than downwards."""
    known, rest = math.fsum(one.known for one in parts), math.fsum(one.rest for one in parts)
    spread = math.fsum(one.variance for one in parts)
    if rest <= 0 or spread <= 0:
        return Range(low=known + rest, mean=known + rest, high=known + rest)
    freedom = spread**2 / (math.fsum(one.variance**2 / one.freedom for one in parts) or math.inf)
    off = math.exp(min(student((1 + CONFIDENCE) / 2, freedom or 1.0) * math.sqrt(spread) / rest, 10.0))
    unseen = math.fsum(one.unseen for one in parts)
    return Range(low=known + rest / off, mean=known + rest, high=known + rest * off + unseen)


def student(p: float, freedom: float) -> float:
    """The quantile of Student's t: below `p` of the distribution lies this. Good to 1 % for p up to 0.98."""
    if freedom < 1.5:
        return math.tan(math.pi * (p - 0.5))
    if freedom < 2.5:
        return 2 * (p - 0.5) * math.sqrt(2 / (4 * p * (1 - p)))
    z = NormalDist().inv_cdf(p)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, 1))
