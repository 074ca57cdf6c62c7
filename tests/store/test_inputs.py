"""The grid: files that come, change and go, and which calls are pending for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.making import BROKEN, A, B, answer_all, files, never, query, record, reply, spec, texts
from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.store.background_iterator import STEP
from umwelten.store.grid import Counts
from umwelten.store.inputs import windows
from umwelten.store.store import Store
from umwelten.store.tables import call_id
from umwelten.types import Call, FoundInput


def holding(data: bytes) -> Callable[..., bytes]:
    return lambda *_: content_hash(data)


def named(calls: list[Call]) -> list[str]:
    return [call.input.name for call in calls if call.input is not None]


def test_calls_come_by_input_and_repeat_and_each_once(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A, B, repeats=2)) as store:
        store.set_inputs(files("b", "a", "c"), read_hash=never)
        assert store.counts() == Counts(total=12, succeeded=0, failed=0, pending=12)
        first = store.lease(2, 3)
        assert [(call.id, call.model, call.repeat) for call in first] == [
            (call_id(1, 2, 1), 2, 1),
            (call_id(1, 2, 2), 2, 2),
            (call_id(2, 2, 1), 2, 1),
        ]
        source = first[0].input
        assert source is not None
        assert (source.id, source.name, source.path, source.size, source.stamp) == (1, "b", "/in/b", 3, "1")
        assert len(store.lease(2, 100)) == 3
        assert store.lease(2, 100) == []
        assert len(store.lease(1, 100)) == 6


def test_a_run_has_one_input_that_is_no_file(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A, B, kind="run", repeats=2)) as store:
        store.set_no_inputs()
        calls = store.lease(1, 9)
        assert [(call.input, call.repeat) for call in calls] == [(None, 1), (None, 2)]
        record(store, [(call, reply("x")) for call in [*calls, *store.lease(2, 9)]])
        assert store.counts() == Counts(total=4, succeeded=4, failed=0, pending=0)
    assert texts(tmp_path) == {
        "google_gemini.txt",
        "google_gemini.r2.txt",
        "ollama_gemma3-12b.txt",
        "ollama_gemma3-12b.r2.txt",
    }
    with Store.resume(tmp_path, spec(A, B, kind="run", repeats=2)) as store:
        store.set_no_inputs()
        assert store.lease(1, 9) == []


def test_a_call_that_failed_comes_again_in_the_next_run_only(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b", "c"), read_hash=never)
        calls = store.lease(1, 2)
        record(store, [(calls[0], BROKEN), (calls[1], reply())])
        assert store.counts() == Counts(total=3, succeeded=1, failed=1, pending=1)
        assert named(store.lease(1, 9)) == ["c"]
        assert store.lease(1, 9) == []
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b", "c"), read_hash=never)
        assert named(store.lease(1, 9)) == ["a", "c"]


def test_two_files_with_the_same_bytes_are_two_calls(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "copy of a"), read_hash=never)
        assert len(answer_all(store, b"same")) == 2
    assert texts(tmp_path) == {"a.txt", "copy of a.txt"}


def test_a_file_named_twice_is_one_input(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        for _ in range(2):
            store.set_inputs(files("a", "b", "a"), read_hash=never)
            assert store.counts().total == 2


def test_only_the_stamp_moves_when_the_bytes_are_the_same(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store, b"bytes")
        store.set_inputs(files("a", "b", stamp="2"), read_hash=holding(b"bytes"))
        assert store.counts().succeeded == 2
        # The new stamp is stored, so that it isn't read again.
        store.set_inputs(files("a", "b", stamp="2"), read_hash=never)
        assert query(tmp_path, "SELECT DISTINCT version, stamp FROM inputs") == [(1, "2")]


def test_changed_bytes_make_the_answer_out_of_date(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store, b"old")
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs([*files("a"), *files("b", stamp="2")], read_hash=holding(b"new"))
        assert store.counts() == Counts(total=2, succeeded=1, failed=0, pending=1)
        calls = store.lease(1, 9)
        assert named(calls) == ["b"]
        record(store, [(calls[0], reply("a new answer"))], b"new")
        assert store.counts().succeeded == 2
    assert (tmp_path / "b.txt").read_text() == "a new answer"
    assert query(tmp_path, "SELECT count(*) FROM answers") == [(2,)]


def test_bytes_that_come_back_bring_their_answers_back(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store, b"one")
        store.set_inputs(files("a", stamp="2"), read_hash=holding(b"two"))
        assert store.counts().pending == 1
        store.set_inputs(files("a", stamp="3"), read_hash=holding(b"one"))
        assert store.counts() == Counts(total=1, succeeded=1, failed=0, pending=0)


def test_answers_about_the_new_bytes_stay_when_others_are_about_the_old(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A, B)) as store:
        store.set_inputs(files("a"), read_hash=never)
        record(store, [(store.lease(1, 1)[0], reply())], b"before the edit")
        record(store, [(store.lease(2, 1)[0], reply())], b"after the edit")
    with Store.resume(tmp_path, spec(A, B)) as store:
        store.set_inputs(files("a", stamp="2"), read_hash=holding(b"after the edit"))
        assert [call.model for model in (1, 2) for call in store.lease(model, 9)] == [1]


def test_a_file_without_answers_is_not_read(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        record(store, [(store.lease(1, 1)[0], BROKEN)])
        store.set_inputs(files("a", "b", stamp="2"), read_hash=never)
        assert store.counts().pending == 2


@pytest.mark.parametrize("error", [FileNotFoundError("gone"), InputError("unreadable")])
def test_a_file_that_cannot_be_read_is_pending_and_does_not_end_the_resume(
    tmp_path: Path, error: Exception
) -> None:
    def unreadable(*_: str) -> bytes:
        raise error

    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
        store.set_inputs(files("a", stamp="2"), read_hash=unreadable)
        assert store.counts().pending == 1


def test_files_come_go_and_come_back(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("0", "a"), read_hash=never)
        assert store.counts() == Counts(total=2, succeeded=1, failed=0, pending=1)
        assert named(store.lease(1, 9)) == ["0"]
        store.set_inputs(files("b"), read_hash=never)
        assert store.counts() == Counts(total=1, succeeded=1, failed=0, pending=0)
        assert store.lease(1, 9) == []


def test_a_renamed_file_is_another_input(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
        store.set_inputs(files("z"), read_hash=never)
        assert named(store.lease(1, 9)) == ["z"]


def test_the_same_names_elsewhere_are_opened_there(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        store.set_inputs(files("a", folder="/elsewhere"), read_hash=never)
        assert [call.input and call.input.path for call in store.lease(1, 9)] == ["/elsewhere/a"]


def test_inputs_that_break_off_leave_what_was_there(tmp_path: Path) -> None:
    def breaking() -> Iterator[FoundInput]:
        yield from files("b", "c")
        raise InputError("the directory went away")

    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        with pytest.raises(InputError):
            store.set_inputs(breaking(), read_hash=never)
        assert named(store.lease(1, 9)) == ["a"]


def test_a_path_that_is_not_unicode_still_opens_its_file(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    Path(path).write_text("x")
    with Store.create(tmp_path / "x", spec()) as store:
        scanned = FoundInput(name="caf\udce9.txt", path=path, size=1, stamp="1")
        store.set_inputs([scanned], read_hash=never)
        source = answer_all(store)[0].input
        assert source is not None
        assert source.path == path
        source.name.encode()
        read: list[str] = []
        store.set_inputs(
            [FoundInput(name=scanned.name, path=path, size=1, stamp="2")],
            read_hash=lambda path, *_: read.append(path) or content_hash(b""),  # type: ignore[func-returns-value]
        )
        assert read == [path]
    assert texts(tmp_path / "x") == {"caf-.txt.txt"}


def test_the_gaps_between_many_answers_are_found(tmp_path: Path) -> None:
    every, gaps = files(*map(str, range(2500))), ["0", "1700", "1701", "2499"]
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(every, read_hash=never)
        calls = store.lease(1, 2500)
        record(store, [(call, reply("x")) for call in calls if named([call])[0] not in gaps])
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(every, read_hash=never)
        assert [named(store.lease(1, n)) for n in (1, 2, 9)] == [gaps[:1], gaps[1:3], gaps[3:]]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from("abcdef"), unique=True), min_size=1, max_size=4),
    st.lists(st.sampled_from(["answer", "fail", "leave"]), min_size=24, max_size=24),
)
def test_over_any_resumes_a_call_is_pending_until_it_is_answered(
    tmp_path_factory: pytest.TempPathFactory, plans: list[list[str]], fates: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("plans") / "x"
    answered: set[str] = set()
    fate = iter(fates)
    for plan in plans:
        with Store.resume(folder, spec()) as store:
            store.set_inputs(files(*plan), read_hash=never)
            calls = store.lease(1, 100)
            assert set(named(calls)) == set(plan) - answered
            assert len(calls) == len(set(named(calls)))
            outcomes = {call.id: next(fate) for call in calls}
            record(store, [(c, reply()) for c in calls if outcomes[c.id] == "answer"])
            record(store, [(c, BROKEN) for c in calls if outcomes[c.id] == "fail"])
            answered |= set(named([c for c in calls if outcomes[c.id] == "answer"]))
            counts = store.counts()
            assert counts.succeeded == len(answered & set(plan))
            assert counts.total == len(plan) == counts.succeeded + counts.failed + counts.pending


@pytest.mark.parametrize("count", [0, 1, STEP - 1, STEP, STEP + 1, 2 * STEP + 1])
def test_rows_read_in_windows_are_all_rows_and_each_once(count: int) -> None:
    """From the position 0 on, whatever lies between two positions, though the table grows meanwhile."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, value)")
        positions = [number * number for number in range(count)]
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, -n) for n in positions])
        found = []
        for (value,) in windows(connection, "SELECT n, value FROM t WHERE n > ? ORDER BY n LIMIT ?"):
            if not found:
                connection.execute("INSERT INTO t VALUES (?, 1)", (count * count + 1,))
            found.append(value)
        assert [value for value in found if value <= 0] == [-n for n in positions]
        # What comes behind the last row of a full window is still found; a short one is not the last.
        assert found.count(1) == (count > 0)
