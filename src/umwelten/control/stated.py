"""One budget that a provider states in its replies, and what its figures may mean.

Theory of operation. A statement is a limit, what remains of it, and a time. Providers mean different things
by them: the time until all of it is there again, until the next one, until a window ends; the limit by the
statement's own period, by the minute, or by the second. Some state what is not true. So each budget has
several *readings*, and each is scored by what it foretells: which calls are let in and which are refused, and
what the next statements say of the rest. A reading that foretells badly loses its say, and a budget of which
no reading foretells well holds nothing back: then the lane goes by its refusals alone.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

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

SAY = -1.0
"""A reading with a lower score holds nothing back: two calls refused that it would let in."""

PROVEN = 1.0
"""From here on a reading is believed rather than what refusals taught: a few calls foretold."""

HITS = 3
"""Statements foretold that had changed, for a reading to be proven: what never changes proves nothing."""

WHOLE_S = 1.1
"""By which the stated end of a window may move: times are stated in whole seconds."""

CLOSE = 1.5
"""Calls by which a reading may be wrong. At 0 a true bucket of twenty is doubted for what was kept back."""

ENOUGH = 12.0
"""Calls between two statements that are compared, if little has changed: fewer fit any reading."""

NEARLY = 1.0
"""Readings so near to the best are as good: among them the least strict is tried."""

BEST = 4.0
"""The highest score: some five errors end any belief."""

_KEEP = 0.99
"""Of the score is left after each call."""


class Meaning(StrEnum):
    """What the figures mean: a bucket with so much in `reset_s`, by its window, by the minute or the second.

    Or a window: of the limit, or (`LEFT`) of the most that was ever left, where the limit is in another unit.
    """

    FULL = "full"
    PERIOD = "period"
    MINUTE = "minute"
    SECOND = "second"
    WINDOW = "window"
    LEFT = "left"


_WINDOWS = (Meaning.WINDOW, Meaning.LEFT)


@dataclass(slots=True)
class Reading:
    """A meaning at work. `level` is what is left at `at`; `rate` units a second come back to a bucket."""

    meaning: Meaning
    score: float
    limit: float
    level: float
    at: float
    rate: float = 0.0
    resets_at: float | None = None
    period_s: float | None = None
    hits: int = 0
    doubted: bool = False
    _stated_at: float = 0.0
    _rates: deque[float] = field(default_factory=lambda: deque(maxlen=8))

    # --- asking ----------------------------------------------------------------------------

    def left(self, now: float) -> float:
        """Return what is left."""
        if self.meaning in _WINDOWS:
            if self.resets_at is not None and now >= self.resets_at + MARGIN_S:
                self._start_anew(now)
            return self.level
        return min(self.limit, self.level + self.rate * max(0.0, now - self.at))

    def earliest_start(self, now: float, need: float) -> float:
        """Return when `need` fits, infinite if this reading can't say."""
        need = min(need, self.limit)
        if self.meaning in _WINDOWS:
            left = self.left(now)
            if left >= need:
                return now
            return math.inf if self.resets_at is None else max(now, self.resets_at + MARGIN_S)
        if self.rate <= 0:
            return math.inf
        # A bucket too small to keep anything back is given a little time beyond its being full.
        want = need + max(min(0.1 * self.limit, need), min(need, self.rate * JITTER_S))
        level = self.level + self.rate * (now - self.at)
        if want <= self.limit:
            level = min(self.limit, level)
        return now if level >= want - 1e-9 else now + (want - level) / self.rate

    def _start_anew(self, now: float) -> None:
        self.level, self.at = self.limit, now
        period = self.period_s
        self.resets_at = None if period is None or self.resets_at is None else self.resets_at + period
        if self.resets_at is not None and self.resets_at <= now and period:
            self.resets_at = now + period

    def foretell(self, remaining: float, at: float, now: float, used: float, last: float) -> float | None:
        """Return what is left at `now` if `remaining` was at `at`, and `used` since, `last` of it at the end.

        `None`: this reading can't say.
        """
        if self.meaning in _WINDOWS:
            return None if self.resets_at is None or now >= self.resets_at else remaining - used
        if not self.rate:
            return None
        return min(self.limit - last, remaining + self.rate * (now - at) - used)

    # --- learning --------------------------------------------------------------------------

    def mark(self, points: float) -> None:
        """Count what was foretold well (more than 0) or badly."""
        self.score = max(-BEST, min(BEST, _KEEP * self.score + points))
        if self.score > SAY:
            return
        if self.hits >= 2 * HITS:
            # What was right many times is not wrong for a handful of errors.
            self.score, self.hits = 0.0, self.hits // 2
        else:
            self.doubted, self.hits = True, 0

    @property
    def proven(self) -> bool:
        """Return whether it has shown to be true."""
        return self.score >= PROVEN and self.hits >= HITS

    @property
    def has_say(self) -> bool:
        """Return whether it may hold calls back: until it errs, and then once it is proven."""
        return self.score > SAY and (not self.doubted or self.proven)

    def take(self, now: float, amount: float) -> None:
        """A reservation (negative: part of it comes back)."""
        if self.meaning is not Meaning.WINDOW:
            self.level = min(self.limit, self.level + self.rate * max(0.0, now - self.at))
            self.at = max(self.at, now)
        self.level -= amount

    def state(self, budget: Budget, at: float, since: float, most: float) -> None:
        """Take in a statement of `at`; `since` was taken after it, and no more than `most` ever remained."""
        assert budget.limit is not None and budget.remaining is not None
        fits = self.meaning in (Meaning.FULL, Meaning.PERIOD, Meaning.WINDOW)
        self.limit = max(1e-6, budget.limit if fits else most)
        first = self._learn_rate(budget, at)
        level, window = budget.remaining - since, self.meaning in _WINDOWS
        if first or window or self.at < at:
            # Downwards at once, upwards little by little: of calls that leave together the last may arrive
            # first, and its reply then knows nothing of the others.
            believed = self.level + (0.0 if window else self.rate * (at - self.at))
            up = level if first or window else believed + RISE * (level - believed)
            self.level, self.at = min(level, up), at
            return
        stated = level + self.rate * (self.at - at)
        self.level = min(stated, self.level + RISE * (stated - self.level))

    def _learn_rate(self, budget: Budget, at: float) -> bool:
        """True if this is the first statement that tells the rate."""
        assert budget.limit is not None and budget.remaining is not None
        before = self.rate
        match self.meaning:
            case Meaning.FULL:
                missing = budget.limit - budget.remaining
                if budget.reset_s and missing >= min(3.0, 0.05 * self.limit):
                    # Times rounded up make it too slow, by turns: the fastest of a few is nearest.
                    self._rates.append(missing / budget.reset_s)
                    self.rate = max(self._rates)
            case Meaning.MINUTE:
                self.rate = budget.limit / 60.0
            case Meaning.SECOND:
                self.rate = budget.limit
            case Meaning.PERIOD:
                self.rate = budget.limit / budget.window_s if budget.window_s else 0.0
            case Meaning.WINDOW | Meaning.LEFT:
                resets_at = None if budget.reset_s is None else at + budget.reset_s
                first = self.resets_at is None
                if self.resets_at is not None and resets_at is not None and at < self.resets_at:
                    # The end of a window stands still, but for whole seconds.
                    moved = abs(resets_at - self.resets_at)
                    self.mark(-0.4 if moved > max(WHOLE_S, 0.3 * (at - self._stated_at)) else 0.02)
                self.resets_at, self.period_s, self._stated_at = resets_at, budget.window_s, at
                return first
        return before == 0.0


