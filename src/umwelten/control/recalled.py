"""What an earlier run found, at work: it slows a lane's start, and says what the first refusal is about.

Theory of operation. Limits change between runs, and a belief that is wrong in either direction must cost
little. So what was remembered does two things and no more. Until something is refused, calls go at most as
the limit would let them in: so many at once, then by its rate or up to its edge. Each few calls that are let
in beyond that raise the pace, and soon the memory is outgrown: the lane goes on as if there had been none.
The first refusal, if it came about where the limit should be, has the lane take that for learnt, as if it had
measured it. Refusals that come much too soon, then or later, refute it; the lane learns on as any other does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from umwelten.control.amounts import Amounts, minus
from umwelten.control.limit_kind import LimitKind
from umwelten.control.ramp import BASE

if TYPE_CHECKING:
    from umwelten.control.refusals import RefusalDiagnosis

CALLS = 2.0
"""Calls beyond what can be had at once in which the pace doubles. At 8 a limit that became ten times as high
is found half as fast."""

SECONDS = 0.7
"""The same in seconds: refusals are back by then."""

MORE = 4.0
"""Calls beyond what should have been let in after which a lane goes on without it."""

MORE_BURST = 0.1
"""And so many of those that could be had at once: it was measured by what was on its way."""

OUTGROWN = 2.0
"""Times the calls in flight that were remembered, at which a lane goes on without it."""

LONGEST_S = 2.0
"""Between two calls before anything was refused: nothing has borne it out yet."""

EARLY = 0.5
"""Of what it should have let in was let in when a call was refused: that is another limit."""

FEW = 4.0
"""Calls that such a sum may lack: some are on their way."""

SLOWEST_S = 30.0
"""Between two calls at a rate, at most: one that is slower takes hours to measure, so none was, and is not
believed; a limit as slow as that is found within a few calls."""

BORNE_OUT = 12.0
"""Calls let in between refusals that bear a rate out: as many as measure one."""

EXPLAINED = 2
"""Refused episodes that a window must explain in this run."""


@dataclass(slots=True)
class Recalled:
    """See the module's text. `rate`: units of what `by` counts a second, of which `burst` can be had at once.

    A call uses `size` of them. `window`: calls and seconds. `cap`: calls in flight.
    """

    refusals: RefusalDiagnosis
    rate: float | None = None
    by: int = 0
    size: float = 1.0
    burst: float = 0.0
    window: tuple[int, float] | None = None
    cap: int | None = None
    _room: int = 0
    _step: int = 1
    _full_at: float = math.inf
    _level: float = 0.0
    _at: float = 0.0
    _calls: float = 0.0
    _taken: float = 0.0
    _empty_at: float | None = None
    _began: float | None = None
    _refused: tuple[float, Amounts] | None = None
    _explained: int = 0

    def begin(self, now: float) -> None:
        """Have it slow the lane down from now on."""
        self._level, self._at, self._room = max(self.burst, self.size), now, self.cap or 0

    # --- before anything was refused ---------------------------------------------------------

    def earliest_start(self, now: float, need: Amounts, in_flight: int) -> float:
        """Return when `need` fits."""
        if self.cap is not None:
            return now if in_flight < self._room else max(now, self._full_at + SECONDS)
        if self.rate is None:
            return now
        speed = self._speed(now)
        level = self._left(now, speed)
        wait_s = (min(need[self.by], max(self.burst, 2 * self.size)) - level) / speed
        return max(now, min(now + wait_s, self._at + LONGEST_S)) if wait_s > 1e-9 else now

    def on_start(self, now: float, need: Amounts, in_flight: int) -> bool:
        """Note a start; False once the lane outgrew it. `in_flight` are with it."""
        if self._began is None:
            self._began = now
        if self.cap is not None:
            return self._on_level(now, in_flight, self.cap)
        if self.rate is None:
            return True
        speed = self._speed(now)
        self._level, self._at = self._left(now, speed) - need[self.by], now
        if self._level < self.size and self._empty_at is None:
            self._empty_at = now
        if self._empty_at is not None:
            self._calls += 1
        self._taken += need[self.by]
        had = self.burst + self.rate * (now - self._began)
        if self._taken < had + MORE * self.size + MORE_BURST * self.burst:
            return True
        self._fill_up(now)
        return False

    def _on_level(self, now: float, in_flight: int, cap: int) -> bool:
        if in_flight > self._room:
            self._room, self._step, self._full_at = self._room + self._step, 2 * self._step, math.inf
        if in_flight >= self._room:
            self._full_at = min(self._full_at, now)
        if self._room <= MORE + OUTGROWN * cap:
            return True
        self._fill_up(now)
        return False

    def _speed(self, now: float) -> float:
        assert self.rate is not None
        if self._empty_at is None:
            return self.rate
        over = min(self._calls / CALLS, (now - self._empty_at) / SECONDS) - 1.0
        return float(self.rate * 2.0 ** min(4.0, max(0.0, over)))

    def _left(self, now: float, speed: float) -> float:
        return min(max(self.burst, 2 * self.size), self._level + speed * (now - self._at))

    # --- once something was ------------------------------------------------------------------

    def on_refusal(self, started_at: float, now: float, taken: Amounts) -> bool:
        """Weigh a refusal when `taken` had been let in; False once it is borne out or refuted."""
        if self.cap is not None:
            # No other part is told of it: a cap is found by the call that it refuses.
            return False
        if self._refused is not None:
            return self._weigh_again(now, minus(taken, self._refused[1]), started_at - self._refused[0])
        self._refused = started_at, taken
        began = started_at if self._began is None else self._began
        if self.rate is None or self._is_early(taken, self.burst + self.rate * (started_at - began)):
            return False
        if taken[self.by] > SLOWEST_S * self.rate * max(1.0, taken[0]):
            return False
        if self.window is not None:
            self.refusals.kind = LimitKind.WINDOW
            self.refusals.windows.begin_from(*self.window)
            self._explained = self.refusals.windows.explained
        else:
            self.refusals.kind = LimitKind.TOKENS if self.by else LimitKind.BUCKET
            self.refusals.pacer.estimator.begin_from(self.rate, self.by, self.size, started_at)
        return True

    def _is_early(self, taken: Amounts, expected: float) -> bool:
        return taken[self.by] < EARLY * expected - FEW * self.size

    def _weigh_again(self, now: float, taken: Amounts, span: float) -> bool:
        assert self.rate is not None
        if self.window is not None:
            if not self.refusals.leads:
                return self._drop(now)
            return self.refusals.windows.explained < self._explained + EXPLAINED
        if self._is_early(taken, self.rate * span):
            return self._drop(now)
        return taken[0] < BORNE_OUT

    def _drop(self, now: float) -> bool:
        """Have the lane learn like any other."""
        self.refusals.forget()
        self._fill_up(now)
        return False

    def _fill_up(self, now: float) -> None:
        """As many as could have started meanwhile are not to start at once."""
        self.refusals.ramp.begin(now, BASE, max(0.05, 2 * self.refusals.gate.refusal_s))
