"""How often 95 % intervals hold the truth: `python -m benchmarks.coverage [--draws 20000]`.

What is drawn here at length is drawn in short by `tests/statistics/test_coverage.py`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from coveragekit import (  # noqa: E402
    BETWEEN,
    CLUSTERS,
    EQUAL_FILES,
    FILES,
    RANKED_FILES,
    RATES,
    REPEATED_FILES,
    SPREADS,
    clustered_files,
    one_answer_a_file,
    ranked_files,
    rejected_by_mcnemar,
    separated_equals,
    three_answers_a_file,
)

LEAST, MOST = 0.91, 0.985
LEAST_OF_CLUSTERS = 0.89
"""Five clusters whose rates lie far apart tell little of what others are like."""

MOST_OF_EQUALS = 0.06
"""5 % are promised, over all pairs of a ranking; of 2,000 draws, two standard errors more."""


def coverage(draws: int) -> tuple[list[str], bool]:
    """The table, and whether all is within bounds."""
    rows: list[tuple[str, list[float], float, float]] = []
    for rate in RATES:
        exact = [one_answer_a_file(files, rate)[0] for files in FILES]
        rows.append((f"one answer a file, {_list(FILES)} files, rate {rate}", exact, LEAST, MOST))
    for a, b in SPREADS:
        found = [three_answers_a_file(files, a, b, draws) for files in REPEATED_FILES]
        said = f"three answers a file, {_list(REPEATED_FILES)} files, rates from Beta({a}, {b})"
        rows.append((said, found, LEAST, MOST))
    for between in BETWEEN:
        for clusters, size in CLUSTERS:
            found = [clustered_files(clusters, size, rate, between, draws)[0] for rate in (0.5, 0.8)]
            said = f"{clusters} clusters of {size} files, {between:.0%} of the variance between them"
            rows.append((f"{said}, rates 0.5, 0.8", found, LEAST_OF_CLUSTERS, 0.99))
    for share in (1, 0.3):
        ranked = [
            ranked_files(files, share, draws // 10) for files in RANKED_FILES if share == 1 or files > 5
        ]
        said = f"strengths of 5 models, {_list(RANKED_FILES[-len(ranked) :])} files, {share:.0%} of the pairs"
        rows.append((said, [by_file for by_file, _ in ranked], 0.93, 0.97))
        rows.append((f"{said}, as if verdicts were independent", [alone for _, alone in ranked], 0, 0.9))
    equals = [separated_equals(10, files, draws // 10) for files in EQUAL_FILES]
    most = max(map(rejected_by_mcnemar, range(401)))
    lines = ["| 95 % intervals | hold the rate in |", "|---|---|"]
    lines += [f"| {said} | {', '.join(f'{share:.1%}' for share in shares)} |" for said, shares, *_ in rows]
    lines += [
        "",
        f"Of rankings of 10 equal models, {_list(EQUAL_FILES)} files, some are told apart in "
        f"{', '.join(f'{share:.1%}' for share in equals)}.",
        f"McNemar's test rejects at most {most:.2%} of equal pairs at 5 %, up to 400 files that differ.",
    ]
    good = all(low <= share <= high for _, shares, low, high in rows for share in shares)
    return lines, good and most <= 0.05 and max(equals) <= MOST_OF_EQUALS


def _list(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def main() -> int:
    """Print the table; 1 if something is out of bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=20_000)
    lines, good = coverage(parser.parse_args().draws)
    print("\n".join(lines))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
