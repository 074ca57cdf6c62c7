"""How fast a lane that knows nothing goes from a few calls in flight to many: by time, not by answers.

An answer takes seconds, a refusal takes a round trip. So the first starts are spread over a few round
trips: some at once, then twice as many in each 130 ms, until they leave at such a pace that all slots are
taken within a second; each answer admits two more. The first refusal ends it. What left within a round trip
before it is lost, some fifty calls at the slowest, and a lane without a limit loses a third of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BASE = 16.0
"""Calls that start at once."""

DOUBLING_S = 0.08
"""Longer than most refusals take."""

FASTEST = 250.0
"""Starts a second, at least: at 500 a round trip of 0.2 s costs 50 refusals more."""

FULL_S = 0.4
"""By then all slots are taken, but for the curve of the beginning."""

MOST = 1100.0
"""Starts a second, at most: a round trip's worth of them is lost."""

AGAIN = 0.5
"""Of that pace where something was refused before: there is a limit."""


@dataclass(slots=True)
class Ramp:
    """Lets `base` calls start at once and doubles that every `doubling_s`, at most to `pace` a second."""

    base: float = BASE
    doubling_s: float = DOUBLING_S
    pace: float = FASTEST
    began_at: float | None = None
    starts: int = 0
    answers: int = 0
    on: bool = True
    share: float = 1.0

    def begin(self, now: float, base: float, doubling_s: float) -> None:
        """Start again, from `base`."""
        self.base, self.doubling_s, self.began_at = base, doubling_s, now
        self.starts, self.answers, self.on, self.share = 0, 0, True, AGAIN

    def end(self, now: float) -> None:
        """A refusal: no further rise, unless it only begins later."""
        self.on = self.on and self.began_at is not None and self.began_at > now

    def earliest_start(self, now: float) -> float:
        """Return when the next call may start."""
        if not self.on or self.began_at is None:
            return now
        n = self.starts + 1 - 2 * self.answers
        if n <= self.base:
            return max(now, self.began_at)
        return max(now, self.began_at + self._after(n))

    def on_answer(self) -> None:
        """Count an answer: what it says about the limit comes later than a refusal would have."""
        self.answers += self.on

    def _after(self, n: int) -> float:
        """Seconds from the beginning to the n-th start."""
        bend = max(self.base, self.pace * self.doubling_s / math.log(2))
        curved = self.doubling_s * math.log2(min(n, bend) / self.base)
        return curved + max(0.0, n - bend) / self.pace

    def on_start(self, now: float, room: int) -> None:
        """Count a start; the ramp is over once it let out `room`, the most that may be in flight."""
        if not self.on:
            return
        if self.began_at is None:
            self.began_at = now
        self.pace = max(FASTEST, self.share * min(room / FULL_S, MOST))
        self.starts += 1
        self.on = self.starts < room
