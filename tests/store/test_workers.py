"""Runs on several processes: who made which attempt, and attempts that end after they were given up."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest

from store.making import A, downgrade, files, never, query, records, reply, spec
from umwelten.records import AttemptRecord, CallRecord, CostRecord, Record, WorkerRecord
from umwelten.store.reader import Reader
from umwelten.store.spending import spending
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS
from umwelten.types import Call, Failure, FailureKind

LOST = Failure(kind=FailureKind.LOST, message="the worker was lost")
ATTEMPTS = "SELECT id, number, error_kind, cost_nusd, worker, late FROM attempts ORDER BY id"


def made(call: Call) -> tuple[AttemptRecord, AttemptRecord, AttemptRecord, CallRecord]:
    """Return an attempt that is lost, the one after it, the late end of the first, and the call."""
    attempt, ended = records(call, reply("fine"), cost=40)
    lost = msgspec.structs.replace(attempt, outcome=LOST, cost_nusd=None, worker=2)
    again = msgspec.structs.replace(attempt, number=2, worker=1)
    late = msgspec.structs.replace(attempt, worker=2, late=True)
    return lost, again, late, msgspec.structs.replace(ended, attempts=2, cost_nusd=None)


def work(folder: Path, *groups: list[Record]) -> float:
    """A run of one call in which these are committed, a group after the other; return what is spent."""
    with Store.create(folder, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        store.lease(1, 9)
        store.start_run({})
        for group in groups:
            while group is not groups[0] and not query(folder, ATTEMPTS):
                time.sleep(0.005)
            for record in group:
                store.submit(record)
        store.end_run("complete", None, 1)
        assert store.error is None
        return store.spent_nusd()


@pytest.fixture
def call(tmp_path: Path) -> Call:
    with Store.create(tmp_path / "other", spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        return store.lease(1, 9)[0]


@pytest.mark.parametrize("together", [True, False])
def test_a_late_end_takes_the_place_of_the_lost_attempt(tmp_path: Path, call: Call, together: bool) -> None:
    """In its order, in the same group of records or a later one; the call's cost is known then."""
    lost, again, late, ended = made(call)
    first, then = [lost, again, ended], [late, CostRecord(call=call, cost_nusd=80)]
    spent = work(tmp_path / "x", *([[*first, *then]] if together else [first, then]))
    assert query(tmp_path / "x", ATTEMPTS) == [(1, 1, None, 40, 2, 1), (2, 2, None, 40, 1, None)]
    assert query(tmp_path / "x", "SELECT cost_nusd FROM calls") == [(80,)]
    assert spent == 80


def test_a_late_end_of_nothing_that_was_lost_is_one_more_attempt(tmp_path: Path, call: Call) -> None:
    lost, again, late, ended = made(call)
    other = msgspec.structs.replace(lost, worker=3)
    work(tmp_path / "x", [other, again, ended, late])
    assert [row[2:] for row in query(tmp_path / "x", ATTEMPTS)] == [
        ("lost", None, 3, None),
        (None, 40, 1, None),
        (None, 40, 2, 1),
    ]


def test_a_lost_attempt_is_spent_as_another_of_its_call(tmp_path: Path, call: Call) -> None:
    """Nobody knows whether it was paid for; a later run under a cap must not count on that it was not."""
    lost, again, _, ended = made(call)
    assert work(tmp_path / "x", [lost, again, ended]) == 80
    assert work(tmp_path / "y", [lost]) == 0
    for name, expected in (("x", (80, 0)), ("y", (0, 1))):
        with Reader.open(tmp_path / name) as reader:
            (day,) = spending(reader)
        assert (day.cost_nusd, day.unknown) == expected


def test_a_worker_is_as_it_was_last(tmp_path: Path, call: Call) -> None:
    worker = WorkerRecord(number=1, node="n\x001", address="10.0.0.1", pid=7, joined_at=1.0)
    gone = msgspec.structs.replace(worker, left_at=3.0, why="killed", calls=9, cpu_s=0.5)
    lost, again, _, ended = made(call)
    work(tmp_path / "x", [worker, lost, again, ended, gone, msgspec.structs.replace(worker, number=2)])
    assert query(tmp_path / "x", "SELECT * FROM workers") == [
        (1, 1, "n\ufffd1", "10.0.0.1", 7, 1.0, 3.0, "killed", 9, 0.5),
        (1, 2, "n\ufffd1", "10.0.0.1", 7, 1.0, None, "", 0, None),
    ]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS) + 1))
def test_all_earlier_versions_read_as_the_present_one(tmp_path: Path, call: Call, version: int) -> None:
    """Every table has the columns of now, wherever an earlier version did not have it."""
    folder = tmp_path / "x"
    lost, again, _, ended = made(call)
    work(folder, [lost, again, ended])
    tables = [str(name) for (name,) in query(folder, "SELECT name FROM sqlite_schema WHERE type = 'table'")]
    now = {table: columns(folder, table) for table in tables}
    downgrade(folder, version)
    assert {table: columns(folder, table) for table in tables} == now
    with Store.resume(folder, spec(A)) as store:
        assert store.counts().total == 0 or store.counts().succeeded == 1
    assert query(folder, "PRAGMA user_version") == [(len(MIGRATIONS),)]


def columns(folder: Path, table: str) -> set[str]:
    with Reader.open(folder) as reader:
        found = reader.connection.execute(f"SELECT * FROM {table}")
        return {name for name, *_ in found.description}
