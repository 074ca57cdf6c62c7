"""Figures that others published, or that other programs print, from data that stand here.

`python scripts/statistics_figures.py` makes those that no publication has; it also holds the functions
against data that is not ours to copy.
"""

from __future__ import annotations

import pytest

from umwelten.statistics import (
    clustered_mean,
    cohens_kappa,
    files_needed,
    holm,
    krippendorffs_alpha,
    mcnemar,
    paired_difference,
    pass_all_k,
    pass_at_k,
    spearman,
    wilson,
)
from umwelten.statistics.distributions import t_quantile

ALPACA = [  # wins, draws, of, win rate and its error in per cent: AlpacaEval's leaderboard, alpaca_eval 0.6.6
    (783, 5, 804, 97.69900497512438, 0.5104849118311993),
    (756, 14, 805, 94.78260869565216, 0.7489957601246771),
    (740, 1, 803, 92.21668742216688, 0.9439649347776012),
    (683, 2, 805, 84.9689441, 1.257297984),
    (578, 0, 805, 71.80124223602485, 1.586912361158523),
    (375, 5, 801, 47.12858926, 1.759314322),
    (201, 16, 805, 25.96273292, 1.526107929),
]


@pytest.mark.parametrize(("wins", "draws", "of", "rate", "error"), ALPACA)
def test_win_rates_of_alpaca_eval(wins: int, draws: int, of: int, rate: float, error: float) -> None:
    found = clustered_mean([100.0] * wins + [50.0] * draws + [0.0] * (of - wins - draws))
    assert found.mean == pytest.approx(rate, abs=5e-9)
    assert found.se == pytest.approx(error, abs=5e-9)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [  # Newcombe 1998, table I, method 3; the last two by Wilson 1927 in other tools
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (17, 20, 0.640, 0.948),
        (5, 5, 0.566, 1.0),
    ],
)
def test_intervals_of_newcombe(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-4 if n in (5, 20) else 5e-5)


def test_clustered_error_as_statsmodels_has_it() -> None:
    """By OLS on a constant, `cov_type="cluster"`, `use_correction=False`, × √(C/(C−1))."""
    values = [((place * 37) % 11) / 11 + (place % 7) / 10 for place in range(40)]
    found = clustered_mean(values, [f"district {place % 7}" for place in range(40)])
    assert found.mean == pytest.approx(0.7284090909090907, rel=1e-12)
    assert found.se == pytest.approx(0.09303996067526706, rel=1e-12)
    assert (found.files, found.clusters, found.method) == (40, 7, "t")
    half = 2.446911851144969 * 0.09303996067526706  # t.975 of 6
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half), rel=1e-12)


