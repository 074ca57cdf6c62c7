"""How fast a lane that knows nothing goes from a few calls in flight to many: by time, not by answers.

An answer takes seconds, a refusal takes a round trip. So the first starts are spread over a few round
trips: some at once, then twice as many in each 70 ms, until they leave at such a pace that all slots are
taken within 0.4 s. The first refusal ends it. A limit of twenty is found for some ten refused calls and
not for two hundred, and a lane without a limit loses a fifth of a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BASE = 24.0
"""Calls that start at once. At 48 `bucket_20_blind` is refused 0.043 a call, not 0.026; 12 does as well."""

DOUBLING_S = 0.07
"""Longer than most refusals take. At 0.14 `free` loses 0.01; not sensitive down to 0.01."""

FASTEST = 500.0
"""Starts a second. At 1000 `bucket_100` is refused 0.015 a call, not 0.007; not sensitive down to 100."""

FULL_S = 0.4
"""By then all slots are taken. At 0.2 `bucket_100` is refused 0.015 a call, not 0.007; not sensitive up to
0.8."""


@dataclass(slots=True)
class Ramp:
    """Lets `base` calls start at once and doubles that every `doubling_s`, at most to `pace` a second."""

    base: float = BASE
    doubling_s: float = DOUBLING_S
    pace: float = FASTEST
    began_at: float | None = None
    starts: int = 0
    on: bool = True

    def begin(self, now: float, base: float, doubling_s: float) -> None:
        """Start again, from `base`."""
        self.base, self.doubling_s, self.began_at, self.starts, self.on = base, doubling_s, now, 0, True

    def end(self, now: float) -> None:
        """A refusal: no further rise, unless it only begins later."""
        self.on = self.on and self.began_at is not None and self.began_at > now

    def earliest_start(self, now: float) -> float:
        """Return when the next call may start."""
        if not self.on or self.began_at is None:
            return now
        if self.starts < self.base:
            return max(now, self.began_at)
        return max(now, self.began_at + self._after(self.starts + 1))

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
        self.pace = max(FASTEST, room / FULL_S)
        self.starts += 1
        self.on = self.starts < room
