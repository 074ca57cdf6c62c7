"""CPU seconds of fitting a ranking: `python -m benchmarks.ranking [--rounds 5]`; 1 if more than is promised.

All pairs of models are compared in every file, with verdicts that depend on how good the file's answers are.
A fit has strengths, clustered errors, and ranges of ranks by Holm over all pairs; with control, for a
covariate that differs in every comparison.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from benchmarks.rounds import machine, table  # noqa: E402
from umwelten.statistics import Comparison, bootstrap_strengths, clustered_strengths  # noqa: E402

PROMISED_S = 1.0
"""Of 10 models and 1,000 files."""

SIZES = ((10, 100), (10, 500), (10, 1_000), (10, 2_000), (10, 4_000), (5, 1_000), (20, 1_000))
"""Models and files: how it grows with files, and with pairs."""

DRAWS = 100
"""Of the bootstrap, which grows with them."""


def compared(models: int, files: int) -> list[Comparison[str]]:
    """The comparisons of all pairs in every file, the same whenever it is called."""
    dice = random.Random(f"{models} {files}")
    found = []
    for file in range(files):
        quality = [dice.gauss(model / 10, 1) for model in range(models)]
        for one, other in itertools.combinations(range(models), 2):
            chance = 1 / (1 + math.exp(quality[other] - quality[one]))
            value = ((dice.random() < chance) + (dice.random() < chance)) / 2
            found.append(Comparison(f"model {one}", f"model {other}", value, file, dice.gauss(0, 1)))
    return found


def sparse(contestants: int, number: int) -> list[Comparison[str]]:
    """So many comparisons of any two, each by itself."""
    dice = random.Random(f"{contestants} {number}")
    names = [f"model {one}" for one in range(contestants)]
    return [Comparison(*dice.sample(names, 2), dice.choice((0, 0.5, 1)), None) for _ in range(number)]


def ranked(comparisons: list[Comparison[str]], control: bool = False) -> None:
    """Fit everything that a board shows of them."""
    found = clustered_strengths(comparisons, control=control)
    ranges = found.rank_ranges()
    assert len(ranges) == len([found.of(name) for name in found.names])


def cpu_s(work: Callable[[], object], rounds: int) -> float:
    """The median of CPU seconds."""
    spans = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        spans.append(time.process_time() - begun)
    return statistics.median(spans)


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranking", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args(arguments).rounds
    rows, kept = [], True
    for models, files in SIZES:
        comparisons = compared(models, files)
        spans = [cpu_s(partial(ranked, comparisons, control), rounds) for control in (False, True)]
        draws = cpu_s(partial(bootstrap_strengths, comparisons, DRAWS, "seed"), 1)
        rows.append(_row(f"{models} models, {files:,} files", comparisons, *spans, draws))
        kept = kept and ((models, files) != (10, 1_000) or max(spans) <= PROMISED_S)
    for contestants, number in ((60, 9_000), (129, 100_000)):
        comparisons = sparse(contestants, number)
        rows.append(
            _row(f"{contestants} models, any two", comparisons, cpu_s(partial(ranked, comparisons), rounds))
        )
    print(machine())
    titles = ("what", "comparisons", "fit, CPU s", "with control", f"bootstrap of {DRAWS}")
    print(table("Fitting a ranking", titles, rows))
    return 0 if kept else 1


def _row(name: str, comparisons: list[Comparison[str]], *spans: float) -> list[str]:
    return [name, f"{len(comparisons):,}", *(f"{span:.3f}" for span in spans), *[""] * (3 - len(spans))]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
