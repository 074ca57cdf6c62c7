"""The leaderboard of a suite: from stored evaluations alone, and nothing that is lacking is hidden."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.report.boardkit import board, make_task
from tests.scoredkit import evaluate, score, write_table

from umwelten.errors import StoreError
from umwelten.report.render.leaderboard_json import leaderboard_json
from umwelten.report.render.leaderboard_text import cost_of_all, leaderboard_lines, places
from umwelten.scoring.leaderboard import Leaderboard


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Two tasks; of three models, one is only in the first, and one failed in the second."""
    make_task(tmp_path, "capitals", {"p:a": "rrrrrrrrww", "p:b": "rrrrrrwwww", "p:c": "rrrrrrrrrr"})
    make_task(tmp_path, "letters", {"p:b": "rrww", "p:a": "rrr-"})
    return tmp_path


def lines(found: Leaderboard, width: int = 80) -> str:
    text = list(leaderboard_lines(found, width))
    assert all(len(line) <= width for line in text), [line for line in text if len(line) > width]
    return "\n".join(text)


def test_a_mean_by_weight_and_a_model_that_lacks_a_task(two: Path) -> None:
    found = board(two, "capitals", "letters", weights=[2, 1])
    assert [row.name for row in found.rows] == ["p:a", "p:b", "p:c"]
    best, second, lacking = found.rows
    assert best.mean == pytest.approx((2 * 0.8 + 1.0) / 3)
    assert second.mean == pytest.approx((2 * 0.6 + 0.5) / 3)
    assert best.tasks["letters"].unscored == {"no_answer": 1}
    assert best.tasks["letters"].bounds == (0.75, 1.0)
    assert lacking.mean is None and lacking.low is None and lacking.se is None
    assert lacking.missing == ("letters",) and lacking.tasks["capitals"].mean == 1
    assert best.low is not None and best.high is not None and 0 <= best.low < best.mean < best.high <= 1
    text = lines(found)
    assert "lacks letters (not asked there)" in text
    assert "letters: 1 of 4 unscored (1 no answer): 0.750 – 1.000" in text
    assert "mean by weight: capitals 2, letters 1" in text
    row = next(line for line in text.splitlines() if "p:c" in line)
    assert row.split()[:3] == ["–", "p:c", "–"] and "1.000" in row


def test_unknown_costs_are_no_zeros(two: Path) -> None:
    with closing(sqlite3.connect(two / "nightly.letters" / "evaluation.db")) as database:
        database.execute("UPDATE calls SET cost_nusd = NULL WHERE model_id = 1")  # p:b
        database.commit()
    found = board(two, "capitals", "letters", gates=["cost_usd <= 1", "cost_usd <= 1 for p:a"])
    costs = {row.name: (row.cost_usd, row.unpriced) for row in found.rows}
    assert costs == {"p:a": (7e-08, 0), "p:b": (5e-08, 4), "p:c": (5e-08, 0)}
    assert [gate.result.outcome for gate in found.gates] == ["undecided", "met"]
    assert board(two, "letters").rows[1].cost_usd is None
    text = lines(found)
    assert "$0.00000005+?" in text
    assert "the cost of 4 calls is not known" in text


def test_judges_of_whom_no_cost_is_kept_are_named(two: Path) -> None:
    with closing(sqlite3.connect(two / "nightly.letters" / "scores.db")) as database:
        assert database.execute("UPDATE scorers SET judge = 'nightly.letters.right'").rowcount
        database.commit()
    found = board(two, "capitals", "letters")
    assert found.tasks[1].judged_usd is None
    assert found.notes == ("task letters: what the judges of right cost is not known yet",)


def test_equal_means_share_a_place(tmp_path: Path) -> None:
    make_task(tmp_path, "one", {"p:a": "rw", "p:b": "rw", "p:c": "ww"})
    found = board(tmp_path, "one")
    assert places(found) == ["1", "1", "3"]
    assert [row["place"] for row in json.loads(leaderboard_json(found))["rows"]] == [1, 1, 3]


