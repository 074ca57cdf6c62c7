"""Whether one thing grows with another, such as a judge's score with the length of the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence

from umwelten.statistics import arguments
from umwelten.statistics.ranks import mid_ranks


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation ρ, from −1 to 1; None below two pairs or where one never varies.

    Pearson's correlation of the mid-ranks, so that equal values share their rank.

    Source: Spearman 1904, American Journal of Psychology 15:72.

    ValueError: sequences of unlike lengths, a value that is not finite.

        >>> round(spearman([1, 2, 3, 4], [10, 30, 20, 40]), 4)
        0.8
    """
    arguments.same_length(second, first, "second", "first")
    x, y = mid_ranks(arguments.finite(first, "first")), mid_ranks(arguments.finite(second, "second"))
    middle = (len(x) + 1) / 2  # the mean of the ranks, whatever the ties
    across = math.fsum((a - middle) * (b - middle) for a, b in zip(x, y, strict=True))
    along = math.fsum((a - middle) ** 2 for a in x) * math.fsum((b - middle) ** 2 for b in y)
    return max(-1.0, min(1.0, across / math.sqrt(along))) if along else None
