"""How many attempts workers have on standby, and which of them gets the next one.

An attempt on standby begins at the worker when another of its lane is answered there. One is missed where a
worker's answers come faster, within the time that it takes to bring another, than it has some.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from umwelten.fleet.gathering import gathering_s
from umwelten.fleet.membership import Member

EXPIRES_S = 1.0
"""How long a worker holds one without beginning it: elsewhere a slot may be free meanwhile."""

_LEAST_PART = 0.01
"""Of the answer time is what it must save: below that it is not worth its messages."""

_SPREAD = 2.0
"""Standard deviations more than the mean of what a worker begins meanwhile: 98 % of the slots are filled at
once."""


class StandbyShares:
    """The attempts of each lane that workers make, and those that they have on standby."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int], int] = {}
        self._held: dict[tuple[str, int], int] = {}

    def begin(self, lane: str, worker: int, more: int = 1) -> None:
        """Count an attempt that a worker makes, or with -1 one that ended."""
        key = lane, worker
        self._made[key] = self._made.get(key, 0) + more

    def stand_by(self, lane: str, worker: int, more: int = 1) -> None:
        """Count an attempt that is on standby, or with -1 one that is no longer."""
        key = lane, worker
        self._held[key] = self._held.get(key, 0) + more

    def choose(self, lane: str, members: Iterable[Member], answer_s: float) -> Member | None:
        """Return the worker that misses one most, `None` if none does. Answers of the lane take so long."""
        best, most = None, 0.0
        for member in members:
            key = lane, member.number
            made = self._made.get(key, 0)
            if made and (wanted := _wanted(made, member.round_trip_s, answer_s)):
                missing = 1.0 - self._held.get(key, 0) / wanted
                if missing > most:
                    best, most = member, missing
        return best


def _wanted(made: int, round_trip_s: float, answer_s: float) -> int:
    """Return how many a worker should have that makes so many attempts."""
    if not round_trip_s or not answer_s:
        return 0
    part = (round_trip_s + 2 * gathering_s(answer_s)) / answer_s
    if part < _LEAST_PART:
        return 0
    mean = made * part
    return min(made, math.ceil(mean + _SPREAD * math.sqrt(mean)))
