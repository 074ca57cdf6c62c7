"""Answers of other evaluations that are taken over: which, at what cost, and what is told of it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import umwelten
from provider import Profile, Provider
from umwelten.api.argument_names import as_argument
from umwelten.config.endpoints import vendors
from umwelten.config.settings import load
from umwelten.errors import InputError, UmweltenError, UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.preview import Preview, preview
from umwelten.events import RunStarted
from umwelten.report.queries.overviews import overview
from umwelten.simulate.faultserver.profile import Behaviour
from umwelten.store.reader import Reader

TABLE = "q\none\ntwo\nthree\n"


@pytest.fixture
def here(server: Provider, tmp_path: Path) -> Path:
    """An evaluation `old` of three rows; every answer says which request it was."""
    (tmp_path / "t.csv").write_text(TABLE)
    server.use(Profile(default=Behaviour(text="{n}: {prompt}", input_tokens=7, output_tokens=3)))
    batch("old")
    return tmp_path


def batch(id: str, prompt: str = "Say {{row.q}}", **options: Any) -> list[str]:
    results = umwelten.batch(prompt, options.pop("models", "openai:a"), id=id, rows="t.csv", **options).wait()
    assert not results.failures
    return sorted(answer.text or "" for answer in results)


def plan(here: Path, **options: Any) -> Preview:
    given = {"models": ["openai:a"], "prompt": "Say {{row.q}}", "rows": Path("t.csv"), **options}
    settings = load(here, dict(os.environ), here).with_flags(given, as_argument, arguments=True)
    return preview(build_spec("batch", settings, vendors(settings), []), settings, vendors(settings), at=0)


def test_the_same_calls_are_not_made_again(server: Provider, here: Path) -> None:
    (here / "t.csv").write_text(f"{TABLE}four\n")
    assert plan(here, reuse="old").reused == {"old": 3}
    assert plan(here, reuse="old").calls == 1
    events: list[Any] = []
    job = umwelten.batch(
        "Say {{row.q}}", "openai:a", id="new", rows="t.csv", reuse="old", on_event=events.append
    )
    arrived = sorted(answer.text or "" for answer in job)
    assert arrived == ["1: Say one", "2: Say two", "3: Say three", "4: Say four"]
    assert server.ledger.requests == 4
    [started] = [event for event in events if isinstance(event, RunStarted)]
    assert (started.reused, started.done, started.total) == ({"old": 3}, 3, 4)
    taken = next(answer for answer in umwelten.open("new") if answer.file == "row-1")
    assert taken.marks == ("reused from old",)
    assert (taken.attempts, taken.cost_usd, taken.response_s) == (0, 0, None)
    assert taken.usage.input_tokens is None
    assert (here / "output/new/row-1.txt").read_text().strip() == "1: Say one"


def test_they_count_in_no_figure_of_time_tokens_or_price(server: Provider, here: Path) -> None:
    (here / "t.csv").write_text(f"{TABLE}four\n")
    batch("new", reuse=umwelten.open("old"))
    with Reader.open(here / "output/new") as reader:
        found = overview(reader)
        (own,) = reader.connection.execute("SELECT response_s FROM calls WHERE attempts > 0").fetchone()
    assert (found.summary.succeeded, found.cost.usage.output_tokens) == (4, 3)
    assert found.cost.priced_calls + found.cost.unpriced_calls == 1
    assert found.summary.p50_s == found.summary.average_response_s == pytest.approx(own, abs=1e-3)
    batch("all", reuse="new", max_files=3)
    with Reader.open(here / "output/all") as reader:
        found = overview(reader)
    assert (found.cost.total_usd, found.summary.p50_s, found.models[0].service.cost_per_1k_usd) == (
        0,
        None,
        None,
    )


def test_repeats_and_rows_that_are_alike_are_samples_of_their_own(server: Provider, here: Path) -> None:
    (here / "t.csv").write_text("q\none\none\n")
    said = batch("new", reuse="old", repeat=2)
    assert len(said) == len(set(said)) == 4
    assert "1: Say one" in said
    assert server.ledger.requests == 3 + 3
    before = server.ledger.requests
    assert batch("again", reuse=["old", "new"], repeat=2) == said
    assert server.ledger.requests == before


def test_a_resume_keeps_them_and_takes_each_once(server: Provider, here: Path) -> None:
    said = batch("new", reuse="old")
    (here / "t.csv").write_text(f"{TABLE}one\n")
    assert plan(here, reuse="old", id="new", resume=True).calls == 1
    assert batch("new", resume=True, reuse="old") == sorted([*said, "4: Say one"])
    assert batch("new", resume=True) == sorted([*said, "4: Say one"])
    assert server.ledger.requests == 4


def test_other_calls_are_made(server: Provider, here: Path) -> None:
    for number, change in enumerate(
        (
            {"models": "openai:b"},
            {"prompt": "Tell {{row.q}}"},
            {"temperature": 0.5},
            {"system": "Be brief."},
        )
    ):
        before = server.ledger.requests
        batch(f"other-{number}", reuse="old", **change)
        assert server.ledger.requests == before + 3
    umwelten.run("Hi", "openai:a", id="r1").wait()
    before = server.ledger.requests
    (answer,) = umwelten.run("Hi", "openai:a", id="r2", reuse="r1").wait()
    assert (answer.marks, server.ledger.requests) == (("reused from r1",), before)


def test_what_a_models_settings_are_called_makes_no_difference(server: Provider, here: Path) -> None:
    said = batch("warm", temperature=0.5)
    before = server.ledger.requests
    assert batch("new", models="openai:a@w", variants={"w": {"temperature": 0.5}}, reuse="warm") == said
    assert server.ledger.requests == before


def test_files_are_the_same_wherever_they_lie(server: Provider, here: Path) -> None:
    for folder in ("a", "b"):
        (here / folder).mkdir()
        (here / folder / f"{folder}.txt").write_text("Dear Sir")
    umwelten.batch("Read", "openai:x", id="one", directory="a").wait()
    before = server.ledger.requests
    umwelten.batch("Read", "openai:x", id="two", directory="b", reuse="one").wait()
    assert server.ledger.requests == before


def test_failures_and_answers_that_count_no_more_are_not_taken(server: Provider, here: Path) -> None:
    (here / "t.csv").write_text("q\nuno\ntwo\nthree\n")
    batch("old", resume=True)
    (here / "t.csv").write_text(TABLE)
    before = server.ledger.requests
    batch("new", reuse="old")
    assert server.ledger.requests == before + 1


@pytest.mark.parametrize(
    ("reuse", "kind", "said"),
    [("odl", InputError, "Did you mean 'old'?"), ("new", UsageError, "keeps its own answers")],
)
def test_what_cannot_be_reused_is_refused(
    here: Path, reuse: str, kind: type[UmweltenError], said: str
) -> None:
    with pytest.raises(kind) as error:
        batch("new", reuse=reuse)
    assert said in (error.value.hint or "")
    assert not (here / "output/new").exists()


def test_a_database_of_somebody_else_is_an_error(here: Path) -> None:
    with closing(sqlite3.connect(here / "output/old/evaluation.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError):
        batch("new", reuse="old")


def test_the_command_line_and_the_settings_file_know_it(cli: Any, server: Provider, here: Path) -> None:
    (here / "umwelten.toml").write_text('[profiles.p]\nreuse = ["old"]\n')
    words = ("eval", "batch", "--rows", "t.csv", "-p", "Say {{row.q}}", "-m", "openai:a")
    _, out, _ = cli(*words, "--profile", "p", "--dry-run", env=server.env(), cwd=here)
    assert "reused   3 answers of old, at no cost" in out
    code, out, err = cli(*words, "-i", "new", "--reuse", "old", env=server.env(), cwd=here)
    assert code == 0
    assert "all 3 calls succeeded (3 reused)" in err
    assert "3 answers reused from old, at no cost" in err
    code, _, err = cli(*words, "-i", "newer", "--reuse", "nwe", env=server.env(), cwd=here)
    assert code == 2
    assert "Did you mean 'new'?" in err
