"""How long ago a worker heard of its coordinator, though their clocks have nothing in common."""

from __future__ import annotations

import math

DEAF_S = 5.0
"""A worker that heard nothing of its coordinator for so long sends nothing more: whoever takes over a run
whose coordinator died must not find the old workers still at it."""

_SPAN_S = 600.0
"""For how long a smallest difference counts. Clocks drift by up to 50 µs a second: 30 ms in that time."""


class Hearing:
    """Compares when frames were sent, by the coordinator's clock, with when they arrive by one's own.

    The smallest difference seen lately stands for a frame that took no time; others were later by so much.
    """

    def __init__(self) -> None:
        self._least = self._least_before = math.inf
        self._span_from = 0.0
        self._heard_at = -math.inf
        self.latest = -math.inf
        """When the latest frame was sent, by the coordinator's clock."""

    def hear(self, sent_at: float, now: float) -> float:
        """Take a frame; returns how many seconds later it came than the fastest lately."""
        difference = now - sent_at
        if now - self._span_from > _SPAN_S:
            self._span_from, self._least_before, self._least = now, self._least, math.inf
        self._least = min(self._least, difference)
        late_s = difference - min(self._least, self._least_before)
        self.latest = max(self.latest, sent_at)
        self._heard_at = max(self._heard_at, now - late_s)
        return late_s

    def is_late(self, late_s: float) -> bool:
        """Return whether what a frame asks for is too old to be begun."""
        return late_s > DEAF_S

    def is_near(self, now: float) -> bool:
        """Return whether the coordinator was there a short while ago."""
        return now - self._heard_at <= DEAF_S
