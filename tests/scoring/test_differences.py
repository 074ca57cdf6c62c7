"""Differences of columns and what to take by them."""

from __future__ import annotations

from itertools import combinations

import pytest

from columnkit import ONE, THREE, TWO, graded, right
from umwelten.scoring.columns import KINDS, Column, ColumnName, Files
from umwelten.scoring.differences import differences, opposite
from umwelten.scoring.figures import figures
from umwelten.scoring.picks import AsGood, ScorePicks, picks
from umwelten.statistics import holm


def _columns(**rates: list[bool | None]) -> dict[ColumnName, Column]:
    files = Files(range(max(map(len, rates.values()))))
    return {ColumnName(model=name): right(passed, files) for name, passed in rates.items()}


def test_two_columns_of_100_files() -> None:
    """74 right in both, 14 only in the first, 6 only in the second, 6 in neither."""
    columns = _columns(
        m1=[True] * 88 + [False] * 12, m2=[True] * 74 + [False] * 14 + [True] * 6 + [False] * 6
    )
    (row,) = differences("right", columns)
    assert (row.first.model, row.second.model, row.files, row.left_out) == ("m1", "m2", 100, {})
    assert (row.mean, row.p, row.test) == (pytest.approx(0.08), pytest.approx(0.1153, abs=5e-5), "mcnemar")
    assert row.words == "no difference seen (one of ±0.12 would have been)"


def test_files_that_are_all_alike_leave_room_for_others() -> None:
    for number, most in ((10, 0.2775), (1000, 0.0038)):
        (row,) = differences("right", _columns(a=[True] * number, b=[True] * number))
        assert (row.low, row.high) == (pytest.approx(-most, abs=5e-5), pytest.approx(most, abs=5e-5))
    (row,) = differences("right", _columns(a=[True] * 20, b=[False] * 20))
    assert (row.mean, row.low, row.high) == (1.0, pytest.approx(1 - 2 * 0.1611, abs=5e-4), 1.0)


def test_no_difference_of_shares_is_beyond_one() -> None:
    columns = _columns(a=[True] * 4, b=[True, False, False, False])
    (row,) = differences("right", columns)
    assert (row.mean, row.high) == (0.75, 1.0)
    (best,) = [picks({n: figures(c, "right") for n, c in columns.items()}, [row], {})]
    assert best is not None
    assert best.as_good[0].behind_at_most == 1.0
    back = opposite(row)
    assert (back.first, back.mean, back.low, back.high) == (row.second, -0.75, -1.0, -(row.low or 0))
    assert (back.p, back.words) == (row.p, row.words)


