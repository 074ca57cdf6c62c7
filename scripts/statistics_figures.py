"""Print the figures that tests/statistics holds the functions against, as other programs compute them.

python -m venv FOLDER && FOLDER/bin/pip install scipy==1.17.1 statsmodels==0.15.0 krippendorff==0.9.0
PYTHONPATH=src FOLDER/bin/python scripts/statistics_figures.py

With data that is not ours to copy, it also checks, and exits with 1 if a figure is another one:

    --alpaca FILE    alpaca_eval/leaderboards/data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv of the package
                     alpaca_eval 0.6.6: its win rates and errors, of 99 of its 102 rows
    --schools FILE   apiclus1 of the R package survey, columns dnum and api00: 183 schools in 15 districts
    --evalica FOLDER food.csv, simple.csv and llmfao.csv of the repository of evalica (Apache-2.0) with their
                     golden files NAME-golden.csv: strengths, and errors by prompt as statsmodels has them
    --arena FILE     leaderbot/data/chatbotarena_20240814.json of the package leaderbot 0.4.3, or its wheel:
                     1,670,250 votes about 129 models, against the scores that LMSYS published
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from statistics import median

from umwelten.statistics import Comparison, bradley_terry, clustered_mean, clustered_strengths

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

    print_strengths()


def print_strengths() -> None:
    """Print what statsmodels makes of comparisons in 12 clusters, without a covariate and with it."""
    import numpy as np
    import statsmodels.api as sm

    pairs = [(file, i, j) for file in range(12) for i, j in itertools.combinations(range(4), 2)]
    values = [((file * 7 + 3 * i + 5 * j) % 11 % 5) / 4 for file, i, j in pairs]
    rows = np.zeros((len(pairs), 4))
    for row, (file, i, j) in enumerate(pairs):
        rows[row, i], rows[row, j], rows[row, 0] = 1, -1, ((file * 3 + i * 5 + j * 2) % 7 - 3) / 2
    options = {"groups": np.array([file for file, _, _ in pairs]), "use_correction": False}
    for columns in ([1, 2, 3], [1, 2, 3, 0]):  # relative to contestant 0
        model = sm.GLM(values, rows[:, columns], family=sm.families.Binomial())
        fit = model.fit(cov_type="cluster", cov_kwds=options, tol=1e-14)
        print(f"strengths: {fit.params.tolist()}, errors {(fit.bse * math.sqrt(12 / 11)).tolist()}")


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


POINTS = 400 / math.log(10)
WINS = {"left": 1.0, "right": 0.0, "tie": 0.5}


def evalica(folder: Path) -> Figures:
    """Return scores of evalica's data, their sum 1, beside the golden ones; errors by prompt of llmfao."""
    figures: Figures = []
    for name in ("food", "simple", "llmfao"):
        rows = list(csv.DictReader((folder / f"{name}.csv").open(encoding="utf-8")))
        golden = csv.DictReader((folder / f"{name}-golden.csv").open(encoding="utf-8"))
        scores = {row["item"]: float(row["score"]) for row in golden if row["algorithm"] == "bradley_terry"}
        wins: dict[tuple[str, str], float] = defaultdict(float)
        for row in rows:
            value = WINS[row["winner"]]
            wins[row["left"], row["right"]] += value
            wins[row["right"], row["left"]] += 1 - value
        found = bradley_terry(wins)
        odds = dict(zip(found.names, map(math.exp, found.strengths), strict=True))
        whole = sum(odds.values())
        figures += [(f"{name}, {item}", odds[item] / whole, score, 1e-9) for item, score in scores.items()]
    # The rows of llmfao are the last.
    given = [(row["left"], row["right"], WINS[row["winner"]], row["prompt"]) for row in rows]
    by_prompt = clustered_strengths(Comparison(*each) for each in given)
    single = clustered_strengths(Comparison(*each[:3]) for each in given)
    uncorrected = math.sqrt(12 / 13)
    errors = []
    for first, second in itertools.combinations(by_prompt.names, 2):
        error, of_single = (found.difference(first, second).se for found in (by_prompt, single))
        errors.append((error or 0.0) * uncorrected / (of_single or math.inf))
    for name, strength, error in (("GPT 4", 0.465744, 0.212337), ("Claude v2", -0.120853, 0.085608)):
        difference = by_prompt.difference(name, "GPT 3.5 Turbo")
        figures.append((f"{name} - GPT 3.5 Turbo", difference.estimate, strength, 5e-7))
        figures.append(
            ("its error by prompt, C/(C-1) left out", (difference.se or 0) * uncorrected, error, 5e-7)
        )
    return [*figures, ("error by prompt / by judgement, median", median(errors), 1.59, 0.005)]


ARENA = {  # computed from these votes; LMSYS published the same within 3 points in July and September 2024
    "chatgpt-4o-latest": 1315.2,
    "gemini-1.5-pro-exp-0801": 1298.4,
    "gpt-4o-2024-05-13": 1285.8,
    "gpt-4o-mini-2024-07-18": 1274.8,
    "claude-3-5-sonnet-20240620": 1271.0,
    "gemini-advanced-0514": 1266.3,
    "llama-3.1-405b-instruct": 1263.5,
    "gpt-4o-2024-08-06": 1261.5,
    "gemini-1.5-pro-api-0514": 1259.9,
    "gemini-1.5-pro-api-0409-preview": 1257.2,
    "mixtral-8x7b-instruct-v0.1": 1114.0,
}


def arena(path: Path) -> Figures:
    """Return the first ten of Chatbot Arena in points, mixtral-8x7b-instruct-v0.1 being 1114."""
    if path.suffix == ".whl":
        data = json.loads(zipfile.ZipFile(path).read("leaderbot/data/chatbotarena_20240814.json"))
    else:
        data = json.loads(path.read_text(encoding="utf-8"))
    wins: dict[tuple[str, str], float] = defaultdict(float)
    for (first, second), (won, lost, tie, both_bad) in zip(data["X"], data["Y"], strict=True):
        one, other, ties = data["models"][first], data["models"][second], tie + both_bad
        wins[one, other] += won + ties / 2
        wins[other, one] += lost + ties / 2
    found = bradley_terry(wins)
    mixtral = "mixtral-8x7b-instruct-v0.1"
    return [
        (name, 1114 + POINTS * found.difference(name, mixtral).estimate, points, 0.05)
        for name, points in ARENA.items()
    ]


def main() -> int:
    """Return 1 if a figure is not the one published."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--alpaca", type=Path)
    parser.add_argument("--schools", type=Path)
    parser.add_argument("--evalica", type=Path)
    parser.add_argument("--arena", type=Path)
    given = vars(parser.parse_args())
    checks = {"alpaca": alpaca, "schools": schools, "evalica": evalica, "arena": arena}
    figures = [figure for name, check in checks.items() if given[name] for figure in check(given[name])]
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
