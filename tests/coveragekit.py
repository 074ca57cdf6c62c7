"""How often intervals hold the truth where it is known: for tests in short, `benchmarks.coverage` at length.

Where there are few outcomes all of them are gone through, with their chances; else they are drawn, seeded.
"""

from __future__ import annotations

import math
import random

from umwelten.statistics import Estimate, clustered_mean, clustered_rate, mcnemar
from umwelten.statistics.means import rate_of_means

FILES = (10, 20, 50)
RATES = (0.5, 0.8, 0.95)
REPEATED_FILES = (10, 20, 50, 100)
SPREADS = ((1, 1), (4, 1), (0.5, 0.1), (9.5, 0.5))
"""Of Beta, from which files' own rates are."""
CLUSTERS = ((5, 4), (5, 10), (10, 10), (20, 10))
"""How many, of how many files."""
BETWEEN = (0.1, 0.4)
"""The share of the variance that lies between clusters."""

_REPEATS = {passed: [True] * passed + [False] * (3 - passed) for passed in range(4)}


def holds(found: Estimate, truth: float) -> bool:
    """Whether the interval holds it."""
    assert found.low is not None
    assert found.high is not None
    return found.low <= truth <= found.high


def one_answer_a_file(files: int, rate: float) -> tuple[float, float]:
    """The share of cases whose interval holds the rate, exactly: Wilson's, and Student's t."""
    by_wilson = by_t = 0.0
    for passed in range(files + 1):
        chance = math.comb(files, passed) * rate**passed * (1 - rate) ** (files - passed)
        by_wilson += chance * holds(clustered_rate([[True]] * passed + [[False]] * (files - passed)), rate)
        by_t += chance * holds(clustered_mean([1.0] * passed + [0.0] * (files - passed)), rate)
    return by_wilson, by_t


def three_answers_a_file(files: int, a: float, b: float, draws: int) -> float:
    """The share of draws whose interval holds the mean rate; each file's own is from Beta(a, b)."""
    dice, weights, rate = random.Random(f"{files} {a} {b}"), _chances(a, b), a / (a + b)
    covered = 0
    for _ in range(draws):
        passed = dice.choices(range(4), weights, k=files)
        covered += holds(clustered_rate([_REPEATS[number] for number in passed]), rate)
    return covered / draws


def _chances(a: float, b: float) -> list[float]:
    """The chances that 0, 1, 2, 3 repeats of a file pass whose own rate is from Beta(a, b)."""

    def beta(x: float, y: float) -> float:
        return math.exp(math.lgamma(x) + math.lgamma(y) - math.lgamma(x + y))

    return [math.comb(3, c) * beta(a + c, b + 3 - c) / beta(a, b) for c in range(4)]


def clustered_files(clusters: int, size: int, rate: float, between: float, draws: int) -> tuple[float, float]:
    """The share of draws whose interval holds the rate: by clusters, and as if each file were by itself."""
    dice = random.Random(f"{clusters} {size} {rate} {between}")
    a = rate * (1 / between - 1)
    labels = [cluster for cluster in range(clusters) for _ in range(size)]
    covered = alone = 0
    for _ in range(draws):
        rates = [dice.betavariate(a, a / rate - a) for _ in range(clusters)]
        values = [float(dice.random() < rates[cluster]) for cluster in labels]
        covered += holds(rate_of_means(values, len(values), labels), rate)
        alone += holds(rate_of_means(values, len(values)), rate)
    return covered / draws, alone / draws


def rejected_by_mcnemar(differ: int) -> float:
    """The chance of p < 0.05 where so many files differ and neither column is better, exactly."""
    chances = [math.comb(differ, b) / 2**differ for b in range(differ + 1)]
    return sum(chance for b, chance in enumerate(chances) if mcnemar(b, differ - b).p < 0.05)
