"""Places in an order, where equal values share theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def mid_ranks(values: Sequence[float]) -> list[float]:
    """Return the place of each value from 1 on; equal ones have the mean of their places."""
    places: dict[float, float] = {}
    below = 0
    for value, times in sorted(Counter(values).items()):
        places[value] = below + (times + 1) / 2
        below += times
    return [places[value] for value in values]
