"""Comparing a new evaluation with an earlier one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columnkit import graded, right
from umwelten.scoring.columns import Column, Files
from umwelten.scoring.comparison import (
    Compared,
    ComparisonRow,
    Flips,
    compare_scores,
    failing,
    flips,
    mean_ratio,
    median_ratio,
)
from umwelten.statistics import holm, mcnemar, paired_difference


def _row(base: Column, new: Column, **left_out: int) -> Compared:
    pairs = list(zip(base.files.places, new.files.places, strict=True))
    return Compared(
        model="openai:m", prompt=None, scorer="right", base=base, new=new, pairs=pairs, left_out=left_out
    )


def _went(broke: int, mended: int, of: int = 100, right_in_both: int = 0) -> Compared:
    """Files of which so many went from right to wrong, and back."""
    same = [True] * right_in_both + [False] * (of - broke - mended - right_in_both)
    return _row(
        right([True] * broke + [False] * mended + same), right([False] * broke + [True] * mended + same)
    )


def _only(row: Compared, max_drop: float = 0.0) -> ComparisonRow:
    (found,) = compare_scores([row], max_drop=max_drop)
    return found


def test_90_against_80_of_100() -> None:
    found = _only(_went(14, 4, right_in_both=76))
    assert (found.base, found.new, found.difference) == (0.9, 0.8, pytest.approx(-0.1))
    assert (found.p, found.test) == (pytest.approx(0.0309, abs=5e-5), "mcnemar")
    assert (found.outcome, found.p_adjusted) == ("regressed", found.p)
    assert failing([found])


def test_12_broke_and_10_mended() -> None:
    found = _only(_went(12, 10, right_in_both=70))
    assert (found.outcome, found.p) == ("unclear", mcnemar(12, 10).p)
    assert not failing([found])
    assert failing([found], require_held=True)


def test_equal_and_better_scores_held() -> None:
    assert _only(_went(0, 0, right_in_both=50)).outcome == "held"
    better = _only(_went(2, 30))
    assert better.outcome == "held"
    assert not failing([better], require_held=True)


def test_a_drop_that_is_allowed() -> None:
    went = _went(14, 4, right_in_both=76)
    new, base = [0.0] * 14 + [1.0] * 4, [1.0] * 14 + [0.0] * 4
    same = [1.0] * 76 + [0.0] * 6
    expected = paired_difference(new + same, base + same)
    for max_drop, outcome in ((0.01, "regressed"), (0.1, "unclear"), (0.2, "held")):
        found = _only(went, max_drop)
        assert found.outcome == outcome
        assert (found.p, found.test) == (max((expected.p, "mcnemar"), (expected.p_against(-max_drop), "t")))
    assert _only(_went(0, 0, right_in_both=20), 0.1).outcome == "held"
    assert _only(
        _row(graded({f: [0.9] for f in range(9)}), graded({f: [0.5] for f in range(9)})), 0.1
    ).outcome == (
        "regressed"  # by nine signs
    )


def test_rows_are_adjusted_for_being_several() -> None:
    rows = [_went(14, 4), _went(12, 10), _went(5, 5)]
    found = compare_scores(rows)
    assert [row.p_adjusted for row in found] == holm([row.p for row in found])
    assert [row.outcome for row in found] == ["unclear"] * 3  # 0.031 × 3


def test_files_that_are_left_out() -> None:
    base, new = right([True, True, None, True]), right([True, None, None, False])
    found = _only(_row(base, new, changed=2, only_base=0, only_new=1))
    assert (found.files, found.left_out) == (2, {"changed": 2, "no_answer": 2, "only_new": 1})
    assert (found.base, found.new) == (1, 0.5)
    nothing = _only(_row(right([None]), right([True])))
    assert (nothing.outcome, nothing.difference, nothing.p, nothing.test) == ("unclear", None, None, None)
    assert _only(_row(right([True]), right([False])), 0.1).outcome == "unclear"


def test_files_are_paired_as_given() -> None:
    base, new = Column(Files([5, 6, 7])), Column(Files([1, 2, 3]))
    for file, value in ((5, 0.1), (6, 0.2), (7, 0.9)):
        base.add(file, value)
    for file, value in ((1, 0.9), (2, 0.2), (3, 0.1)):
        new.add(file, value)
    row = Compared(model="m", prompt="p", scorer="f1", base=base, new=new, pairs=[(5, 3), (7, 1)])
    found = _only(row)
    assert (found.files, found.difference, found.base) == (2, 0, 0.5)


def test_flips() -> None:
    base, new = Column(Files(range(5)), yes_no=True), Column(Files(range(10, 15)), yes_no=True)
    for column, shift, repeats in (
        (base, 0, ("tt", "tf", "ff", "ttf", "t")),
        (new, 10, ("ff", "ff", "tt", "f", "")),
    ):
        for file, passes in enumerate(repeats):
            for one in passes:
                column.add(file + shift, float(one == "t"), one == "t")
    assert flips(_row(base, new)) == Flips(broke=((0, 10), (3, 13)), mended=((2, 12),))
    assert flips(_row(graded({0: [1.0]}), graded({0: [0.0]}))) == Flips(broke=(), mended=())


def test_ratios() -> None:
    cost = mean_ratio([1.0, 2.0, 3.0, None, 1.0], [2.0, 4.0, 6.0, 1.0, None])
    assert (cost.base, cost.new, cost.ratio, cost.low, cost.high) == (2, 4, 2, 2, 2)
    assert (cost.files, cost.left_out) == (3, 2)
    # By hand: ratio 20/16; deviations −1, 0.5, 0.5, whose se is √(1.5/2/3) = 0.5, of a mean of 16/3.
    wide = mean_ratio([4.0, 6.0, 6.0], [4.0, 8.0, 8.0])
    assert wide.ratio == pytest.approx(1.25)
    assert (wide.low, wide.high) == pytest.approx(
        [1.25 + side * 4.30265 * 0.5 / (16 / 3) for side in (-1, 1)], rel=1e-5
    )
    assert mean_ratio([1.0, 1.0], [0.1, 9.0]).low == 0
    time = median_ratio([1.0, 5.0, 2.0, None], [3.0, 3.0, 9.0, 1.0])
    assert (time.base, time.new, time.ratio, time.low, time.left_out) == (2, 3, 1.5, None, 1)
    for nothing in (mean_ratio([], []), median_ratio([None], [1.0])):
        assert (nothing.base, nothing.ratio, nothing.files) == (None, None, 0)
    assert mean_ratio([0.0], [1.0]).ratio is None
    assert (mean_ratio([1.0], [2.0]).ratio, mean_ratio([1.0], [2.0]).low) == (2, None)


@pytest.mark.parametrize("max_drop", [-0.1, 1, math.nan])
def test_drops_that_are_none(max_drop: float) -> None:
    with pytest.raises(ValueError, match="max_drop is"):
        compare_scores([], max_drop=max_drop)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.permutations(range(40)),
)
def test_laws(files: list[tuple[bool, bool]], max_drop: float, order: list[int]) -> None:
    row = _row(right([base for base, _ in files]), right([new for _, new in files]))
    found = _only(row, max_drop)
    moved = [row.pairs[place] for place in order if place < len(files)]
    assert _only(
        Compared(model="m", prompt=None, scorer="s", base=row.base, new=row.new, pairs=moved), max_drop
    ).p == (found.p)
    back = _only(_row(row.new, row.base), max_drop)
    assert not (found.outcome == back.outcome == "regressed")
    if found.outcome == "regressed":
        assert found.difference is not None
        assert found.difference < -max_drop
    # A larger drop is never sooner regressed.
    assert _only(row, max_drop + 0.1).outcome != "regressed" or found.outcome == "regressed"


def test_five_broken_files_of_six_are_too_few_however_large_the_drop() -> None:
    """t alone, against a drop of 0.1, would say 0.007; the exact test says 0.0625 even against none."""
    for max_drop in (0.0, 0.1):
        found = _only(_went(5, 0, of=6), max_drop)
        assert (found.outcome, found.p, found.test) == ("unclear", 0.0625, "mcnemar")
