"""What was sent is kept once, is on disk before what names it, and is read as it was sent."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.making import files, never, query, records, reply, spec
from store.test_tables import made_by_version
from umwelten.errors import StoreError
from umwelten.identity import content_hash
from umwelten.inputs.asked_again import read_again
from umwelten.report.queries.sent_columns import sent_calls
from umwelten.store import contents
from umwelten.store.asked import NOT_KEPT, AskedReader, AskedSource, asked
from umwelten.store.contents import Content, KeptInput, KeptQuestion, encode_question, text_bytes
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS
from umwelten.types import Call

LONG = "Bees fly. " * 400


def content(text: str) -> Content:
    data = text_bytes(text)
    return content_hash(data), data


def question(*texts: str, **about: object) -> list[Content]:
    """A question of one part, with every text as a content of its own; the question comes last."""
    kept = [content(text) for text in texts]
    pieces = tuple((digest.hex(),) for digest, _ in kept)
    data = encode_question(KeptQuestion(parts=(pieces,), input=KeptInput(**about)))  # type: ignore[arg-type]
    return [*kept, (content_hash(data), data)]


def answer(store: Store, call: Call, kept: list[Content]) -> None:
    store.keep(kept)
    attempt, ended = records(call, reply())
    store.submit(attempt)
    store.submit(msgspec.structs.replace(ended, kept=kept[-1][0]))


def test_a_text_is_kept_once_however_many_questions_have_it(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        first, second = store.lease(1, 9)
        store.start_run({})
        answer(store, first, question(LONG, "one", text=(content(LONG)[0].hex(),)))
        answer(store, second, question(LONG, "two"))
        store.end_run("complete", None, 1)
        store.start_run({})  # of another run nothing is remembered
        store.keep(question(LONG, "three"))
        answer(store, first, question(LONG, "one"))
        store.end_run("complete", None, 1)
    assert query(tmp_path, f"SELECT count(*) FROM contents WHERE size = {len(LONG)}") == [(1,)]
    assert query(tmp_path, "SELECT length(data) < 100 FROM contents WHERE size > 1000") == [(1,)]
    with Reader.open(tmp_path) as reader:
        assert asked(reader, first.id).text == f"{LONG}one"
        assert asked(reader, second.id).text == f"{LONG}two"
        assert asked(reader, 7) == NOT_KEPT


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=())), min_size=1, max_size=6))
def test_any_text_is_read_as_it_was_sent(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    folder = tmp_path_factory.mktemp("any")
    with Store.create(folder, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 9)
        store.start_run({})
        answer(store, call, question(*texts, text=(content(texts[0])[0].hex(),)))
        store.end_run("complete", None, 1)
    with Reader.open(folder) as reader:
        found = AskedReader(reader).of(call.id)
    assert (found.source, found.parts) == (AskedSource.STORED, ("".join(texts),))
    assert found.input_text == texts[0]


def test_rows_keep_their_values_and_types(tmp_path: Path) -> None:
    row = msgspec.Raw(b'{"id":7,"big":1e999,"text":null,"tags":["a",{"b":null}],"none":null}')
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        first, second = store.lease(1, 9)
        store.start_run({})
        answer(store, first, question(LONG, row=row, long={"text": content(LONG)[0].hex()}))
        whole = f'{{"other":"{LONG}"}}'
        name = msgspec.Raw(msgspec.json.encode([content(whole)[0].hex()]))
        answer(store, second, question(whole, row=name))
        store.end_run("complete", None, 1)
    with Reader.open(tmp_path) as reader:
        rows = AskedReader(reader)
        assert rows.row(first.id) == {
            "id": 7,
            "big": "1e999",
            "text": LONG,
            "tags": ["a", {"b": None}],
            "none": None,
        }
        assert rows.row(second.id) == {"other": LONG}
        assert rows.row_columns() == ("id", "big", "text", "tags", "none", "other")


def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_WAITING", 10_000)
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        store.start_run({})
        store.keep([content(LONG), content(LONG * 2)])  # with no call that ends
        store.end_run("stopped", None, 1)
    assert query(tmp_path, "SELECT size FROM contents ORDER BY size") == [(4000,), (8000,)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE contents SET data = x'00ff00' WHERE size > 1000",
        "UPDATE contents SET data = zeroblob(4000) WHERE size = 4000",
        "UPDATE contents SET size = 1000000000000 WHERE size = 4000",
        "DELETE FROM contents WHERE size = 4000",
        "UPDATE contents SET hash = zeroblob(20) WHERE size < 1000",
    ],
)
def test_a_damaged_content_is_an_error_and_never_another_text(tmp_path: Path, change: str) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 9)
        store.start_run({})
        answer(store, call, question(LONG))
        store.end_run("complete", None, 1)
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection, connection:
        connection.execute(change)
    with Reader.open(tmp_path) as reader, pytest.raises(StoreError, match="is damaged"):
        asked(reader, call.id)


def test_a_question_nested_without_end_is_damage_and_no_crash(tmp_path: Path) -> None:
    nested = b'{"parts":[],"input":{"row":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 9)
        store.start_run({})
        answer(store, call, [(content_hash(nested), nested)])
        store.end_run("complete", None, 1)
    with Reader.open(tmp_path) as reader, pytest.raises(StoreError, match="is damaged"):
        asked(reader, call.id)


def test_a_content_that_a_question_names_again_and_again_fills_no_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("umwelten.store.asked._MOST_TOGETHER", 10 * len(LONG))
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        many, few = store.lease(2, 9)
        store.start_run({})
        answer(store, many, question(*[LONG] * 11))
        answer(store, few, question(*[LONG] * 10))
        store.end_run("complete", None, 1)
    with Reader.open(tmp_path) as reader:
        several = AskedReader(reader)
        assert several.of(few.id).text == several.of(few.id).text == LONG * 10
        with pytest.raises(StoreError, match="is damaged"):
            several.of(many.id)


def test_a_group_that_could_not_be_written_is_written_with_its_contents(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 9)
        store.start_run({})
        with closing(sqlite3.connect(tmp_path / "evaluation.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store._connection.execute("PRAGMA busy_timeout = 0")
            answer(store, call, question(LONG))
            store.flush_soon()
            while store.error is None:
                pass
            other.execute("ROLLBACK")
        store.end_run("failed", None, 1)
    with Reader.open(tmp_path) as reader:
        assert asked(reader, call.id).text == LONG


@pytest.mark.parametrize("version", [1, 4, len(MIGRATIONS) - 1])
def test_of_earlier_versions_nothing_is_kept(tmp_path: Path, version: int) -> None:
    folder = tmp_path / "x"
    made_by_version(folder, 1)
    with closing(sqlite3.connect(folder / "evaluation.db", isolation_level=None)) as connection:
        for migration in MIGRATIONS[1:version]:
            connection.executescript(migration)
        connection.execute(f"PRAGMA user_version = {version}")
    with Reader.open(folder) as reader:
        rows = AskedReader(reader)
        ((call,),) = reader.connection.execute("SELECT id FROM calls")
        assert (rows.of(call), rows.row(call), rows.row_columns()) == (NOT_KEPT, None, ())
        assert [one.asked for one in sent_calls(reader)] == [NOT_KEPT]
        assert read_again(reader, call).source == AskedSource.CHANGED  # its file was never there
