"""Answers that go with their row: their files too, and nothing of what a stranger's database calls a file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from store.making import query, records, repair, reply, spec, texts
from umwelten.identity import content_hash
from umwelten.store.store import Store
from umwelten.store.text_file_names import is_text_name
from umwelten.types import FoundInput, Schema

SHAPED = spec(schema=Schema(json={"type": "object"}, source="title"))


def plan(store: Store, *parts: str) -> list[str]:
    """Make rows of a table the inputs, called by their numbers; the names of those that are pending."""
    found = [
        FoundInput(name=f"{number}", path="/t.csv", size=1, stamp=part, part=part)
        for number, part in enumerate(parts, 1)
    ]
    store.set_inputs(
        found, read_hash=lambda path, part, *_: content_hash(part.encode()), movable=lambda prompt: True
    )
    cells = [(number, repeat) for number, repeat, _, _ in store.by_size(1)]
    return sorted(call.input.name for call in store.pick(1, cells) if call.input is not None)


def answered(folder: Path, *parts: str) -> None:
    with Store.create(folder, SHAPED) as store:
        plan(store, *parts)
        store.start_run({})
        for call in store.lease(1, 99):
            assert call.input is not None
            part = call.input.part
            said = msgspec.structs.replace(reply(f"{part} of {call.input.name}"), data=f'{{"n":"{part}"}}')
            for item in records(call, said, part.encode()):
                store.submit(item)
        store.end_run("complete", None, 1)
        assert store.error is None


def test_files_of_answers_that_move_are_removed_and_written_where_they_are_now(tmp_path: Path) -> None:
    answered(tmp_path, "x", "y", "z")
    assert texts(tmp_path) == {f"{n}.{kind}" for n in (1, 2, 3) for kind in ("txt", "json")}
    with Store.resume(tmp_path, SHAPED) as store:
        assert plan(store, "x", "new", "y") == ["2"]
        # What was said of z is gone: the answer to y is in its place.
        assert texts(tmp_path) == {"1.txt", "1.json"}
        repair(store)
    assert texts(tmp_path) == {"1.txt", "1.json", "3.txt", "3.json"}
    assert (tmp_path / "3.txt").read_text() == "y of 2"
    assert '"y"' in (tmp_path / "3.json").read_text()


@pytest.mark.parametrize("name", ["../precious.txt", "sub/../../precious.txt", "evaluation.lock", ""])
def test_what_a_strangers_database_calls_its_file_stays_when_the_answer_moves(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "x"
    answered(folder, "x", "y")
    (tmp_path / "precious.txt").write_text("mine")
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection, connection:
        connection.execute("UPDATE calls SET output = ?", (name,))
    with Store.resume(folder, SHAPED) as store:
        assert plan(store, "new", "x", "y") == ["1"]
        assert (folder / "evaluation.lock").exists()
    assert (tmp_path / "precious.txt").read_text() == "mine"
    outputs = [output for (output,) in query(folder, "SELECT output FROM calls ORDER BY id")]
    assert len(outputs) == 2
    assert all(is_text_name(output) for output in outputs), outputs


def test_answers_to_rows_that_are_the_same_keep_their_order(tmp_path: Path) -> None:
    answered(tmp_path, "x", "x")
    with Store.resume(tmp_path, SHAPED) as store:
        assert plan(store, "new", "newer", "x", "x") == ["1", "2"]
        assert plan(store, "newer", "x", "new", "x") == ["1", "3"]  # again, before anything is asked
        assert plan(store, "new", "newer", "x", "x") == ["1", "2"]
        repair(store)
    assert [(tmp_path / f"{n}.txt").read_text() for n in (3, 4)] == ["x of 1", "x of 2"]


def test_steps_go_with_their_answer(tmp_path: Path) -> None:
    answered(tmp_path, "x", "y", "z")
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection, connection:
        connection.execute(
            "INSERT INTO steps SELECT id, 1, 1, 1, 0, '', X'', CAST(input_id AS BLOB), 0, '{}', NULL, NULL"
            " FROM calls"
        )
        connection.execute(
            "INSERT INTO tool_calls SELECT id, 1, 0, input_id, '', '', '', 'done', '', NULL, 0, 0 FROM calls"
        )
    with Store.resume(tmp_path, SHAPED) as store:
        plan(store, "x", "new", "y")
    # What was called for z is gone with its answer.
    where = "SELECT {} FROM {} s JOIN inputs i ON i.id = s.call_id >> 28 ORDER BY i.id"
    assert query(
        tmp_path, where.format("i.id, CAST(turn AS TEXT), s.input_version = i.version", "steps")
    ) == [
        (1, "1", 1),
        (3, "2", 1),
    ]
    assert query(tmp_path, where.format("i.id, s.id", "tool_calls")) == [(1, "1"), (3, "2")]
