"""Evaluations that are deleted, renamed and copied, and ids that belong to judges."""

from __future__ import annotations

import pytest

from provider import provider
from store.judged import evaluate, judged
from store.making import answer_all, files, never, spec
from umwelten.simulate.faultserver.profile import Behaviour, Profile
from umwelten.store.store import Store

PLAIN = ("--progress", "none")
BATCH = ("eval", "batch", "-p", "Read.", "--directory", "in", "-m", "openai:a", *PLAIN)
POLITE = ("--scorer", "polite=judge:Is it polite?", "--judge", "openai:j", *PLAIN)


def test_judges_go_along_and_are_asked_nothing_again(cli, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.txt").write_text("text")
    with provider(Profile(default=Behaviour(text="{prompt}"))) as server:
        env = server.env()
        assert cli(*BATCH, "-i", "one", *POLITE[:4], env=env).code in (0, 1)
        server.idle()
        server.reset()
        code, out, _ = cli("eval", "rename", "one", "two")
        assert (code, out) == (0, "one renamed to two\none.polite renamed to two.polite\n")
        assert "1 verdict" in cli("eval", "score", "two", *POLITE, env=env).err
        assert server.idle().requests == 0


def test_no_run_takes_the_place_of_a_judge(cli, tmp_path):
    judged(tmp_path / "output" / "x")
    line = ("eval", "run", "-p", "y", "-m", "openai:a", "-i", "x.right", "--overwrite")
    code, _, err = cli(*line, env={"OPENAI_API_KEY": "k"})
    assert code == 2
    assert "'x.right' holds what the judge 'right' said of 'x'" in err
    assert "umwelten eval score x; to remove what it said: umwelten eval delete x.right" in err


def test_a_judge_is_asked_only_about_the_answers_that_match(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for text in ("one", "two"):
        (tmp_path / "in" / f"{text}.txt").write_text(text)
    with provider(Profile(default=Behaviour(text="{prompt}"))) as server:
        env = server.env()
        right = ("--scorer", "right=contains:one.txt")
        assert cli(*BATCH, "-i", "x", *right, env=env).code == 0
        server.reset()
        where = ("--where", "pass.right = false")
        assert "1 verdict" in cli("eval", "score", "x", *POLITE, *where, env=env).err
        assert server.idle().requests == 1


@pytest.mark.parametrize("asks", [True, False])
def test_no_judge_takes_the_place_of_another_evaluation(cli, tmp_path, asks):
    if not asks:
        evaluate(tmp_path / "output" / "x")
    evaluate(tmp_path / "output" / "x.polite")
    line = ("eval", "run", "-p", "y", "-m", "openai:a", "-i", "x") if asks else ("eval", "score", "x")
    code, _, err = cli(*line, *POLITE, env={"OPENAI_API_KEY": "k"})
    assert code == 2
    assert "umwelten eval rename x.polite NEW" in err
    with Store.resume(tmp_path / "output" / "x.polite", spec()) as store:  # nothing came of it
        store.set_inputs(files("a"), read_hash=never)
        assert answer_all(store) == []


def test_deleting_asks_first(cli, tmp_path):
    judged(tmp_path / "output" / "x")
    code, out, err = cli("eval", "delete", "x")
    assert (code, out) == (2, "")
    assert "add --yes" in err
    code, out, _ = cli("eval", "delete", "x", "--yes")
    assert (code, out) == (0, "deleted x.right\ndeleted x.polite.fair\ndeleted x.polite\ndeleted x\n")
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["x.other"]


@pytest.mark.parametrize(
    ("command", "new", "said"),
    [("rename", "x.other", "exists already"), ("copy", "y" * 120, "cannot be an id")],
)
def test_names_that_cannot_be_are_refused(cli, tmp_path, command, new, said):
    judged(tmp_path / "output" / "x")
    code, _, err = cli("eval", command, "x", new)
    assert (code, said in err) == (2, True), err
