"""Databases of strangers: a sound one with one to three things changed, and every reader put to it.

A reader may print what it finds or end in an error of ours, whose words say what is wrong. It may not crash,
not take long, and nothing beside the evaluation's folder may change. `python -m benchmarks.databases` tries
thousands; a seed makes the same database again.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import re
import shutil
import signal
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import click

from store.making import BROKEN, A, B, files, record, records, reply, spec
from umwelten.api.results import Results
from umwelten.cli.app import cli
from umwelten.cli.completion.model_names import folders, used
from umwelten.errors import UmweltenError
from umwelten.inputs.earlier_answers import answers, read_answer
from umwelten.report.queries.names import file_names, model_names
from umwelten.store.database import DATABASE
from umwelten.store.store import Store
from umwelten.types import Failure, FailureKind, Prompt

ID = "x"
MOST_S = 5.0
TABLES = (
    *("evaluation", "models", "inputs", "calls", "answers", "attempts", "runs", "prompts"),
    *("limit_changes", "attributions", "workers"),
)
_COMMANDS = (
    *("list", "list --details", "list --json", "show x", "show x --json", "show x --failed", "show x a.txt"),
    *("show x google:gemini --json", "report x", "report x --format json", "report x --format csv"),
    *("report x --format html", "report x --short", "report x --format parquet --output out.parquet"),
)


def sound(folder: Path) -> Path:
    """A database with calls that succeeded, failed and are pending, of two models and two prompts."""
    prompts = (Prompt(name="one", text="Describe {text}."), Prompt(name="two", text="Say it."))
    schema_failure = Failure(kind=FailureKind.SCHEMA, message="no", code="mood", partial='{"mood": 1}')
    with Store.create(folder, spec(A, B, prompts=prompts, repeats=2)) as store:
        store.set_inputs(files("a.txt", "sub/b.txt", "c\nd.txt"), read_hash=lambda *_: b"")
        leased = [call for model in store.models for call in store.lease(model, 100)]
        outcomes = (reply("It is."), BROKEN, reply("x" * 500), schema_failure)
        record(store, [(call, outcomes[n % 4]) for n, call in enumerate(leased[:-3])])
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("""UPDATE answers SET data = '{"mood": "glad"}', marks = 'repaired'""")
        connection.execute(
            "INSERT INTO workers VALUES (1, 1, 'n1', '10.0.0.1', 7, 1.0, 2.0, 'killed', 3, 0.5)"
        )
        connection.execute("UPDATE attempts SET worker = 1, late = 1 WHERE id % 2")
        connection.commit()
    return folder


# --- changes -----------------------------------------------------------------------------------


def _values(dice: random.Random) -> object:
    return dice.choice(
        (
            *(
                None,
                b"",
                b"\xff\xfe\x00",
                "",
                "a\0b",
                "\x1b]0;x\x07",
                "../../x",
                "\u202e",
                "x" * 70_000,
                0,
                1,
                -1,
            ),
            *(2, 3, 300, 65_536, 2**31, 2**53 + 1, 2**62, 2**63 - 1, -(2**63), 0.0, -0.5, 1e308, -1e308),
            *(float("inf"), 1.5, 1e-320, "1", "nan", "[", "{}", "[]", "null", '{"a": 1}', "[" * 3000, '"x"'),
            *('{"details": {"a": 1e999}}', '[["a", "zz"]]', "complete", "batch", "succeeded", "local:x", ":"),
        )
    )


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def _loosely(connection: sqlite3.Connection, table: str, statement: str, values: tuple[object, ...]) -> None:
    """Do what the table's rules forbid: they are changed, and changed back afterwards."""
    find = "SELECT sql FROM sqlite_schema WHERE name = ?"
    (sql,) = connection.execute(find, (table,)).fetchone()
    loose = re.sub(r" STRICT| NOT NULL|CHECK \(.*\)\)|\bTEXT|\bREAL|INTEGER(?! PRIMARY)", "", sql)
    for text, act in ((loose, statement), (sql, "")):
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (text, table))
        connection.execute("PRAGMA writable_schema = RESET")
        if act:
            connection.execute(act, values)


