"""The reader: beside a run, after it, and where nothing may be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from store.making import A, B, answer_all, files, never, records, reply, spec
from umwelten.errors import StoreError
from umwelten.store.database import evaluations, open_for_reading
from umwelten.store.reader import Reader
from umwelten.store.store import Store

READ = """
import sys, os, pathlib
from umwelten.store.reader import Reader
os.setuid(65534)
folder = pathlib.Path(sys.argv[1])
assert not os.access(folder, os.W_OK)
with Reader.open(folder) as reader:
    print(reader.spec().id, reader.connection.execute("SELECT count(*) FROM calls").fetchone()[0])
"""


def test_a_reader_sees_a_run_that_goes_on(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A, B)) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        store.start_run({})
        with Reader.open(tmp_path) as reader:
            count = "SELECT count(*) AS n FROM calls"
            assert reader.connection.execute(count).fetchone()["n"] == 0
            store.submit(records(store.lease(1, 1)[0], reply())[1])
            store.end_run("complete", None, 1)
            assert reader.connection.execute(count).fetchone()["n"] == 1
            assert reader.spec().models == (A, B)


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    Store.create(tmp_path, spec()).close()
    with Reader.open(tmp_path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.connection.execute("DELETE FROM evaluation")


def test_a_reader_that_is_closed_is_closed(tmp_path: Path) -> None:
    Store.create(tmp_path, spec()).close()
    reader = Reader.open(tmp_path)
    reader.close()
    reader.close()
    with pytest.raises(sqlite3.ProgrammingError):
        reader.connection.execute("SELECT 1")


def test_no_evaluation_is_a_store_error_with_a_hint(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(StoreError, match="no evaluation in") as caught:
            Reader.open(folder)
        assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_names_with_special_letters_open(tmp_path: Path) -> None:
    folder = tmp_path / "a b?c#d%41é"
    Store.create(folder, spec()).close()
    with Reader.open(folder) as reader:
        assert reader.spec() == spec()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become someone else"
)
def test_a_folder_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    # pytest's own directories are closed to others.
    folder = Path("/tmp") / f"umwelten-read-{os.getpid()}"
    shutil.copytree(tmp_path / "x", folder)
    try:
        folder.chmod(0o755)
        done = subprocess.run(
            [sys.executable, "-c", READ, folder], capture_output=True, text=True, timeout=30
        )
    finally:
        shutil.rmtree(folder)
    assert (done.stdout, done.stderr) == ("x 1\n", "")


def test_evaluations_are_listed_by_name(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        Store.create(tmp_path / name, spec()).close()
    (tmp_path / "0").mkdir()
    (tmp_path / "file").touch()
    assert [path.name for path in evaluations(tmp_path)] == ["a", "b", "c"]
    assert list(evaluations(tmp_path / "nowhere")) == []


def test_reading_it_untouched_leaves_the_folder_as_it_is(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.iterdir())}
    with closing(open_for_reading(tmp_path, untouched=True)) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] == 1
        assert {path.name: path.stat().st_mtime_ns for path in (tmp_path, *tmp_path.iterdir())} == before


def test_reading_it_untouched_beside_a_run_sees_what_is_in_the_file(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        # All is still in the log: the file has nothing yet.
        with pytest.raises((StoreError, sqlite3.Error)):
            open_for_reading(tmp_path, untouched=True)
    with closing(open_for_reading(tmp_path, untouched=True)) as connection:
        assert connection.execute("SELECT count(*) FROM inputs").fetchone()[0] == 1


@pytest.mark.parametrize("untouched", [False, True])
def test_what_is_newer_damaged_or_someone_elses_is_not_read(tmp_path: Path, untouched: bool) -> None:
    path = tmp_path / "evaluation.db"
    Store.create(tmp_path, spec()).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="newer umwelten"):
        open_for_reading(tmp_path, untouched=untouched)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 1")
    with pytest.raises(StoreError, match="not a database of umwelten"):
        open_for_reading(tmp_path, untouched=untouched)
    for data in (b"", b"not a database at all, but text" * 40):
        path.write_bytes(data)
        with pytest.raises(sqlite3.DatabaseError if data else StoreError):
            open_for_reading(tmp_path, untouched=untouched)
