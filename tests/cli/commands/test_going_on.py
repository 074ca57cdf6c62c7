"""`eval resume` and `eval retry`: an evaluation goes on with the options that it was started with."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from forked import FORKS
from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

FAILING = Profile(rules=(Rule(model="b", first=2, behaviour=Behaviour(fault=400)),))


def texts(folder: Path, count: int = 2) -> None:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}.txt").write_text(f"text {number}")


def statuses(folder: Path) -> dict[str, int]:
    with sqlite3.connect(folder / "evaluation.db") as connection:
        found = dict(connection.execute("SELECT status, count(*) FROM calls GROUP BY status").fetchall())
    connection.close()
    return {"succeeded": found.get(1, 0), "failed": found.get(2, 0)}


def test_failed_calls_are_made_again_by_the_id_alone_and_from_anywhere(cli, tmp_path):
    texts(tmp_path / "texts")
    (tmp_path / "prompt.md").write_text("Sum up {{content}}")
    (tmp_path / "elsewhere").mkdir()
    with provider(FAILING) as server:
        begun = ("eval", "batch", "-p", "@prompt.md", "-s", "Be brief", "-m", "openai:a,openai:b")
        code, _, err = cli(*begun, "--directory", "texts", "-i", "demo", "-t", "0.5", env=server.env())
        assert code == 1
        assert "umwelten eval resume demo" in " ".join(err.split())
        (tmp_path / "prompt.md").unlink()
        output = str(tmp_path / "output")
        resume = ("eval", "resume", "--output-dir", output, "--verbose")
        code, _, err = cli(*resume, env=server.env(), cwd=tmp_path / "elsewhere")
        sent = server.ledger.records[-1]
    assert (code, statuses(tmp_path / "output" / "demo")) == (0, {"succeeded": 4, "failed": 0})
    assert "latest evaluation: demo" in err
    assert f"paths are as seen from {tmp_path}" in err
    assert sent.model == "b"


def test_only_failed_calls_are_retried_by_kind_and_model(cli, tmp_path):
    rules = (
        Rule(model="b", first=1, behaviour=Behaviour(fault=400)),
        Rule(model="b", behaviour=Behaviour(fault=401)),
    )
    texts(tmp_path / "texts", 3)
    batch = ("eval", "batch", "-p", "Sum up", "-m", "openai:b", "--directory", "texts", "-i", "demo")
    with provider(Profile(rules=rules)) as server:
        assert cli(*batch, env=server.env())[0] == 3
    assert statuses(tmp_path / "output" / "demo") == {"succeeded": 0, "failed": 1}
    with provider() as server:
        code, _, err = cli("eval", "retry", "demo", "--kind", "server,timeout", env=server.env())
        assert (code, "no failed call to make again" in err) == (0, True)
        code, _, err = cli("eval", "retry", "demo", "--model", "openai:c", env=server.env())
        assert (code, "Did you mean openai:b" in err) == (2, True)
        code, _, err = cli("eval", "retry", "demo", "--kind", "bad_request", env=server.env())
    assert statuses(tmp_path / "output" / "demo") == {"succeeded": 1, "failed": 0}


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_what_is_asked_stays_what_it_was(cli, command):
    with provider() as server:
        assert cli("eval", "run", "-p", "hi", "-m", "openai:a", "-i", "demo", env=server.env())[0] == 0
        code, _, err = cli("eval", command, "demo", "--temperature", "1", env=server.env())
    assert code == 2
    assert "--reuse" in err


def test_without_any_evaluation_there_is_no_latest(cli):
    code, _, err = cli("eval", "resume")
    assert (code, "no evaluations in output" in err) == (2, True)


def test_no_key_is_stored_and_one_that_was_given_is_asked_for_again(cli, tmp_path):
    secret = "a-token-of-somebody"
    with provider(FAILING) as server:
        run = ("eval", "run", "-p", "hi", "-m", "openai:b", "-i", "demo", "--param", f"user_token={secret}")
        cli(*run, env=server.env())
        assert secret not in str(_given(tmp_path / "output" / "demo"))
        code, _, err = cli("eval", "resume", "demo", env=server.env())
    assert code == 2
    assert "--param of evaluation 'demo' is not stored: it may hold a key" in err


def _given(folder: Path) -> dict[str, object]:
    connection = sqlite3.connect(folder / "evaluation.db")
    row = connection.execute("SELECT given FROM runs ORDER BY id DESC").fetchone()
    connection.close()
    return dict(json.loads(row[0])["options"]["options"])


def test_a_stranger_s_evaluation_reads_nothing_elsewhere_unasked(cli, tmp_path):
    texts(tmp_path / "texts")
    batch = ("eval", "batch", "-p", "Sum up", "-m", "openai:b", "-i", "demo", "--directory")
    with provider(FAILING) as server:
        assert cli(*batch, str(tmp_path / "texts"), env=server.env())[0] == 1
        stranger = {**server.env(), "XDG_STATE_HOME": str(tmp_path / "other")}
        code, _, err = cli("eval", "resume", "demo", env=stranger)
        assert code == 2
        assert "was not started by you on this machine" in err
        assert str(tmp_path / "texts") in err
        code, _, err = cli("eval", "resume", "demo", "--trust", env=stranger)
        assert (code, statuses(tmp_path / "output" / "demo")["succeeded"]) == (0, 2)


def test_an_evaluation_of_an_earlier_version_goes_on_with_its_files_and_request(cli, tmp_path):
    texts(tmp_path / "texts")
    batch = ("eval", "batch", "-p", "Sum up", "-m", "openai:a,openai:b", "-i", "demo", "--directory", "texts")
    with provider(FAILING) as server:
        assert cli(*batch, "-t", "0.5", "--schema", "title", env=server.env())[0] == 1
        _forget(tmp_path / "output" / "demo")
        (tmp_path / "texts" / "later.txt").write_text("not of the plan")
        code, _, err = cli("eval", "resume", "demo", env=server.env())
        assert (code, "--trust" in err) == (2, True)
        code, _, err = cli("eval", "resume", "demo", "--trust", env=server.env())
    assert (code, statuses(tmp_path / "output" / "demo")) == (0, {"succeeded": 4, "failed": 0})


def test_what_an_earlier_version_did_not_keep_is_named(cli, tmp_path):
    (tmp_path / "rows.csv").write_text("a\n1\n")
    batch = ("eval", "batch", "-p", "{{row.a}}", "-m", "openai:b", "-i", "demo", "--rows", "rows.csv")
    with provider(FAILING) as server:
        cli(*batch, env=server.env())
        _forget(tmp_path / "output" / "demo")
        code, _, err = cli("eval", "resume", "demo", env=server.env())
    assert code == 2
    assert "umwelten eval batch --id demo --resume --rows FILE" in err


def _forget(folder: Path) -> None:
    with sqlite3.connect(folder / "evaluation.db") as connection:
        connection.execute("UPDATE runs SET given = '{}'")
    connection.close()


def test_what_a_judge_said_goes_on_by_scoring_again(cli, tmp_path):
    score = ("--scorer", "polite=judge:Is it polite?", "--judge", "openai:j")
    with provider() as server:
        cli("eval", "run", "-p", "hi", "-m", "openai:a", "-i", "demo", *score, env=server.env())
        code, _, err = cli("eval", "resume", "demo.polite", env=server.env())
        assert code == 2
        assert "umwelten eval score demo" in err
        # The latest is one of the user's own.
        code, _, err = cli("eval", "resume", env=server.env())
        assert "latest evaluation: demo\n" in err


def test_a_renamed_and_a_moved_one_go_on(cli, tmp_path):
    with provider(FAILING) as server:
        run = ("eval", "run", "-p", "hi", "-m", "openai:a,openai:b", "-i", "demo")
        assert cli(*run, env=server.env())[0] == 1
        assert cli("eval", "rename", "demo", "other", env=server.env())[0] == 0
        shutil.move(tmp_path / "output", tmp_path / "moved")
        code, _, _ = cli("eval", "resume", "other", "--output-dir", "moved", env=server.env())
        assert code == 1  # the second of two failures
        code, _, _ = cli("eval", "resume", "other", "--output-dir", "moved", env=server.env())
    assert (code, statuses(tmp_path / "moved" / "other")["succeeded"]) == (0, 2)


@pytest.mark.parametrize("data", ['rows=[{"a": 1}, {"a": 2}]', 'inputs=["one", "two"]'])
def test_what_a_python_program_gave_goes_on_from_the_evaluation_s_folder(cli, tmp_path, data):
    program = f'import umwelten\numwelten.batch("Say it", "openai:b", {data}, id="demo").wait()'
    with provider(Profile(rules=(Rule(model="b", first=1, behaviour=Behaviour(fault=400)),))) as server:
        ran = FORKS.run(["-c", program], cwd=tmp_path, env=server.env())
        assert ran.code == 0, ran.err
        assert statuses(tmp_path / "output" / "demo") == {"succeeded": 1, "failed": 1}
        code, _, err = cli("eval", "resume", env=server.env())
    assert (code, statuses(tmp_path / "output" / "demo")) == (0, {"succeeded": 2, "failed": 0}), err


def test_texts_outside_of_its_folder_are_no_texts_of_a_program(cli, tmp_path):
    program = 'import umwelten\numwelten.batch("Say it", "openai:b", inputs=["one"], id="demo").wait()'
    (tmp_path / "secret.txt").write_text("of the user's")
    with provider(FAILING) as server:
        assert FORKS.run(["-c", program], cwd=tmp_path, env=server.env()).code == 0
        with sqlite3.connect(tmp_path / "output" / "demo" / "evaluation.db") as connection:
            connection.execute("UPDATE inputs SET path = ?", (str(tmp_path / "secret.txt"),))
        connection.close()
        code, _, err = cli("eval", "resume", "demo", env=server.env())
        assert (code, "outside of its folder" in err) == (2, True)
        assert server.idle().requests == 1


def test_a_program_s_path_among_its_texts_is_named_with_how_to_go_on(cli, tmp_path):
    (tmp_path / "own.txt").write_text("of the program's")
    data = 'inputs=["one", pathlib.Path("own.txt")]'
    program = f'import pathlib, umwelten\numwelten.batch("Say it", "openai:b", {data}, id="demo").wait()'
    with provider(FAILING) as server:
        assert FORKS.run(["-c", program], cwd=tmp_path, env=server.env()).code == 0
        code, _, err = cli("eval", "resume", "demo", env=server.env())
    assert code == 2
    assert "own.txt, which is outside of its folder" in " ".join(err.split())
    assert "go on there, with --resume" in " ".join(err.split())


def test_a_stranger_s_evaluation_uses_no_memory_and_no_file_of_a_variant_unasked(cli, tmp_path):
    (tmp_path / "umwelten.toml").write_text('[variants.x]\nsystem = "brief"\n')
    with provider(FAILING) as server:
        run = ("eval", "run", "-p", "hi", "-m", "openai:b@x", "-i", "demo", "--memory", "me", "--scope", "a")
        cli(*run, env=server.env())
        _say_as_a_stranger(tmp_path / "output" / "demo", '{"text":"brief"}', '"@/etc/hostname"')
        code, _, err = cli("eval", "resume", "demo", env=server.env())
    assert code == 2
    assert "sends what your memory store me knows" in err
    assert "/etc/hostname" in err


def _say_as_a_stranger(folder: Path, old: str, new: str) -> None:
    with sqlite3.connect(folder / "evaluation.db") as connection:
        (given,) = connection.execute("SELECT given FROM runs").fetchone()
        assert old in given
        connection.execute("UPDATE runs SET given = ?", (given.replace(old, new),))
    connection.close()
