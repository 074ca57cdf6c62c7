"""Loads: how much of a hidden limit is used, and how long until more of it is free.

A load knows nothing of requests: `wait(now, amount)` is 0 when so much fits now, else the seconds until it
would, infinite if only an ending helps; `take` counts it; `standing` is what honest headers would say: what
is left, and in how many seconds all of it is there again.

The time is an argument, in seconds of any clock that starts at 0 with the first request.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

from umwelten.simulate.profile import Change

_EPSILON = 1e-6
"""Refilling by floats must not refuse the request for which a token has just become whole."""

_BOUNDARY = 1e-9
"""Nor may the end of a window be missed by rounding: in seconds and in windows."""


class Load(Protocol):
    """How much of a limit is used; see the module's text. `standing`: what is left, and when it is full."""

    limit: float

    def wait(self, now: float, amount: float) -> float: ...

    def take(self, now: float, amount: float) -> None: ...

    def standing(self, now: float) -> tuple[float, float] | None: ...


class Factor(Protocol):
    """What a limit is multiplied by, which changes with time."""

    def factor_at(self, now: float) -> float: ...


def edges_after(change: Factor | None, now: float) -> list[float]:
    """Return the later moments at which a limit changes, as far as they are known."""
    return [edge for edge in (change.from_s, change.to_s) if edge > now] if isinstance(change, Change) else []


class Level:
    """A bucket that refills without pause. `whole`: it states whole units."""

    def __init__(
        self, rate: float, limit: float, change: Change | None = None, *, whole: bool = False
    ) -> None:
        self.rate, self.limit, self.change, self.whole = rate, limit, change, whole
        self.level, self.at = limit, 0.0

    def speed(self, now: float) -> float:
        return self.rate if self.change is None else self.rate * self.change.factor_at(now)

    def refill(self, now: float) -> float:
        """Return the level of now."""
        for until in (*(edge for edge in edges_after(self.change, self.at) if edge < now), now):
            self.level = min(self.limit, self.level + self.speed(self.at) * (until - self.at))
            self.at = until
        return self.level

    def wait(self, now: float, amount: float) -> float:
        # More than fits at all waits for a full bucket.
        missing = min(amount, self.limit) - self.refill(now)
        return self._time_for(now, missing) if missing > _EPSILON else 0.0

    def _time_for(self, now: float, missing: float) -> float:
        """Return the seconds in which so much comes back."""
        at = now
        for edge in (*edges_after(self.change, now), math.inf):
            speed = self.speed(at)
            if speed > 0 and missing <= speed * (edge - at):
                return at - now + missing / speed
            missing, at = missing - speed * (edge - at), edge
        return math.inf

    def take(self, now: float, amount: float) -> None:
        self.level = self.refill(now) - amount

    def standing(self, now: float) -> tuple[float, float]:
        level = self.refill(now)
        left = float(math.floor(level))
        return max(0.0, left), self._time_for(now, self.limit - (left if self.whole else level))


class _Changing:
    """A limit of whole units that may change."""

    def __init__(self, limit: float, change: Factor | None) -> None:
        self.limit, self.change = limit, change

    def room(self, now: float) -> float:
        """Return how much fits at most."""
        return self.limit if self.change is None else float(int(self.limit * self.change.factor_at(now)))


class FixedWindow(_Changing):
    """A counter that starts anew at fixed times."""

    def __init__(
        self, limit: float, window_s: float, offset_s: float = 0.0, change: Factor | None = None
    ) -> None:
        super().__init__(limit, change)
        self.window_s, self.offset_s = window_s, offset_s
        self.index, self.used, self.before = -1, 0.0, 0.0

    def roll(self, now: float) -> float:
        """Start a new window if one is due; return the seconds until the next."""
        index = int((now + self.offset_s) / self.window_s + _BOUNDARY)
        if index != self.index:
            self.before = self.used if index == self.index + 1 else 0.0
            self.index, self.used = index, 0.0
        return max(0.0, (index + 1) * self.window_s - self.offset_s - now)

    def wait(self, now: float, amount: float) -> float:
        # More than fits at all waits for an empty window.
        left_s, room = self.roll(now), self.room(now)
        return 0.0 if self.used + min(amount, room) <= room else left_s

    def take(self, now: float, amount: float) -> None:
        self.roll(now)
        self.used += amount

    def standing(self, now: float) -> tuple[float, float]:
        left_s = self.roll(now)
        return max(0.0, self.room(now) - self.used), left_s


class WeightedWindow(FixedWindow):
    """A counter by fixed windows, of which the last one counts as far as it reaches into `window_s`."""

    def _used(self, left_s: float) -> float:
        return self.used + self.before * left_s / self.window_s

    def wait(self, now: float, amount: float) -> float:
        left_s, room = self.roll(now), self.room(now)
        over = self._used(left_s) + min(amount, room) - room
        if over <= _EPSILON:
            return 0.0
        if self.before and over <= self.before * left_s / self.window_s:
            return over / self.before * self.window_s
        # What this window holds counts in full until it ends, and fades in the next.
        after = self.used + min(amount, room) - room
        return left_s + (max(0.0, after) / self.used * self.window_s if self.used else 0.0)

    def standing(self, now: float) -> tuple[float, float]:
        left_s = self.roll(now)
        full_s = left_s + (self.window_s if self.used else 0.0)
        return max(0.0, float(math.floor(self.room(now) - self._used(left_s)))), full_s


class SlidingLog(_Changing):
    """What was taken in the last `window_s` seconds."""

    def __init__(self, limit: float, window_s: float, change: Factor | None = None) -> None:
        super().__init__(limit, change)
        self.window_s, self.used = window_s, 0.0
        self.log: deque[tuple[float, float]] = deque()

    def forget(self, now: float) -> None:
        """Drop what is too old to count."""
        while self.log and self.log[0][0] + self.window_s <= now + _BOUNDARY:
            self.used -= self.log.popleft()[1]

    def wait(self, now: float, amount: float) -> float:
        self.forget(now)
        room = self.room(now)
        over = self.used + min(amount, room) - room
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
        return max(0.0, self.room(now) - self.used), wait_s or until_empty


class InFlight(_Changing):
    """What has begun and not ended."""

    def __init__(self, limit: float, change: Factor | None = None) -> None:
        super().__init__(limit, change)
        self.active = 0.0

    def wait(self, now: float, amount: float) -> float:
        return 0.0 if self.active + amount <= self.room(now) else math.inf

    def take(self, now: float, amount: float) -> None:
        self.active += amount

    def standing(self, now: float) -> None:
        return None


class Total:
    """What was taken since the beginning."""

    def __init__(self, limit: float) -> None:
        self.limit, self.used = limit, 0.0

    def wait(self, now: float, amount: float) -> float:
        return 0.0 if self.used + amount <= self.limit else math.inf

    def take(self, now: float, amount: float) -> None:
        self.used += amount

    def standing(self, now: float) -> None:
        return None
