"""Intervals hold what they promise, and tests reject no more than they say, where the truth is known.

Where there are few outcomes all of them are gone through, with their chances; else they are drawn, seeded.
"""

from __future__ import annotations

import math
import random

import pytest

from umwelten.statistics import clustered_mean, clustered_rate, mcnemar
from umwelten.statistics.intervals import wilson_of_spread
from umwelten.statistics.means import rate_of_means

FILES = {passed: [True] * passed + [False] * (3 - passed) for passed in range(4)}
"""A file of three repeats, by how many pass."""


@pytest.mark.parametrize("files", [10, 20, 50])
@pytest.mark.parametrize("rate", [0.5, 0.8, 0.95])
def test_one_yes_or_no_a_file(files: int, rate: float) -> None:
    covered = by_t = 0.0
    for passed in range(files + 1):
        chance = math.comb(files, passed) * rate**passed * (1 - rate) ** (files - passed)
        found = clustered_rate([[True]] * passed + [[False]] * (files - passed))
        assert found.low is not None
        assert found.high is not None
        covered += chance * (found.low <= rate <= found.high)
        plain = clustered_mean([1.0] * passed + [0.0] * (files - passed))
        assert plain.low is not None
        assert plain.high is not None
        by_t += chance * (plain.low <= rate <= plain.high)
    assert 0.91 <= covered <= 0.98
    assert rate < 0.95 or files == 50 or by_t < 0.7  # why it is not Student's t


def _repeats(a: float, b: float) -> list[float]:
    """Return the chances that 0, 1, 2, 3 repeats of a file pass whose own rate is from Beta(a, b)."""

    def beta(x: float, y: float) -> float:
        return math.exp(math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y))

    return [math.comb(3, c) * beta(a + c, b + 3 - c) / beta(a, b) for c in range(4)]


@pytest.mark.parametrize("files", [10, 20, 50, 100])
@pytest.mark.parametrize(("a", "b"), [(1, 1), (4, 1), (0.5, 0.1), (9.5, 0.5)])
def test_three_repeats_a_file(files: int, a: float, b: float) -> None:
    dice, weights, draws = random.Random(f"{files} {a} {b}"), _repeats(a, b), 400
    rate, covered = a / (a + b), 0
    for _ in range(draws):
        found = clustered_rate([FILES[c] for c in dice.choices(range(4), weights, k=files)])
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= rate <= found.high
    # 93–98 % by 20,000 draws. Of 400, another two standard errors.
    assert 0.91 <= covered / draws <= 0.995


def test_mcnemar_rejects_no_more_than_it_says() -> None:
    """However many files differ: the chance of p < 0.05 where neither column is better."""
    for differ in range(121):
        chances = [math.comb(differ, b) / 2**differ for b in range(differ + 1)]
        rejected = sum(chance for b, chance in enumerate(chances) if mcnemar(b, differ - b).p < 0.05)
        assert rejected <= 0.05
        assert rejected > 0.01 or differ < 17  # nor does it never reject


@pytest.mark.parametrize(("rate", "between"), [(0.5, 0.1), (0.8, 0.1)])
def test_few_clusters(rate: float, between: float) -> None:
    """Five clusters of ten files, whose own rates are from Beta: `between` is their share of the variance."""
    dice, draws, size = random.Random(f"{rate} {between}"), 600, 10
    a = rate * (1 / between - 1)
    clusters = [place // size for place in range(5 * size)]
    covered = without = 0
    for _ in range(draws):
        rates = [dice.betavariate(a, a / rate - a) for _ in range(5)]
        found = rate_of_means([float(dice.random() < rates[cluster]) for cluster in clusters], 50, clusters)
        assert found.mean is not None
        assert found.se is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= rate <= found.high
        low, high = wilson_of_spread(found.mean, found.se**2 * 49 / 50, 50, 50)
        without += low <= rate <= high
    # 96 % by 6,000 draws, 91 % without the factor for few clusters.
    assert 0.94 <= covered / draws <= 0.985
    assert without / draws < 0.94
