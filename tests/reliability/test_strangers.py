"""A folder or a database that came from somebody else, at the command line: it is refused by its name."""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from provider import provider
from reliability.runs import finish, rows, run, start, write_texts
from store.making import answer_all, files, never, spec
from umwelten.cli.app import cli as umwelten
from umwelten.errors import UmweltenError
from umwelten.simulate.faultserver.profile import Profile
from umwelten.store.store import Store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and FIFOs of POSIX")

LINKS = (
    (".", "deep", "--resume"),
    (".", "new", "--stream"),
    ("evaluation.db", "precious.txt", "--resume"),
    ("evaluation.db", "new", "--stream"),
    ("evaluation.db-wal", "new", "--stream"),
    ("evaluation.db-shm", "precious.txt", "--resume"),
    ("evaluation.lock", "new", "--overwrite"),
    ("sub", "deep", "--stream"),
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    (home / "precious.txt").write_text("mine")
    return home


def contents(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(home.rglob("*")) if path.is_file()}


def change(root: Path, *statements: str) -> None:
    with closing(sqlite3.connect(root / "output" / "s" / "evaluation.db")) as connection:
        connection.executescript("; ".join(statements))


@pytest.mark.parametrize(("name", "target", "more"), LINKS)
def test_a_folder_with_links_that_lead_out_is_refused_before_a_call(
    cli, tmp_path: Path, home: Path, name: str, target: str, more: str
) -> None:
    link = tmp_path / "output" / "s" / name
    link.parent.mkdir(parents=True)
    before = contents(home)
    link.symlink_to(home / target)
    with provider(Profile()) as server:
        code, out, err = cli("eval", "run", "-p", "go", "-m", "openai:a", "-i", "s", more, env=server.env())
        assert server.idle().requests == 0
    assert code == 2, err
    assert out == ""
    assert f"{link.relative_to(tmp_path)} is a link to {home / target}" in err
    assert contents(home) == before


def test_the_old_name_of_what_is_being_written_may_be_a_link(tmp_path: Path, home: Path) -> None:
    write_texts(tmp_path, 2)
    folder, before = tmp_path / "output" / "s", contents(home)
    folder.mkdir(parents=True)
    for name in (".evaluation.tmp", "0000.txt.txt"):
        (folder / name).symlink_to(home / "precious.txt")
    with provider(Profile()) as server:
        code, err = run(tmp_path, server.env())
    assert code == 0, err
    assert (folder / "0000.txt.txt").read_text() == rows(tmp_path, "SELECT text FROM answers")[0][0]
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert contents(home) == before


def test_a_database_has_no_file_sent_written_or_removed(cli, tmp_path: Path, home: Path) -> None:
    write_texts(tmp_path, 2)
    before = contents(home)
    with provider(Profile()) as server:
        assert run(tmp_path, server.env())[0] == 0
        asked = server.idle().requests
        change(
            tmp_path,
            "UPDATE calls SET output = '../../home/new.txt' WHERE id = (SELECT min(id) FROM calls)",
            "UPDATE calls SET output = '../../home/precious.txt' WHERE id = (SELECT max(id) FROM calls)",
            f"UPDATE inputs SET path = '{home}/precious.txt'",
        )
        (tmp_path / "in" / "0001.txt").write_text("This is another file.")
        code, err = run(tmp_path, server.env(), "--resume")
        assert code == 0, err
        records = server.idle().records[asked:]
        assert records
        assert not any("mine" in record.prompt for record in records)
        assert rows(tmp_path, "SELECT output FROM calls ORDER BY id") == [
            ("0000.txt.txt",),
            ("0001.txt.txt",),
        ]
        change(
            tmp_path,
            "CREATE TRIGGER evil AFTER INSERT ON runs BEGIN UPDATE inputs SET path = "
            f"'{home}/precious.txt'; END",
        )
        asked = server.idle().requests
        for command in (("report", "-i", "s"), ("show", "s")):
            code, _, err = cli("eval", *command)
            assert code == 2, err
            assert "it has the trigger 'evil'" in err
        code, err = run(tmp_path, server.env(), "--resume")
        assert code == 2, err
        assert "it has the trigger 'evil'" in err
        assert server.idle().requests == asked
    assert contents(home) == before


def test_a_view_without_an_end_in_place_of_a_table_hangs_nothing(cli, tmp_path: Path) -> None:
    write_texts(tmp_path, 1)
    with provider(Profile()) as server:
        assert run(tmp_path, server.env())[0] == 0
        change(
            tmp_path,
            "DROP TABLE calls",
            "CREATE VIEW calls AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id FROM n)"
            " SELECT * FROM n",
        )
        for command in (("report", "-i", "s"), ("show", "s")):
            code, _, err = cli("eval", *command)
            assert code == 2, err
            assert "the view 'calls'" in err
        code, out, err = cli("eval", "list")
        assert code == 0, err
        assert "damaged" in out
        with start(tmp_path, server.env(), "--resume") as process:
            code, err = finish(process, 20)
        assert code == 2, err


VALUES = (
    ("evaluation", "repeats", 2**62),
    ("evaluation", "repeats", -1),
    ("evaluation", "kind", b"\xff"),
    ("evaluation", "prompt", None),
    ("evaluation", "parameters", "["),
    ("models", "provider", 5),
    ("runs", "started_at", 1e308),
    ("runs", "settings", "[]"),
    ("calls", "response_s", b"\xff"),
    ("calls", "usage_details", "x"),
    ("answers", "text", 5),
    ("attempts", "error_kind", 1.5),
    ("attempts", "latency_s", "x"),
)


@pytest.mark.parametrize(("table", "column", "value"), VALUES)
def test_values_that_nobody_stored_are_an_error_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, column: str, value: object
) -> None:
    """Also of types that the tables refuse: their rules may be changed, and changed back afterwards."""
    monkeypatch.chdir(tmp_path)
    with Store.create(tmp_path / "output" / "s", spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    with closing(sqlite3.connect("output/s/evaluation.db", isolation_level=None)) as connection:
        find = "SELECT sql FROM sqlite_schema WHERE name = ?"
        (sql,) = connection.execute(find, (table,)).fetchone()
        loose = re.sub(r" STRICT| NOT NULL|CHECK \(.*\)\)|\bTEXT|\bREAL|INTEGER(?! PRIMARY)", "", sql)
        for before, after in ((loose, f"UPDATE {table} SET {column} = ?"), (sql, "SELECT ?")):
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (before, table))
            connection.execute("PRAGMA writable_schema = RESET")
            connection.execute(after, (value,))
    told = []
    for words in ("report -i s --format html", "report -i s", "show s", "show s a", "list --details"):
        try:
            umwelten.main(["eval", *words.split()], standalone_mode=False)
        except UmweltenError as error:
            assert error.exit_code == 2
            assert "damaged" in error.message or "cannot be read" in error.message
            told.append(words)
    assert told


def test_a_starter_file_is_written_through_no_link(cli, tmp_path: Path, home: Path) -> None:
    before = contents(home)
    for target in (home / "new.toml", home / "precious.txt"):
        (tmp_path / "umwelten.toml").unlink(missing_ok=True)
        (tmp_path / "umwelten.toml").symlink_to(target)
        code, _, err = cli("config", "init", "--force")
        assert code == 0, err
        assert not (tmp_path / "umwelten.toml").is_symlink()
    assert contents(home) == before