def _set_value(connection: sqlite3.Connection, dice: random.Random) -> None:
    table = dice.choice(TABLES)
    column = dice.choice(_columns(connection, table))
    one = f" WHERE rowid = (SELECT rowid FROM {table} LIMIT 1 OFFSET {dice.randrange(4)})"
    some = dice.choice(("", one))
    _loosely(connection, table, f'UPDATE {table} SET "{column}" = ?{some}', (_values(dice),))


def _set_sound_type(connection: sqlite3.Connection, dice: random.Random) -> None:
    """A value that the table takes: only its meaning is wrong."""
    table = dice.choice(TABLES)
    column = dice.choice(_columns(connection, table))
    connection.execute(f'UPDATE OR REPLACE {table} SET "{column}" = ?', (_values(dice),))


def _remove(connection: sqlite3.Connection, dice: random.Random) -> None:
    """References that lead nowhere."""
    table = dice.choice(TABLES)
    half = dice.choice(("", " WHERE rowid % 2", " WHERE rowid = (SELECT max(rowid) FROM {table})"))
    connection.execute(f"DELETE FROM {table}{half.format(table=table)}")


def _double(connection: sqlite3.Connection, dice: random.Random) -> None:
    table = dice.choice(TABLES)
    columns = [name for name in _columns(connection, table) if name != "id" or table == "evaluation"]
    names = ", ".join(f'"{name}"' for name in columns)
    _loosely(connection, table, f"INSERT OR IGNORE INTO {table} ({names}) SELECT {names} FROM {table}", ())


def _refer(connection: sqlite3.Connection, dice: random.Random) -> None:
    """Numbers that go round in circles or to other rows."""
    table, column = dice.choice(
        (
            *(("calls", "id"), ("calls", "input_id"), ("calls", "model_id"), ("calls", "run_id")),
            *(("calls", "repeat"), ("answers", "call_id"), ("attempts", "call_id"), ("attempts", "run_id")),
            *(("models", "prompt_id"), ("models", "id"), ("inputs", "id"), ("runs", "id"), ("prompts", "id")),
        )
    )
    to = dice.choice(
        (f"{column} + 1", f"-{column}", f"{column} * 4096", f"{column} | 1", str(dice.getrandbits(62)))
    )
    connection.execute(f"UPDATE OR IGNORE {table} SET {column} = {to}")


def _add_object(connection: sqlite3.Connection, dice: random.Random) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    table = dice.choice(TABLES)
    connection.execute(
        dice.choice(
            (
                f"CREATE TRIGGER evil AFTER INSERT ON {table} BEGIN DELETE FROM inputs; END",
                f"CREATE VIEW evil AS {endless}",
                "CREATE TABLE evil (x, y AS (randomblob(100000000)))",
                "CREATE VIRTUAL TABLE evil USING fts5(x)",
                "CREATE VIRTUAL TABLE evil USING rtree(a, b, c)",
                f"CREATE INDEX evil ON {table} (abs(rowid))".replace("rowid", _columns(connection, table)[0]),
                "CREATE TABLE IF NOT EXISTS sqlite_stat9 (x)" if dice.random() < 0.1 else "ANALYZE",
                f"ALTER TABLE {table} ADD COLUMN evil TEXT CHECK (evil NOT LIKE '%{'a%' * 50}')",
                f"ALTER TABLE {table} ADD COLUMN evil TEXT DEFAULT 'x'",
            )
        )
    )


