"""Evaluations that are deleted, renamed and copied, and ids that belong to judges."""

from __future__ import annotations

import gc

import pytest

from provider import provider
from store.judged import evaluate, judged
from store.making import query
from umwelten.cli.app import cli as command
from umwelten.errors import UmweltenError
from umwelten.simulate.faultserver.profile import Behaviour, Profile

PLAIN = ("--progress", "none")
POLITE = ("--scorer", "polite=judge:Is it polite?", "--judge", "openai:j", *PLAIN)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Run a command in this process; its errors are raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    yield lambda *words: command.main(list(words), prog_name="umwelten", standalone_mode=False)
    gc.enable()  # a run goes without


def test_judges_are_asked_about_what_matches_and_go_along(cli, here, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for text in ("one", "two"):
        (tmp_path / "in" / f"{text}.txt").write_text(text)
    with provider(Profile(default=Behaviour(text="{prompt}"))) as server:
        env = server.env()
        batch = ("eval", "batch", "-p", "Read.", "--directory", "in", "-m", "openai:a", "-i", "one", *PLAIN)
        assert cli(*batch, "--scorer", "right=contains:one.txt", env=env).code == 0
        server.reset()
        where = ("--where", "pass.right = false")
        assert "1 verdict" in cli("eval", "score", "one", *POLITE, *where, env=env).err
        assert server.idle().requests == 1
        here("eval", "rename", "one", "two")
        assert capsys.readouterr().out == "one renamed to two\none.polite renamed to two.polite\n"
        here("eval", "copy", "two", "three")
        assert "2 verdicts" in cli("eval", "score", "three", *POLITE, env=env).err
        assert server.idle().requests == 2  # the first one's is as it was


def test_no_run_takes_the_place_of_a_judge(here, tmp_path):
    judged(tmp_path / "output" / "x")
    with pytest.raises(UmweltenError, match=r"'x\.right' holds what the judge 'right' said of 'x'") as caught:
        here("eval", "run", "-p", "y", "-m", "openai:a", "-i", "x.right", "--overwrite")
    assert "umwelten eval score x; to remove what it said: umwelten eval delete x.right" in str(caught.value)


@pytest.mark.parametrize("asks", [True, False])
def test_no_judge_takes_the_place_of_another_evaluation(here, tmp_path, asks):
    if not asks:
        evaluate(tmp_path / "output" / "x")
    evaluate(tmp_path / "output" / "x.polite")
    line = ("eval", "run", "-p", "y", "-m", "openai:a", "-i", "x") if asks else ("eval", "score", "x")
    with pytest.raises(UmweltenError, match=r"umwelten eval rename x\.polite NEW"):
        here(*line, *POLITE)
    assert query(tmp_path / "output" / "x.polite", "SELECT count(*) FROM runs") == [(1,)]


def test_deleting_asks_first(here, tmp_path, capsys):
    judged(tmp_path / "output" / "x")
    with pytest.raises(UmweltenError, match="add --yes"):
        here("eval", "delete", "x")
    with pytest.raises(UmweltenError, match=r"no evaluation 'x\.rigt'.*\n.*Did you mean 'x\.right'"):
        here("eval", "delete", "x.rigt", "--yes")
    here("eval", "delete", "x", "--yes")
    assert capsys.readouterr().out == "deleted x.right\ndeleted x.polite.fair\ndeleted x.polite\ndeleted x\n"
    assert [path.name for path in (tmp_path / "output").iterdir()] == ["x.other"]


@pytest.mark.parametrize("word", ["rename", "copy"])
@pytest.mark.parametrize(("new", "said"), [("x.other", "exists already"), ("y" * 120, "cannot be an id")])
def test_names_that_cannot_be_are_refused(here, tmp_path, word, new, said):
    judged(tmp_path / "output" / "x")
    with pytest.raises(UmweltenError, match=said):
        here("eval", word, "x", new)