def test_better_worse_and_holm_over_the_table() -> None:
    columns = _columns(a=[True] * 40, b=[True] * 34 + [False] * 6, c=[True] * 20 + [False] * 20)
    rows = differences("right", columns)
    assert [(row.first.model, row.second.model) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [row.p_adjusted for row in rows] == holm([row.p for row in rows])
    assert [row.words for row in rows] == ["better"] * 3
    (worse,) = differences("right", columns, pairs=[(ColumnName(model="b"), ColumnName(model="a"))])
    assert (worse.words, worse.p_adjusted, worse.mean) == ("worse", worse.p, pytest.approx(-0.15))


def test_files_that_one_lacks_are_left_out_by_reason() -> None:
    files = Files(range(5))
    first, second = Column(files, repeats=1), Column(files, repeats=1)
    for file, values in enumerate([(1, 1), (1, 0), (None, 1), (1, None)]):
        first.add(file, values[0], None, "judge_failed" if values[0] is None else None)
        second.add(file, values[1], None, "no_answer" if values[1] is None else None)
    (row,) = differences("right", {ONE: first, TWO: second})
    assert (row.files, row.left_out, row.mean) == (2, {"judge_failed": 1, "no_answer": 1, "pending": 1}, 0.5)


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_reasons_the_first_kind_counts(order: int) -> None:
    files = Files([1])
    first = Column(files)
    for kind in KINDS[::order]:
        first.add(1, None, None, kind)
    (row,) = differences("right", {ONE: first, TWO: Column(files)})
    assert row.left_out == {"no_answer": 1}


def test_what_cannot_be_told() -> None:
    (row,) = differences("right", _columns(a=[True, None], b=[None, True]))
    assert (row.files, row.mean, row.p_adjusted) == (0, None, None)
    assert row.words == "cannot be told: too few files that both have"
    (row,) = differences("right", _columns(a=[True], b=[False]))
    assert (row.mean, row.words) == (1, "cannot be told: too few files that both have")
    (row,) = differences("right", _columns(a=[True] * 3, b=[True] * 3))
    assert (row.mean, row.p, row.words) == (0, 1, "no difference seen")
    (row,) = differences("right", _columns(a=[True, False], b=[False, True]))
    assert row.words == "no difference seen (too few files to see one)"


def test_clusters_are_not_tested_file_by_file() -> None:
    files = Files(range(20), {file: file // 10 for file in range(20)})
    columns = {ONE: right([True] * 20, files), TWO: right([False] * 10 + [True] * 10, files)}
    (row,) = differences("right", columns)
    assert (row.test, row.words) == ("t", "no difference seen (too few files to see one)")
    with pytest.raises(ValueError, match="not of the same files"):
        differences("right", {ONE: right([True]), TWO: right([True])})


def _picks(
    columns: dict[ColumnName, Column], **costs: float | None
) -> tuple[str | None, list[str], str | None]:
    found = picks(
        {name: figures(column, "right") for name, column in columns.items()},
        differences("right", columns),
        {ColumnName(model=name): cost for name, cost in costs.items()},
    )
    assert found is not None
    return (
        found.best and found.best.model,
        [row.column.model for row in found.as_good],
        found.best_value and found.best_value.model,
    )


def test_best_as_good_and_best_value() -> None:
    columns = _columns(
        cheap=[True] * 20 + [False] * 20,
        close=[False] * 2 + [True] * 36 + [False] * 2,
        best=[True] * 38 + [False] * 2,
        unpriced=[False] * 1 + [True] * 37 + [False] * 2,
    )
    assert _picks(columns, cheap=0.1, close=1, best=2, unpriced=None) == (
        "best",
        ["close", "unpriced"],
        "close",
    )
    assert _picks(columns) == ("best", ["close", "unpriced"], None)
    assert picks({}, (), {}) is None


def test_how_far_behind_at_most() -> None:
    columns = _columns(b=[False] * 2 + [True] * 38, a=[True] * 40)
    (row,) = differences("right", columns)
    found = picks({name: figures(column, "right") for name, column in columns.items()}, [row], {})
    assert row.low is not None
    assert row.mean is not None
    assert found == ScorePicks(
        scorer="right",
        best=ColumnName(model="a"),
        as_good=(AsGood(column=ColumnName(model="b"), behind=-row.mean, behind_at_most=-row.low),),
        best_value=None,
    )


def test_equal_means_go_to_the_cheaper_then_to_the_first() -> None:
    columns = _columns(a=[True] * 5, b=[True] * 5, c=[True] * 5)
    assert _picks(columns, a=None, b=2, c=1) == ("c", ["a", "b"], "c")
    assert _picks(columns, a=None, b=None, c=None)[0] == "a"
    assert _picks(columns, a=0, b=1, c=1)[2] == "a"  # a local model costs nothing, which is known


def test_who_answers_one_of_ten_is_not_the_best() -> None:
    columns = _columns(few=[True] * 4 + [None] * 36, most=[True] * 36 + [False] * 2 + [None] * 2)
    assert _picks(columns, few=0, most=1) == ("most", [], "most")
    assert _picks(_columns(a=[None], b=[None])) == (None, [], None)


def test_order_of_columns_turns_differences_round() -> None:
    columns = {
        ONE: graded({0: [0.1], 1: [0.5], 2: [0.3]}),
        TWO: graded({0: [0.2], 1: [0.9], 2: [0.3]}),
        THREE: graded({0: [0.4], 1: [0.1], 2: [0.2]}),
    }
    for column in columns.values():
        column.files = columns[ONE].files
    there = differences("f1", columns)
    back = differences("f1", columns, pairs=[pair[::-1] for pair in combinations(columns, 2)])
    for one, other in zip(there, back, strict=True):
        assert (one.p_adjusted, one.detectable) == (other.p_adjusted, other.detectable)
        assert (one.mean, one.low) == (-(other.mean or 0), -(other.high or 0))


def test_an_interval_of_few_files_stays_within_what_scores_can_differ() -> None:
    files = Files(range(3))
    one, other = Column(files, yes_no=True), Column(files, yes_no=True)
    one.add_rows([(0, 1.0, True, None), (1, 0.0, False, None), (2, 1.0, True, None)])
    other.add_rows([(0, 0.0, False, None), (1, 1.0, True, None), (2, 1.0, True, None)])
    (row,) = differences("x", {ColumnName(model="a"): one, ColumnName(model="b"): other})
    assert (row.low, row.high) == (-1.0, 1.0)
