"""Intervals hold what they promise, and tests reject no more than they say, where the truth is known.

`python -m benchmarks.coverage` draws at length what is drawn here in short.
"""

from __future__ import annotations

import pytest

from coveragekit import (
    FILES,
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


@pytest.mark.parametrize("files", FILES)
@pytest.mark.parametrize("rate", RATES)
def test_one_yes_or_no_a_file(files: int, rate: float) -> None:
    by_wilson, by_t = one_answer_a_file(files, rate)
    assert 0.91 <= by_wilson <= 0.98
    assert rate < 0.95 or files == 50 or by_t < 0.7  # why it is not Student's t


@pytest.mark.parametrize("files", REPEATED_FILES)
@pytest.mark.parametrize(("a", "b"), SPREADS)
def test_three_repeats_a_file(files: int, a: float, b: float) -> None:
    # 93–98 % by 20,000 draws. Of 400, another two standard errors.
    assert 0.91 <= three_answers_a_file(files, a, b, 400) <= 0.995


@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_few_clusters(rate: float) -> None:
    # 96 % by 6,000 draws; 91 % without the factor for few clusters, 83–86 % without clusters.
    covered, alone = clustered_files(5, 10, rate, 0.1, 800)
    assert 0.94 <= covered <= 0.985
    assert alone < 0.9


def test_mcnemar_rejects_no_more_than_it_says() -> None:
    """However many files differ: the chance of p < 0.05 where neither column is better."""
    for differ in range(121):
        rejected = rejected_by_mcnemar(differ)
        assert rejected <= 0.05
        assert rejected > 0.01 or differ < 17  # nor does it never reject


@pytest.mark.parametrize(("files", "draws"), [(5, 160), (20, 120), (50, 80), (100, 50)])
def test_differences_of_strengths(files: int, draws: int) -> None:
    # 95.0–95.6 % by 1,000 draws of ten differences, and 78 % where verdicts are taken for independent.
    by_file, by_verdict = ranked_files(files, 1, draws)
    assert 0.92 <= by_file <= 0.98
    assert by_verdict < 0.86


def test_differences_of_strengths_by_a_part_of_the_pairs() -> None:
    by_file, by_verdict = ranked_files(50, 0.3, 120)
    assert 0.92 <= by_file <= 0.98
    assert by_verdict < by_file - 0.03


@pytest.mark.parametrize(("files", "most"), [(2, 0.02), (3, 0.02), (5, 0.1)])
def test_equal_models_are_not_told_apart(files: int, most: float) -> None:
    # 0, 0 and 4 % by 1,000 draws. With 3 files 31 % where small errors by chance are taken for true.
    assert separated_equals(10, files, 60) <= most
