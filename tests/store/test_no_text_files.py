"""Evaluations without text files: everything else is the same, and a later run or an export writes them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from store.making import BROKEN, A, B, answer_all, files, never, query, record, repair, reply, spec, texts
from store.test_moved_answers import SHAPED, answered, plan
from umwelten.errors import StoreError
from umwelten.store.copying import copy
from umwelten.store.exported_texts import export_texts
from umwelten.store.grid import Counts
from umwelten.store.removal import remove
from umwelten.store.store import Store

OUTPUTS = "SELECT output FROM calls ORDER BY id"


def answered_without(folder: Path, *names: str) -> None:
    with Store.create(folder, spec(A, B), texts=False) as store:
        store.set_inputs(files(*names), read_hash=never)
        answer_all(store)


def test_answers_are_stored_and_nothing_is_written_beside_them(tmp_path: Path) -> None:
    answered_without(tmp_path, "a", "sub/b")
    assert texts(tmp_path) == set()
    assert query(tmp_path, OUTPUTS) == [(None,)] * 4
    assert query(tmp_path, "SELECT count(*) FROM answers") == [(4,)]
    with Store.resume(tmp_path, spec(A, B), texts=False) as store:
        store.set_inputs(files("a", "sub/b"), read_hash=never)
        assert store.counts() == Counts(total=4, succeeded=4, failed=0, pending=0)
        assert repair(store) == 0
        assert not store.missing_texts.count


def test_a_later_run_with_text_files_writes_them_all(tmp_path: Path) -> None:
    answered_without(tmp_path / "off", "a", "sub/b")
    with Store.create(tmp_path / "on", spec(A, B)) as store:
        store.set_inputs(files("a", "sub/b"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path / "off", spec(A, B)) as store:
        store.set_inputs(files("a", "sub/b"), read_hash=never)
        assert repair(store) == 4
        assert repair(store) == 0
    assert texts(tmp_path / "off") == texts(tmp_path / "on")
    assert query(tmp_path / "off", OUTPUTS) == query(tmp_path / "on", OUTPUTS)


def test_names_that_a_later_run_gives_are_stored_before_there_is_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in between leaves no file that `eval delete` does not know of."""
    answered_without(tmp_path / "x", "a", "b")
    known: list[object] = []

    def refuse(*_: object) -> str:
        known.append(query(tmp_path / "x", "SELECT count(output) FROM calls"))
        raise OSError("no")

    monkeypatch.setattr("umwelten.store.text_files.TextFiles.write", refuse)
    with Store.resume(tmp_path / "x", spec(A, B)) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        repair(store)
        assert store.missing_texts.count == 4
    assert known == [[(4,)]] * 4


def test_a_run_without_text_files_leaves_those_that_are_there(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    (tmp_path / "b.txt").unlink()
    with Store.resume(tmp_path, spec(), texts=False) as store:
        store.set_inputs(files("a", "b", "c"), read_hash=never)
        answer_all(store)
    assert texts(tmp_path) == {"a.txt"}
    assert query(tmp_path, OUTPUTS) == [("a.txt",), ("b.txt",), (None,)]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("now", [True, False])
def test_the_file_of_an_answer_that_is_replaced_goes(tmp_path: Path, before: bool, now: bool) -> None:
    with Store.create(tmp_path, spec(), texts=before) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path, spec(), texts=now) as store:
        store.set_inputs(files("a", "b", stamp="2"), read_hash=lambda *_: b"other")
        calls = store.lease(1, 9)
        record(store, [(calls[0], BROKEN), (calls[1], reply("new"))])
    assert texts(tmp_path) == ({"b.txt"} if now else set())
    assert not now or (tmp_path / "b.txt").read_text() == "new"
    # Of an answer that is out of date nothing stays, whether it had a file or not.
    assert query(tmp_path, "SELECT text FROM answers") == [("new",)]
    assert query(tmp_path, OUTPUTS) == [(None,), ("b.txt" if now else None,)]


def test_an_answer_that_moves_has_no_file_from_then_on(tmp_path: Path) -> None:
    answered(tmp_path, "x", "y", "z")
    with Store.resume(tmp_path, SHAPED, texts=False) as store:
        assert plan(store, "x", "new", "y") == ["2"]
        assert repair(store) == 0
    assert texts(tmp_path) == {"1.txt", "1.json"}
    assert query(tmp_path, OUTPUTS) == [("1.txt",), (None,)]
    with Store.resume(tmp_path, SHAPED) as store:
        plan(store, "x", "new", "y")
        repair(store)
    assert texts(tmp_path) == {"1.txt", "1.json", "3.txt", "3.json"}
    assert (tmp_path / "3.txt").read_text() == "y of 2"


def test_an_answer_without_a_file_that_moves_is_named_as_the_others_later(tmp_path: Path) -> None:
    answered(tmp_path, "x", "y")
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection, connection:
        connection.execute("UPDATE calls SET output = NULL")
    for name in texts(tmp_path):
        (tmp_path / name).unlink()
    with Store.resume(tmp_path, SHAPED) as store:
        assert plan(store, "new", "x", "y") == ["1"]
        repair(store)
    assert texts(tmp_path) == {"2.txt", "2.json", "3.txt", "3.json"}
    assert (tmp_path / "3.txt").read_text() == "y of 2"


def test_a_copy_has_the_files_that_the_evaluation_has(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path / "x", spec(), texts=False) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    copy(tmp_path / "x", tmp_path / "y")
    assert texts(tmp_path / "y") == {"a.txt"}
    remove([tmp_path / "x", tmp_path / "y"])
    assert list(tmp_path.iterdir()) == []


def test_exported_texts_have_the_names_and_records_of_the_text_files(tmp_path: Path) -> None:
    answered(tmp_path / "on", "x", "y")
    with closing(sqlite3.connect(tmp_path / "on/evaluation.db")) as connection, connection:
        connection.execute("UPDATE calls SET output = NULL")
    assert export_texts(tmp_path / "on", tmp_path / "out/texts") == 2
    assert texts(tmp_path / "out/texts") == texts(tmp_path / "on")
    for name in texts(tmp_path / "on"):
        assert (tmp_path / "out/texts" / name).read_bytes() == (tmp_path / "on" / name).read_bytes()
    answered_without(tmp_path / "off", "a", "sub/b")
    assert export_texts(tmp_path / "off", tmp_path / "other") == 4
    assert len(texts(tmp_path / "other")) == 4


def test_exported_texts_stay_in_their_folder_whatever_the_database_says(tmp_path: Path) -> None:
    answered(tmp_path / "x", "x")
    with closing(sqlite3.connect(tmp_path / "x/evaluation.db")) as connection, connection:
        connection.execute("UPDATE calls SET output = '../../precious.txt'")
    assert export_texts(tmp_path / "x", tmp_path / "texts") == 1
    assert texts(tmp_path / "texts") == {"1.txt", "1.json"}
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        export_texts(tmp_path / "x", tmp_path / "file")
