"""What counts, as views of the connection: which calls and answers, how they are found, no trace of it."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import msgspec
import pytest

from store.making import BROKEN, A, B, answer_all, files, never, query, record, reply, spec
from store.test_tables import made_by_version
from umwelten.store.database import open_second
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.stored_calls import (
    PAGE,
    Arrivals,
    call_count,
    call_rows,
    stored_answer,
    stored_answers,
    stored_call,
    stored_calls,
)
from umwelten.store.tables import FAILED, SUCCEEDED, call_id, cell_of
from umwelten.store.views import create_current_views
from umwelten.types import Prompt


def evaluation(folder: Path) -> None:
    """Of five files "good" and "bad" count: one is pending, one has changed since, one was left out."""
    with Store.create(folder, spec(A)) as store:
        store.set_inputs(files("good", "bad", "pending", "changed", "gone"), read_hash=never)
        calls = {call.input.name: call for call in store.lease(1, 10) if call.input}
        ends = {"good": reply(), "bad": BROKEN, "changed": reply(), "gone": reply()}
        record(store, [(calls[name], outcome) for name, outcome in ends.items()])
    with Store.resume(folder, spec(A)) as store:
        later = [*files("good", "bad", "pending"), *files("changed", stamp="2")]
        store.set_inputs(later, read_hash=lambda path, *_: b"other bytes")


def rows(connection: sqlite3.Connection, view: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(f"SELECT file, model, repeat, status FROM {view}")]


def test_the_calls_that_count_are_those_of_the_latest_plan_about_the_bytes_of_now(tmp_path: Path) -> None:
    evaluation(tmp_path / "x")
    with Reader.open(tmp_path / "x") as reader:
        good = ("good", "google:gemini", 1, SUCCEEDED)
        assert rows(reader.connection, "current_calls") == [good, ("bad", "google:gemini", 1, FAILED)]
        assert rows(reader.connection, "current_answers") == [good]


def test_models_and_repeats_that_were_left_out_do_not_count(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A, B, repeats=2)) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path, spec(B)) as store:
        store.set_inputs(files("a"), read_hash=never)
    with Reader.open(tmp_path) as reader:
        assert rows(reader.connection, "current_answers") == [("a", str(B), 1, SUCCEEDED)]


def test_they_know_prompt_file_and_place(tmp_path: Path) -> None:
    prompts = (Prompt(name="short", text="Be short."), Prompt(name="long", text="Be long."))
    with Store.create(tmp_path / "x", spec(A, prompts=prompts)) as store:
        store.set_inputs([msgspec.structs.replace(files("a")[0], part="row 1 2")], read_hash=never)
        answer_all(store)
    with Store.create(tmp_path / "y", spec(A, kind="run")) as store:
        store.set_no_inputs()
        answer_all(store)
    columns = "SELECT prompt, file, path, part, slug FROM current_calls"
    with Reader.open(tmp_path / "x") as reader:
        assert [tuple(row) for row in reader.connection.execute(columns)] == [
            ("short", "a", "/in/a", "row 1 2", "short.google_gemini"),
            ("long", "a", "/in/a", "row 1 2", "long.google_gemini"),
        ]
    with Reader.open(tmp_path / "y") as reader:
        assert [tuple(row) for row in reader.connection.execute(columns)] == [
            (None, None, "", "", "google_gemini")
        ]


@pytest.mark.parametrize("version", [1, 2])
def test_evaluations_of_earlier_versions_have_them(tmp_path: Path, version: int) -> None:
    made_by_version(tmp_path / "x", version)
    with Reader.open(tmp_path / "x") as reader:
        (call,) = stored_calls(reader)
        assert (call.id, call.model, call.prompt, call.file) == (call_id(1, 2, 1), str(B), None, "a")
        assert (call.text, call.data, call.mark_names) == ("an old answer", None, ())
        assert (call.usage.service_tier, call.usage.details) == (None, {})
        assert list(stored_answers(reader)) == [call] == list(call_rows(reader))
        # Views of views of tables, and still one look-up by rowid.
        query = "EXPLAIN QUERY PLAN SELECT * FROM current_answers WHERE id = 5"
        plan = [row["detail"] for row in reader.connection.execute(query)]
        assert re.fullmatch(r"SEARCH (c|main\.calls) USING INTEGER PRIMARY KEY \(rowid=\?\)", plan[0])
        assert not [step for step in plan if step.startswith("SCAN") and "evaluation" not in step]
    text = stored_answer(tmp_path / "x", call_id(1, 2, 1))
    assert text is not None
    assert (text.text, text.file, text.path) == ("an old answer", "a", "/in/a")


def test_they_are_nowhere_in_the_file(tmp_path: Path) -> None:
    evaluation(tmp_path / "x")
    path = tmp_path / "x" / "evaluation.db"
    before = path.read_bytes()
    with Reader.open(tmp_path / "x") as reader:
        assert call_count(reader) == 2
    open_second(tmp_path / "x").close()
    assert path.read_bytes() == before
    objects = query(tmp_path / "x", "SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger')")
    assert objects == []


def test_a_connection_that_may_only_ask_has_them(tmp_path: Path) -> None:
    evaluation(tmp_path / "x")
    with Reader.open(tmp_path / "x") as reader:
        reader.connection.execute("PRAGMA query_only = ON")
        assert len(rows(reader.connection, "current_calls")) == 2
        with pytest.raises(sqlite3.OperationalError):
            reader.connection.execute("DELETE FROM calls")
    connection = sqlite3.connect(
        f"{(tmp_path / 'x' / 'evaluation.db').as_uri()}?mode=ro&immutable=1", uri=True
    )
    create_current_views(connection)
    assert len(rows(connection, "current_calls")) == 2
    connection.close()


@pytest.mark.parametrize(
    ("sql", "first"),
    [
        ("SELECT * FROM current_calls WHERE id = 5", "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"),
        ("SELECT * FROM current_answers WHERE id = 5", "SEARCH c USING INTEGER PRIMARY KEY (rowid=?)"),
        (
            "SELECT * FROM current_answers WHERE id > 5 ORDER BY id LIMIT 9",
            "SEARCH c USING INTEGER PRIMARY KEY (rowid>?)",
        ),
        ("SELECT * FROM current_calls ORDER BY id", "SCAN c"),
        (
            "SELECT c.id, a.text FROM current_calls c LEFT JOIN answers a ON a.call_id = c.id ORDER BY c.id",
            "SCAN c",
        ),
        (Arrivals.QUERY, "SEARCH t USING INTEGER PRIMARY KEY (rowid>?)"),
    ],
)
def test_calls_are_found_by_rowid_and_never_sorted_or_copied(tmp_path: Path, sql: str, first: str) -> None:
    evaluation(tmp_path / "x")
    with Reader.open(tmp_path / "x") as reader:
        values = (0,) * sql.count("?")
        plan = [row["detail"] for row in reader.connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert plan[0] == first
    assert not [
        step for step in plan if "TEMP B-TREE" in step or "MATERIALIZE" in step or "CO-ROUTINE" in step
    ]
    scanned = [step for step in plan if step.startswith("SCAN")]
    assert set(scanned) <= {"SCAN c", "SCAN evaluation"}


def test_a_call_is_read_whole(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        one, two = store.lease(1, 9)
        answer = msgspec.structs.replace(reply(), reasoning="Hm.", data='{"a":1}', marks=("fenced", "mended"))
        record(store, [(one, answer), (two, msgspec.structs.replace(BROKEN, partial="An ans"))])
    with Reader.open(tmp_path) as reader:
        good, bad = stored_call(reader, one.id), stored_call(reader, two.id)
        assert stored_call(reader, call_id(3, 1, 1)) is None
        assert good is not None
        assert bad is not None
        assert (good.succeeded, good.text, good.data, good.partial) == (True, "An answer.", '{"a":1}', None)
        assert (good.reasoning, good.mark_names) == ("Hm.", ("fenced", "mended"))
        assert (good.response_s, good.ttft_s, good.cost_nusd, good.finish_reason) == (0.5, 0.1, 5, "stop")
        assert (bad.succeeded, bad.text, bad.data, bad.partial) == (False, None, None, "An ans")
        assert (bad.error_kind, bad.error_message) == ("server", "it broke")
        assert list(stored_calls(reader)) == [good, bad]
        assert list(stored_calls(reader, FAILED)) == [bad]
        # Where it is of no use it is not read: it may be many times as long as the answer.
        brief = msgspec.structs.replace(good, reasoning=None)
        assert list(call_rows(reader)) == [brief, bad]
        assert list(stored_answers(reader)) == [brief]


def test_pages_leave_nothing_out(tmp_path: Path) -> None:
    count = 2 * PAGE + 3
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(files(*(f"{n:03}" for n in range(count))), read_hash=never)
        calls = [call.id for call in answer_all(store)]
    with Reader.open(tmp_path) as reader:
        assert call_count(reader) == call_count(reader, SUCCEEDED) == count
        assert call_count(reader, FAILED) == 0
        assert [call.id for call in stored_calls(reader)] == calls
        for start, limit in ((0, 0), (1, PAGE), (PAGE - 1, PAGE + 2), (count - 1, 5), (count, 5), (3, -1)):
            some = [call.id for call in stored_calls(reader, start=start, limit=limit)]
            assert some == calls[start : None if limit < 0 else start + limit]
        arrivals = Arrivals(reader)
        pages = list(iter(arrivals.take, []))
        assert [call.id for page in pages for call in page] == calls
        assert max(map(len, pages)) == PAGE


def test_a_calls_number_is_that_of_its_cell() -> None:
    for cell in ((0, 1, 1), (1, 4095, 65_535), (1_000_000, 7, 3)):
        assert cell_of(call_id(*cell)) == cell
