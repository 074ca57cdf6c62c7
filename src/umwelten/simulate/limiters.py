"""The arithmetic of hidden limits, for virtual providers and the fault server alike.

A limit is a load, what counts towards it, and a threshold. Loads (`Level`, `FixedWindow`, `SlidingLog`,
`InFlight`) know nothing of requests: `wait(now, amount)` is 0 when so much fits now, else the seconds until
it would, infinite if only an ending helps; `take` counts it; `standing` is what honest headers would say.
`Limiter` joins one with a limit of `profile`. `refusal` asks several at once, `charge` counts a request in
all of them. A new kind of limit is a struct in `profile`, a case in `new_limiter` and perhaps a load.

The time is an argument, in seconds of any clock that starts at 0 with the first request.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Protocol

from umwelten.simulate import profile as p
from umwelten.types import Budget, FrozenStruct, Resource

_EPSILON = 1e-6
"""Refilling by floats must not refuse the request for which a token has just become whole."""

_BOUNDARY = 1e-9
"""Nor may the end of a window be missed by rounding: in seconds and in windows."""


# --- loads ---------------------------------------------------------------------------------------


class Load(Protocol):
    """How much of a limit is used; see the module's text. `standing`: what is left, and when it is full."""

    limit: float

    def wait(self, now: float, amount: float) -> float: ...

    def take(self, now: float, amount: float) -> None: ...

    def standing(self, now: float) -> tuple[float, float] | None: ...


class Level:
    """A bucket that refills without pause. `whole`: it states whole units."""

    def __init__(
        self, rate: float, limit: float, change: p.Change | None = None, *, whole: bool = False
    ) -> None:
        self.rate, self.limit, self.change, self.whole = rate, limit, change, whole
        self.level, self.at = limit, 0.0

    def speed(self, now: float) -> float:
        return self.rate if self.change is None else self.rate * self.change.factor_at(now)

    def refill(self, now: float) -> float:
        """Return the level of now."""
        edges = () if self.change is None else (self.change.from_s, self.change.to_s)
        for until in (*(edge for edge in edges if self.at < edge < now), now):
            self.level = min(self.limit, self.level + self.speed(self.at) * (until - self.at))
            self.at = until
        return self.level

    def wait(self, now: float, amount: float) -> float:
        # More than fits at all waits for a full bucket.
        missing = min(amount, self.limit) - self.refill(now)
        return missing / self.speed(now) if missing > _EPSILON else 0.0

    def take(self, now: float, amount: float) -> None:
        self.level = self.refill(now) - amount

    def standing(self, now: float) -> tuple[float, float]:
        level = self.refill(now)
        left = float(math.floor(level))
        return max(0.0, left), (self.limit - (left if self.whole else level)) / self.speed(now)


class FixedWindow:
    """A counter that starts anew at fixed times."""

    def __init__(self, limit: float, window_s: float, offset_s: float = 0.0) -> None:
        self.limit, self.window_s, self.offset_s = limit, window_s, offset_s
        self.index, self.used = -1, 0.0

    def roll(self, now: float) -> float:
        """Start a new window if one is due; return the seconds until the next."""
        index = int((now + self.offset_s) / self.window_s + _BOUNDARY)
        if index != self.index:
            self.index, self.used = index, 0.0
        return max(0.0, (index + 1) * self.window_s - self.offset_s - now)

    def wait(self, now: float, amount: float) -> float:
        left_s = self.roll(now)
        return 0.0 if self.used + amount <= self.limit else left_s

    def take(self, now: float, amount: float) -> None:
        self.roll(now)
        self.used += amount

    def standing(self, now: float) -> tuple[float, float]:
        left_s = self.roll(now)
        return max(0.0, self.limit - self.used), left_s


class SlidingLog:
    """What was taken in the last `window_s` seconds."""

    def __init__(self, limit: float, window_s: float) -> None:
        self.limit, self.window_s, self.used = limit, window_s, 0.0
        self.log: deque[tuple[float, float]] = deque()

    def forget(self, now: float) -> None:
        """Drop what is too old to count."""
        while self.log and self.log[0][0] + self.window_s <= now + _BOUNDARY:
            self.used -= self.log.popleft()[1]

    def wait(self, now: float, amount: float) -> float:
        self.forget(now)
        over = self.used + amount - self.limit
        for at, taken in self.log:
            if over <= 0:
                break
            over -= taken
            if over <= 0:
                return at + self.window_s - now
        return 0.0

    def take(self, now: float, amount: float) -> None:
        self.used += amount
        self.log.append((now, amount))

    def standing(self, now: float) -> tuple[float, float]:
        wait_s = self.wait(now, 1.0)
        until_empty = self.log[-1][0] + self.window_s - now if self.log else 0.0
        return max(0.0, self.limit - self.used), wait_s or until_empty


class InFlight:
    """What has begun and not ended."""

    def __init__(self, limit: float, change: p.Change | None = None) -> None:
        self.limit, self.change, self.active = limit, change, 0.0

    def wait(self, now: float, amount: float) -> float:
        room = self.limit if self.change is None else int(self.limit * self.change.factor_at(now))
        return 0.0 if self.active + amount <= room else math.inf

    def take(self, now: float, amount: float) -> None:
        self.active += amount

    def standing(self, now: float) -> None:
        return None


# --- limiters ------------------------------------------------------------------------------------


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
        self._window_s = window_s
        self._count = spec.count if isinstance(spec, p.TokenBucket) else None

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
            window_s=self._window_s,
        )


def new_limiter(spec: p.AnyLimit) -> Limiter | None:
    """Return a limit at work; `None` for slots, which never refuse."""
    match spec:
        case p.Bucket():
            burst = max(1.0, spec.rate) if spec.burst is None else spec.burst
            return Limiter(spec, Level(spec.rate, burst, spec.change, whole=True), burst / spec.rate)
        case p.Gcra():
            level = Level(spec.rate, spec.tolerance, whole=True)
            return Limiter(spec, level, spec.tolerance / spec.rate)
        case p.Window():
            window = FixedWindow(spec.n, spec.window_s, spec.offset_s)
            return Limiter(spec, window, spec.window_s, window_s=spec.window_s)
        case p.Sliding():
            log = SlidingLog(spec.n, spec.window_s)
            return Limiter(spec, log, spec.window_s, window_s=spec.window_s)
        case p.Concurrency():
            return Limiter(spec, InFlight(spec.n, spec.change), None, Resource.IN_FLIGHT)
        case p.TokenBucket():
            burst, rate = spec.per_minute if spec.burst is None else spec.burst, spec.per_minute / 60
            resource = _TOKENS.get(spec.count, Resource.TOKENS)
            return Limiter(spec, Level(rate, burst), burst / rate, resource, window_s=60.0)
        case p.Slots():
            return None


_TOKENS = {"input": Resource.INPUT_TOKENS, "output": Resource.OUTPUT_TOKENS}


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
