"""`eval suite` as it is typed: what it asks, prints and leaves, and how it ends."""

from __future__ import annotations

import json
import os
import shlex
import signal
from pathlib import Path

import pytest

from conftest import Cli
from forked import FORKS
from provider import clean_environment, provider
from suitekit import SUITE, profile, write_suite
from umwelten.evaluation.scoring.jury import spent_nusd
from umwelten.simulate.faultserver.profile import Behaviour, Rule
from umwelten.types import NANO


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
        step = again.err.rpartition("  tasks  umwelten ")[2]
        assert "nightly.letters" in cli(*shlex.split(step), env=server.env()).out
        further = ("-m", "openai:a,openai:b,openai:c", "--dry-run", "--json")
        plan = json.loads(cli("eval", "suite", path, *further, env=server.env()).out)
        assert (plan["calls"], plan["judge_calls"]) == (8, 4)  # verdicts that are there are not asked again
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
    fails = Rule(model="b", prompt="Bern", behaviour=Behaviour(fault=500))
    with provider(profile(fails)) as server:
        ran = cli("eval", "suite", path, "--retries", "0", env=server.env())
        assert (ran.code, "--resume" in ran.err) == (1, False)  # which a suite does not have
        assert "the same command tries these calls" in " ".join(ran.err.split())
        assert "umwelten eval suite suites/nightly.toml --retries 0" in ran.err
        asked = server.idle().requests
        server.use(profile())
        ran = cli("eval", "suite", path, env=server.env())
        # The answer and what the judge says of it.
        assert (ran.code, server.idle().requests - asked) == (0, 2)


