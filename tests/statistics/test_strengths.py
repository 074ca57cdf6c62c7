"""Strengths from comparisons: published ones, and what holds of them whatever the comparisons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.statistics import (
    Comparison,
    Disconnected,
    Strengths,
    bootstrap_strengths,
    bradley_terry,
    clustered_strengths,
)

JOURNALS = {  # citations of the second by the first, and of the first by the second
    ("Biometrika", "Comm"): (730, 33),
    ("Biometrika", "JASA"): (498, 320),
    ("Biometrika", "JRSS-B"): (221, 284),
    ("Comm", "JASA"): (68, 813),
    ("Comm", "JRSS-B"): (17, 276),
    ("JASA", "JRSS-B"): (142, 325),
}
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
GAMES = (  # won by the row against the column
    (0, 7, 9, 7, 7, 9, 11),
    (6, 0, 7, 5, 11, 9, 9),
    (4, 6, 0, 7, 7, 8, 12),
    (6, 8, 6, 0, 6, 7, 10),
    (6, 2, 6, 7, 0, 7, 12),
    (4, 4, 5, 6, 6, 0, 6),
    (2, 4, 1, 3, 1, 7, 0),
)


def test_journals_of_agresti() -> None:
    """Agresti 2002, 10.6; the vignette of R's BradleyTerry2, 2.1."""
    wins = {pair: float(won) for pair, (won, _) in JOURNALS.items()}
    wins |= {(second, first): float(lost) for (first, second), (_, lost) in JOURNALS.items()}
    found = bradley_terry(wins)
    for name, strength, se in (
        ("Comm", -2.94907, 0.10255),
        ("JASA", -0.47957, 0.06059),
        ("JRSS-B", 0.26895, 0.07083),
    ):
        difference = found.difference(name, "Biometrika")
        assert (difference.estimate, difference.se) == pytest.approx((strength, se), abs=5e-6)
    assert found.rank_ranges() == {"JRSS-B": (1, 1), "Biometrika": (2, 2), "JASA": (3, 3), "Comm": (4, 4)}
    assert (found.method, found.clusters, found.df, found.covariate) == ("fisher", None, None, None)


def test_baseball_of_agresti() -> None:
    """Agresti 2002, 10.6: the American League in 1987."""
    pairs = itertools.permutations(range(7), 2)
    found = bradley_terry({(TEAMS[one], TEAMS[other]): GAMES[one][other] for one, other in pairs})
    strengths = [found.difference(team, "Baltimore").estimate for team in TEAMS]
    assert strengths == pytest.approx([1.581, 1.436, 1.294, 1.248, 1.108, 0.684, 0], abs=5e-4)


STATSMODELS = (  # by GLM, cov_type="cluster": scripts/statistics_figures.py
    (
        False,
        [0.16752944303932235, 0.20932061975740734, 0.29304759584765894],
        [0.5005865624794437, 0.20255153909269374, 0.374297406021785],
    ),
    (
        True,
        [0.17391199990401268, 0.21727376135473014, 0.3039945431378588, 0.3991278119992824],
        [0.5177846234757841, 0.16953609638641368, 0.339259582478111, 0.13488139859756712],
    ),
)


@pytest.mark.parametrize(("control", "strengths", "errors"), STATSMODELS)
def test_clustered_errors_as_statsmodels_has_them(
    control: bool, strengths: list[float], errors: list[float]
) -> None:
    found = clustered_strengths(
        [
            Comparison(
                i,
                j,
                ((file * 7 + 3 * i + 5 * j) % 11 % 5) / 4,
                file,
                ((file * 3 + i * 5 + j * 2) % 7 - 3) / 2,
            )
            for file in range(12)
            for i, j in itertools.combinations(range(4), 2)
        ],
        control=control,
    )
    differences = [found.difference(one, 0) for one in (1, 2, 3)]
    slope = [found.covariate] if found.covariate else []
    assert [each.estimate for each in differences] + [each for each, _ in slope] == pytest.approx(
        strengths, rel=1e-9
    )
    assert [each.se for each in differences] + [se for _, se in slope] == pytest.approx(errors, rel=1e-9)
    assert (found.method, found.clusters, found.df) == ("sandwich", 12, 11)
    half = 2.2009851600829916 * errors[0]  # t.975 of 11
    assert differences[0].low == pytest.approx(strengths[0] - half, rel=1e-9)
    assert differences[0].high == pytest.approx(strengths[0] + half, rel=1e-9)


VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
COMPARISONS = st.lists(
    st.builds(
        lambda pair, value, file, x: Comparison(*pair, value, file, x),
        st.sampled_from(list(itertools.permutations("abcde", 2))),
        VALUES,
        st.integers(0, 5),
        st.integers(-2, 2).map(float),
    ),
    min_size=1,
    max_size=25,
)
COMPLETE = [Comparison(one, other, 0.5, "all") for one, other in itertools.combinations("abcde", 2)]
"""With them every estimate exists."""


def _figures(found: Strengths[str]) -> list[float]:
    """Everything known of the contestants, in the order of their names; NaN for None."""
    figures: list[float | None] = []
    for name in sorted(found.names):
        each = found.of(name)
        figures += [
            each.strength,
            each.se,
            each.low,
            each.high,
            name in found.undefeated,
            name in found.winless,
        ]
        figures += found.rank_ranges()[name]
    for one, other in itertools.combinations(sorted(found.names), 2):
        apart = found.difference(one, other)
        figures += [apart.estimate, apart.se, apart.low, apart.high, apart.p]
    return [math.nan if figure is None else figure for figure in figures]


@settings(max_examples=60, deadline=None)
@given(COMPARISONS, st.randoms(use_true_random=False))
def test_order_sides_and_names_change_nothing(
    comparisons: list[Comparison[str]], dice: st.DrawFn | object
) -> None:
    try:
        found = _figures(clustered_strengths(comparisons))
    except Disconnected:
        return
    other = list(comparisons)
    dice.shuffle(other)  # type: ignore[union-attr]
    other = [
        Comparison(each.second, each.first, 1 - each.value, each.cluster) if place % 2 else each
        for place, each in enumerate(other)
    ]
    assert _figures(clustered_strengths(other)) == pytest.approx(found, nan_ok=True, rel=1e-6, abs=1e-8)
    names = dict(zip("abcde", "edcba", strict=True))
    renamed = clustered_strengths(
        Comparison(names[each.first], names[each.second], each.value, f"file {each.cluster}")
        for each in comparisons
    )
    for one in renamed.names:
        strength = clustered_strengths(comparisons).of(names[one]).strength
        assert renamed.of(one).strength == pytest.approx(strength, abs=1e-8)
    assert sum(renamed.strengths) == pytest.approx(0, abs=1e-9)


def _by_minorisation(comparisons: Sequence[Comparison[str]]) -> dict[str, float]:
    """Strengths by the slow algorithm of Zermelo (1929): π_i = wins_i / Σ_j n_ij / (π_i + π_j), and again."""
    names = sorted({name for each in comparisons for name in (each.first, each.second)})
    wins, met = dict.fromkeys(names, 0.0), dict.fromkeys(itertools.product(names, names), 0)
    for each in comparisons:
        wins[each.first] += each.value
        wins[each.second] += 1 - each.value
        met[each.first, each.second] += 1
        met[each.second, each.first] += 1
    odds = dict.fromkeys(names, 1.0)
    for _ in range(400):
        for one in names:
            odds[one] = wins[one] / sum(met[one, other] / (odds[one] + odds[other]) for other in names)
    mean = sum(map(math.log, odds.values())) / len(names)
    return {name: math.log(value) - mean for name, value in odds.items()}