_PRIOR = {
    Meaning.FULL: 0.3,
    Meaning.PERIOD: 0.25,
    Meaning.WINDOW: 0.2,
    Meaning.MINUTE: 0.0,
    Meaning.LEFT: -0.2,
    Meaning.SECOND: -0.5,
}
"""Scores to begin with: where nothing tells them apart, the more usual meaning is taken."""


@dataclass(slots=True)
class Statement:
    """What remained at `at`, when `used` had been let in, `last` of it just then."""

    at: float
    remaining: float
    used: float
    last: float


@dataclass(slots=True)
class StatedBudget:
    """See the module's text. `number` is that of the latest call whose reply stated it."""

    resource: Resource
    number: int = 0
    readings: list[Reading] = field(default_factory=list)
    most: float = 0.0
    emptied: bool = False
    _unit: float = 1.0
    _anchor: Statement | None = None

    @property
    def trusted(self) -> list[Reading]:
        """Return the readings that foretell best, if they may hold calls back."""
        said = [reading for reading in self.readings if reading.has_say]
        best = max((reading.score for reading in said), default=SAY)
        return [reading for reading in said if reading.score > best - NEARLY]

    @property
    def proven(self) -> bool:
        """Return whether a reading has shown to be true."""
        return any(reading.proven for reading in self.readings)

    def earliest_start(self, now: float, need: float) -> float:
        """Return when `need` fits, by the least strict of the best readings, which is soon refuted."""
        opens = min((reading.earliest_start(now, need) for reading in self.trusted), default=math.inf)
        return now if opens == math.inf else opens

    def forecasts(self, now: float, need: float) -> int:
        """Return which readings would let a call in and which would not, two bits for each.

        Neither where it is close: calls overtake each other, what remains is stated in whole units, and how
        many tokens a call takes is known only afterwards.
        """
        bits, counted = 0, self.resource is Resource.REQUESTS
        for i, reading in enumerate(self.readings):
            left, wanted = reading.left(now), min(need, reading.limit)
            close = min(CLOSE * need, 0.5 * reading.limit)
            if left >= (0.999 * wanted if counted else wanted + close):
                bits |= 1 << 2 * i
            elif left < wanted - close:
                bits |= 2 << 2 * i
        return bits

    def judge(self, forecasts: int, *, let_in: bool, weight: float = 1.0) -> None:
        """Score the readings by what became of a call."""
        for i, reading in enumerate(self.readings):
            if forecasts >> 2 * i & 1:
                reading.mark(0.02 if let_in else -weight)
            elif forecasts >> 2 * i & 2:
                reading.mark(-0.7 if let_in else 0.5 * weight)

    def take(self, now: float, amount: float) -> None:
        """Count what a call will use."""
        for reading in self.readings:
            reading.take(now, amount)

    def observe(
        self, budget: Budget, at: float, used: float, since: float, number: int, last: float = 1.0
    ) -> None:
        """Take in what the reply to the `number`-th call states.

        `used` was let in by then, `last` of it by this call, and `since` later.
        """
        if number <= self.number or budget.remaining is None or not budget.limit:
            return
        self.number = number
        if not self.readings:
            self._begin(budget, at)
        self.most = max(self.most, budget.remaining + 1.0)
        self._compare(Statement(at, budget.remaining, used, last), budget.limit)
        for reading in self.readings:
            reading.state(budget, at, since, self.most)

    def _begin(self, budget: Budget, at: float) -> None:
        assert budget.limit is not None
        for meaning, prior in _PRIOR.items():
            if meaning is Meaning.PERIOD and not budget.window_s:
                continue
            self.readings.append(Reading(meaning, prior, budget.limit, budget.limit, at))

    def _compare(self, statement: Statement, limit: float) -> None:
        """Score the readings by what they made of an earlier statement."""
        anchor = self._anchor
        if anchor is None:
            self._anchor = statement
            return
        used, passed = statement.used - anchor.used, statement.at - anchor.at
        self._unit = statement.last or self._unit
        moved = abs(statement.remaining - anchor.remaining)
        if passed <= 0 or (abs(used) < ENOUGH * self._unit and (passed < 1.0 or moved < 0.1 * limit)):
            return
        self._anchor = statement
        # Calls overtake each other, and what remains is stated in whole units.
        allowed = (1.0 + min(1.0, 0.2 * limit)) * self._unit + 0.15 * abs(used)
        # What never changes is easily foretold, whatever it means.
        right = 0.3 if moved > allowed or used > 2.5 * allowed else 0.02
        for reading in self.readings:
            left = reading.foretell(anchor.remaining, anchor.at, statement.at, used, statement.last)
            if left is None:
                continue
            error = min(3.0, abs(left - statement.remaining) / allowed)
            reading.mark(right if error <= 1 else -0.3 * error)
            reading.hits += error <= 1 and right > 0.1
