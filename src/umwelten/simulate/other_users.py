"""Others who use the same limits of an account: a load on them that nobody states."""

from __future__ import annotations

import math
from collections.abc import Sequence

from umwelten.simulate.limiters import Limiter, RequestCost, charge, refusal
from umwelten.simulate.loads import InFlight
from umwelten.simulate.profile import Others

_STEPS = 64
"""Moments in a period at which their rate is looked at, at least."""

_MOST = 0.95
"""Of a cap on requests in flight they leave a twentieth."""


class OtherUsers:
    """Requests of others, which are charged to the limits as they fall due; those that do not fit are lost.

    Their share of the rate swings as a sine. In flight, they hold that share of a cap.
    """

    def __init__(self, spec: Others, limiters: Sequence[Limiter], cost: RequestCost) -> None:
        self._spec, self._limiters, self._cost = spec, limiters, cost
        rates = [
            limiter.load.limit / limiter.per_s / max(1.0, limiter.amount(cost))
            for limiter in limiters
            if limiter.per_s
        ]
        self._rate = min(rates, default=0.0)
        self._at, self._due = 0.0, 0.0
        for limiter in limiters:
            if isinstance(limiter.load, InFlight):
                limiter.load.change = self

    @property
    def holds_slots(self) -> bool:
        """Return whether they hold a part of a cap, which may be free later."""
        return any(isinstance(limiter.load, InFlight) for limiter in self._limiters)

    def share_at(self, now: float) -> float:
        """Return their share of the limits at a moment."""
        return self._spec.share * (1.0 - math.cos(2 * math.pi * now / self._spec.period_s))

    def factor_at(self, now: float) -> float:
        """Return what they leave of a cap."""
        return 1.0 - min(_MOST, self.share_at(now))

    def catch_up(self, now: float) -> None:
        """Charge what they have sent until now."""
        while self._rate and self._at < now:
            rate = self._rate * self.share_at(self._at)
            step = self._spec.period_s / _STEPS
            if rate > 0:
                step = min(step, (1.0 - self._due) / rate)
            step = min(max(step, 1e-6), now - self._at)
            self._at += step
            self._due += rate * step
            if self._due >= 1.0 - 1e-9:
                self._due = 0.0
                if refusal(self._limiters, self._cost, self._at) is None:
                    timed = [one for one in self._limiters if one.per_s]
                    charge(timed, self._cost, self._at)
