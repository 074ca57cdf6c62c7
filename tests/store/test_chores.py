"""What the writer does between groups and at the end: under the lock, all of it, and what if it fails."""

from __future__ import annotations

import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from store.making import answer_all, files, never, query, records, reply, spec, texts
from umwelten.errors import StoreError
from umwelten.store import database
from umwelten.store.database import open_database
from umwelten.store.missing_texts import MissingTexts
from umwelten.store.rows import result_slot
from umwelten.store.store import Store
from umwelten.store.tables import call_id
from umwelten.store.text_files import TextFiles
from umwelten.store.writer import GROUP_SIZE, Writer
from umwelten.types import Call


@contextmanager
def writing(
    folder: Path,
    check_lock: Callable[[], None],
    take_in: Callable[[float], None] = lambda wait_s: None,
    chores: Iterable[None] = (),
) -> Iterator[Writer]:
    """A writer of a new evaluation, stopped at the end."""
    Store.create(folder, spec()).close()
    text_files = TextFiles(folder)
    with closing(text_files), closing(open_database(folder)) as connection:
        rest = MissingTexts(), take_in, iter(chores), check_lock, time.time
        writer = Writer(connection, str(folder), text_files, 1, None, *rest)
        yield writer
        writer.stop()


def test_each_step_is_made_under_the_lock_and_all_before_the_end(tmp_path: Path) -> None:
    done: list[str] = []
    with writing(
        tmp_path,
        check_lock=lambda: done.append("lock"),
        take_in=lambda wait_s: done.append("plan"),
        chores=(done.append("chore") for _ in range(3)),
    ) as writer:
        pass
    assert writer.error is None
    assert done.count("chore") == 3
    assert "plan" in done
    assert all(before == "lock" for before, step in pairwise(done) if step != "lock"), done


def test_a_group_that_was_committed_stays_alone_when_its_lock_is_gone_then(tmp_path: Path) -> None:
    """No text file is written, and it is not written again at the end, when there is a lock again."""
    failed: list[bool] = []

    def check() -> None:
        if not failed and query(tmp_path, "SELECT 1 FROM calls"):
            failed.append(True)
            raise StoreError("the lock is gone")

    attempt, ended = records(Call(id=call_id(1, 1, 1), model=1, input=None), reply())
    with writing(tmp_path, check) as writer:
        writer.put(attempt)
        writer.put((ended, result_slot("a", None, 1, 1)))
    assert str(writer.error) == "the lock is gone"
    assert query(tmp_path, "SELECT number FROM attempts") == [(1,)]
    assert query(tmp_path, "SELECT text FROM answers") == [(reply().text,)]
    assert texts(tmp_path) == set()


@pytest.mark.skipif(os.name == "nt", reason="there, a file that is open stays where it is")
@pytest.mark.parametrize("harm", ["removed", "replaced"])
def test_a_database_that_was_replaced_is_noticed_before_text_files_are_written(
    tmp_path: Path, harm: str
) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 1)
        store.start_run({})
        (tmp_path / "evaluation.db").rename(tmp_path / "evaluation.old")
        if harm == "replaced":
            shutil.copy(tmp_path / "evaluation.old", tmp_path / "evaluation.db")
        store.submit(records(call, reply())[1])
        store.end_run("stopped", None, 1)
        assert str(store.error) == f"{tmp_path} was removed or replaced while the run went on"
    assert texts(tmp_path) == set()


def test_a_chore_that_fails_as_none_should_stops_the_run(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection, connection:
        # A name that is computed anew, from the row of an input that is not there.
        connection.execute("UPDATE calls SET id = ?, output = '../a.txt'", (call_id(7, 1, 1),))
        connection.execute("UPDATE answers SET call_id = ?", (call_id(7, 1, 1),))
    told: list[int] = []
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        store.on_commit(lambda records: told.append(len(records)))
        store.start_run({})
        store.end_run("stopped", None, 0)
        assert store.error is not None
    assert told == [0]


def test_a_chore_that_meets_damage_names_the_database(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    (tmp_path / "a.txt").unlink()
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection, connection:
        connection.execute("UPDATE answers SET text = CAST(x'ff' AS TEXT)")
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        store.start_run({})
        store.end_run("stopped", None, 0)
        assert isinstance(store.error, StoreError)
        assert str(tmp_path / "evaluation.db") in str(store.error)


def test_what_could_not_be_written_is_written_at_the_end_if_it_can_be_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it, in as many groups as it takes, though the run had stopped for it."""
    monkeypatch.setattr(database, "_BUSY_S", 0.2)
    many = GROUP_SIZE + 1
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files(*map(str, range(many))), read_hash=never)
        calls = store.lease(1, many)
        stopped = threading.Event()
        store.on_commit(lambda records: records or stopped.set())
        store.start_run({})
        with closing(sqlite3.connect(tmp_path / "evaluation.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for call in calls:
                store.submit(records(call, reply())[1])
            assert stopped.wait(10)
            other.execute("ROLLBACK")
        assert "locked" in str(store.error)
        store.end_run("stopped", None, 1)
    assert query(tmp_path, "SELECT count(*) FROM answers") == [(many,)]
    assert len(texts(tmp_path)) == many
