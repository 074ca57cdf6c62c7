"""Fewer calls in flight where this machine has no room for as many."""

from __future__ import annotations

import math
from dataclasses import dataclass

_NARROWER = 0.75
"""Calls that stay in flight where there was no room for all: a few steps lead to any level from any other."""


@dataclass(slots=True)
class Crowding:
    """When the last such step was."""

    _at: float = -math.inf

    def narrow(self, cap: int | None, in_flight: int, started_at: float, now: float) -> int | None:
        """Return the new cap after a call for which there was no room beside so many others.

        Calls that started before the last step were as many as then: they say nothing new. `None`: it was
        the only call, and may have been alone.
        """
        if cap == 1 and not in_flight:
            return None
        if started_at < self._at:
            return cap or in_flight + 1
        self._at = now
        return max(1, int(_NARROWER * (in_flight + 1)))