def test_hours_of_sleep_of_student() -> None:
    """R: t.test(extra ~ group, data = sleep, paired = TRUE)."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = paired_difference(first, second)
    assert (found.mean, found.t, found.df) == pytest.approx((-1.58, -4.0621277, 9), abs=5e-8)
    assert found.p == pytest.approx(0.002832890, abs=5e-10)
    assert (found.low, found.high) == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)
    assert found.test == "t"


def test_approval_of_the_prime_minister() -> None:
    """Agresti 2002, table 10.1: 150 of 1,600 no longer approve, 86 approve now."""
    found = mcnemar(150, 86)
    assert found.p == pytest.approx(3.716e-5, abs=5e-9)
    assert found.chi_square == pytest.approx(17.356, abs=5e-4)
    before, after = [1] * 944 + [0] * 656, [1] * 794 + [0] * 150 + [1] * 86 + [0] * 570
    both = paired_difference(before, after)
    assert both.mean == pytest.approx(0.04)
    assert (both.p, both.test, both.files) == (found.p, "mcnemar", 1600)


@pytest.mark.parametrize(
    ("df", "t"),
    [(1, 12.7062), (2, 4.30265), (4, 2.77645), (9, 2.26216), (14, 2.14479), (30, 2.04227), (804, 1.96292)],
)
def test_tables_of_student(df: int, t: float) -> None:
    assert t_quantile(0.975, df) == pytest.approx(t, abs=5e-5 if df == 1 else 5e-6)


def test_holm_as_r_adjusts() -> None:
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, 0.01, None, 0.6, 0.5]) == [pytest.approx(0.12), 0.04, None, 1.0, 1.0]


@pytest.mark.parametrize(
    ("n", "c", "k", "any_passes", "all_pass"),
    [
        (10, 3, 1, 0.3, 0.3),
        (10, 3, 5, 0.916667, 0),
        (200, 13, 10, 0.497551, 0),
        (4, 2, 2, 0.833333, 0.166667),
    ],
)
def test_pass_rates_of_several_repeats(n: int, c: int, k: int, any_passes: float, all_pass: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(any_passes, abs=5e-7)
    assert pass_all_k(n, c, k) == pytest.approx(all_pass, abs=5e-7)


_ = None
CODINGS = [  # Krippendorff 2011
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
RATINGS = [
    [1, 1, 5, _, 3, 2, 4, 4],
    [1, 2, 5, 3, 3, _, 4, 5],
    [2, 1, 4, 3, _, _, 4, 5],
]  # by krippendorff 0.9.0


@pytest.mark.parametrize(
    ("ratings", "metric", "alpha"),
    [
        (CODINGS, "nominal", 0.743421),
        (CODINGS, "ordinal", 0.815388),
        (CODINGS, "interval", 0.849107),
        (RATINGS, "nominal", 0.492958),
        (RATINGS, "ordinal", 0.898217),
        (RATINGS, "interval", 0.901639),
    ],
)
def test_codings_of_krippendorff(ratings: list[list[int | None]], metric: str, alpha: float) -> None:
    assert krippendorffs_alpha(ratings, metric) == pytest.approx(alpha, abs=5e-7)


def test_kappa_as_scikit_learn_documents_it() -> None:
    assert cohens_kappa([2, 0, 2, 2, 0, 1], [0, 0, 2, 2, 0, 2]).kappa == pytest.approx(0.428571, abs=5e-7)


@pytest.mark.parametrize(
    ("table", "kappa", "se"),
    [  # by statsmodels 0.15.0
        ([[22, 2], [3, 13]], 0.7368421052631579, 0.1097246665946724),
        ([[10, 3, 1], [2, 12, 4], [0, 1, 7]], 0.580152671755725, 0.10750123840191304),
        ([[53, 5, 2], [11, 14, 5], [1, 6, 3]], 0.4285714285714285, 0.0759588315346638),
    ],
)
def test_error_of_kappa(table: list[list[int]], kappa: float, se: float) -> None:
    pairs = [(i, j) for i, row in enumerate(table) for j, times in enumerate(row) for _ in range(times)]
    found = cohens_kappa([one for one, _ in pairs], [other for _, other in pairs])
    assert (found.kappa, found.se) == pytest.approx((kappa, se), rel=1e-12)
    assert found.low is not None
    assert found.high is not None
    assert found.low < kappa < found.high
    assert found.high - found.low == pytest.approx(2 * 1.96 * se, rel=0.1)


@pytest.mark.parametrize(
    ("variance", "files"),
    [(1 / 9, 969), (1 / 9 + 2 * (1 / 6), 3876), (1 / 9 + 2 * (1 / 6) / 10, 1260)],
)
def test_files_needed_by_miller(variance: float, files: int) -> None:
    assert files_needed(variance**0.5, 0.03) == files


@pytest.mark.parametrize(
    ("first", "second", "rho"),
    [  # the first: Wikipedia, Spearman's rank correlation coefficient; others by scipy 1.17.1
        ([106, 100, 86, 101, 99, 103, 97, 113, 112, 110], [7, 27, 2, 50, 28, 29, 20, 12, 6, 17], -29 / 165),
        ([1, 2, 2, 4, 5, 5, 5, 8], [3, 1, 4, 1, 5, 9, 2, 6], 0.5495502618648208),
        ([0.1, 0.5, 0.5, 0.9], [120, 80, 300, 310], 0.632455532033676),
    ],
)
def test_rank_correlations(first: list[float], second: list[float], rho: float) -> None:
    assert spearman(first, second) == pytest.approx(rho, rel=1e-12)
