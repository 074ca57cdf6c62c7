"""What a virtual provider states of its limits: in headers, and as the time to wait."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence

from umwelten.simulate.limiters import Limiter, Refusal
from umwelten.simulate.loads import FixedWindow
from umwelten.simulate.profile import STALE_S, Provider
from umwelten.types import NO_HINTS, Budget, RateLimitHints, Resource

_CLOCK = 0.37
"""Where between two seconds of the provider's clock a run begins."""


class Statements:
    """Words a provider's replies by `Provider.headers` and `Provider.retry_after`."""

    def __init__(self, spec: Provider, limiters: Sequence[Limiter]) -> None:
        self._spec, self._limiters = spec, limiters
        self._past: deque[tuple[float, tuple[Budget, ...]]] = deque()

    def hints(self, now: float, refused: Refusal | None = None) -> RateLimitHints:
        """Return what a reply of now says."""
        retry = None if refused is None else self._retry_after(now, refused)
        budgets = self._budgets(now)
        if not budgets and retry is None:
            return NO_HINTS
        return RateLimitHints(retry_after_s=retry, budgets=budgets)

    def _retry_after(self, now: float, refused: Refusal) -> float | None:
        how = self._spec.retry_after
        if isinstance(how, float | int):
            return float(how)
        exact = refused.hint_s
        if how == "none" or exact is None:
            return None
        match how:
            case "padded":
                return 10 * exact
            case "constant":
                return 60.0
            case "date":
                return math.ceil(now + _CLOCK + exact) - now - _CLOCK
        return exact

    def _budgets(self, now: float) -> tuple[Budget, ...]:
        style = self._spec.headers
        if style is False or style == "none":
            return ()
        stated = [one for one in self._limiters if one.spec.headers != "none"]
        if style is True:
            return tuple(budget for one in stated if (budget := one.budget(now)) is not None)
        budgets = tuple(_worded(stated, style, now))
        return self._stale(now, budgets) if style == "stale" else budgets

    def _stale(self, now: float, budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
        self._past.append((now, budgets))
        while len(self._past) > 1 and self._past[1][0] <= now - STALE_S:
            self._past.popleft()
        return self._past[0][1]


def _worded(limiters: Sequence[Limiter], style: str, now: float) -> Iterator[Budget]:
    for limiter in limiters:
        standing = limiter.load.standing(now)
        if standing is None or limiter.per_s is None or limiter.resource is Resource.IN_FLIGHT:
            continue
        limit, (remaining, full_s) = limiter.load.limit, standing
        reset_s, window_s = full_s, None
        match style:
            case "next-token":
                reset_s, limit = limiter.wait(now, remaining + 1.0), limit * 60.0 / limiter.per_s
            case "window-end":
                reset_s, window_s = _window_end(limiter, now, full_s), limiter.per_s
            case "epoch-s":
                reset_s = math.ceil(now + _CLOCK + full_s) - now - _CLOCK
            case "epoch-ms":
                reset_s = math.ceil(1000 * full_s) / 1000
            case "ietf":
                reset_s, window_s = float(math.ceil(full_s)), limiter.per_s
            case "lie-high":
                remaining = max(1.0, 3 * remaining)
            case "lie-zero":
                remaining = 0.0
            case "other-unit":
                limit = limit * 60.0 / limiter.per_s
        yield Budget(
            resource=limiter.resource, limit=limit, remaining=remaining, reset_s=reset_s, window_s=window_s
        )


def _window_end(limiter: Limiter, now: float, full_s: float) -> float:
    """Return the seconds until the window ends; until it is full where none ends, all of it for a bucket."""
    if isinstance(limiter.load, FixedWindow):
        return limiter.load.roll(now)
    return full_s if limiter.window_s or limiter.per_s is None else limiter.per_s
