"""A rate learnt from refusals: what a provider that states nothing admits by time.

`pacer.py` tells why the time between two refusals measures it. That holds only if the provider really was
empty. Providers also refuse for reasons that have nothing to do with us (overload, other users of the
account), and then every refusal would make the lane slower for nothing, without end. So a refusal that
comes early, before the lane had begun to go faster than it believes, is put to the test: a handful of
calls goes at once, more than an empty bucket could admit. If they are admitted, the refusal meant nothing
and the rate goes up; if not, the bucket is believed, and the next test comes later each time. A long row
of early refusals needs no test: no bucket does that.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from umwelten.control.amounts import Amounts, Point, evener, minus
from umwelten.control.burst_test import (
    EARLY,
    FALL,
    FIRST_BACKOFF,
    HELPED,
    IN_A_ROW,
    LONGEST_BACKOFF,
    MOST_TEST_CALLS,
    TEST_CALLS,
    TEST_GAIN,
    TOO_MANY,
    BurstTest,
)

HINT_MARGIN_S = 0.05
"""Added to a hint. At 0 `bucket_20_exact` is refused 0.047 a call, not 0.025; at 0.2 `drop` falls from 0.99
to 0.97."""


GROWTH = 0.02
"""Faster than believed, so that refusals keep measuring. At 0.05 `drop` falls from 0.99 to 0.97, at 0
`gcra_blind` from 0.95 to 0.93."""

QUIET_CALLS = 48.0
"""Calls without a refusal before looking for more. At 96 `drop` falls from 0.99 to 0.94, `gcra_blind` from
0.95 to 0.90; 24 does as well."""

QUIET_S = 3.0
"""The same in seconds. At 9 `gcra_blind` falls from 0.95 to 0.85, at 1 `noise` from 0.69 to 0.56."""

FEWEST_QUIET = 4.0
"""The same where a rate was measured over so few calls: it may be wrong by any factor, and 48 calls at a
tenth of the true rate take a run."""

DOUBLING = 0.5
"""Of those calls in which the speed doubles then. At 1 `drop_blind` falls from 0.99 to 0.96; 0.25 does as
well."""

DOUBLING_S = 1.0
"""The same in seconds. At 0.35 `drop` is refused 0.061 a call, not 0.047; at 1.4 it falls from 0.99 to
0.98."""

IDLE_CALLS = 24.0
"""Times between two calls after which an idle lane goes faster. Not sensitive from 12 to 48."""

IDLE_S = 10.0
"""The same in seconds. At 3 `tokens_requests` is refused 0.047 a call, not 0.040; not sensitive up to 30."""

RESTART = 2.5
"""Refused at so many times the learnt rate, points of before are dropped. At 1.5 `drop_blind` falls from 0.99
to 0.98, at 5 `drop` from 0.99 to 0.97."""

SAFE = 0.7
"""Part of the refused speed to continue with. `drop` falls from 0.99 to 0.97 at 0.4 as well as at 1."""

ENOUGH = 12.0
"""Calls that measure a rate, at least. At 24 `noise_bucket` is refused 0.25 a call, not 0.20; at 6 `drop`
falls from 0.99 to 0.98."""

SHORTEST_S = 0.15
"""Seconds that measure a rate, at least. At 0.5 `drop_blind` falls from 0.99 to 0.96, at 0.05 to 0.98."""

SLOW_S = 1.0
"""Between two refusals with one call between them that tell a slow rate. Without it each call of a provider
that takes one in ten seconds is refused three times."""

UNDERRATED = 1.5
"""So many times the rate was let in since the provider was empty: no bucket of that rate does so."""

FASTEST = 1e5
"""Calls a second that no provider takes: a rate that is raised again and again stays finite."""

HIGHEST = 3.0
"""Times the highest rate ever measured, a rate is raised by tests. Windows let in test after test, and
without it the rate of one call a second became a hundred thousand."""

FALLEN = 0.3
"""Of that rate is left: then it is tested whatever that costs."""

LOWEST = 0.12
"""Of that rate is always believed: a fall to a fifth is, one to nothing is not. Without it refusals that have
nothing to do with the pace end in one call in a quarter of an hour."""

FIRST_TAKEN = 3.0
"""Calls that are left out of the mean since the first refusal: what is on its way then need not come back."""

_KEEP = 150.0
"""Calls that a rate is measured over, at most. At 600 `gcra_blind` falls from 0.95 to 0.88, at 50
`noise_bucket` from 0.95 to 0.93."""


@dataclass(slots=True)
class RateEstimator:
    """A rate learnt from refusals. `rate` None: not known. `by`: what is counted, an index of `ORDER`.

    `refusal_s` is how long refusals take to come back; `may_test`: a few refusals can be afforded.
    """

    rate: float | None = None
    by: int = 0
    level: float = 0.0
    at: float = 0.0
    empty_at: float = 0.0
    calls: float = 0.0
    size: float = 1.0
    refusal_s: float = 0.05
    points: deque[Point] = field(default_factory=lambda: deque(maxlen=64))
    test: BurstTest | None = None
    total: float = 0.0
    measured: float = 0.0
    may_test: bool = True
    _next_test: float = 0.0
    _backoff: float = FIRST_BACKOFF
    _tested: float = 0.0
    _early: int = 0
    _raised: Point | None = None
    _before: float = 0.0
    _peak: float = 0.0
    _first: Point | None = None

    def note(self, point: Point) -> None:
        """Keep the point of a refused call. Of those that left together only the first is kept."""
        if not self.points or point.at > self.points[-1].at:
            self.points.append(point)
        elif point.at == self.points[-1].at and point.number < self.points[-1].number:
            self.points[-1] = point

    def on_refusal(self, started_at: float, now: float, hint: float | None = None) -> bool:
        """Act on the refusal whose point was noted last; False: nothing comes back, the rate is unknown.

        A `hint` shorter than the time between two calls says how much of one already exists.
        """
        self._judge(now)
        if self.test is not None:
            self.test.refused += started_at >= self.test.began_at
            return True
        if self._doubtful(started_at, now):
            return True
        if self.rate is not None:
            self._start_afresh(now)
        learnt = self.learn(now)
        if learnt and self.rate is not None and hint is not None and self.by == 0:
            self.level = max(0.0, 1.0 - (hint + HINT_MARGIN_S) * self.rate)
        return learnt

    def _doubtful(self, started_at: float, now: float) -> bool:
        """Early refusals in a row, and it is time for a test: that begins."""
        if self.rate is None or started_at <= self.empty_at:
            return False
        self._early = self._early + 1 if self.calls < EARLY * self._quiet() else 0
        if self._early < IN_A_ROW:
            return False
        if self._early % TOO_MANY == 0 and self._raise_helped():
            # No bucket refuses that often at a rate learnt from its own refusals.
            self._raise()
            return True
        # A rate that fell far since the last test is put to the test again, however long the wait.
        fallen = self._peak > 0 and self.rate < FALLEN * self._peak
        if not (self.may_test or fallen) or (
            self.total < self._next_test and self.rate > FALL * self._tested
        ):
            return False
        self._tested = self.rate
        refilled = self.rate / self.size * self.refusal_s
        size = min(MOST_TEST_CALLS, TEST_CALLS + round(refilled))
        self.test = BurstTest(now, size, size)
        return True

    def _raise_helped(self) -> bool:
        """Whether no less was admitted since the last raise than before it; True if there was none yet."""
        if not self.points:
            return False
        last, since, before = self.points[-1], self._raised, self._before
        self._raised = last
        if since is None or last.at <= since.at:
            self._before = self.rate or 0.0
            return since is None
        self._before = (last.taken[self.by] - since.taken[self.by]) / (last.at - since.at)
        return self._before > HELPED * before

    def _raise(self) -> None:
        """The refusals meant nothing, and neither does what was learnt from them."""
        assert self.rate is not None
        most = HIGHEST * self._peak if self._peak else FASTEST * self.size
        self.rate = max(self.rate, min(most, self.rate * TEST_GAIN))
        self.points = deque([self.points[-1]] if self.points else (), maxlen=self.points.maxlen)

    def _judge(self, now: float) -> None:
        """The test's refusals are in."""
        test = self.test
        if test is None or now < test.until:
            return
        self.test = None
        if test.refused <= max(TEST_CALLS - 2, test.size // 4):
            self._raise()
            self._backoff, self._next_test = FIRST_BACKOFF, self.total
            return
        self._next_test = self.total + self._backoff
        self._backoff = min(LONGEST_BACKOFF, 2 * self._backoff)
        self.learn(now)

    def learn(self, now: float) -> bool:
        """Take the rate from the points, and go on from empty; False: they don't tell."""
        if not self.points:
            return False
        self._choose()
        self._measure_size()
        self._raise_peak()
        learnt = self._estimate()
        if learnt is not None and self.rate is not None and 0 < self.calls < ENOUGH:
            # It went no faster than believed. Where others take a part, calls are refused at any pace;
            # without that one the rate of what was let in is lower each time it is measured. One of two calls
            # says little: no more than half is added.
            learnt = max(learnt, min(self.rate, learnt * (1.0 + 1.0 / max(2.0, self.calls - 1.0))))
        if learnt is not None:
            self.rate = learnt
            if self.measured >= ENOUGH:
                self._peak = max(0.995 * self._peak, learnt)
            # Refusals that come at any pace make each slower than the one before, without end.
            self.rate = max(self.rate, LOWEST * self._peak)
        self.level, self.at, self.empty_at, self.calls = 0.0, now, now, 0.0
        return learnt is not None and learnt > 0

    def _raise_peak(self) -> None:
        """Remember the highest mean since the first refusal: what was let in then can be let in again."""
        last = self.points[-1]
        if self._first is None:
            self._first = self.points[0]
        calls, span = last.taken[0] - self._first.taken[0] - FIRST_TAKEN, last.at - self._first.at
        if calls >= FEWEST_QUIET and span > SLOW_S:
            mean = (last.taken[self.by] - self._first.taken[self.by]) - FIRST_TAKEN * self.size
            self._peak = max(self._peak, mean / span)

    def _measure_size(self) -> None:
        """Units of what is counted that a call uses on average."""
        first, last = self.points[0], self.points[-1]
        calls = last.taken[0] - first.taken[0]
        if calls > 0:
            self.size = max(1e-9, (last.taken[self.by] - first.taken[self.by]) / calls)

    def _start_afresh(self, now: float) -> None:
        """A refusal long after the last one: there is more than was learnt, how much is to be measured."""
        assert self.rate is not None
        speed = self.speed(now)
        if speed > RESTART * self.rate and self.points:
            most = HIGHEST * self._peak if self._peak else math.inf
            self.rate, self.measured = max(self.rate, min(most, SAFE * speed)), FEWEST_QUIET
            self.points = deque([self.points[-1]], maxlen=self.points.maxlen)

    def _estimate(self) -> float | None:
        """Admitted by time, over the last hundred calls; over the last dozen if those tell otherwise."""
        last = self.points[-1]
        recent = longer = None
        over = 0.0
        for point in reversed(self.points):
            calls, span = last.taken[0] - point.taken[0], last.at - point.at
            expected = span * self.rate / self.size if self.rate else 0.0
            if span <= SHORTEST_S or (calls < ENOUGH and expected < ENOUGH):
                continue
            rate = (last.taken[self.by] - point.taken[self.by]) / span
            if rate <= 0:
                continue
            if recent is None:
                recent, self.measured = rate, calls
            if calls > _KEEP:
                break
            longer, over = rate, calls
        if recent is None:
            return self._provisional()
        if longer is None or not 0.75 < longer / max(recent, 1e-9) < 1.33:
            return recent
        if self._early and recent < longer:
            # It was refused sooner than expected: what was let in long ago makes it too fast.
            return recent
        self.measured = over
        return longer

    def _provisional(self) -> float | None:
        if self.rate is not None:
            return self.rate
        first, last = self.points[0], self.points[-1]
        span, calls = last.at - first.at, last.taken[0] - first.taken[0]
        # One call in a second or more is a slow rate, one in less may be anything.
        self.measured = calls
        enough = (calls >= 3 and span > SHORTEST_S) or (calls >= 1 and span > SLOW_S)
        return (last.taken[self.by] - first.taken[self.by]) / span if enough else None

    def _choose(self) -> None:
        """Requests or tokens, whichever came back more evenly from one refusal to the next."""
        by = evener(self.points, ENOUGH, self.by)
        if by != self.by:
            self.by, self.rate, self._peak, self._first = by, None, 0.0, None

    def _quiet(self) -> float:
        """Calls without a refusal after which there may be more than was learnt."""
        pace = self._pace()
        # Where refusals are slow, one overshoot costs several: look for more more rarely.
        slow = max(1.0, 0.5 + 0.5 * pace * self.refusal_s)
        sure = max(FEWEST_QUIET, min(QUIET_CALLS, self.measured)) / QUIET_CALLS
        return sure * max(QUIET_CALLS * min(slow, 4.0), QUIET_S * pace)

    def _pace(self) -> float:
        assert self.rate is not None
        return max(self.rate / self.size, 1e-9)

    @property
    def pace(self) -> float | None:
        """Return the calls a second that were learnt."""
        return None if self.rate is None else self._pace()

    def speed(self, now: float) -> float:
        """Return the rate at which to go now: what was learnt, and more the longer nothing was refused."""
        assert self.rate is not None
        pace, quiet, since = self._pace(), self._quiet(), now - self.empty_at
        # Doubling takes both calls and time: calls, for slow providers; time, or it would feed on itself.
        over = min((self.calls - quiet) / (DOUBLING * quiet), (since - quiet / pace) / DOUBLING_S)
        boost = 1 + GROWTH * min(1.0, self.calls / quiet)
        idle = since / max(IDLE_S, IDLE_CALLS / pace) - 1
        return self.rate * boost * 2 ** min(20.0, max(0.0, over, idle))

    def earliest_start(self, now: float, need: float) -> float:
        """Return when `need` fits."""
        self._judge(now)
        if self.rate is None or (self.test is not None and self.test.left > 0):
            return now
        speed = self.speed(now)
        level = self._level(now, speed, need)
        return now if level >= need - 1e-9 else now + (need - level) / max(speed, 1e-9)

    def _level(self, now: float, speed: float, need: float) -> float:
        # What is saved up is bounded: how much the provider's own bucket holds is not known.
        return min(self.level + speed * (now - self.at), max(2 * need, 0.1 * speed))

    def take(self, now: float, need: float) -> None:
        """A call starts."""
        self.calls += 1
        self.total += 1
        if self.test is not None and self.test.left > 0:
            self.test.left -= 1
            if not self.test.left:
                self.test.until = now + 2 * self.refusal_s
                self.level, self.at = 0.0, now
            return
        if self.rate is not None:
            self._outrun(now)
            self.level = self._level(now, self.speed(now), need) - need
            self.at = now

    def _outrun(self, now: float) -> None:
        """Of an empty bucket no more can be had than refills."""
        assert self.rate is not None
        since = now - self.empty_at
        if self.calls < 6 or since <= max(SHORTEST_S, 2 * self.refusal_s):
            return
        least = min(2.0 * self.rate, (self.calls - 2) * self.size / since)
        if least > UNDERRATED * self.speed(now):
            self.rate, self.level, self.at, self.measured = least, max(self.level, 0.0), now, FEWEST_QUIET

    def allow_for(self, refusal_s: float) -> None:
        """Reckon with refusals that take so long to come back."""
        self.refusal_s = refusal_s

    def take_back(self, number: int, need: Amounts) -> None:
        """Take the `number`-th call off what had been admitted at later points: it was refused.

        Replies overtake each other, so it had been taken for admitted.
        """
        for point in self.points:
            if point.number > number:
                point.taken = minus(point.taken, need)

    def begin_from(self, rate: float, by: int, size: float, now: float) -> None:
        """Go on from a rate that an earlier run measured, of calls of that size."""
        self.rate, self.by, self.size, self.measured = rate, by, size, QUIET_CALLS
        self.level, self.at, self.empty_at, self.calls = 0.0, now, now, 0.0

    def suspend(self) -> None:
        """Pace by nothing until the points tell a rate again."""
        self.rate = self.test = None

    def forget(self) -> None:
        """Drop all that was learnt."""
        self._first = None
        self.rate, self.level, self.calls, self.test = None, 0.0, 0.0, None
        self._peak = 0.0
        self.points.clear()
