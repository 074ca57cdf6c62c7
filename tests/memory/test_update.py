"""`memory learn --merge update`: a model may put a fact in the place of one it was shown, and no more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import Cli
from memory.kit import MODEL, answers, profile, says, table
from provider import Provider, Ran, provider
from umwelten.simulate.faultserver.profile import Rule
from umwelten.store.memory.facts import LearntInput, NewFact
from umwelten.store.memory.reader import MemoryReader
from umwelten.store.memory.store import MemoryStore, Update

ROWS = [
    ("bob", "I live in Lyon"),
    ("alice", "I like tea"),
    ("bob", "I moved to Rome"),
    ("bob", "Rome is hot"),
]
LEARNT = (
    says(("Lyon", "Lives in Lyon."), prompt="Lyon"),
    says(("tea", "Likes tea."), prompt="like tea"),
    says(("moved to Rome", "Lives in Rome."), prompt="moved"),
    says(("Rome is hot", "Lives in a hot place."), prompt="is hot"),
)


def merged(op: str, old: int | None, text: str | None = None, new: int = 1, **rule: object) -> Rule:
    entry = {"new": new, "op": op, "old": old, "text": text}
    return answers(json.dumps({"ops": [entry]}), **{"prompt": "New facts about", **rule})


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as server:
        yield server


def learn(cli: Cli, server: Provider, code: int = 0) -> Ran:
    done = cli(
        *("memory", "learn", "people", "--rows", "rows.csv", "--scope", "{{row.user}}", "-m", MODEL),
        *("--merge", "update", "--max-concurrency", "5"),
        env=server.env(),
    )
    assert done.code == code, done.err
    return done


def known(folder: Path) -> list[str]:
    with MemoryReader.open(folder / "output", "people") as reader:
        return [f"{fact.scope}: {fact.text}" for fact in reader.facts()]


def test_updates_keep_all_history_and_go_in_order_of_the_rows(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "rows.csv", ROWS)
    server.use(
        profile(
            merged("UPDATE", 1, "Lives in Rome, before in Lyon.", prompt="1. Lives in Rome."),
            merged("NONE", 1, prompt="1. Lives in a hot place."),
            *LEARNT,
        )
    )
    said = learn(cli, server).out
    assert "people: 3 new facts from 4 inputs, 1 known already, 1 brought up to date" in said
    assert known(tmp_path) == ["alice: Likes tea.", "bob: Lives in Rome, before in Lyon."]
    asked = [record.prompt for record in server.idle().records if "New facts" in record.prompt]
    assert [prompt.splitlines()[1] for prompt in asked] == [
        "1. Lives in Lyon.",
        "1. Lives in Rome, before in Lyon.",
    ]
    with MemoryReader.open(tmp_path / "output", "people") as reader:
        assert [(fact.text, fact.ended) for fact in reader.history(1)] == [
            ("Lives in Lyon.", "updated"),
            ("Lives in Rome, before in Lyon.", None),
        ]
    requests = server.idle().requests
    learn(cli, server)
    assert server.idle().requests == requests


@pytest.mark.parametrize(
    "wrong",
    [
        merged("UPDATE", 99, "Lost."),
        answers('{"ops": [{"new": 2, "op": "ADD", "old": null, "text": null}]}', prompt="New facts about"),
    ],
    ids=["known", "new"],
)
def test_an_answer_that_names_what_is_not_there_changes_nothing_and_is_asked_again(
    cli: Cli, server: Provider, tmp_path: Path, wrong: Rule
) -> None:
    table(tmp_path / "rows.csv", ROWS)
    server.use(profile(wrong, *LEARNT))
    said = learn(cli, server, code=1)
    assert "the facts of 2 inputs are not merged yet" in said.err
    assert ("server enforces schemas" in " ".join(said.err.split()), "--coerce" in said.err) == (True, False)
    assert known(tmp_path) == ["alice: Likes tea.", "bob: Lives in Lyon."]
    assert sum("New facts" in record.prompt for record in server.idle().records) == 3
    server.use(profile(merged("UPDATE", 1, "Lives in Rome."), *LEARNT))
    server.reset()
    learn(cli, server)
    assert known(tmp_path) == ["alice: Likes tea.", "bob: Lives in Rome."]
    assert all("New facts" in record.prompt for record in server.idle().records)


def test_what_needs_no_call_after_another_was_merged_is_not_pending(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "rows.csv", ROWS)
    server.use(profile(merged("UPDATE", 1, "Lives in a hot place."), *LEARNT))
    done = learn(cli, server)
    assert "people: 3 new facts from 4 inputs, 1 known already, 1 brought up to date" in done.out
    assert ("pending" in done.err, "resume" in done.err) == (False, False), done.err
    assert known(tmp_path) == ["alice: Likes tea.", "bob: Lives in a hot place."]


def test_what_a_fact_took_the_place_of_is_known_again_when_its_own_text_says_it_no_more(
    tmp_path: Path,
) -> None:
    def learnt(name: str, call: str, *said: str) -> LearntInput:
        found = tuple(NewFact("other", text) for text in said)
        return LearntInput(evaluation="e", name=name, call=call, scope="bob", facts=found, found=len(found))

    with MemoryStore.open(tmp_path / "output", "people") as store:
        store.add([("bob", NewFact("other", "Has a cat."))])
        store.take([learnt("first", "1", "Likes tea.")])
        for name, text, old in (("second", "Likes green tea.", 2), ("third", "Likes white tea.", 3)):
            new = learnt(name, "1", text)
            store.take([new], [[Update(new.facts[0], old, text)]])
        new = learnt("fourth", "1", "Has two cats.")
        store.take([new], [[Update(new.facts[0], 1, "Has two cats.")]])
        assert known(tmp_path) == ["bob: Has two cats.", "bob: Likes white tea."]
        store.take([learnt("second", "2"), learnt("third", "2", "Likes rain."), learnt("fourth", "2")])
        assert sorted(known(tmp_path)) == ["bob: Has a cat.", "bob: Likes rain.", "bob: Likes tea."]
        assert store.take([learnt("first", "2")]).ended == 1
    assert sorted(known(tmp_path)) == ["bob: Has a cat.", "bob: Likes rain."]
    with MemoryReader.open(tmp_path / "output", "people") as reader:
        assert [fact.text for fact in reader.history(2)] == [
            *("Likes tea.", "Likes green tea.", "Likes white tea.", "Likes tea."),
        ]
