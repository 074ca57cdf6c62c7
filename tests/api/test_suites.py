"""Suites from Python: files and dicts, the leaderboard, what is repeated, jobs and mistakes."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest

import umwelten
from provider import Provider
from suitekit import SUITE, profile, write_suite
from umwelten.events import CallSucceeded, Event, Note
from umwelten.simulate.faultserver.profile import Behaviour, Rule

A, B = "openai:a", "openai:b"


def as_dict(text: str = SUITE) -> dict[str, Any]:
    """What the file says, with paths as seen from the working directory."""
    return tomllib.loads(text.replace("data/", "suites/data/"))


def test_a_suite_of_a_file_makes_a_leaderboard_once(server: Provider, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    server.use(profile())
    seen: list[Event] = []
    job = umwelten.suite(path, on_event=seen.append)
    board = job.wait()
    assert server.idle().requests == 24 == sum(isinstance(event, CallSucceeded) for event in seen)
    assert (board.suite, job.id, job.folder) == ("nightly", "nightly", Path("output"))
    assert [task.id for task in board.tasks] == ["nightly.capitals", "nightly.letters"]
    assert [(row.name, row.mean) for row in board] == [(A, 0.8125), (B, 0.8125)]
    assert board[A].tasks["capitals"].mean == 0.75
    assert (board.outcome, board.errors, board.comparisons) == ("met", {}, {})
    assert [gate.result.outcome for gate in board.gates] == ["met"] * 3
    assert "openai:a" in board.table
    assert "capitals" in board._repr_html_()
    frame, table, polar = board.to_pandas(), board.to_arrow(), board.to_polars()
    assert list(frame.columns) == table.column_names == polar.columns
    assert list(frame["task.capitals"]) == [0.75, 0.75]
    board.report("board.html")
    board.report("suite.junit.xml")
    assert "capitals" in Path("board.html").read_text()
    again = umwelten.suite(Path(path)).wait()
    assert server.idle().requests == 24
    assert again.rows == board.rows
    with pytest.raises(KeyError, match="Did you mean 'openai:a'"):
        board["openai:aa"]


def test_a_dict_is_a_suite_with_scorers_and_paths_of_the_library(server: Provider, tmp_path: Path) -> None:
    write_suite(tmp_path)
    server.use(profile())
    given = as_dict()
    capitals = given["tasks"]["capitals"]
    capitals |= {
        "rows": Path("suites/data/capitals.csv"),
        "scorers": {"right": umwelten.Contains(weight=2), "brief": "length:1..9 words"},
    }
    board = umwelten.suite(
        given, models=[A], only="capitals", id="mine", fail_under="capitals.right >= 0.9"
    ).wait()
    assert [(task.id, task.state) for task in board.tasks] == [
        ("mine.capitals", "scored"),
        ("mine.letters", "not_begun"),
    ]
    assert (board[A].mean, board[A].missing) == (None, ("letters",))
    assert [(gate.result.gate, gate.result.outcome) for gate in board.gates] == [
        ("capitals.right >= 0.5", "met"),
        ("capitals.right >= 0.9", "missed"),
    ]
    assert board.outcome == "missed"
    assert board.tasks[0].scorers == ("right", "brief")
    assert given["suite"]["name"] == "nightly", "what the program gave is not changed"
    assert isinstance(capitals["rows"], Path)


def test_a_baseline_is_compared_task_by_task(server: Provider, tmp_path: Path) -> None:
    path = write_suite(tmp_path, SUITE[: SUITE.index("[gates]")])
    server.use(profile())
    assert umwelten.suite(path, only=["capitals"]).wait().outcome is None
    (tmp_path / "suites" / "data" / "capitals.csv").touch()
    board = umwelten.suite(path, only="capitals", id="new", baseline="nightly", max_drop=0.02).wait()
    assert board.comparisons["capitals"].outcome == "held"
    assert board.outcome == "met"


def test_a_limit_of_costs_leaves_tasks_unbegun(server: Provider, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    server.use(profile())
    price = 'prices."{}" = {{ input = 1000, output = 1000 }}\n'
    Path("umwelten.toml").write_text("".join(map(price.format, (A, B, "openai:judge"))))
    board = umwelten.suite(path, max_cost=0.001, max_concurrency=1).wait()
    assert board.tasks[1].state == "not_begun"
    assert board.outcome == "undecided"


def test_a_stopped_suite_begins_no_further_task_and_goes_on(server: Provider, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    server.use(profile())

    def stopping(event: Event) -> None:
        if isinstance(event, CallSucceeded):
            job.stop()

    job = umwelten.suite(path, on_event=stopping, max_concurrency=1)
    board = job.wait()
    assert [task.state for task in board.tasks] == ["scored", "not_begun"]
    assert not Path("output/nightly.letters").exists()
    assert "openai:a" in board.table

    async def rest() -> umwelten.Leaderboard:
        async with umwelten.suite(path) as job:
            return await job

    assert asyncio.run(rest()).outcome == "met"
    assert server.idle().requests == 24
    with pytest.warns(umwelten.NeverRun):
        umwelten.suite(path)


def test_a_task_that_fails_as_a_whole_is_named_and_the_others_run(server: Provider, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    server.use(profile())
    seen: list[Event] = []

    def breaking(event: Event) -> None:
        seen.append(event)
        if isinstance(event, CallSucceeded) and event.model == "openai:judge":
            return
        (tmp_path / "output" / "nightly.letters").write_text("in the way")

    board = umwelten.suite(path, on_event=breaking).wait()
    assert list(board.errors) == ["letters"]
    assert "nightly.letters" in board.errors["letters"].message
    assert board["openai:a"].tasks["capitals"].mean == 0.75
    assert any("task letters" in event.text for event in seen if isinstance(event, Note))


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"tests": {}}, {}, "suite: 'tests' is no section of a suite"),
        ({"tasks": {}}, {}, "suite: there are no tasks"),
        ({"tasks": {"a": {"promt": "x"}}}, {}, r"suite, \[tasks.a\]: .*promt"),
        ({"tasks": {"a": {"prompt": "x", "directory": "y"}}, "gates": {}}, {}, "task 'a' has no scorers"),
        ({"tasks": {"a": {"scorers": {"own": lambda answer: True}}}}, {}, "'own' is a function"),
        ({}, {"only": "capitls"}, "no task 'capitls'"),
        ({}, {"baseline": "nightly"}, "compared with itself"),
        ({}, {"max_drop": 2}, "max_drop is 2"),
        ({}, {"max_cost": -1}, "max_cost"),
        ({}, {"fail_under": "capitls.right >= 1"}, "^fail_under"),
        ({}, {"report": "board.doc"}, "board.doc"),
    ],
)
def test_mistakes_are_said_before_anything_is_asked(
    server: Provider, tmp_path: Path, change: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    write_suite(tmp_path)
    with pytest.raises(umwelten.UmweltenError, match=said) as caught:
        umwelten.suite({**as_dict(), **change}, **options).wait()
    assert "--" not in str(caught.value)
    assert server.idle().requests == 0
    assert not Path("output").exists()


def test_failed_calls_are_made_again(server: Provider, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    server.use(profile(Rule(model="b", prompt="Bern", behaviour=Behaviour(fault=400))))
    board = umwelten.suite(path, retries=0).wait()
    assert board[B].tasks["letters"].unscored == {"no_answer": 1}
    server.use(profile())
    assert umwelten.suite(path).wait()[B].tasks["letters"].scored == 4
