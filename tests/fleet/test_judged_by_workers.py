"""Suites and rankings by workers come to what they come to when this process makes the calls."""

from __future__ import annotations

import json
from pathlib import Path

from fleet.engines import both, differences
from fleet.forked_workers import COUNT
from provider import provider
from suitekit import profile, write_suite
from umwelten.simulate.faultserver import Behaviour, Rule

VERDICT = '{"reason": "so", "winner": "first"}'


def make(folder: Path) -> None:
    write_suite(folder)


def test_a_suite_and_a_ranking_of_its_answers_are_the_same(tmp_path: Path) -> None:
    said = profile(
        Rule(model="b", prompt="Dear", behaviour=Behaviour(text="Hello")),
        Rule(model="ranks", behaviour=Behaviour(text=VERDICT, shaped="ignore")),
    )
    suite = ("eval", "suite", "suites/nightly.toml", "--json")
    rank = ("eval", "rank", "nightly.letters", "--judge", "openai:ranks", "--json")
    workers = {COUNT: "6"}  # two for each task, and two for its judge
    with provider(said) as server:
        for command, id, asked in ((suite, "nightly.letters.polite", 24), (rank, "nightly.letters.rank", 8)):
            here, away = both(tmp_path, server, command, make=make, profile=said, env=workers, id=id)
            assert (here.ran.code, server.idle().requests) == (0, asked), away.ran.err
            assert not differences(here, away)
            assert _figures(here.ran.out) == _figures(away.ran.out)


def _figures(out: str) -> object:
    """What a board says, without times."""
    found = json.loads(out)
    if "rows" in found:
        return [
            (row["model"], row["mean"], row["low"], row["high"], row["cost_usd"]) for row in found["rows"]
        ]
    return found["board"], found["compared"], found["judges"]