def test_a_task_that_was_not_begun_and_one_that_was_never_scored(two: Path) -> None:
    make_task(two, "asked", {"p:a": "rr"}, "")
    found = board(two, "capitals", "asked", "later", gates=["later.total >= 0.5", "total >= 0.1"])
    assert [task.state for task in found.tasks] == ["scored", "unscored", "not_begun"]
    assert [row.mean for row in found.rows] == [None, None, None]
    assert found.rows[0].missing == ("asked", "later")
    assert found.rows[0].tasks["asked"].planned == 2
    assert [gate.result.outcome for gate in found.gates] == ["undecided", "met"]
    text = lines(found)
    assert "task later was not begun" in text and "task asked was never scored" in text
    assert "lacks asked (never scored), later (not begun)" in text
    empty = board(two, "none", gates=["total >= 0.5"])
    assert empty.rows == () and empty.gates[0].result.outcome == "undecided"
    assert "task none was not begun" in lines(empty)


@pytest.mark.parametrize(
    ("gate", "outcome"),
    [
        ("answered >= 0.5", "undecided"),
        ("scored >= 0.1", "undecided"),
        ("cost_usd <= 1", "undecided"),
        ("cost_usd <= 0.000000001", "missed"),
        ("p95_s <= 5", "undecided"),
    ],
)
def test_a_task_that_was_not_begun_leaves_sums_open(two: Path, gate: str, outcome: str) -> None:
    assert board(two, "capitals", "later", gates=[gate]).gates[0].result.outcome == outcome
    assert board(two, "capitals", gates=[gate]).gates[0].result.outcome in ("met", "missed")


def test_a_database_that_a_kill_left_empty_was_not_begun(two: Path) -> None:
    folder = two / "nightly.later"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "evaluation.db")):
        (folder / "evaluation.db").touch()
    assert board(two, "later").tasks[0].state == "not_begun"
    (folder / "evaluation.db").write_bytes(b"damaged" * 1000)
    with pytest.raises(StoreError):
        board(two, "later")


def test_a_task_without_weight_has_no_part_in_the_mean(two: Path) -> None:
    found = board(two, "capitals", "letters", weights=[1, 0])
    assert found.rows[0].name == "p:c" and found.rows[0].mean == 1
    assert found.rows[0].missing == ("letters",)
    assert board(two, "capitals", weights=[0]).rows[0].mean is None


def test_one_scorer_or_the_total_is_the_value(tmp_path: Path) -> None:
    measure = {"name": "long", "type": "length", "value": "1..9 chars", "part_of_total": False}
    make_task(tmp_path, "one", {"p:a": "rw"}, "right=exact", measure)
    make_task(tmp_path, "two", {"p:a": "rw"}, "right=exact", "f1")
    make_task(tmp_path, "three", {"p:a": "rw"}, measure)
    assert "lacks three (no scorer is part of its total)" in lines(board(tmp_path, "one", "three"))
    found = board(tmp_path, "one", "two", gates=["one.total >= 0.5", "two.right >= 0.6"])
    assert found.rows[0].tasks["one"].mean == 0.5
    assert found.tasks[0].scorers == ("right", "long")
    assert [gate.result.outcome for gate in found.gates] == ["met", "missed"]
    assert [gate.result.gate for gate in found.gates] == ["one.total >= 0.5", "two.right >= 0.6"]


