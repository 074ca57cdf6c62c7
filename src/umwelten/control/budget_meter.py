"""One budget that a provider states in its replies: what is left of it, and when more comes.

`pacer.py` tells how it is used.
"""

from __future__ import annotations

from dataclasses import dataclass

from umwelten.types import Budget, Resource

MARGIN_S = 0.02
"""A window is used that long after it begins. At 0 `window_headers` is refused 0.12 a call, not 0.002; 0.1
does as well."""

JITTER_S = 0.01
"""Kept back, in seconds of a small bucket's rate. At 0.05 `gcra` falls from 0.98 to 0.92; not sensitive down
to 0."""

RISE = 0.25
"""Part of a stated rise that is believed. At 1 `tokens` is refused 0.061 a call, not 0.003; 0.1 does as
well."""


@dataclass(slots=True)
class BudgetMeter:
    """One stated budget. `level` is what is left at `at`; `rate` units a second come back to a bucket."""

    resource: Resource
    limit: float
    level: float
    at: float
    rate: float = 0.0
    window_s: float | None = None
    resets_at: float | None = None
    votes: int = 0
    number: int = 0
    _remaining: float = 0.0
    _stated_at: float = 0.0

    @property
    def window(self) -> bool:
        """It starts anew at a fixed time, rather than refilling little by little."""
        return self.votes >= 2

    def observe(self, budget: Budget, started_at: float, since: float, number: int) -> None:
        """A reply to the `number`-th call states the budget; `since` was taken after that call."""
        if number <= self.number or budget.remaining is None:
            return
        if budget.limit:
            self.limit = budget.limit
        resets_at = None if budget.reset_s is None else started_at + budget.reset_s
        self._vote(budget, started_at, resets_at)
        first = self.number == 0 or self.window
        self.number, self.window_s = number, budget.window_s
        self._remaining, self._stated_at, self.resets_at = budget.remaining, started_at, resets_at
        self._learn_rate(budget)
        self._correct(budget.remaining - since, started_at, first)

    def _correct(self, level: float, at: float, first: bool) -> None:
        """Downwards at once, upwards little by little.

        Of calls that leave together the last may arrive first: its reply then knows nothing of the others.
        """
        if first or self.at < at:
            believed = self.level if self.window else self.level + self.rate * (at - self.at)
            self.level, self.at = level if first else min(level, believed + RISE * (level - believed)), at
            return
        now = self.at
        stated = level + (0.0 if self.window else self.rate * (now - at))
        self.level = min(stated, self.level + RISE * (stated - self.level))

    def _vote(self, budget: Budget, started_at: float, resets_at: float | None) -> None:
        """Window or bucket, from how the reset moved since the statement before."""
        if self.resets_at is None or resets_at is None or budget.remaining is None or not self.number:
            return
        used, passed = self._remaining - budget.remaining, started_at - self._stated_at
        if used <= 0 or passed < 0:
            return
        pace = (self.limit - self._remaining) / max(1e-9, self.resets_at - self._stated_at)
        expected = passed + used / pace if pace > 0 else passed
        moved = resets_at - self.resets_at
        whole = budget.reset_s is not None and budget.reset_s == int(budget.reset_s)
        if expected < (2.0 if whole else 0.02):
            return
        self.votes = min(4, self.votes + 1) if abs(moved) < 0.3 * expected else max(-4, self.votes - 1)

    def _learn_rate(self, budget: Budget) -> None:
        missing = self.limit - (budget.remaining or 0.0)
        if budget.reset_s and missing >= min(3.0, 0.05 * self.limit):
            self.rate = missing / budget.reset_s
        elif self.rate <= 0 and budget.window_s:
            self.rate = self.limit / budget.window_s

    def earliest_start(self, now: float, need: float) -> float:
        """Return when `need` fits."""
        need = min(need, self.limit)
        if self.window:
            return self._window_start(now, need)
        if self.rate <= 0:
            return now
        # A bucket too small to keep anything back is given a little time beyond its being full.
        want = need + self._slack(need)
        level = self.level + self.rate * (now - self.at)
        if want <= self.limit:
            level = min(self.limit, level)
        return now if level >= want - 1e-9 else now + (want - level) / self.rate

    def _slack(self, need: float) -> float:
        """Kept back against the jitter of the way there; it costs its refill once, not every time."""
        return max(min(0.1 * self.limit, need), min(need, self.rate * JITTER_S))

    def _window_start(self, now: float, need: float) -> float:
        if self.resets_at is None or now >= self.resets_at + MARGIN_S:
            self._start_anew(now)
        if self.level >= need or self.resets_at is None:
            return now
        return max(now, self.resets_at + MARGIN_S)

    def _start_anew(self, now: float) -> None:
        self.level, self.at = self.limit, now
        period = self.window_s
        self.resets_at = None if period is None or self.resets_at is None else self.resets_at + period
        if self.resets_at is not None and self.resets_at <= now and period:
            self.resets_at = now + period

    def take(self, now: float, amount: float) -> None:
        """A reservation (negative: part of it comes back)."""
        if not self.window:
            self.level = min(self.limit, self.level + self.rate * max(0.0, now - self.at))
            self.at = max(self.at, now)
        self.level -= amount
