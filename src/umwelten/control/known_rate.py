"""Rates that the user knows: bounds that a lane never exceeds, from its first call on.

What is learnt or stated holds beneath them as ever. A known rate is paced, with a burst that makes up for
timers that are late and no more: of `amount` requests in `period_s` no stretch of that length ever sees more,
however it is placed, and a limit by the minute that is kept by the second is not met with a minute's worth at
once. A request counts when it goes out and whatever comes of it, as most providers count; tokens are reserved
by estimate and settled when they are known.

A user who has only a `share` of an account takes no more than that part of what is known, and of what the
provider states about the whole account.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from umwelten.control.amounts import ORDER, Amounts
from umwelten.control.stated import Meaning, StatedBudget
from umwelten.types import Budget, Resource

LATE_S = 0.1
"""Of its rate a lane may catch up on: timers of a busy process are late by some hundredths."""

SLACK = 0.02
"""Of the amount that is at most: the pace is slower by as much, so that no period sees more."""

LEAST_SLACK = 0.25
"""Calls. Of a few a minute, one that is late by a quarter of their distance may be caught up on."""

_PLAIN = (Meaning.FULL, Meaning.PERIOD, Meaning.WINDOW)


class KnownRate(msgspec.Struct, frozen=True):
    """So much of a resource in so many seconds."""

    amount: float
    period_s: float
    resource: Resource = Resource.REQUESTS

    def part(self, share: float) -> KnownRate:
        """Return that part of it."""
        return msgspec.structs.replace(self, amount=share * self.amount)


@dataclass(slots=True)
class Meter:
    """Paces one resource by a known rate. `level` is what may go at `at`; none went before.

    `index` tells which of the figures of `Amounts` it counts.
    """

    known: KnownRate
    level: float = float("inf")
    at: float = 0.0
    rate: float = field(init=False)
    burst: float = field(init=False)
    index: int = field(init=False)

    def __post_init__(self) -> None:
        self.index = ORDER.index(self.known.resource)
        self.set(self.known)

    def set(self, known: KnownRate) -> None:
        """Go by another rate from now on."""
        each = 1.0 if known.resource is Resource.REQUESTS else 0.0
        late = max(LEAST_SLACK * each, LATE_S * known.amount / known.period_s)
        slack = min(SLACK * known.amount, late)
        self.known, self.burst = known, each + slack
        self.rate = (known.amount - slack) / known.period_s

    def _left(self, now: float, need: float) -> float:
        # A call of more tokens than the burst goes once they have been saved up.
        return min(self.level + self.rate * max(0.0, now - self.at), max(self.burst, need))

    def earliest_start(self, now: float, need: float) -> float:
        """Return when `need` fits."""
        left = self._left(now, need)
        return now if left >= need - 1e-9 else now + (need - left) / self.rate

    def take(self, now: float, amount: float) -> None:
        """Count what a call that starts will use."""
        self.level, self.at = self._left(now, amount) - amount, max(now, self.at)

    def correct(self, change: float) -> None:
        """Count what a call used beyond that (negative: less)."""
        self.level -= change


@dataclass(slots=True)
class StatedRate:
    """What a provider states of one budget, as a rate; what remains of it is what others left as well."""

    limit: float = 0.0
    longest_s: float = 0.0
    missing: float = 0.0
    rate: float = 0.0

    def observe(self, budget: Budget, stated: StatedBudget) -> KnownRate | None:
        """Return the rate by what the figures mean most likely; `None` where that is not known yet."""
        assert budget.limit is not None
        if budget.limit != self.limit:
            self.limit, self.missing, self.longest_s = budget.limit, 0.0, 0.0
        reset_s = budget.reset_s or 0.0
        # A window lasts at least as long as it was ever said to last.
        self.longest_s = max(self.longest_s, reset_s)
        missing = budget.limit - (budget.limit if budget.remaining is None else budget.remaining)
        if reset_s > 0 and missing >= max(1.0, 0.5 * self.missing):
            # Calls are stated whole, and times often: the more is missing, the less that matters.
            self.missing, self.rate = max(missing, self.missing), (missing - 0.5) / reset_s
        # As others make every reading err, one that takes the figures as they are written counts, unless
        # another is proven.
        plain = [r for r in stated.readings if r.meaning in _PLAIN or r.proven]
        best = max(plain, key=lambda r: (r.proven, r.score), default=None)
        if best is None:
            return None
        match best.meaning:
            case Meaning.WINDOW | Meaning.LEFT:
                period_s = budget.window_s or self.longest_s
            case Meaning.FULL:
                period_s = budget.limit / self.rate if self.rate else 0.0
            case _:
                period_s = budget.limit / best.rate if best.rate else 0.0
        return KnownRate(budget.limit, period_s, budget.resource) if period_s > 0 else None


@dataclass(slots=True)
class KnownRates:
    """The meters of a lane: of what is known, and of the `share` of each stated budget, by its key."""

    share: float = 1.0
    meters: list[Meter] = field(default_factory=list)
    _stated: dict[object, tuple[StatedRate, Meter | None]] = field(default_factory=dict)

    @classmethod
    def of(cls, known: Iterable[KnownRate], share: float = 1.0) -> KnownRates:
        """Return the meters of these rates, of which the share may be taken."""
        return cls(share, [Meter(rate.part(share)) for rate in known])

    def replace(self, resource: Resource, known: Iterable[KnownRate]) -> None:
        """Keep to these rates of a resource from now on, in place of those that were known before."""
        stated = [meter for _, meter in self._stated.values()]
        kept = [m for m in self.meters if m in stated or m.known.resource is not resource]
        self.meters[:] = [*kept, *(Meter(rate.part(self.share)) for rate in known)]

    def earliest_start(self, now: float, need: Amounts) -> tuple[float, Resource]:
        """Return when a call may start, and what it waits for."""
        at, why = now, Resource.REQUESTS
        for meter in self.meters:
            opens = meter.earliest_start(now, need[meter.index])
            if opens > at:
                at, why = opens, meter.known.resource
        return at, why

    def take(self, now: float, need: Amounts) -> None:
        """Count a call that starts."""
        for meter in self.meters:
            meter.take(now, need[meter.index])

    def correct(self, change: Amounts) -> None:
        """Count what a call used beyond its reservation (negative: less); a request it stays."""
        for meter in self.meters:
            if meter.known.resource is not Resource.REQUESTS:
                meter.correct(change[meter.index])

    def observe(self, key: object, budget: Budget, stated: StatedBudget) -> None:
        """Go by the share of what a reply states."""
        if self.share >= 1.0:
            return
        by, meter = self._stated.get(key) or (StatedRate(), None)
        rate = by.observe(budget, stated)
        if rate is not None:
            if meter is None:
                meter = Meter(rate.part(self.share))
                self.meters.append(meter)
            else:
                meter.set(rate.part(self.share))
        self._stated[key] = by, meter
