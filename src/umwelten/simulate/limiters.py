"""The arithmetic of hidden limits, for virtual providers and the fault server alike.

A limit is a load (`loads`) and a threshold. `Limiter` joins a load with a limit of `profile`: what of a
request counts towards it, and when. `refusal` asks several limiters at once, `charge` counts a request in all
of them. A new kind of limit is a struct in `profile`, a case in `new_limiter` and perhaps a load.

The time is an argument, in seconds of any clock that starts at 0 with the first request.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from umwelten.simulate import profile as p
from umwelten.simulate.loads import FixedWindow, InFlight, Level, Load, SlidingLog, Total, WeightedWindow
from umwelten.types import Budget, FrozenStruct, Resource


class RequestCost(FrozenStruct):
    """What a request takes: tokens of its input and output, and `max_tokens` as it asked for."""

    input_tokens: int = 0
    output_tokens: int = 0
    max_tokens: int | None = None


class Limiter:
    """A limit at work: `load.limit` units of `resource`, in `per_s` seconds where time refills it."""

    def __init__(
        self,
        spec: p.AnyLimit,
        load: Load,
        per_s: float | None,
        resource: Resource = Resource.REQUESTS,
        *,
        window_s: float | None = None,
    ) -> None:
        self.spec, self.load, self.per_s, self.resource = spec, load, per_s, resource
        self.window_s = window_s
        counted = spec.count if isinstance(spec, p.TokenBucket | p.WindowSpec) else "requests"
        self._count = None if counted == "requests" else counted

    def amount(self, cost: RequestCost) -> float:
        """Return how much a request takes when it is admitted."""
        match self._count:
            case None:
                return 1.0
            case "output":
                return 0.0
            case "reserved" if cost.max_tokens is not None:
                return cost.input_tokens + cost.max_tokens
            case "reserved":
                return cost.input_tokens + cost.output_tokens
        return cost.input_tokens

    def wait(self, now: float, amount: float) -> float:
        """Return the seconds until so much fits: 0 for now, infinite if only an ending helps."""
        return self.load.wait(now, amount)

    def take(self, now: float, amount: float) -> None:
        """Count so much."""
        self.load.take(now, amount)

    def end(self, now: float, cost: RequestCost) -> None:
        """Note that a request which had been admitted has ended."""
        if self.resource is Resource.IN_FLIGHT:
            self.load.take(now, -1.0)
        elif self._count in ("total", "output"):
            self.load.take(now, cost.output_tokens)

    def budget(self, now: float) -> Budget | None:
        """Return what honest headers would say; `None` where there is nothing to say."""
        standing = self.load.standing(now)
        if standing is None:
            return None
        return Budget(
            resource=self.resource,
            limit=self.load.limit,
            remaining=standing[0],
            reset_s=standing[1],
            window_s=self.window_s,
        )


def new_limiter(spec: p.AnyLimit) -> Limiter | None:
    """Return a limit at work; `None` for slots, which never refuse."""
    match spec:
        case p.Bucket():
            burst = max(1.0, spec.rate) if spec.burst is None else spec.burst
            return Limiter(spec, Level(spec.rate, burst, spec.change, whole=True), burst / spec.rate)
        case p.Gcra():
            level = Level(spec.rate, spec.tolerance, spec.change, whole=True)
            return Limiter(spec, level, spec.tolerance / spec.rate)
        case p.Window() | p.Sliding() | p.Weighted():
            resource = _RESOURCES.get(spec.count, Resource.TOKENS)
            return Limiter(spec, _window(spec), spec.window_s, resource, window_s=spec.window_s)
        case p.Quota():
            return Limiter(spec, Total(spec.n), None)
        case p.Concurrency():
            return Limiter(spec, InFlight(spec.n, spec.change), None, Resource.IN_FLIGHT)
        case p.TokenBucket():
            burst, rate = spec.per_minute if spec.burst is None else spec.burst, spec.per_minute / 60
            resource = _RESOURCES.get(spec.count, Resource.TOKENS)
            return Limiter(spec, Level(rate, burst), burst / rate, resource, window_s=60.0)
        case p.Slots():
            return None


_RESOURCES = {
    "requests": Resource.REQUESTS,
    "input": Resource.INPUT_TOKENS,
    "output": Resource.OUTPUT_TOKENS,
}


def _window(spec: p.Window | p.Sliding | p.Weighted) -> Load:
    match spec:
        case p.Sliding():
            return SlidingLog(spec.n, spec.window_s, spec.change)
        case p.Weighted():
            return WeightedWindow(spec.n, spec.window_s, spec.offset_s, spec.change)
    return FixedWindow(spec.n, spec.window_s, spec.offset_s, spec.change)


def new_limiters(specs: Iterable[p.AnyLimit]) -> list[Limiter]:
    """Return the limits that refuse what is too much, at work."""
    return [limiter for spec in specs if (limiter := new_limiter(spec)) is not None]


# --- several limits at once ----------------------------------------------------------------------


class Refusal(FrozenStruct):
    """Why a request does not fit: the limit that keeps it out the longest, which needs `amount` for it.

    `wait_s`: seconds until it fits, infinite if nobody knows; `never`: it is larger than the limit.
    """

    limiter: Limiter
    amount: float
    wait_s: float
    never: bool

    @property
    def hint_s(self) -> float | None:
        """The time to wait, as far as the limit's `hints` tell it."""
        return None if self.never else hint(self.limiter.spec.hints, self.wait_s)


def refusal(
    limiters: Sequence[Limiter], cost: RequestCost, now: float, *, refuse_oversize: bool = False
) -> Refusal | None:
    """Return why a request does not fit now, `None` if it does. Nothing is charged.

    `refuse_oversize`: a request larger than a limit never fits, instead of when nothing else is there.
    """
    worst: Refusal | None = None
    for limiter in limiters:
        amount = limiter.amount(cost)
        wait_s = limiter.wait(now, amount)
        never = refuse_oversize and amount > limiter.load.limit > 0
        if (wait_s or never) and (worst is None or (never, wait_s) > (worst.never, worst.wait_s)):
            worst = Refusal(limiter=limiter, amount=amount, wait_s=wait_s, never=never)
    return worst


def charge(limiters: Iterable[Limiter], cost: RequestCost, now: float, *, refused: bool = False) -> None:
    """Count a request in all limits; a refused one only where such requests count as well."""
    for limiter in limiters:
        if not refused or (limiter.spec.count_refused and limiter.resource is not Resource.IN_FLIGHT):
            limiter.take(now, limiter.amount(cost))


def hint(hints: str | float, wait_s: float) -> float | None:
    """Return the time that a refusal names: exact, rounded up to seconds, padded, or `None`.

    >>> [hint(how, 2.4) for how in ("exact", "ceil", "none", 30.0)]
    [2.4, 3.0, None, 32.4]
    """
    if isinstance(hints, str):
        if hints == "none" or wait_s == math.inf:
            return None
        return float(math.ceil(wait_s)) if hints == "ceil" else wait_s
    return hints + (0.0 if wait_s == math.inf else wait_s)