@pytest.mark.skipif(os.name == "nt", reason="sends a signal")
def test_an_interrupted_suite_begins_no_further_task(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    slow = Rule(model="b", behaviour=Behaviour(text="{prompt}", latency_s=(0.3,)))
    with provider(profile(slow)) as server, (tmp_path / "notes").open("wb") as notes:
        process = FORKS.start(
            ["-m", "umwelten", "eval", "suite", path],
            cwd=tmp_path,
            env=clean_environment(server.env()),
            stdout=notes.fileno(),
            stderr=notes.fileno(),
        )
        server.await_requests(3)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        said = (tmp_path / "notes").read_text()
        assert ("task letters: not begun" in said, "umwelten eval suite suites/nightly.toml" in said) == (
            True,
            True,
        )
        assert server.idle().requests < 8
        server.use(profile())
        assert (cli("eval", "suite", path, env=server.env()).code, server.idle().requests) == (0, 24)


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


def test_scores_of_other_scorers_are_no_part_of_a_task(cli: Cli, tmp_path: Path) -> None:
    text = SUITE[: SUITE.index("[tasks.letters]")]
    path = write_suite(tmp_path, text.replace("scorers.right", "scorers.old"))
    with provider(profile()) as server:
        assert cli("eval", "suite", path, env=server.env()).code == 0
        write_suite(tmp_path, text.replace("{{row.country}}", "{{row.city}}"))
        # No scorer called old is there any more to score what the third model says.
        words = ("-m", "openai:c,openai:a", "--json", "--report", "board.junit.xml")
        ran = cli("eval", "suite", path, *words, env=server.env())
    board, junit = json.loads(ran.out), (tmp_path / "board.junit.xml").read_text()
    assert (ran.code, "right: 0.000" in junit, "old: " in junit) == (0, True, False)
    assert [(row["mean"], row["tasks"]["capitals"]["mean"]) for row in board["rows"]] == [(0, 0), (0, 0)]
    assert (board["tasks"][0]["scorers"], len(board["notes"])) == (["right"], 1)


def test_a_limit_of_costs_is_one_for_all_and_leaves_the_rest_unbegun(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    models = ("a", "b", "judge")
    rows = [f'[prices."openai:{model}"]\ninput = 1\noutput = 100\n' for model in models]
    (tmp_path / "umwelten.toml").write_text("".join(rows))
    folders = [tmp_path / "output" / f"nightly.{name}" for name in ("capitals", "letters", "letters.polite")]
    limited = ("eval", "suite", path, "--max-tokens", "20", "--max-cost")
    with provider(profile()) as server:
        ran = cli(*limited, "0.003", env=server.env())
        assert (ran.code, "task letters: not begun" in ran.err) == (3, True)
        assert (folders[0].exists(), folders[1].exists()) == (True, False)
        assert cli(*limited, "1", "--only", "capitals", env=server.env()).code == 0
        # What the first task has spent is missing in the second, which is not enough there.
        limit_nusd = spent_nusd(folders[0]) + 3_000_000
        ran = cli(*limited, f"{limit_nusd / NANO:.9f}", env=server.env())
        assert (ran.code, folders[1].exists(), folders[2].exists()) == (3, True, True)
        assert 0 < spent_nusd(folders[1]) <= 1_000_000  # an answer may cost two
        assert sum(map(spent_nusd, folders)) <= limit_nusd
        ran = cli(*limited, "1", env=server.env())
        assert (ran.code, server.idle().requests) == (0, 24)


def test_judges_may_spend_what_answers_of_all_tasks_leave(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    output = {"a": 100, "b": 100, "judge": 1}  # all answers cost four times what a verdict may
    rows = [f'[prices."openai:{model}"]\ninput = 1\noutput = {usd}\n' for model, usd in output.items()]
    (tmp_path / "umwelten.toml").write_text("".join(rows))
    folders = [tmp_path / "output" / f"nightly.{name}" for name in ("capitals", "letters", "letters.polite")]
    limited = ("eval", "suite", path, "--max-tokens", "20", "--retries", "0", "--max-cost")
    with provider(profile(Rule(model="judge", behaviour=Behaviour(fault=500)))) as server:
        assert cli(*limited, "1", env=server.env()).code == 1
        asked, spent = server.idle().requests, sum(map(spent_nusd, folders[:2]))
        server.use(profile())
        ran = cli(*limited, f"{(spent + 1_000) / NANO:.9f}", env=server.env())
        assert (ran.code, server.idle().requests, spent_nusd(folders[2])) == (3, asked, 0)


@pytest.mark.parametrize(("verdict", "code"), [("fail", 4), ("cannot_tell", 1)])
def test_gates_decide_on_the_exit_status(cli: Cli, tmp_path: Path, verdict: str, code: int) -> None:
    path = write_suite(tmp_path)
    with provider(profile(verdict=verdict)) as server:
        assert cli("eval", "suite", path, env=server.env()).code == code


def test_a_baseline_is_compared_task_by_task(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        only = ("--only", "capitals", "--report", "only.junit.xml")
        assert cli("eval", "suite", path, *only, env=server.env()).code == 0
        # What was left out is no error.
        assert 'tests="9" failures="2" errors="0"' in (tmp_path / "only.junit.xml").read_text()
        ran = cli("eval", "suite", path, "-i", "new", "--baseline", "nightly", env=server.env())
        assert (ran.code, "the baseline 'nightly' has no task 'letters'" in ran.err) == (0, True)
        asked = server.idle().requests
        ran = cli("eval", "suite", path, "-i", "new", "--baseline", "nigtly", env=server.env())
        assert (
            ran.code,
            server.idle().requests,
            "Did you mean 'nightly'? There are new, nightly." in ran.err,
        ) == (
            2,
            asked,
            True,
        )
        write_suite(tmp_path, SUITE.replace("weight = 3", 'scorers.same = { type = "exact" }'))
        ran = cli("eval", "suite", path, "-i", "new", "--baseline", "nightly", env=server.env())
        assert (ran.code, "scorer same of task capitals is not compared" in ran.err) == (0, True)
        write_suite(tmp_path, SUITE.replace("contains", "f1"))
        ran = cli("eval", "suite", path, "-i", "new", "--baseline", "nightly", env=server.env())
        assert (ran.code, "task 'capitals' has other scorers than its baseline" in ran.err) == (2, True)
        assert server.idle().requests == asked


def test_options_without_effect_are_refused_by_name(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    (tmp_path / "umwelten.toml").write_text(
        '[profiles.gated]\nfail_under = "right >= 0.9"\n[profiles.learns]\nmemory = "facts"\nscope = "all"\n'
    )
    with provider(profile()) as server:
        for words, said in (
            (("--only", ""), "has no task ''"),
            (("--max-drop", "2%"), "--max-drop goes with --baseline"),
            (("--baseline", "../old/nightly"), "'../old/nightly' cannot be an id"),
            (("--only", "letters", "--fail-under", "total >= 0.5"), "'total >= 0.5' is about tasks that do"),
            (("--profile", "gated"), "gate 'right >= 0.9': 'right' is no metric of a suite"),
            (("--profile", "learns"), "a suite learns nothing from its answers"),
        ):
            ran = cli("eval", "suite", path, *words, env=server.env())
            assert (ran.code, said in ran.err, server.ledger.requests) == (2, True, 0)


def test_a_score_that_regressed_ends_with_4(cli: Cli, tmp_path: Path) -> None:
    text = SUITE[: SUITE.index("[tasks.letters]")].replace(', "openai:b"', "")
    path = write_suite(tmp_path, text)
    rows = [f"City {n},Land {n},It is Land {n}." for n in range(12)]
    (tmp_path / "suites" / "data" / "capitals.csv").write_text("\n".join(("city,country,answer", *rows)))
    with provider(profile()) as server:
        assert cli("eval", "suite", path, env=server.env()).code == 0
        server.use(profile(Rule(model="a", behaviour=Behaviour(text="Nobody knows."))))
        ran = cli("eval", "suite", path, "-i", "new", "--baseline", "nightly", env=server.env())
        assert (ran.code, "regressed" in ran.out) == (4, True)
        ran = cli(
            "eval", "suite", path, "-i", "new", "--baseline", "nightly", "--exit-zero", env=server.env()
        )
        assert ran.code == 0


def test_an_estimate_asks_before_going_on_and_the_repeat_continues(cli: Cli, tmp_path: Path) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        ran = cli("eval", "suite", path, "--estimate", "4", env=server.env())
        assert (ran.code, server.idle().requests) == (3, 8)
        assert "continue with: umwelten eval suite suites/nightly.toml\n" in ran.err
        refused = Behaviour(fault=401)
        server.use(profile(Rule(model="a", behaviour=refused), Rule(model="b", behaviour=refused)))
        ran = cli("eval", "suite", path, "-i", "new", "--estimate", "4", "--json", env=server.env())
        assert (ran.code, json.loads(ran.out)) == (3, {"suite": "new", "tasks": {}})
        server.reset()
        server.use(profile())
        ran = cli("eval", "suite", path, "--estimate", "4", "--yes", env=server.env())
        assert (ran.code, server.idle().requests) == (0, 16)


def test_an_estimate_asks_before_judges_are_paid_and_tells_of_which_tasks_it_is(
    cli: Cli, tmp_path: Path
) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        assert cli("eval", "suite", path, "--only", "capitals", env=server.env()).code == 0
        ran = cli("eval", "suite", path, "--estimate", "4", env=server.env())
        assert (ran.code, "1 of 2 tasks: " in ran.err, "all tasks" in ran.err) == (3, True, False)
        assert cli("eval", "suite", path, env=server.env()).code == 0
        assert server.idle().requests == 24
        assert cli("eval", "suite", path, "--estimate", "4", env=server.env()).code == 0
        write_suite(tmp_path, SUITE.replace("polite", "kind"))
        ran = cli("eval", "suite", path, "--estimate", "4", env=server.env())
        assert (ran.code, server.idle().requests) == (3, 24)
        assert "judge kind of letters: up to 8 further calls" in ran.err
        assert cli("eval", "suite", path, "--estimate", "4", "--yes", env=server.env()).code == 0
        assert server.idle().requests == 32


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("data/capitals.csv", "data/capitols.csv", "line 5, [tasks.capitals]: cannot read"),
        ("{{row.country}}", "{{row.contry}}", "line 9, [tasks.capitals]: "),
        ('row_name = "city"\nprompt = "Dear', 'row_name = "town"\nprompt = "Dear', "has no column 'town'"),
        ('scorers.right = { type = "contains" }', "", "task 'capitals' has no scorers"),
        ("openai:judge", "openrouter:judge", "OPENROUTER_API_KEY"),
        ('"openai:b"', '"opnai:b"', "line 3, [suite]: 'opnai' in 'opnai:b' is not a known provider"),
        ('"contains" }', '"contains", expected = "It" }', "scorer 'right': expected: 'It' names no"),
        ('"nightly"', f'"{"n" * 115}"', "line 13, [tasks.letters]: 'nnn"),
        ('"{{row.country}}"', '"data/gold.csv"', "a column 'expected', and suites/data/gold.csv has"),
    ],
)
def test_what_is_wrong_in_any_task_is_said_with_its_line_before_the_first_call(
    cli: Cli, tmp_path: Path, old: str, new: str, said: str
) -> None:
    path = write_suite(tmp_path, SUITE.replace(old, new))
    (tmp_path / "suites" / "data" / "gold.csv").write_text("file,country\nParis,France\n")
    with provider(profile()) as server:
        env = server.env()
        del env["OPENROUTER_API_KEY"]
        ran = cli("eval", "suite", path, env=env)
        assert (ran.code, server.ledger.requests) == (2, 0)
    assert said in ran.err
    assert not (tmp_path / "output").exists()


def test_a_model_of_the_command_is_not_put_down_to_a_line_of_the_file(cli: Cli, tmp_path: Path) -> None:
    ran = cli("eval", "suite", write_suite(tmp_path), "-m", "openai", env={"OPENAI_API_KEY": "k"})
    assert (ran.code, ran.err.splitlines()[0]) == (2, "Error: 'openai' is not a model name")


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


def test_scores_that_cannot_be_read_are_told_before_other_tasks_are_paid_for(
    cli: Cli, tmp_path: Path
) -> None:
    path = write_suite(tmp_path)
    with provider(profile()) as server:
        assert cli("eval", "suite", path, "--only", "letters", env=server.env()).code == 0
        asked = server.idle().requests
        (tmp_path / "output" / "nightly.letters" / "scores.db").write_bytes(b"scores" * 1000)
        ran = cli("eval", "suite", path, "--only", "capitals", env=server.env())
        assert (ran.code, server.idle().requests) == (2, asked)
    assert "nightly.letters/scores.db is damaged" in ran.err


def test_what_the_suite_says_of_judges_is_for_tasks_that_have_some(cli: Cli, tmp_path: Path) -> None:
    text = SUITE.replace(', model = "openai:judge"', "").replace(
        'name = "nightly"', 'name = "nightly"\njudge = "openai:judge"\ncoerce = true\nfile_pattern = "*.md"'
    )
    path = write_suite(tmp_path, text)
    with provider(profile()) as server:
        ran = cli("eval", "suite", path, "--samples", "2", "--dry-run", "--json", env=server.env())
        assert (ran.code, json.loads(ran.out)["judge_calls"]) == (0, 16)
        ran = cli("eval", "suite", path, "--only", "capitals", "--samples", "2", env=server.env())
        assert (ran.code, "--samples is for judges, and no task has one" in ran.err) == (2, True)


def test_a_file_that_is_named_is_trusted_and_a_projects_settings_are_not(cli: Cli, tmp_path: Path) -> None:
    project = tmp_path / "project"
    path = write_suite(project)
    text = (project / path).read_text().replace("data/capitals.csv", "../../data.csv")
    (project / path).write_text(text)
    (project / "suites" / "data" / "capitals.csv").rename(tmp_path / "data.csv")
    with provider(profile()) as server:
        ran = cli("eval", "suite", path, "--dry-run", env=server.env(), cwd=project)
        assert ran.code == 0
        (project / "umwelten.toml").write_text('[defaults]\nreport = "../out.html"\n')
        ran = cli("eval", "suite", path, env=server.env(), cwd=project)
        assert (ran.code, server.ledger.requests) == (2, 0)
    assert "umwelten.toml:2: this project's file writes to" in ran.err
