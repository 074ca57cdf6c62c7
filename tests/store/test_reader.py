"""The reader: beside a run, after it, and where nothing may be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from store.making import A, B, answer_all, files, never, records, reply, spec
from umwelten.errors import StoreError
from umwelten.store import Reader, Store, evaluations

READ = """
import sys, os, pathlib
from umwelten.store import Reader
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
