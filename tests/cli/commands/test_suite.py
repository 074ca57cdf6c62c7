"""`eval suite` as it is typed: what it asks, prints and leaves, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import Cli
from provider import provider
from suitekit import SUITE, profile, write_suite
from umwelten.simulate.faultserver.profile import Behaviour, Rule


def test_a_suite_asks_scores_and_judges_once_and_a_repeat_asks_nothing(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        planned = cli("eval", "suite", path, "--dry-run", "--json", env=server.env())
        plan = json.loads(planned.out)
        assert (plan["calls"], plan["judge_calls"], server.ledger.requests) == (16, 8, 0)
        assert (
            plan["tasks"]["capitals"]["calls"],
            plan["tasks"]["letters"]["judges"]["polite"]["calls"],
        ) == (8, 8)
        ran = cli("eval", "suite", path, env=server.env())
        assert (ran.code, server.idle().requests) == (0, 24)
        assert "task 2 of 2: letters (nightly.letters)" in ran.err
        assert [line for line in ran.out.splitlines() if line.startswith("gate ")] == [
            "gate capitals.right >= 0.5: met",
            "gate letters.polite.pass >= 0.5: met",
            "gate total >= 0.5: met",
        ]
        again = cli("eval", "suite", path, "--json", env=server.env())
        assert (again.code, server.idle().requests) == (0, 24)
    board = json.loads(again.out)
    assert [(row["model"], row["mean"]) for row in board["rows"]] == [
        ("openai:a", 0.8125),
        ("openai:b", 0.8125),
    ]
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == [
        "nightly.capitals",
        "nightly.letters",
        "nightly.letters.polite",
    ]


def test_failed_calls_are_made_again_by_the_same_command(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    fails = Rule(model="b", prompt="Bern", behaviour=Behaviour(fault=400))
    with provider(profile(fails)) as server:
        ran = cli("eval", "suite", path, "--retries", "0", env=server.env())
        assert ran.code == 1
        assert "umwelten eval suite suites/nightly.toml --retries 0" in ran.err
        asked = server.idle().requests
        server.use(profile())
        ran = cli("eval", "suite", path, env=server.env())
        # The answer and what the judge says of it.
        assert (ran.code, server.idle().requests - asked) == (0, 2)


def test_flags_count_over_tasks_which_count_over_the_suite(cli: Cli, tmp_path: Path) -> None:
    text = SUITE.replace('models = ["openai:a", "openai:b"]', 'models = "openai:a"\ntemperature = 0.5')
    text = text.replace("weight = 3", 'weight = 3\nmodels = "openai:b"\ntemperature = 0.25')
    path = write_suite(tmp_path, text)
    (tmp_path / "umwelten.toml").write_text(
        '[defaults]\nmodels = "openai:c"\ntemperature = 1\nmax_tokens = 7\n'
    )
    with provider(profile()) as server:
        ran = cli("eval", "suite", path, "--dry-run", "--json", env=server.env())
        plans = json.loads(ran.out)["tasks"]
        assert (list(plans["capitals"]["by_model"]), list(plans["letters"]["by_model"])) == (
            ["openai:b"],
            ["openai:a"],
        )
        ran = cli("eval", "suite", path, "--only", "capitals", "-m", "openai:d", env=server.env())
        assert ran.code == 0
        records = server.idle().records
    assert {record.model for record in records} == {"d"}
    bodies = [json.loads(record.body or "{}") for record in records]
    assert {
        (body["temperature"], record.max_tokens) for body, record in zip(bodies, records, strict=True)
    } == {(0.25, 7)}


def test_a_limit_of_costs_is_one_for_all_and_leaves_the_rest_unbegun(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    prices = '[prices."openai:a"]\ninput = 1\noutput = 100\n[prices."openai:b"]\ninput = 1\noutput = 100\n'
    (tmp_path / "umwelten.toml").write_text(prices + '[prices."openai:judge"]\ninput = 1\noutput = 100\n')
    with provider(profile()) as server:
        limited = ("eval", "suite", path, "--max-tokens", "20", "--max-cost")
        ran = cli(*limited, "0.003", env=server.env())
        assert (ran.code, "task letters: not begun" in ran.err) == (3, True)
        assert not (tmp_path / "output" / "nightly.letters").exists()
        ran = cli(*limited, "1", env=server.env())
        assert (ran.code, server.idle().requests) == (0, 24)


@pytest.mark.parametrize(
    ("verdict", "more", "code"), [("fail", (), 4), ("fail", ("--exit-zero",), 0), ("cannot_tell", (), 1)]
)
def test_gates_decide_on_the_exit_status(
    cli: Cli, tmp_path: Path, verdict: str, more: tuple[str, ...], code: int
) -> None:
    path = write_suite(tmp_path)
    with provider(profile(verdict=verdict)) as server:
        ran = cli("eval", "suite", path, *more, env=server.env())
    assert ran.code == code


def test_a_baseline_is_compared_task_by_task(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        assert cli("eval", "suite", path, "--only", "capitals", env=server.env()).code == 0
        ran = cli("eval", "suite", path, "-i", "new", "--baseline", "nightly", env=server.env())
        assert (ran.code, "the baseline 'nightly' has no task 'letters'" in ran.err) == (0, True)
        asked = server.idle().requests
        ran = cli("eval", "suite", path, "-i", "new", "--baseline", "nigtly", env=server.env())
        assert (ran.code, server.idle().requests, "Did you mean 'nightly'?" in ran.err) == (2, asked, True)


def test_an_estimate_asks_before_going_on_and_the_repeat_continues(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        ran = cli("eval", "suite", path, "--estimate", "4", env=server.env())
        assert (ran.code, server.idle().requests) == (3, 8)
        assert "continue with: umwelten eval suite suites/nightly.toml\n" in ran.err
        ran = cli("eval", "suite", path, "--estimate", "4", "--yes", env=server.env())
        assert (ran.code, server.idle().requests) == (0, 24)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "weight = 3",
            "wieght = 3",
            "line 10, [tasks.capitals]: 'wieght' is not known\nDid you mean 'weight'?",
        ),
        ("row_name", "row_nam", "Did you mean 'row_name'?"),
        ('"contains"', '"contian"', "[tasks.capitals.scorers]: scorer 'right' is of type 'contian'"),
        ('"capitals.right"', '"capitls.right"', "line 20, [gates]: gate 'capitls.right"),
        ("[tasks.letters]", "[tasks.capitals]", "line 13"),
        ("[tasks.letters]", '[tasks."let.ters"]', "cannot be the name of a task"),
        ("[tasks.letters]", "[tasks.total]", "a task cannot be called 'total'"),
        ("data/capitals.csv", "data/capitols.csv", "line 5, [tasks.capitals]: cannot read"),
        ("{{row.country}}", "{{row.contry}}", "line 9, [tasks.capitals]: "),
        ('scorers.right = { type = "contains" }', "", "task 'capitals' has no scorers"),
        ('name = "nightly"', 'name = "a b"', "line 2, [suite]: 'a b' cannot be the name of a suite"),
        ("weight = 3", "max_cost = 3", "line 10, [tasks.capitals]: max_cost cannot be set here"),
        ("openai:judge", "openrouter:judge", "OPENROUTER_API_KEY"),
    ],
)
def test_what_is_wrong_in_any_task_is_said_with_its_line_before_the_first_call(
    cli: Cli, tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = write_suite(tmp_path, SUITE.replace(old, new))
    with provider(profile()) as server:
        env = server.env()
        del env["OPENROUTER_API_KEY"]
        ran = cli("eval", "suite", path, env=env)
        assert (ran.code, server.ledger.requests) == (2, 0)
    assert said in ran.err
    assert not (tmp_path / "output").exists()


def test_an_evaluation_that_is_something_else_is_left_alone(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        assert (
            cli("eval", "run", "-p", "hi", "-m", "openai:a", "-i", "nightly.letters", env=server.env()).code
            == 0
        )
        asked = server.idle().requests
        ran = cli("eval", "suite", path, env=server.env())
        assert (ran.code, server.idle().requests) == (2, asked)
    assert "evaluation 'nightly.letters' was started with other settings" in ran.err
    assert "Under another --id" in ran.err
