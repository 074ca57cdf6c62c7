"""Folders and databases of somebody else: nothing outside them is written, removed or run."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.making import answer_all, files, never, query, repair, spec
from umwelten.errors import StoreError
from umwelten.store.database import (
    DATABASE,
    LOCK,
    has_database,
    open_database,
    open_for_reading,
    open_second,
)
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.tables import MAX_INPUTS, MAX_MODELS
from umwelten.store.text_file_names import TEMPORARY, inside, is_text_name
from umwelten.store.text_files import TextFiles

OWN = (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", LOCK)
KINDS = ("link to file", "dangling link", "link to directory", "fifo", "directory")
needs_links = pytest.mark.skipif(os.name == "nt", reason="links and FIFOs of POSIX")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """What is not ours, beside the evaluation."""
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    (home / "precious.txt").write_text("mine")
    (home / "deep" / "a.txt").write_text("mine too")
    return home


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
    }


def put(path: Path, kind: str, home: Path) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        target = {"link to file": "precious.txt", "dangling link": "new.txt", "link to directory": "deep"}
        path.symlink_to(home / target[kind])


def stored(folder: Path, *names: str) -> Path:
    with Store.create(folder, spec()) as store:
        store.set_inputs(files(*(names or ("a", "b"))), read_hash=never)
        answer_all(store)
    return folder


def change(folder: Path, *statements: str, values: tuple[object, ...] = ()) -> None:
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        for statement in statements:
            connection.execute(statement, values)
        connection.commit()


@needs_links
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OWN)
def test_an_own_file_that_is_no_regular_file_is_refused_by_name(
    tmp_path: Path, home: Path, name: str, kind: str
) -> None:
    before = snapshot(home)
    for folder in (tmp_path / "new", stored(tmp_path / "old")):
        folder.mkdir(exist_ok=True)
        put(folder / name, kind, home)
        for opening in (Store.create, Store.resume):
            with pytest.raises(StoreError, match=re.escape(str(folder / name))) as refused:
                opening(folder, spec())
            assert ("link" in kind) == (str(home) in refused.value.message)
        if has_database(folder):
            with pytest.raises(StoreError, match=re.escape(str(folder / name))):
                Reader.open(folder)
    assert snapshot(home) == before


@needs_links
@pytest.mark.parametrize("name", OWN)
def test_an_own_file_with_a_second_name_is_not_written(tmp_path: Path, home: Path, name: str) -> None:
    folder, target = stored(tmp_path / "old"), home / "precious.txt"
    if name == DATABASE:
        target.unlink()
        (folder / name).rename(target)
    (folder / name).unlink(missing_ok=True)
    os.link(target, folder / name)
    before = snapshot(home)
    openings = [lambda: Store.resume(folder, spec())]
    if name == LOCK:
        openings.append(lambda: Store.overwrite(folder, spec()))
    if name not in (DATABASE, LOCK):
        openings.append(lambda: Reader.open(folder))
    else:
        Reader.open(folder).close()  # as in a snapshot that was made with links
    for opening in openings:
        with pytest.raises(StoreError, match=re.escape(f"{folder / name} is a hard link")):
            opening()
    assert snapshot(home) == before


@needs_links
@pytest.mark.parametrize("target", ["deep", "new"])
def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, home: Path, target: str) -> None:
    before = snapshot(home)
    (tmp_path / "x").symlink_to(home / target)
    for opening in (Store.create, Store.resume, Store.overwrite):
        with pytest.raises(StoreError, match=f"x is a link to .*{target}"):
            opening(tmp_path / "x", spec())
    assert snapshot(home) == before


@needs_links
def test_the_directory_of_all_evaluations_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "output").symlink_to("disk")
    stored(tmp_path / "output" / "x")
    assert (tmp_path / "disk" / "x" / "a.txt").is_file()


@needs_links
def test_a_directory_within_that_is_a_link_is_refused(tmp_path: Path, home: Path) -> None:
    before = snapshot(home)
    (tmp_path / "x" / "real").mkdir(parents=True)
    (tmp_path / "x" / "real" / "sub").symlink_to(home / "deep")
    for opening in (Store.create, Store.resume):
        with pytest.raises(StoreError, match=r"sub is a link to .*deep"):
            opening(tmp_path / "x", spec())
    assert snapshot(home) == before


@needs_links
@pytest.mark.parametrize("kind", KINDS)
def test_text_files_are_written_through_no_link(tmp_path: Path, home: Path, kind: str) -> None:
    """Also those that appear while a run goes on: the text gets another name."""
    before = snapshot(home)
    folder = tmp_path / "x"
    with Store.create(folder, spec()) as store:
        store.set_inputs(files("sub/a", "a", "sub/deeper/b"), read_hash=never)
        for name in ("sub", "a.txt", TEMPORARY):
            put(folder / name, kind, home)
        answer_all(store)
        assert not store.missing_texts.count
        for output, text in query(
            folder, "SELECT c.output, a.text FROM calls c JOIN answers a ON a.call_id = c.id"
        ):
            assert (folder / str(output)).resolve().is_relative_to(folder.resolve())
            assert (folder / str(output)).read_text() == text
        assert repair(store) == 0
    assert snapshot(home) == before


@needs_links
def test_an_answer_that_became_a_link_is_written_again_and_what_it_led_to_stays(
    tmp_path: Path, home: Path
) -> None:
    folder, before = stored(tmp_path / "x"), snapshot(home)
    put(folder / "a.txt", "link to file", home)
    with Store.resume(folder, spec()) as store:
        assert repair(store) == 1
    assert not (folder / "a.txt").is_symlink()
    assert snapshot(home) == before


@pytest.mark.parametrize("by_descriptor", [True, False])
def test_text_files_stay_within_the_folder_with_descriptors_and_without(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, by_descriptor: bool
) -> None:
    if not by_descriptor:
        monkeypatch.setattr("umwelten.store.text_files._BY_DESCRIPTOR", False)
    before, folder = snapshot(home), tmp_path / "x"
    folder.mkdir()
    text_files = TextFiles(folder)
    assert text_files.write("a/b/c.txt", "one", '{"x":1}') == "a/b/c.txt"
    assert not text_files.is_missing("a/b/c.txt", True, True)
    if os.name != "nt":
        (folder / "sub").symlink_to(home / "deep")
        assert "/" not in text_files.write("sub/a.txt", "two")
        text_files.remove("sub/a.txt", data=True)
    for name in ("../home/precious.txt", "a/../../home/new.txt", str(home / "precious.txt"), "..", ""):
        assert ".." not in text_files.write(name, "three") if name else True
        with pytest.raises(OSError, match="not a name within"):
            text_files.remove(name)
    text_files.remove("a/b/c.txt", data=True)
    assert list((folder / "a" / "b").iterdir()) == []
    text_files.close()
    assert snapshot(home) == before


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    folder = stored(tmp_path / "x")
    for name in (TEMPORARY, f"{TEMPORARY}-0011"):
        (folder / name).write_text("half")
    with Store.resume(folder, spec()) as store:
        repair(store)
    assert not list(folder.glob(f"{TEMPORARY}*"))


BAD_NAMES = (
    "../home/precious.txt",
    "../home/new.txt",
    "sub/../../home/precious.txt",
    "{home}/precious.txt",
    "{home}/new.txt",
    "evaluation.lock",
    "evaluation.db",
    "evaluation.db-wal",
    "./a.txt",
    "report.md",
    ".git/hooks/post-checkout",
    "a\nb.txt",
    "a\x1b[2J.txt",
    "\U0010d8e9.txt",
    "..\\home\\precious.txt",
    "C:\\precious.txt",
    "",
)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_leads_elsewhere_is_made_anew(tmp_path: Path, home: Path, name: str) -> None:
    folder, before = stored(tmp_path / "x"), snapshot(home)
    (folder / "report.md").write_text("a report")
    change(folder, "UPDATE calls SET output = ?", values=(name.format(home=home),))
    with Store.resume(folder, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        repair(store)
    assert sorted(query(folder, "SELECT output FROM calls")) == [("a.txt",), ("b.txt",)]
    # An answer that is out of date: its file would be removed, and the next one written there.
    change(folder, "UPDATE calls SET output = ?", values=(name.format(home=home),))
    change(folder, "UPDATE inputs SET version = version + 1")
    with Store.resume(folder, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    assert sorted(query(folder, "SELECT output FROM calls")) == [("a.txt",), ("b.txt",)]
    assert (folder / "report.md").read_text() == "a report"
    assert snapshot(home) == before


@pytest.mark.parametrize("column", ["inputs.stem", "models.slug"])
def test_parts_of_names_lead_nowhere_else(tmp_path: Path, home: Path, column: str) -> None:
    folder, before = stored(tmp_path / "x", "a"), snapshot(home)
    table, name = column.split(".")
    for value in ("../home/precious", f"{home}/new", "../../x/../home/deep/a", "evaluation.db"):
        change(folder, f"UPDATE {table} SET {name} = ? WHERE id = 1", values=(value,))
        change(folder, "UPDATE calls SET output = '/', input_version = 0")
        with Store.resume(folder, spec()) as store:
            store.set_inputs(files("a"), read_hash=never)
            answer_all(store)
            repair(store)
        (output,) = query(folder, "SELECT output FROM calls")[0]
        assert is_text_name(output)
    assert snapshot(home) == before


@settings(deadline=None)
@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["..", ".", "", "a", "evaluation.db", "c:"])).map("/".join)
)
def test_every_name_is_one_inside_or_becomes_one(name: str) -> None:
    made = inside(name)
    assert is_text_name(made)
    assert made == name or not is_text_name(name)
    assert not set(made.split("/")) & {"", ".", ".."}


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
FOREIGN = {
    "trigger": "CREATE TRIGGER evil AFTER INSERT ON runs BEGIN UPDATE inputs SET path = '/etc/passwd'; END",
    "view": f"CREATE VIEW evil AS {ENDLESS}",
    "table": "CREATE TABLE evil (x)",
    "virtual": "CREATE VIRTUAL TABLE evil USING fts5(x)",
    "unique": "CREATE UNIQUE INDEX evil ON attempts (call_id)",
    "expression": "CREATE INDEX evil ON attempts (abs(run_id))",
    "partial": "CREATE INDEX evil ON attempts (run_id) WHERE abs(run_id) > 0",
    "column": "ALTER TABLE runs ADD COLUMN evil TEXT",
    "generated": "ALTER TABLE runs ADD COLUMN evil TEXT AS (hex(zeroblob(1000000)))",
}


@pytest.mark.parametrize("statement", FOREIGN.values(), ids=FOREIGN)
def test_a_database_with_more_than_umwelten_makes_is_refused(tmp_path: Path, statement: str) -> None:
    folder = stored(tmp_path / "x")
    change(folder, statement)
    for opening in (Reader.open, open_for_reading, lambda folder: Store.resume(folder, spec())):
        with pytest.raises(StoreError, match="damaged or was changed"):
            opening(folder)


@pytest.mark.parametrize("table", ["calls", "inputs", "runs", "models", "evaluation", "answers", "attempts"])
def test_a_view_in_place_of_a_table_is_refused_at_once(tmp_path: Path, table: str) -> None:
    folder = stored(tmp_path / "x")
    change(folder, f"DROP TABLE {table}", f"CREATE VIEW {table} AS {ENDLESS}")
    with pytest.raises(StoreError, match=f"the view '{table}'"):
        Reader.open(folder)


def test_a_table_that_checks_something_else_or_is_missing_is_refused(tmp_path: Path) -> None:
    folder = stored(tmp_path / "x")
    change(folder, "DROP TABLE limit_changes")
    with pytest.raises(StoreError, match="no table 'limit_changes'"):
        Reader.open(folder)
    change(folder, "CREATE TABLE limit_changes (at REAL CHECK (at < 5))")
    with pytest.raises(StoreError, match="'limit_changes' in another form"):
        Reader.open(folder)


@pytest.mark.parametrize(
    ("table", "lowest", "highest"), [("models", 1, MAX_MODELS), ("inputs", 0, MAX_INPUTS)]
)
def test_numbers_that_no_call_can_have_are_damage(
    tmp_path: Path, table: str, lowest: int, highest: int
) -> None:
    folder = stored(tmp_path / "x", "a")
    for number in (lowest, highest):
        change(folder, f"UPDATE {table} SET id = ?", values=(number,))
        Reader.open(folder).close()
    for number in (lowest - 1, highest + 1, -(1 << 63), (1 << 63) - 1):
        change(folder, f"UPDATE {table} SET id = ?", values=(number,))
        for opening in (Reader.open, lambda folder: Store.resume(folder, spec())):
            with pytest.raises(StoreError, match=rf"it has the {table[:-1]} {number}\n"):
                opening(folder)


def test_no_connection_trusts_the_file_and_what_is_written_is_on_disk(tmp_path: Path) -> None:
    folder = stored(tmp_path / "x")
    for opening in (open_database, open_second, open_for_reading):
        with closing(opening(folder)) as connection:
            found = [
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("trusted_schema", "cell_size_check", "journal_mode", "synchronous")
            ]
            assert found == [0, 1, "wal", 2], opening.__name__
            assert connection.getlimit(sqlite3.SQLITE_LIMIT_LENGTH) == 256_000_000


def test_an_empty_database_of_ours_with_a_trigger_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    change(tmp_path / "x", "PRAGMA application_id = 1970108276", f"CREATE VIEW runs AS {ENDLESS}")
    change(tmp_path / "x", "PRAGMA user_version = -1")
    for version in (-1, 0):
        change(tmp_path / "x", f"PRAGMA user_version = {version}")
        with pytest.raises(StoreError, match="damaged or was changed"):
            Store.resume(tmp_path / "x", spec())


def test_what_other_programs_add_for_speed_does_no_harm(tmp_path: Path) -> None:
    folder = stored(tmp_path / "x")
    change(folder, "CREATE INDEX mine ON calls (model_id, status DESC)", 'CREATE INDEX "o" ON "runs" ("pid")')
    change(folder, "ANALYZE", "DROP INDEX attempts_by_call", "VACUUM")
    with Reader.open(folder) as reader:
        assert reader.spec().id == "x"
    with Store.resume(folder, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        assert store.counts().succeeded == 2


def test_comments_and_blanks_of_statements_may_differ(tmp_path: Path) -> None:
    folder = stored(tmp_path / "x")
    change(
        folder,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = replace(replace(sql, '  ', ' '), '-- JSON', '-- another word')",
    )
    with Reader.open(folder) as reader:
        assert reader.spec().id == "x"


def test_a_journal_that_names_a_file_elsewhere_does_not_remove_it(tmp_path: Path, home: Path) -> None:
    """SQLite deletes the file that a journal names as the one above it, wherever that is."""
    folder, before = stored(tmp_path / "x"), snapshot(home)
    change(folder, "PRAGMA journal_mode = DELETE")
    page_size, pages = struct.unpack(">H", (folder / DATABASE).read_bytes()[16:18])[0], 1
    magic, name = bytes.fromhex("d9d505f920a163d7"), str(home / "precious.txt").encode()
    head = (magic + struct.pack(">IIIII", 0, 0, pages, 512, page_size)).ljust(512, b"\0")
    tail = struct.pack(">I", 0x40000000 // page_size + 1) + name + struct.pack(">II", len(name), sum(name))
    (folder / f"{DATABASE}-journal").write_bytes(head + tail + magic)
    for opening in (Reader.open, lambda folder: Store.resume(folder, spec())):
        with pytest.raises(StoreError, match=r"evaluation\.db-journal leads to files elsewhere"):
            opening(folder)
    assert snapshot(home) == before


def test_a_row_of_a_size_that_none_of_ours_has_is_not_read(tmp_path: Path) -> None:
    folder = stored(tmp_path / "x", "a")
    with closing(open_for_reading(folder)) as connection:
        assert connection.execute("SELECT length(zeroblob(200000000))").fetchone() == (200_000_000,)
        with pytest.raises(sqlite3.DataError):
            connection.execute("SELECT zeroblob(300000000)").fetchone()


_INTERRUPTED = f"""
import sys
from pathlib import Path
from umwelten.store.database import open_for_reading, store_errors
folder = Path(sys.argv[1])
with store_errors(folder):
    connection = open_for_reading(folder)
    print("ready", flush=True)
    connection.execute("SELECT count(*) FROM ({ENDLESS})").fetchone()
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_ends_a_query_that_would_not_end(tmp_path: Path) -> None:
    folder = stored(tmp_path / "x", "a")
    with subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTED, folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=10)
        finally:
            process.kill()
    assert err.rstrip().endswith("KeyboardInterrupt")
