"""Figures of columns: against counts done by hand, at the ends, and whatever order answers come in."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columnkit import graded, right
from umwelten.scoring.columns import Column, Files, ScoreRow, total_of
from umwelten.scoring.figures import bounds, estimate, figures
from umwelten.statistics import clustered_mean, clustered_rate, mean_pass_all_k, mean_pass_at_k


def test_yes_and_no_by_wilson() -> None:
    found = figures(right([True] * 88 + [False] * 12), "right")
    assert (found.mean, found.method) == (0.88, "wilson")
    assert (found.files, found.planned, found.scored) == (100, 100, 100)
    assert (found.low, found.high) == (pytest.approx(0.802, abs=5e-4), pytest.approx(0.930, abs=5e-4))
    assert (found.bounds, found.unscored, found.unsteady) == ((0.88, 0.88), {}, None)
    assert found.pass_ is not None
    assert (found.pass_.mean, found.pass_.low) == (found.mean, found.low)
    assert found.pass_at[1] == found.pass_


def test_unscored_answers_are_counted_and_bound_the_mean() -> None:
    found = figures(right([True] * 85 + [False] * 5 + [None] * 10), "right")
    assert (found.files, found.planned, found.scored, found.unscored) == (100, 100, 90, {"no_answer": 10})
    assert (found.mean, found.bounds) == (pytest.approx(85 / 90), (0.85, 0.95))
    assert found.pass_ is not None
    assert (found.pass_.bounds, found.pass_.left_out) == ((0.85, 0.95), 10)


def test_answers_of_the_plan_that_were_not_added_are_pending() -> None:
    column = Column(Files([7, 8]), repeats=2, yes_no=True)
    column.add(7, 1.0, True)
    column.add(7, None, None, "judge_failed")
    found = figures(column, "right")
    assert (found.planned, found.scored, found.unscored) == (4, 1, {"pending": 2, "judge_failed": 1})
    assert (found.mean, found.low, found.bounds) == (1.0, None, (0.25, 1.0))


def test_other_values_by_t() -> None:
    """A scorer of yes or no whose judges disagree once, and a graded one that happens to say 0 and 1."""
    column = Column(Files(range(4)), yes_no=True)
    for file, value in enumerate([1, 0.5, 1, 0]):
        column.add(file, value)
    found, plain = figures(column, "polite"), clustered_mean([1, 0.5, 1, 0], scale=(0, 1))
    assert (found.method, found.low, found.high, found.pass_) == ("t", plain.low, plain.high, None)
    assert found.high == 1  # the scale ends there
    assert figures(graded({0: [1], 1: [0]}), "f1").method == "t"


def test_values_that_are_all_alike_leave_an_interval() -> None:
    few, many = (figures(graded({file: [1] for file in range(n)}), "f1") for n in (2, 200))
    assert (few.mean, few.method, few.high) == (1.0, "wilson", 1.0)
    assert few.low is not None
    assert many.low is not None
    assert few.low < 0.5 < 0.95 < many.low < 1


def test_repeats() -> None:
    column = Column(Files(range(3)), repeats=3, yes_no=True)
    for file, passes in enumerate([(True, True, True), (True, False, True), (False, None)]):
        for passed in passes:
            if passed is not None:
                column.add(file, float(passed), passed)
    found = figures(column, "right")
    of_files = [(3, 3), (3, 2), (1, 0)]
    assert found.mean == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.unsteady == 0.5  # the third has one answer
    for k in (1, 2, 3):
        for shares, expected in (
            (found.pass_at, mean_pass_at_k(of_files, k)),
            (found.pass_all, mean_pass_all_k(of_files, k)),
        ):
            assert shares[k].mean == pytest.approx(expected.estimate.mean)
            assert (shares[k].files, shares[k].left_out) == (expected.estimate.files, expected.left_out)
    # With a third answer of the third file: none of 3 passes, or at best two.
    assert found.pass_at[3].bounds == (pytest.approx(2 / 3), 1)
    assert found.pass_all[3].bounds == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert (found.pass_all[3].method, found.pass_all[2].method) == ("wilson", "t")


def test_repeats_that_all_pass_are_one_yes_of_a_file_and_its_cluster() -> None:
    clusters = [file // 2 for file in range(40)]
    passes = [True, False] * 19 + [True, True]  # so alike are clusters that n would be more than all files
    column = Column(Files(range(40), dict(enumerate(clusters))), yes_no=True)
    for file, passed in enumerate(passes):
        column.add_rows([(file, float(passed), passed, None)] * 2)
    expected = clustered_rate([[passed] for passed in passes], clusters)
    found = figures(column, "right").pass_all[2]
    assert (found.low, found.high, found.method) == (expected.low, expected.high, "wilson")


def test_many_repeats_show_ten_k_and_those_asked_for() -> None:
    column = Column(Files([1]), yes_no=True)
    column.add_rows([(1, 1.0, True, None)] * 30)
    assert list(figures(column, "right", ks=(20, 31)).pass_at) == [*range(1, 11), 20]


def test_nothing_is_none_and_json_has_the_keys_that_reports_promise() -> None:
    for column in (Column(Files([])), Column(Files([1, 2]))):
        nothing = json.loads(msgspec.json.encode(figures(column, "right")))
        assert list(nothing) == [
            *("scorer", "files", "planned", "scored", "unscored", "mean", "se", "low", "high", "level"),
            *("method", "bounds", "pass", "pass_at", "pass_all", "unsteady"),
        ]
        assert [nothing[key] for key in ("files", "mean", "se", "low", "bounds", "pass")] == [0, *[None] * 5]
    unscored = figures(right([None, None]), "right")
    assert (unscored.mean, unscored.bounds) == (None, (0, 1))


def test_clusters() -> None:
    values = {file: [file % 3 / 2] for file in range(9)}
    clusters = {file: f"document {file // 3}" for file in range(6)} | {6: None}
    found = figures(graded(values, clusters), "f1")
    labels = ["a"] * 3 + ["b"] * 3 + ["c", "d", "e"]  # those without one are by themselves
    assert found.se == clustered_mean([one for (one,) in values.values()], labels).se
    assert Files(range(3), {0: "a", 1: "b"}).clusters is None


def test_one_cluster_has_no_error() -> None:
    found = figures(graded({1: [0.2], 2: [0.4]}, {1: "a", 2: "a"}), "f1")
    assert (found.mean, found.se, found.low) == (pytest.approx(0.3), None, None)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan, math.inf])
def test_values_that_are_no_scores(value: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Column(Files([1])).add(1, value)


def test_files_and_repeats_that_are_not_of_the_plan() -> None:
    with pytest.raises(ValueError, match="file 2 is not among"):
        Column(Files([1])).add(2, 1.0)
    with pytest.raises(ValueError, match="unscored as 'lost': one of no_answer"):
        Column(Files([1])).add(1, None, None, "lost")  # type: ignore[arg-type]
    full = Column(Files([1]))
    full.add_rows([(1, 1.0, None, None)] * 2047)
    assert figures(full, "f1").mean == 1
    with pytest.raises(ValueError, match="more than 2047"):
        full.add(1, 1.0)
    with pytest.raises(ValueError, match="repeats is 3000"):
        Column(Files([1]), repeats=3000)


ROWS: Any = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.one_of(st.none(), st.floats(0, 1), st.sampled_from([0.0, 1.0])),
        st.booleans(),
        st.sampled_from(["no_answer", "judge_failed", None]),
    ),
    max_size=25,
)
CLUSTERS = st.none() | st.dictionaries(st.integers(0, 5), st.integers(0, 2))


def _column(rows: list[ScoreRow], clusters: dict[int, int] | None, repeats: int, *, yes_no: bool) -> Column:
    column = Column(Files(range(6), clusters), repeats=repeats, yes_no=yes_no)
    for file, value, passed, kind in rows:
        value = round(value) if yes_no and value is not None else value
        column.add(file, value, None if value is None else passed, kind)
    return column


@settings(max_examples=60, deadline=None)
@given(ROWS, CLUSTERS, st.integers(0, 3), st.booleans(), st.randoms(use_true_random=False))
def test_laws(
    rows: list[ScoreRow], clusters: dict[int, int] | None, repeats: int, yes_no: bool, dice: random.Random
) -> None:
    column = _column(rows, clusters, repeats, yes_no=yes_no)
    found = figures(column, "right")
    shuffled = rows.copy()
    dice.shuffle(shuffled)
    assert figures(_column(shuffled, clusters, repeats, yes_no=yes_no), "right") == found
    assert b"NaN" not in msgspec.json.encode(found)
    assert found.planned == found.scored + sum(found.unscored.values())
    for figure, share in (("mean", found), ("pass", found.pass_)):
        if share is not None and share.mean is not None:
            assert share.bounds is not None
            assert share.bounds[0] - 1e-12 <= share.mean <= share.bounds[1] + 1e-12
            if share.low is not None and share.high is not None:
                assert 0 <= share.low <= share.mean + 1e-12
                assert share.mean - 1e-12 <= share.high <= 1
        for unscored, end in zip((0, 1), bounds(column, figure) or (None, None), strict=True):  # type: ignore[arg-type]
            assert estimate(column, figure, unscored=unscored).mean == end  # type: ignore[arg-type]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=3), min_size=2, max_size=8))
def test_yes_and_no_as_the_statistics_have_them(files: list[list[bool]]) -> None:
    column = Column(Files(range(len(files))), yes_no=True)
    for file, answers in enumerate(files):
        for answer in answers:
            column.add(file, float(answer))
    found, plain = figures(column, "right"), clustered_rate(files)
    assert (found.mean, found.se, found.low, found.high) == (plain.mean, plain.se, plain.low, plain.high)


def test_the_total_of_an_answer() -> None:
    assert total_of([(1.0, None, 1), (0.5, None, 3), (None, "no_reference", 0)]) == (0.625, None)
    assert total_of([(1.0, None, 1), (None, "judge_failed", 2)]) == (None, "judge_failed")
    assert total_of([(None, "scorer_error", 1), (None, "no_answer", 1)]) == (None, "no_answer")
    assert total_of([(None, None, 1)]) == (None, "pending")
    assert total_of([(0.5, None, 0)]) == (None, None)
    assert total_of([(1.0, None, 1e308), (1.0, None, 1e308)]) == (1.0, None)
