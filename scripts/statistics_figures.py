"""Print the figures that tests/statistics holds the functions against, as other programs compute them.

python -m venv FOLDER && FOLDER/bin/pip install scipy==1.17.1 statsmodels==0.15.0 krippendorff==0.9.0
PYTHONPATH=src FOLDER/bin/python scripts/statistics_figures.py

With data that is not ours to copy, it also checks, and exits with 1 if a figure is another one:

    --alpaca FILE    alpaca_eval/leaderboards/data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv of the package
                     alpaca_eval 0.6.6: its win rates and errors, of 99 of its 102 rows
    --schools FILE   apiclus1 of the R package survey, columns dnum and api00: 183 schools in 15 districts
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from pathlib import Path

from umwelten.statistics import clustered_mean

NOT_ITS_OWN_COUNTS = {"humpback-llama2-70b", "humpback-llama-65b", "baize-v2-7b"}
"""Rows whose published figures do not follow from their counts, by up to 0.009."""

Figures = list[tuple[str, float | None, float, float]]
"""What it is, what was found, what was published, and how far apart they may be."""


def print_figures() -> None:
    """Print what scipy, statsmodels and krippendorff make of the data in the tests."""
    import krippendorff
    import numpy as np
    import statsmodels.api as sm
    from scipy import stats
    from statsmodels.stats.inter_rater import cohens_kappa

    for p, df in (
        (0.6, 1),
        (0.995, 2),
        (0.9, 3),
        (0.995, 7.5),
        (0.9999999, 40),
        (0.995, 99),
        (0.995, 500_000),
    ):
        print(f"t quantile {p}, {df}: {stats.t.ppf(p, df)!r}")
    for t, df in (
        (30, 1),
        (2.5, 2),
        (8, 5),
        (30, 30),
        (8, 150),
        (30, 10_000),
        (8, 500_000),
        (2.5, 3_000_000),
    ):
        print(f"t tail {t}, {df}: {stats.t.sf(t, df)!r}")
    for heads, tosses in ((86, 236), (900, 2000), (1400, 3000), (48_000, 100_000), (499_000, 1_000_000)):
        print(f"tosses {heads} of {tosses}: {stats.binom.cdf(heads, tosses, 0.5)!r}")
    values = [((place * 37) % 11) / 11 + (place % 7) / 10 for place in range(40)]
    options = {"groups": np.arange(40) % 7, "use_correction": False}
    fit = sm.OLS(values, np.ones(40)).fit(cov_type="cluster", cov_kwds=options)
    print(f"clustered error: {fit.params[0]!r}, {fit.bse[0] * math.sqrt(7 / 6)!r}")
    for table in (
        [[22, 2], [3, 13]],
        [[10, 3, 1], [2, 12, 4], [0, 1, 7]],
        [[53, 5, 2], [11, 14, 5], [1, 6, 3]],
    ):
        kappa = cohens_kappa(np.array(table))
        print(f"kappa {table}: {kappa.kappa!r}, {kappa.std_kappa!r}")
    none = math.nan
    ratings = [[1, 1, 5, none, 3, 2, 4, 4], [1, 2, 5, 3, 3, none, 4, 5], [2, 1, 4, 3, none, none, 4, 5]]
    for metric in ("nominal", "ordinal", "interval"):
        alpha = krippendorff.alpha(reliability_data=ratings, level_of_measurement=metric)
        print(f"alpha, {metric}: {alpha!r}")
    for first, second in (
        ([1, 2, 2, 4, 5, 5, 5, 8], [3, 1, 4, 1, 5, 9, 2, 6]),
        ([1, 5, 5, 9], [120, 80, 300, 310]),
    ):
        print(f"rank correlation: {stats.spearmanr(first, second)[0]!r}")


def alpaca(path: Path) -> Figures:
    """Return win rates and errors of AlpacaEval's leaderboard, in per cent, beside ours from its counts."""
    figures: Figures = []
    for row in csv.DictReader(path.open(encoding="utf-8")):
        wins, draws, of = int(row["n_wins"]), int(row["n_draws"]), int(row["n_total"])
        if row[""] not in NOT_ITS_OWN_COUNTS:
            found = clustered_mean([100.0] * wins + [50.0] * draws + [0.0] * (of - wins - draws))
            figures.append((f"{row['']}, win rate", found.mean, float(row["win_rate"]), 5e-9))
            figures.append((f"{row['']}, error", found.se, float(row["standard_error"]), 5e-9))
    return figures


def schools(path: Path) -> Figures:
    """Return the mean of schools in districts beside what R's survey 4.1-1 and statsmodels 0.15.0 print."""
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    found = clustered_mean([float(row["api00"]) for row in rows], [row["dnum"] for row in rows])
    plain = clustered_mean([float(row["api00"]) for row in rows])
    of_757 = (
        None if found.se is None else found.se * math.sqrt(1 - 15 / 757)
    )  # R corrects for districts drawn
    return [
        ("mean", found.mean, 644.1693989, 5e-8),
        ("clustered error", found.se, 23.7790107, 5e-8),
        ("clustered error of 15 of 757 districts", of_757, 23.542, 5e-4),
        ("low", found.low, 593.168, 5e-4),
        ("high", found.high, 695.170, 5e-4),
        ("plain error", plain.se, 7.8172, 5e-5),
    ]


def main() -> int:
    """Return 1 if a figure is not the one published."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--alpaca", type=Path)
    parser.add_argument("--schools", type=Path)
    given = parser.parse_args()
    figures = (alpaca(given.alpaca) if given.alpaca else []) + (
        schools(given.schools) if given.schools else []
    )
    if not figures:
        print_figures()
    wrong = [figure for figure in figures if figure[1] is None or abs(figure[1] - figure[2]) > figure[3]]
    for name, found, published, _ in wrong:
        print(f"{name}: {found!r}, published {published!r}")
    if figures:
        print(f"{len(figures) - len(wrong)} of {len(figures)} figures are as published")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
