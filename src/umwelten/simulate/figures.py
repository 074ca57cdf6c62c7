"""Figures of a simulated run, beside those of one who knows every limit."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

SHARE = 0.9
"""Of the possible pace, from which on a lane counts as having found its limit."""


def most_in_a_second(times: Sequence[float]) -> int:
    """Return the most of `times`, sorted, that fall into any one second.

    >>> most_in_a_second([0.0, 0.5, 0.9, 1.2, 5.0])
    3
    """
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def seconds_to_pace(let_in: Sequence[float], ideal: Sequence[float], window_s: float = 0.0) -> float | None:
    """Return the seconds until calls are let in at `SHARE` of the possible pace; `None`: they never are.

    Both sequences are the times at which calls are let in. The pace is counted over a twentieth of the ideal
    run, at least a second and a window of the limit, and compared with the ideal one's from the same call on.

    >>> seconds_to_pace([0, 5, 6, 7, 8, 9, 10], [0, 1, 2, 3, 4, 5, 6], window_s=2.0)
    5
    """
    if not let_in or not ideal:
        return None
    look = max(1.0, (ideal[-1] - ideal[0]) / 20, window_s)
    for number, (ours, best) in enumerate(zip(let_in, ideal, strict=False)):
        if number and best > ideal[-1] - look:
            break  # what is left is no pace
        possible = bisect_left(ideal, best + look) - number
        if bisect_left(let_in, ours + look) - number >= SHARE * possible:
            return ours - let_in[0]
    return None


def share_of_run(let_in: Sequence[float], first: float, last: float) -> tuple[float, float] | None:
    """Return when the part of the calls from `first` to `last` (0 to 1) was let in, `None` of fewer than two.

    >>> share_of_run([0.0, 1.0, 2.0, 3.0, 4.0], 0.25, 1.0)
    (1.0, 4.0)
    """
    if len(let_in) < 2:
        return None
    n = len(let_in) - 1
    return let_in[round(first * n)], let_in[round(last * n)]
