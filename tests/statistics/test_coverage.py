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
    rejected_by_mcnemar,
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
