"""The hidden limits of virtual providers. `wait` tells the truth, which a real provider may not.

Each has `wait(now, size)`: 0 when a request of that many tokens fits now, else the seconds until it
would (infinite: only an ending helps); `take` and `ended` when one is let in and when it is answered;
`budget` is what honest headers would say.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from umwelten.simulate import profile as p
from umwelten.types import Budget, Resource

_EPSILON = 1e-9


class Limiter(Protocol):
    """See the module's text."""

    def wait(self, now: float, size: float) -> float: ...

    def take(self, now: float, size: float) -> None: ...

    def ended(self, now: float, output: float) -> None: ...

    def budget(self, now: float) -> Budget | None: ...


def limiter(spec: p.AnyLimit) -> Limiter | None:
    """The machine for a limit; None for slots, which never refuse."""
    match spec:
        case p.Bucket():
            burst = spec.burst if spec.burst is not None else max(1.0, spec.rate)
            return BucketLimiter(spec.rate, burst, spec.change)
        case p.Gcra():
            return BucketLimiter(spec.rate, spec.tolerance, None)
        case p.Window():
            return WindowLimiter(spec)
        case p.Sliding():
            return SlidingLimiter(spec)
        case p.Concurrency():
            return ConcurrencyLimiter(spec)
        case p.TokenBucket():
            return TokenLimiter(spec)
        case p.Slots():
            return None


class BucketLimiter:
    """A token bucket over requests; with a burst of 1 it is GCRA."""

    def __init__(self, rate: float, burst: float, change: p.Change | None) -> None:
        self.rate, self.burst, self.change = rate, burst, change
        self.level, self.at = burst, 0.0

    def _speed(self, now: float) -> float:
        change = self.change
        inside = change is not None and change.from_s <= now < change.to_s
        return self.rate * (change.factor if inside and change is not None else 1.0)

    def _advance(self, now: float) -> None:
        edges = (self.change.from_s, self.change.to_s) if self.change else ()
        for until in (*(edge for edge in edges if self.at < edge < now), now):
            self.level = min(self.burst, self.level + self._speed(self.at) * (until - self.at))
            self.at = until

    def wait(self, now: float, size: float) -> float:
        self._advance(now)
        return 0.0 if self.level >= 1 - _EPSILON else (1 - self.level) / self._speed(now)

    def take(self, now: float, size: float) -> None:
        self.level -= 1

    def ended(self, now: float, output: float) -> None:
        pass

    def budget(self, now: float) -> Budget:
        self._advance(now)
        return Budget(
            resource=Resource.REQUESTS,
            limit=self.burst,
            remaining=float(int(self.level)),
            reset_s=(self.burst - int(self.level)) / self._speed(now),
        )


class WindowLimiter:
    """A counter that starts anew at fixed times."""

    def __init__(self, spec: p.Window) -> None:
        self.spec = spec
        self.index, self.used = -1, 0

    def _ends(self, now: float) -> float:
        index = int((now + self.spec.offset_s) / self.spec.window_s + _EPSILON)
        if index != self.index:
            self.index, self.used = index, 0
        return (index + 1) * self.spec.window_s - self.spec.offset_s - now

    def wait(self, now: float, size: float) -> float:
        left = self._ends(now)
        return 0.0 if self.used < self.spec.n else left

    def take(self, now: float, size: float) -> None:
        self.used += 1

    def ended(self, now: float, output: float) -> None:
        pass

    def budget(self, now: float) -> Budget:
        left = self._ends(now)
        return Budget(
            resource=Resource.REQUESTS,
            limit=self.spec.n,
            remaining=self.spec.n - self.used,
            reset_s=left,
            window_s=self.spec.window_s,
        )


class SlidingLimiter:
    """A log of the requests of the last window."""

    def __init__(self, spec: p.Sliding) -> None:
        self.spec = spec
        self.log: deque[float] = deque()

    def wait(self, now: float, size: float) -> float:
        while self.log and self.log[0] + self.spec.window_s <= now + _EPSILON:
            self.log.popleft()
        return 0.0 if len(self.log) < self.spec.n else self.log[0] + self.spec.window_s - now

    def take(self, now: float, size: float) -> None:
        self.log.append(now)

    def ended(self, now: float, output: float) -> None:
        pass

    def budget(self, now: float) -> Budget:
        wait = self.wait(now, 0)
        return Budget(
            resource=Resource.REQUESTS,
            limit=self.spec.n,
            remaining=self.spec.n - len(self.log),
            reset_s=wait or (self.log[-1] + self.spec.window_s - now if self.log else 0.0),
            window_s=self.spec.window_s,
        )


class ConcurrencyLimiter:
    """A count of what is in flight."""

    def __init__(self, spec: p.Concurrency) -> None:
        self.spec = spec
        self.active = 0

    def _room(self, now: float) -> int:
        change = self.spec.change
        inside = change is not None and change.from_s <= now < change.to_s
        return int(self.spec.n * (change.factor if inside and change is not None else 1.0))

    def wait(self, now: float, size: float) -> float:
        return 0.0 if self.active < self._room(now) else float("inf")

    def take(self, now: float, size: float) -> None:
        self.active += 1

    def ended(self, now: float, output: float) -> None:
        self.active -= 1

    def budget(self, now: float) -> None:
        return None


class TokenLimiter:
    """A bucket of tokens; what an answer uses may push it below 0."""

    def __init__(self, spec: p.TokenBucket) -> None:
        self.rate = spec.per_minute / 60
        self.burst = spec.per_minute if spec.burst is None else spec.burst
        self.total = spec.count == "total"
        self.level, self.at = self.burst, 0.0

    def _advance(self, now: float) -> None:
        self.level = min(self.burst, self.level + self.rate * (now - self.at))
        self.at = now

    def wait(self, now: float, size: float) -> float:
        self._advance(now)
        need = min(size, self.burst)
        return 0.0 if self.level >= need - 1e-6 else (need - self.level) / self.rate

    def take(self, now: float, size: float) -> None:
        self._advance(now)
        self.level -= size

    def ended(self, now: float, output: float) -> None:
        self._advance(now)
        if self.total:
            self.level -= output

    def budget(self, now: float) -> Budget:
        self._advance(now)
        left = max(0.0, float(int(self.level)))
        return Budget(
            resource=Resource.TOKENS if self.total else Resource.INPUT_TOKENS,
            limit=self.burst,
            remaining=left,
            reset_s=(self.burst - self.level) / self.rate,
            window_s=60.0,
        )