def _change_schema(connection: sqlite3.Connection, dice: random.Random) -> None:
    connection.execute("PRAGMA writable_schema = ON")
    table, other = dice.sample(TABLES, 2)
    root = "(SELECT rootpage FROM sqlite_schema WHERE name = '{}')"
    statement = dice.choice(
        (
            f"UPDATE sqlite_schema SET rootpage = {root.format(other)} WHERE name = '{table}'",
            f"UPDATE sqlite_schema SET rootpage = {dice.choice((0, 1, 2**31, -1))} WHERE name = '{table}'",
            f"UPDATE sqlite_schema SET rootpage = {root.format(other)} WHERE type = 'index'",
            f"UPDATE sqlite_schema SET sql = NULL WHERE name = '{table}'",
            f"UPDATE sqlite_schema SET tbl_name = '{other}' WHERE name = '{table}'",
            f"UPDATE sqlite_schema SET type = 'view' WHERE name = '{table}'",
            f"UPDATE sqlite_schema SET name = x'ff' WHERE name = '{table}'",
            f"UPDATE sqlite_schema SET sql = sql || ' ' || char(0) WHERE name = '{table}'",
            "INSERT INTO sqlite_schema SELECT * FROM sqlite_schema",
            "DELETE FROM sqlite_schema WHERE type = 'index'",
        )
    )
    connection.execute(statement)


def _change_statistics(connection: sqlite3.Connection, dice: random.Random) -> None:
    connection.execute("ANALYZE")
    connection.execute("UPDATE sqlite_stat1 SET stat = ?", (_values(dice),))


def _change_header(connection: sqlite3.Connection, dice: random.Random) -> None:
    name = dice.choice(("user_version", "application_id"))
    connection.execute(f"PRAGMA {name} = {dice.choice((0, 1, 2, 3, 4, 5, 6, 99, -1, 2**31 - 1))}")


SQL: tuple[Callable[[sqlite3.Connection, random.Random], None], ...] = (
    *(_set_value, _set_value, _set_value, _set_sound_type, _remove, _double, _refer, _refer, _add_object),
    *(_change_schema, _change_statistics, _change_header),
)