def test_several_prompts_are_rows_and_one_prompt_counts_for_each(tmp_path: Path) -> None:
    make_task(tmp_path, "capitals", {"p:a": "rrrw", "p:b": "rrrr"}, prompts=("short", "long"))
    make_task(tmp_path, "letters", {"p:a": "rw", "p:c": "rr"})
    found = board(tmp_path, "capitals", "letters", gates=["total >= 0.6 for p:a", "letters.total >= 0.6"])
    assert [row.name for row in found.rows] == [
        *("p:a · short", "p:a · long"),
        *("p:b · short", "p:b · long"),
        "p:c",
    ]
    assert [row.mean for row in found.rows] == [0.625, 0.625, None, None, None]
    assert [len(gate.result.models) for gate in found.gates] == [2, 2]
    assert found.notes == ("task letters has one prompt: its values count for each prompt of a model",)
    assert cost_of_all(found) == (pytest.approx(20 * 5e-9), 0), "what counts twice is paid once"


@pytest.mark.parametrize(
    ("gate", "outcome"),
    [
        ("total >= 0.76 for p:a", "met"),  # at the bounds it is .775 to .9
        ("total >= 0.8 for p:a", "undecided"),
        ("total >= 0.95 for p:a", "missed"),
        ("total >= 0.5", "met"),  # of p:c the task that it lacks could have been all wrong
        ("total >= 0.56 for p:c", "undecided"),
        ("total >= 0.56", "missed"),
        ("total.low >= 0.25 for p:b", "met"),
        ("total.low >= 0.5 for p:b", "missed"),
        ("total.low >= 0.1 for p:c", "undecided"),
        ("letters.right >= 0.8 for p:a", "undecided"),
        ("letters.answered >= 1", "missed"),
        ("capitals.answered >= 1", "met"),
        ("answered >= 0.92", "met"),
        ("answered >= 0.93", "missed"),
        ("scored >= 0.8", "missed"),  # three of four in letters
        ("cost_usd <= 1", "met"),
        ("letters.cost_usd <= 0.00000001", "missed"),
        ("p95_s <= 5", "met"),
    ],
)
def test_gates(two: Path, gate: str, outcome: str) -> None:
    (found,) = board(two, "capitals", "letters", gates=[gate]).gates
    assert (found.task, found.result.outcome) == (
        gate.partition(".")[0] if gate.startswith(("letters", "capitals")) else None,
        outcome,
    )


def test_tasks_about_the_same_rows_are_correlated(tmp_path: Path) -> None:
    rows = [{"n": str(n), "want": "yes", "p": "yes" if n % 2 else "no"} for n in range(20)]
    for folder, second in (("same", "one.csv"), ("other", "two.csv")):
        (tmp_path / folder).mkdir()
        for name, table in (("one", "one.csv"), ("two", second)):
            path = write_table(tmp_path / folder / table, rows)
            score(evaluate(path, {"p:a": "p"}, id=f"nightly.{name}", output=tmp_path / folder), "right=exact")
    (same,), (other,) = (board(tmp_path / folder, "one", "two").rows for folder in ("same", "other"))
    task = same.tasks["one"]
    assert same.se == pytest.approx(task.se)
    assert (same.low, same.high) == pytest.approx((task.low, task.high), abs=0.01)
    assert other.se is not None and other.se == pytest.approx((task.se or 0) / 2**0.5)
    sure = "total.low >= 0.33"
    assert [
        board(tmp_path / folder, "one", "two", gates=[sure]).gates[0].result.outcome
        for folder in ("same", "other")
    ] == ["missed", "met"]


def test_twelve_tasks_fifteen_models_and_long_names(tmp_path: Path) -> None:
    models = {f"provider:{n:02d}-{'x' * 120}": "rw" for n in range(15)}
    names = [f"task-{n}-{'y' * 112}" for n in range(12)]
    for name in names:
        make_task(tmp_path, name[:100], models if name != names[3] else dict(list(models.items())[:14]))
    found = board(tmp_path, *(name[:100] for name in names))
    assert len(found.rows) == 15 and found.rows[-1].missing == (names[3][:100],)
    for width in (80, 200):
        text = lines(found, width).replace("\n", "").replace(" ", "")
        assert all(model in text for model in models), "names stand there whole, over several lines"
