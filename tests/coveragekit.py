"""How often intervals hold the truth where it is known: for tests in short, `benchmarks.coverage` at length.

Where there are few outcomes all of them are gone through, with their chances; else they are drawn, seeded.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from statistics import NormalDist

from umwelten.statistics import (
    Comparison,
    Estimate,
    Strengths,
    bradley_terry,
    clustered_mean,
    clustered_rate,
    clustered_strengths,
    mcnemar,
)
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
RANKED = (-1.0, -0.4, 0.0, 0.5, 1.2)
"""The mean quality of each model's answers, in log odds."""
RANKED_FILES = (5, 20, 50, 100)
EQUAL_FILES = (2, 3, 4, 5, 6, 10, 20)
OF_ANSWERS = 1.5
"""The spread of answers around it."""

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


def ranked_files(files: int, share: float, draws: int) -> tuple[float, float]:
    """The share of differences of strengths whose interval holds the true one: by files, and by verdicts.

    Of the pairs of answers in each file, `share` is judged, twice each.
    """
    dice = random.Random(f"{files} {share}")
    pairs = list(itertools.combinations(range(len(RANKED)), 2))
    truth = _limit_of_strengths(pairs)
    covered = alone = of = 0
    for _ in range(draws):
        found, single = [], []
        for file in range(files):
            for first, second, verdicts in _judged(pairs, share, dice):
                found.append(Comparison(first, second, sum(verdicts) / 2, file))
                single += [Comparison(first, second, verdict) for verdict in verdicts]
        by_file, by_verdict = clustered_strengths(found), clustered_strengths(single)
        for pair in pairs:
            of += 1
            covered += _holds_difference(by_file, pair, truth)
            alone += _holds_difference(by_verdict, pair, truth)
    return covered / of, alone / of


def separated_equals(models: int, files: int, draws: int) -> float:
    """The share of rankings of equal models that call one of them better, with three ties in five."""
    dice, apart = random.Random(f"{models} {files}"), 0
    for _ in range(draws):
        found = clustered_strengths(
            Comparison(first, second, dice.choice((0, 0.5, 0.5, 0.5, 1)), file)
            for file in range(files)
            for first, second in itertools.combinations(range(models), 2)
        )
        apart += any(ranks != (1, models) for ranks in found.rank_ranges().values())
    return apart / draws


def _judged(
    pairs: Sequence[tuple[int, int]], share: float, dice: random.Random
) -> list[tuple[int, int, tuple[bool, bool]]]:
    """Two verdicts on some pairs of answers to one file, which depend on how good those answers are."""
    quality = [dice.gauss(mean, OF_ANSWERS) for mean in RANKED]
    found = []
    for first, second in pairs if share == 1 else dice.sample(pairs, round(share * len(pairs))):
        chance = 1 / (1 + math.exp(quality[second] - quality[first]))
        found.append((first, second, (dice.random() < chance, dice.random() < chance)))
    return found


def _limit_of_strengths(pairs: Sequence[tuple[int, int]]) -> Strengths[int]:
    """What strengths come to with ever more files: those that fit the mean chances of each pair."""
    normal, steps = (
        NormalDist(0, OF_ANSWERS * math.sqrt(2)),
        2_000,
    )  # the spread of a difference of two answers
    apart = [normal.inv_cdf((step + 0.5) / steps) for step in range(steps)]
    wins = {}
    for first, second in pairs:
        mean = RANKED[first] - RANKED[second]
        wins[first, second] = sum(1 / (1 + math.exp(-mean - other)) for other in apart)
        wins[second, first] = steps - wins[first, second]
    return bradley_terry(wins)


def _holds_difference(found: Strengths[int], pair: tuple[int, int], truth: Strengths[int]) -> bool:
    difference, true = found.difference(*pair), truth.difference(*pair).estimate
    low, high = difference.low, difference.high
    return (low is None or low <= true) and (high is None or true <= high)
