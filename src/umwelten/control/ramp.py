"""How fast a lane that knows nothing goes from a few calls in flight to many: by time, not by answers.

An answer takes seconds, a refusal takes a round trip. So the first starts are spread over a few round
trips: some at once, then twice as many in each so much time, until they leave at such a pace that few are
under way within a round trip; each answer admits two more. How long a round trip takes is told by the first
connection; until that is there it is taken for a long one. The first refusal ends the ramp. What left within
a round trip before it is lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BASE = 12.0
"""Calls that start at once, before anything is known."""

DOUBLING_S = 0.13
"""While the round trip is not known."""

DOUBLING = 2.0
"""Round trips in which the calls double."""

LEAST_DOUBLING_S = 0.02
"""A connection to a gateway near by says little of the provider behind it."""

LOST = 12.0
"""Calls that may leave within a round trip: what a limit costs that is met at full pace. At 25 `drop_blind`
is refused 0.056 a call, not 0.048."""

SLOWEST = 150.0
"""Starts a second, at least, however long a round trip takes."""

MOST = 1500.0
"""Starts a second, at most."""

AGAIN = 0.4
"""Of that pace once something was refused: there is a limit, and each ramp meets it again. At 1
`bucket_100_blind` is refused 0.043 a call, not 0.032."""


@dataclass(slots=True)
class Ramp:
    """Lets `base` calls start at once and doubles that every `doubling_s`, at most to `pace` a second."""

    base: float = BASE
    doubling_s: float = DOUBLING_S
    pace: float = SLOWEST
    began_at: float | None = None
    starts: int = 0
    answers: int = 0
    on: bool = True
    first: bool = True
    round_trip_s: float | None = None

    def begin(self, now: float, base: float, doubling_s: float) -> None:
        """Start again, from `base`."""
        self.base, self.doubling_s, self.began_at = base, doubling_s, now
        self.starts, self.answers, self.on = 0, 0, True
        if self.first:
            self.first, self.pace = False, AGAIN * self.pace

    def on_connected(self, now: float, took_s: float) -> None:
        """Go by a round trip that took so long; the first one counts: later ones share the way with calls."""
        if self.round_trip_s is not None:
            return
        self.round_trip_s = took_s
        pace = max(SLOWEST, min(MOST, LOST / max(took_s, 1e-6)))
        self.pace = pace if self.first else AGAIN * pace
        if self.on and self.first and self.began_at is not None:
            self.base, self.began_at = max(self.base, float(self.starts - 2 * self.answers)), now
            self.doubling_s = max(LEAST_DOUBLING_S, DOUBLING * took_s)

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
        self.starts += 1
        self.on = self.starts < room