@settings(max_examples=25, deadline=None)
@given(COMPARISONS)
def test_a_slow_optimiser_arrives_at_the_same(comparisons: list[Comparison[str]]) -> None:
    comparisons = [*comparisons, *COMPLETE]
    found, slow = clustered_strengths(comparisons), _by_minorisation(comparisons)
    assert dict(zip(found.names, found.strengths, strict=True)) == pytest.approx(slow, abs=1e-7)
    counts: dict[tuple[str, str], float] = {}
    for each in comparisons:
        for pair, value in (
            ((each.first, each.second), each.value),
            ((each.second, each.first), 1 - each.value),
        ):
            counts[pair] = counts.get(pair, 0) + value
    by_counts = bradley_terry(counts)
    assert [by_counts.of(name).strength for name in found.names] == pytest.approx(found.strengths, abs=1e-9)
    assert not found.undefeated | found.winless


def _likelihood(comparisons: Sequence[Comparison[str]], at: dict[str, float], added: frozenset[str]) -> float:
    """Its logarithm, with half a win and half a loss of those in `added` against the mean."""

    def log_chance(odds: float) -> float:
        return -math.log1p(math.exp(-odds))

    mean = sum(at.values()) / len(at)
    value = sum((log_chance(at[name] - mean) + log_chance(mean - at[name])) / 2 for name in added)
    for each in comparisons:
        apart = at[each.first] - at[each.second]
        value += each.value * log_chance(apart) + (1 - each.value) * log_chance(-apart)
    return value


@settings(max_examples=60, deadline=None)
@given(COMPARISONS)
def test_no_strengths_nearby_are_likelier(comparisons: list[Comparison[str]]) -> None:
    """The function is concave: where no step along an axis gains, there is the maximum."""
    try:
        found = clustered_strengths(comparisons)
    except Disconnected as error:
        met = {frozenset((each.first, each.second)) for each in comparisons}
        assert len(error.groups) > 1
        assert all(any(pair <= set(group) for group in error.groups) for pair in met)
        return
    at = dict(zip(found.names, found.strengths, strict=True))
    added = found.undefeated | found.winless
    best = _likelihood(comparisons, at, added)
    for name, step in itertools.product(at, (0.01, -0.01)):
        assert _likelihood(comparisons, at | {name: at[name] + step}, added) < best
    assert all(map(math.isfinite, _of_numbers(_figures(found))))


def _of_numbers(figures: list[float]) -> list[float]:
    return [figure for figure in figures if not math.isnan(figure)]


@settings(max_examples=25, deadline=None)
@given(COMPARISONS, st.integers(2, 4))
def test_verdicts_repeated_within_a_file_tell_no_more(comparisons: list[Comparison[str]], times: int) -> None:
    comparisons = [*comparisons, *COMPLETE]
    once, often = clustered_strengths(comparisons), clustered_strengths(comparisons * times)
    assert often.strengths == pytest.approx(once.strengths, abs=1e-8)
    for row, other in zip(once.covariance or (), often.covariance or (), strict=True):
        assert row == pytest.approx(other, abs=1e-8)


def test_bootstrap_intervals_are_those_of_the_seed_and_near_the_others() -> None:
    comparisons = [
        Comparison(one, other, ((file * 7 + ord(one) * 3 + ord(other)) % 5 > 1) * 1.0, file)
        for file in range(60)
        for one, other in itertools.combinations("abc", 2)
    ]
    found = bootstrap_strengths(comparisons, 300, "a seed")
    assert found == bootstrap_strengths(comparisons, 300, "a seed")
    assert found != bootstrap_strengths(comparisons, 300, "another")
    turned = bootstrap_strengths(comparisons[::-1], 300, "a seed")
    assert [turned[name] for name in "abc"] == [pytest.approx(found[name]) for name in "abc"]
    for name, (low, high) in found.items():
        each = clustered_strengths(comparisons).of(name)
        assert (low, high) == pytest.approx((each.low, each.high), abs=0.1)
        assert low != pytest.approx(each.strength, abs=0.05)
    wider = bootstrap_strengths(comparisons, 300, "a seed", level=0.99)
    assert all(wider[name][0] < found[name][0] for name in found)  # type: ignore[operator]
