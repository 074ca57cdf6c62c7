"""How many calls a lane may have in flight.

Theory of operation. A provider has a capacity that nobody tells us and that changes. The limit is our
estimate of it. It grows fast while nothing speaks against it (slow start: one more for every answer,
which doubles it every round trip), and slowly once a refusal has shown where the edge is (one more for
every full round). A refusal halves it, once an episode: the calls that were already under way when it
was cut were admitted under the old limit, so their refusals say nothing about the new one. It grows
only while the lane is really full, or an idle lane would raise its limit without having tried it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Limit:
    """Additive increase, multiplicative decrease between `floor` and `ceiling`."""

    value: float
    ceiling: int
    floor: float = 1.0
    slow_start: bool = True
    cut_at: float = float("-inf")
    cuts: int = 0

    @property
    def slots(self) -> int:
        """Whole calls that may be in flight."""
        return int(self.value)

    def succeeded(self, peak: int) -> bool:
        """An answer came while at most `peak` were in flight; True if the limit grew."""
        if self.value >= self.ceiling or peak < 0.8 * self.slots:
            return False
        self.value = min(self.ceiling, self.value + (1.0 if self.slow_start else 1.0 / self.value))
        return True

    def throttled(self, started_at: float, now: float) -> bool:
        """A call that was started at `started_at` was refused; True if the limit was cut."""
        self.slow_start = False
        if started_at <= self.cut_at:
            return False
        self.value = max(self.floor, self.value / 2)
        self.cut_at = now
        self.cuts += 1
        return True