def _change_bytes(folder: Path, dice: random.Random) -> None:
    path = folder / DATABASE
    content = bytearray(path.read_bytes())
    kind = dice.randrange(7)
    at = dice.randrange(len(content))
    if kind == 0:
        content[at : at + dice.choice((1, 2, 8))] = dice.randbytes(dice.choice((1, 2, 8)))
    elif kind == 1:
        del content[at:]
    elif kind == 2:
        pages = range(0, len(content) - 4096, 4096)
        one, two = dice.choice(pages), dice.choice(pages)
        content[one : one + 4096] = content[two : two + 4096]
    elif kind == 3:
        content[at // 4096 * 4096 :][:4096] = bytes(4096)
    elif kind == 4:
        content[dice.randrange(100)] = dice.randrange(256)
    elif kind == 5:
        content = content.replace(b"answer", b"an\xff\xfeer") if dice.random() < 0.5 else content * 2
    else:
        start = at // 4096 * 4096
        for _ in range(5):
            content[start + dice.randrange(100)] = dice.randrange(256)
    path.write_bytes(content)


def _plant_file(folder: Path, dice: random.Random) -> None:
    name = dice.choice((f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal", "evaluation.lock"))
    kind = dice.randrange(4)
    path = folder / name
    path.unlink(missing_ok=True)
    if kind == 0:
        path.write_bytes(dice.randbytes(dice.choice((0, 1, 32, 5000, 40_000))))
    elif kind == 1:
        path.write_bytes((folder / DATABASE).read_bytes())
    elif kind == 2:
        head = bytes.fromhex("377f0682002de218") + (4096).to_bytes(4) + dice.randbytes(20)
        path.write_bytes(head + dice.randbytes(4120 * 2))
    else:
        dice.choice((os.mkfifo, Path.mkdir))(path)  # type: ignore[operator]


def change(folder: Path, seed: int) -> list[str]:
    """Change the folder's database in one to three ways; what was done."""
    dice = random.Random(seed)
    acts = [
        dice.choice((*SQL, *SQL, _change_bytes, _change_bytes, _plant_file))
        for _ in range(dice.randint(1, 3))
    ]
    done = []
    # What lies beside the file last: SQLite would wait for a FIFO here, too.
    for act in sorted(acts, key=(*SQL, _change_bytes, _plant_file).index):
        if act in (_change_bytes, _plant_file):
            act(folder, dice)  # type: ignore[arg-type]
        else:
            with (
                contextlib.suppress(sqlite3.Error, OSError, TypeError, ValueError),
                closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as connection,
            ):
                act(connection, dice)  # type: ignore[arg-type]
        done.append(act.__name__)
    return done


# --- readers -----------------------------------------------------------------------------------


def _read_library(output: Path) -> None:
    results = Results(output / ID)
    _ = repr(results), results.summary, results.status, results.reason, len(results)
    for answer in results:
        _ = repr(answer)
    with contextlib.suppress(IndexError):
        _ = results.answers[-1], results.failures[0], results[::2]


def _read_earlier(output: Path) -> None:
    for found in answers(output / ID):
        read_answer(found.path, name=found.name, part=found.part)
    list(answers(output / ID, where="answer ~ 'I' or output_tokens > 3"))


def _complete(output: Path) -> None:
    _ = list(folders(output)), used(output), file_names(output / ID, "", 100), model_names(output / ID)


def _resume(output: Path) -> None:
    prompts = (Prompt(name="one", text="Describe {text}."), Prompt(name="two", text="Say it."))
    with Store.resume(output / ID, spec(A, B, prompts=prompts, repeats=2)) as store:
        store.set_inputs(files("a.txt", "sub/b.txt", "e.txt"), read_hash=lambda *_: b"")
        store.counts()
        calls = [call for model in store.models for call in store.lease(model, 100)]
        store.start_run({})
        for call in calls[:20]:
            for value in records(call, reply("again")):
                store.submit(value)
        store.end_run("complete", None, 1)
        if store.error is not None:
            raise store.error


def _run(words: str) -> Callable[[Path], None]:
    def read(output: Path) -> None:
        cli.main(["eval", *words.split(), "--output-dir", str(output)], standalone_mode=False)

    read.__name__ = words
    return read


READERS = (*map(_run, _COMMANDS), _read_library, _read_earlier, _complete, _resume)


class TookLong(BaseException):
    """A reader did not end in time."""


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def late(*_: object) -> None:
        raise TookLong

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_all(output: Path, sound: bool = False) -> Iterator[str]:
    """What went wrong in the readers, one by one. `sound`: an error of ours is wrong too."""
    for read in READERS:
        began = time.monotonic()
        quiet = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        try:
            with _limit(MOST_S), contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                read(output)
        except UmweltenError as error:
            if sound or not error.message.strip():
                yield f"{read.__name__}: {error.message!r}"
        except (click.ClickException, click.exceptions.Exit):
            pass
        except TookLong:
            yield f"{read.__name__}: did not end in {MOST_S} s\n{traceback.format_exc(limit=-6)}"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) and time.monotonic() - began < MOST_S:
                raise
            yield f"{read.__name__}: {type(error).__name__}: {error}\n{traceback.format_exc(limit=-6)}"


def attempt(root: Path, template: Path, seed: int | None) -> list[str]:
    """What went wrong with the database of that seed, under a directory of its own.

    `None`: the sound one, which all readers have to read.
    """
    output = root / "output"
    shutil.copytree(template, output / ID)
    (root / "beside").write_text("mine")
    done = [] if seed is None else change(output / ID, seed)
    with contextlib.chdir(root):
        problems = [
            f"seed {seed} ({', '.join(done)}): {problem}" for problem in read_all(output, seed is None)
        ]
    beside = sorted(path.name for path in root.iterdir())
    if beside not in (["beside", "output"], ["beside", "out.parquet", "output"]):
        problems.append(f"seed {seed}: beside the folder there is {beside}")
    if (root / "beside").read_text() != "mine" or [path.name for path in output.iterdir()] != [ID]:
        problems.append(f"seed {seed}: something else was changed")
    return problems
