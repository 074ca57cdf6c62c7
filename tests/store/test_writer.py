"""What a run leaves: rows, text files, and the word that they are there."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store.making import (
    BROKEN,
    A,
    B,
    answer_all,
    files,
    never,
    query,
    record,
    records,
    repair,
    reply,
    spec,
    texts,
)
from umwelten.errors import StoreError
from umwelten.identity import content_hash
from umwelten.records import AttemptRecord, CallRecord, LimitRecord
from umwelten.store.grid import Counts
from umwelten.store.rows import clean
from umwelten.store.store import Store
from umwelten.store.text_file_names import TEMPORARY, flat_name
from umwelten.types import Failure, FailureKind, RateLimitHints, Reply, Timing, Usage


def changed(store: Store, *names: str, stamp: str) -> None:
    """Say that the bytes of all files are others now."""
    store.set_inputs(files(*names, stamp=stamp), read_hash=lambda path, *_: content_hash(stamp.encode()))


def test_an_attempt_that_was_broken_off_for_another_is_spent_as_that_was(tmp_path: Path) -> None:
    lost = Failure(kind=FailureKind.SUPERSEDED, message="the other was first", retry=False)
    timed_out = Failure(kind=FailureKind.TIMEOUT, message="too long")
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        store.start_run({})
        for call, failure in zip(store.lease(1, 9), (lost, timed_out), strict=True):
            attempt, ended = records(call, reply("fine"), cost=40)
            unknown = msgspec.structs.replace(attempt, outcome=failure, cost_nusd=None)
            for row in (unknown, msgspec.structs.replace(attempt, number=2), ended):
                store.submit(row)
        store.end_run("complete", None, 1)
        assert store.spent_nusd() == 3 * 40


def test_every_attempt_call_and_limit_is_a_row(tmp_path: Path) -> None:
    slow = Failure(
        kind=FailureKind.RATE_LIMIT,
        message="slow down",
        status=429,
        code="rate",
        partial="An ans",
        request_id="r1",
        hints=RateLimitHints(retry_after_s=2.5),
    )
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 9)
        assert store.start_run({"concurrency": 5}) == 1
        timing = Timing(started_at=10.0, latency_s=0.25)
        store.submit(LimitRecord(at=9.0, lane="google", limit=4.0, in_flight=3, reason="throttled"))
        store.submit(AttemptRecord(call=call, number=1, outcome=slow, timing=timing))
        attempt, ended = records(call, reply("fine"), b"bytes")
        store.submit(attempt)
        store.submit(ended)
        store.end_run("complete", "all done", 3)
    assert query(tmp_path, "SELECT * FROM limit_changes") == [(1, 9.0, "google", 4.0, 3, "throttled")]
    assert query(tmp_path, "SELECT * FROM attempts") == [
        (1, call.id, 1, 1, 10.0, 0.25, None, 429, "rate_limit", "slow down", "rate", "An ans", 2.5, "r1")
        + (None,) * 8
        + (1, None, None),
        (
            2,
            call.id,
            1,
            1,
            1000.0,
            0.5,
            0.1,
            *(None,) * 6,
            "r",
            7,
            2,
            None,
            None,
            5,
            *(None,) * 3,
            1,
            None,
            None,
        ),
    ]
    ending = ("stop", None, 7, 2, None, None, 5, None, None, "a.txt", *(None,) * 6)
    assert query(tmp_path, "SELECT * FROM calls") == [
        (call.id, 1, 1, 1, 1, ended.key, content_hash(b"bytes"), 1, 1, 1000.0, 0.5, 0.1, 0.5, 1, *ending)
    ]
    assert query(tmp_path, "SELECT * FROM answers") == [(call.id, "fine", None, None, None)]
    run = "SELECT status, reason, peak_in_flight, settings, ended_at >= started_at FROM runs"
    assert query(tmp_path, run) == [("complete", "all done", 3, '{"concurrency":5}', 1)]


def test_a_failed_call_is_a_row_and_leaves_no_text_file(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        record(store, [(store.lease(1, 1)[0], BROKEN)])
    assert query(tmp_path, "SELECT status, error_kind, error_message, output FROM calls") == [
        (2, "server", "it broke", None)
    ]
    assert texts(tmp_path) == set()


def test_the_word_comes_after_commit_and_text_file_and_from_the_writer(tmp_path: Path) -> None:
    told: list[int] = []

    def look(group: Sequence[CallRecord]) -> None:
        assert threading.current_thread() is not threading.main_thread()
        stored = {row[0]: row[1] for row in query(tmp_path, "SELECT id, output FROM calls")}
        for ended in group:
            assert isinstance(ended.outcome, Reply)
            assert (tmp_path / str(stored[ended.call.id])).read_text() == ended.outcome.text
            told.append(ended.call.id)

    with Store.create(tmp_path, spec(A, B)) as store:
        store.set_inputs(files(*(f"sub{n}/f" for n in range(700))), read_hash=never)
        store.on_commit(look)
        calls = answer_all(store)
        assert told == [call.id for call in calls]


def test_a_callback_that_raises_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def raising(group: Sequence[CallRecord]) -> None:
        raise RuntimeError("the loop is closed")

    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files(*map(str, range(600))), read_hash=never)
        store.on_commit(raising)
        with caplog.at_level(logging.ERROR):
            answer_all(store)
        assert store.counts().succeeded == 600
    assert "the loop is closed" in caplog.text


def test_closing_writes_what_was_handed_over(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        store.start_run({})
        store.submit(records(store.lease(1, 1)[0], reply())[1])
    store.close()
    assert texts(tmp_path) == {"a.txt"}
    assert query(tmp_path, "SELECT status, ended_at FROM runs") == [(None, None)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "evaluation.db", "evaluation.lock"]


def test_a_failure_does_not_destroy_a_good_answer(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = answer_all(store)
        record(store, [(call, BROKEN)])
        assert store.counts().succeeded == 1
    assert query(tmp_path, "SELECT status, output FROM calls") == [(1, "a.txt")]
    assert query(tmp_path, "SELECT count(*) FROM answers") == [(1,)]
    assert texts(tmp_path) == {"a.txt"}


def test_a_success_takes_the_place_of_a_failure(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        record(store, [(store.lease(1, 1)[0], BROKEN)])
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    assert query(tmp_path, "SELECT status, error_kind, error_message, run_id FROM calls") == [
        (1, None, None, 2)
    ]
    assert query(tmp_path, "SELECT run_id, number, error_kind FROM attempts") == [
        (1, 1, "server"),
        (2, 1, None),
    ]


def test_a_failure_takes_the_place_of_an_answer_that_is_out_of_date(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    with Store.resume(tmp_path, spec()) as store:
        changed(store, "a", "b", stamp="2")
        calls = store.lease(1, 9)
        record(store, [(calls[0], BROKEN), (calls[1], reply("new"))])
        assert store.counts() == Counts(total=2, succeeded=1, failed=1, pending=0)
    assert texts(tmp_path) == {"b.txt"}
    assert (tmp_path / "b.txt").read_text() == "new"
    assert query(tmp_path, "SELECT status, input_version, output FROM calls") == [
        (2, 2, None),
        (1, 2, "b.txt"),
    ]
    assert query(tmp_path, "SELECT text FROM answers") == [("new",)]


def test_an_answer_is_recorded_for_the_bytes_that_were_leased(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        calls = store.lease(1, 1)
        changed(store, "a", "b", stamp="2")
        record(store, [(calls[0], reply())])
        assert store.counts() == Counts(total=2, succeeded=0, failed=0, pending=2)


def test_missing_text_files_are_written_again(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "sub/b", "c", "d", "e"), read_hash=never)
        answer_all(store)
        (tmp_path / "a.txt").unlink()
        (tmp_path / "sub/b.txt").unlink()
        (tmp_path / "sub").rmdir()
        (tmp_path / "c.txt").write_text("")  # as a power cut leaves it
        (tmp_path / "d.txt").write_text("edited")
        (tmp_path / "e.txt").unlink()
        changed(store, "a", "sub/b", "c", "d", stamp="1")
        assert repair(store) == 4
        assert repair(store) == 0
        assert (tmp_path / "sub/b.txt").read_text().startswith("answer ")
        assert (tmp_path / "c.txt").read_text().startswith("answer ")
        assert (tmp_path / "d.txt").read_text() == "edited"


def test_an_answer_that_is_out_of_date_is_not_written_again(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
        (tmp_path / "a.txt").unlink()
        changed(store, "a", stamp="2")
        assert repair(store) == 0
    assert texts(tmp_path) == set()


def test_a_text_file_whose_path_is_blocked_gets_another_and_the_row_says_which(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        # "a" makes the file a.txt, where a directory is needed for the second; the third needs a file
        # where the fourth has made a directory.
        store.set_inputs(files("a", "a.txt/b", "z.txt/c", "z"), read_hash=never)
        answer_all(store)
        assert not store.missing_texts.count
        rows = query(tmp_path, "SELECT c.output, a.text FROM calls c JOIN answers a ON a.call_id = c.id")
        assert len(rows) == 4
        for output, text in rows:
            assert (tmp_path / str(output)).read_text() == text
        assert {"a.txt", "z.txt/c.txt"} < texts(tmp_path)
        assert repair(store) == 0


def test_a_text_file_that_gets_another_name_after_all_is_not_missing(tmp_path: Path) -> None:
    """The outdated one, of whose name there is a directory now, could not be removed."""
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
    (tmp_path / "a.txt").unlink()
    (tmp_path / "a.txt").mkdir()
    with Store.resume(tmp_path, spec()) as store:
        changed(store, "a", stamp="2")
        record(store, [(store.lease(1, 1)[0], reply("new"))])
        assert not store.missing_texts.count
    assert texts(tmp_path) == {flat_name("a.txt")}


def test_a_text_file_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        blocks = [tmp_path / "a.txt", tmp_path / flat_name("a.txt")]
        for block in blocks:
            block.mkdir()
        answer_all(store)
        assert store.error is None
        assert store.counts().succeeded == 1
        assert store.missing_texts.example.startswith("a.txt: ")
        for block in blocks:
            block.rmdir()
        assert repair(store) == 1


@pytest.mark.parametrize("then", ["the end", "another answer", "no lock", "never"])
def test_a_text_file_for_which_there_is_no_descriptor_is_written_later(tmp_path: Path, then: str) -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    committed = threading.Event()
    (leftover := tmp_path / f"{TEMPORARY}-1").touch()
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        store.on_commit(lambda records: committed.set() if records else None)
        store.start_run({})
        calls = [call for model in store.models for call in store.lease(model, 10)]
        while leftover.exists():
            time.sleep(0.001)  # the writer's first chore has a descriptor open for a moment
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            for entry in records(calls[0], reply("one")):
                store.submit(entry)
            store.flush_soon()
            assert committed.wait(10)
            if then == "never":
                store.end_run("stopped", None, 1)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert texts(tmp_path) == set()
        if then == "another answer":
            store.submit(records(calls[1], reply("two"))[1])
        elif then == "no lock":
            (tmp_path / "evaluation.lock").unlink()
        if then != "never":
            store.end_run("stopped", None, 1)
        assert store.missing_texts.count == (then == "never")
    written = {"the end": {"a.txt"}, "another answer": {"a.txt", "b.txt"}}
    assert texts(tmp_path) == written.get(then, set())


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\0b", "a\ufffdb"),
        ("half \ud83d of one", "half \ufffd of one"),
        ("two \ud83d\ude00 halves", "two 😀 halves"),
        ("naïve 漢字 😀\r\n", "naïve 漢字 😀\r\n"),
        ("", ""),
    ],
)
def test_text_that_no_file_can_hold_is_mended(tmp_path: Path, text: str, kept: str) -> None:
    broken = Failure(kind=FailureKind.SERVER, message=text, code=text, partial=text, request_id=text)
    with Store.create(tmp_path, spec(prompt=text, system=text)) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        calls = store.lease(1, 2)
        record(store, [(calls[0], Reply(text=text, reasoning=text, served_model=text)), (calls[1], broken)])
    assert (tmp_path / "a.txt").read_bytes() == kept.encode()
    assert query(tmp_path, "SELECT text, reasoning FROM answers") == [(kept, kept)]
    assert query(
        tmp_path, "SELECT error_message, error_code, partial, request_id FROM attempts WHERE id = 2"
    ) == [(kept, kept, kept, kept)]
    Store.resume(tmp_path, spec(prompt=text, system=text)).close()


@settings(max_examples=300)
@given(st.text(st.characters()))
def test_cleaning_changes_nothing_but_what_must_be(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert "\0" not in cleaned
    assert clean(cleaned) == cleaned
    if not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in text):
        assert cleaned == text


def test_a_figure_too_large_for_the_database_is_unknown(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        store.start_run({})
        store.submit(records(store.lease(1, 1)[0], reply(), cost=1 << 70)[1])
        store.end_run("complete", None, 1)
        assert store.error is None
    assert query(tmp_path, "SELECT status, cost_nusd FROM calls") == [(1, None)]


def test_a_record_that_cannot_be_stored_stops_the_writing_and_says_why(tmp_path: Path) -> None:
    told: list[CallRecord] = []
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        first, second = store.lease(1, 2)
        store.on_commit(told.extend)
        store.start_run({})
        store.submit(msgspec.structs.replace(records(first, reply())[1], attempts=1 << 70))
        store.end_run("stopped", None, 1)
        assert isinstance(store.error, OverflowError)
        store.start_run({})
        store.submit(records(second, reply())[1])
        store.end_run("stopped", None, 1)
        assert isinstance(store.error, OverflowError)
    assert told == []
    assert query(tmp_path, "SELECT * FROM calls") == []
    assert texts(tmp_path) == set()


@pytest.mark.skipif(os.name == "nt", reason="there, a file that is open stays where it is")
@pytest.mark.parametrize("harm", ["removed", "replaced", "renamed", "folder"])
def test_a_lock_that_was_replaced_is_noticed_before_anything_is_written(tmp_path: Path, harm: str) -> None:
    folder = tmp_path / "x"
    with Store.create(folder, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        one, two = store.lease(1, 9)
        store.start_run({})
        for item in records(one, reply("first")):
            store.submit(item)
        store.flush_soon()
        while not (folder / "a.txt").exists():
            time.sleep(0.002)
        lock = folder / "evaluation.lock"
        if harm == "folder":
            folder.rename(tmp_path / "y")
        elif harm == "renamed":
            lock.rename(tmp_path / "evaluation.lock")
        else:
            lock.unlink()
        if harm == "replaced":
            lock.touch()
        for item in records(two, reply("second")):
            store.submit(item)
        store.end_run("stopped", None, 1)
        assert "removed or replaced" in str(store.error)
    kept = tmp_path / ("y" if harm == "folder" else "x")
    assert query(kept, "SELECT output FROM calls") == [("a.txt",)]
    assert texts(kept) == {"a.txt"}


def test_a_run_does_not_start_under_a_lock_that_is_gone(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (tmp_path / "evaluation.lock").unlink()
        with pytest.raises(StoreError, match="removed or replaced"):
            store.start_run({})
    assert query(tmp_path, "SELECT count(*) FROM runs") == [(0,)]


def test_names_of_any_length_take_little_room(tmp_path: Path) -> None:
    long = "n" * 3_000_000
    usage = Usage(input_tokens=1, service_tier=long)
    named = msgspec.structs.replace(reply(), served_model=long, request_id=long, usage=usage)
    broken = msgspec.structs.replace(BROKEN, code=long, request_id=long)
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        calls = [call for model in store.models for call in store.lease(model, 10)]
        record(store, zip(calls, (named, broken), strict=True))
    assert query(tmp_path, "SELECT length(served_model) FROM calls WHERE status = 1") == [(10_000,)]
    assert (tmp_path / "evaluation.db").stat().st_size < 1_000_000


def test_a_run_is_seen_with_every_commit(tmp_path: Path) -> None:
    """By that a run that is killed is told from one that goes on."""
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 9)
        store.start_run({})
        before = query(tmp_path, "SELECT seen_at FROM runs")[0][0]
        for item in records(call, reply()):
            store.submit(item)
        store.flush_soon()
        while not query(tmp_path, "SELECT 1 FROM calls"):
            time.sleep(0.002)
        assert query(tmp_path, "SELECT seen_at FROM runs")[0][0] > before
        assert query(tmp_path, "SELECT started_at FROM runs")[0][0] == before
