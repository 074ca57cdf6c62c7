"""Shares of comparisons that are not independent: several are about one file."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

from umwelten.scoring.ranking.ranking import Share
from umwelten.statistics.distributions import t_quantile
from umwelten.statistics.intervals import wilson_of_spread

Counts = tuple[float, int]
"""How many of how many."""


def clustered_share(counts: Mapping[Hashable, Counts], level: float) -> Share:
    """Return the share of all cases with an interval that knows which belong together.

    `counts` are those of each cluster. The interval is Wilson's on an effective number of cases, as in
    `statistics.clustered_rate`: as many independent ones as have the spread of this ratio between clusters,
    times (t(n−1)/t(C−1))² for few clusters (Korn and Graubard 1998). Where clusters do not differ at all they
    are C cases, however many there are in each.
    Its ends are `None` with one cluster.
    """
    given = [each for each in counts.values() if each[1]]
    count, of, clusters = sum(each[0] for each in given), sum(each[1] for each in given), len(given)
    if not of:
        return Share(share=None, low=None, high=None, count=0, of=0)
    rate = count / of
    if clusters < 2:
        return Share(share=rate, low=None, high=None, count=count, of=of)
    variance = math.fsum((part - rate * whole) ** 2 for part, whole in given) / of**2
    tail = (1 + level) / 2
    factor = 1.0
    if clusters < of:
        factor = (t_quantile(tail, of - 1) / t_quantile(tail, clusters - 1)) ** 2
    low, high = wilson_of_spread(rate, variance / factor, clusters, of, level)
    return Share(share=rate, low=low, high=high, count=count, of=of)
