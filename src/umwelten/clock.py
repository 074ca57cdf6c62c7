"""The time of day as a run takes it down."""

from __future__ import annotations

import time
from collections.abc import Callable

if hasattr(time, "CLOCK_BOOTTIME"):  # also counts the time in which the machine sleeps

    def _passed_s() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

else:
    _passed_s = time.monotonic


def unix_clock() -> Callable[[], float]:
    """Return a clock of Unix seconds that starts at the system's time and then only moves on.

    Whatever the system's clock is set to meanwhile, the difference of two times is what passed between them.
    """
    offset = time.time() - _passed_s()
    return lambda: offset + _passed_s()
