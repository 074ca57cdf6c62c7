"""Others who use the same limits of an account: a load on them that nobody states."""

from __future__ import annotations

import math
from collections.abc import Sequence

from umwelten.simulate.limiters import Limiter, RequestCost, charge, refusal
from umwelten.simulate.loads import Factor, InFlight
from umwelten.simulate.profile import Others

_STEPS = 64
"""Moments in a period at which their rate is looked at, at least."""

_MOST = 0.95
"""Of a cap on requests in flight they leave a twentieth."""


_BACKLOG = 20.0
"""Requests of theirs that wait at most: after long without room, they would take all there is for as long."""


class OtherUsers:
    """Requests of others, which are charged to the limits as they fall due, before ours of the same moment.

    Their share of the rate swings as a sine. In flight, they hold that share of a cap.
    """

    def __init__(self, spec: Others, limiters: Sequence[Limiter], cost: RequestCost) -> None:
        self._spec, self._limiters, self._cost = spec, limiters, cost
        self._timed = [limiter for limiter in limiters if limiter.per_s]
        self._rate = min(
            (
                limiter.load.limit / limiter.per_s / max(1.0, limiter.amount(cost))
                for limiter in limiters
                if limiter.per_s
            ),
            default=0.0,
        )
        self._at, self._due = 0.0, 0.0
        for limiter in limiters:
            if isinstance(limiter.load, InFlight):
                limiter.load.change = _Left(self, limiter.load.change)

    @property
    def holds_slots(self) -> bool:
        """Return whether they hold a part of a cap, which may be free later."""
        return any(isinstance(limiter.load, InFlight) for limiter in self._limiters)

    def share_at(self, now: float) -> float:
        """Return their share of the limits at a moment."""
        return self._spec.share * (1.0 - math.cos(2 * math.pi * now / self._spec.period_s))

    def catch_up(self, now: float) -> None:
        """Charge what they have sent until now."""
        while self._rate:
            wait_s = self._send()
            if self._at >= now:
                return
            rate, step = self._rate * self.share_at(self._at), self._spec.period_s / _STEPS
            if wait_s is not None:
                step = min(step, wait_s)
            elif rate > 0:
                step = min(step, (1.0 - self._due) / rate)
            step = min(max(step, 1e-6), now - self._at)
            self._at += step
            self._due = min(self._due + rate * step, _BACKLOG)

    def _send(self) -> float | None:
        """Send what is due and fits; return how long the next that is due has to wait, `None` if none is."""
        while self._due >= 1.0 - 1e-9:
            refused = refusal(self._timed, self._cost, self._at)
            if refused is not None:
                return refused.wait_s
            charge(self._timed, self._cost, self._at)
            self._due = max(0.0, self._due - 1.0)
        return None


class _Left:
    """What others leave of a cap, which may change by itself as well."""

    def __init__(self, others: OtherUsers, change: Factor | None) -> None:
        self._others, self._change = others, change

    def factor_at(self, now: float) -> float:
        own = 1.0 if self._change is None else self._change.factor_at(now)
        return own * (1.0 - min(_MOST, self._others.share_at(now)))
