"""A plan of very many inputs: calls start while the rest is still being found."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path

import msgspec
import pytest

from store.making import A, B, answer_all, files, never, query, record, records, reply, spec
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, CallInfo, RunResult
from umwelten.errors import InputError, StoreError
from umwelten.records import CallRecord
from umwelten.store.database import open_database, transaction
from umwelten.store.grid import Counts
from umwelten.store.inputs import write_inputs
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.types import Call, FoundInput, Prompt, Timing
from work import growth

PATIENCE_S = 20.0


def rows(n: int, *, stamp: str = "1") -> Iterator[FoundInput]:
    for i in range(n):
        yield FoundInput(name=f"row-{i}", path="/in/rows.csv", size=9, stamp=stamp, part=f"row {i} {9 * i} 9")


class Gate:
    """Gives rows until `at`, then waits to be let on."""

    def __init__(self, n: int, at: int) -> None:
        self.n, self.at, self.reached, self.open = n, at, threading.Event(), threading.Event()

    def rows(self) -> Iterator[FoundInput]:
        for i, row in enumerate(rows(self.n)):
            if i == self.at:
                self.reached.set()
                assert self.open.wait(PATIENCE_S)
            yield row


def until_complete(store: Store) -> None:
    until = time.monotonic() + PATIENCE_S
    while not store.complete:
        assert store.problem is None
        assert store.error is None
        assert time.monotonic() < until
        time.sleep(0.001)


def test_the_first_calls_are_there_before_the_last_inputs_are_found(tmp_path: Path) -> None:
    gate = Gate(5000, at=2500)
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=2000)
        assert not store.complete
        assert store.standing() == (Counts(total=2000, succeeded=0, failed=0, pending=2000), {1: 2000})
        store.start_run({})
        assert gate.reached.wait(PATIENCE_S)
        first = store.lease(1, 256)
        assert [call.input.name for call in first if call.input] == [f"row-{i}" for i in range(256)]
        assert first[7].input is not None
        assert (first[7].input.part, first[7].input.path) == ("row 7 63 9", "/in/rows.csv")
        gate.open.set()
        until_complete(store)
        assert len(store.lease(1, 10_000)) == 5000 - 256
        assert store.lease(1, 1) == []
        store.end_run("stopped", None, 0)
        assert store.counts().total == 5000
    assert query(tmp_path, "SELECT count(*), min(part), max(id) FROM inputs") == [(5000, "row 0 0 9", 5000)]


def test_whoever_found_no_more_finds_what_came_since(tmp_path: Path) -> None:
    gate = Gate(3000, at=1000)
    looks: list[bool] = []
    with Store.create(tmp_path, spec(A, B)) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=10)
        assert len(store.lease(1, 256)) == 10
        assert store.lease(1, 256) == []
        store.on_commit(lambda group: looks.append(store.complete))
        store.start_run({})
        gate.open.set()
        until_complete(store)
        found = 0
        while calls := store.lease(1, 256):
            found += len(calls)
        assert found == 2990
        assert len(store.lease(2, 10_000)) == 3000
        store.end_run("stopped", None, 0)
    # Each step wakes who waits for more, and the last one finds that it was the last.
    assert len(looks) >= 3
    assert looks[-1]
    assert not looks[0]


def test_the_last_inputs_can_be_read_and_are_announced_before_they_are_said_to_be_all(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A)):
        pass
    seen: list[tuple[bool, object]] = []

    def arrived() -> None:
        # What another connection reads is committed.
        seen.append((intake.complete, query(tmp_path, "SELECT count(*) FROM inputs")[0][0]))

    with closing(open_database(tmp_path)) as connection:
        with transaction(connection):
            intake = write_inputs(connection, rows(1500), [], never, 100)
        while intake.step(PATIENCE_S, arrived) is not None:
            assert len(seen) < 1500
        intake.stop()
    assert intake.complete
    assert seen[-1] == (False, 1500)
    assert all(not complete for complete, _ in seen)


@pytest.mark.parametrize("ahead", [1, 9, 10, 11])
def test_a_plan_that_is_short_is_complete_soon(tmp_path: Path, ahead: int) -> None:
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(rows(10), read_hash=never, ahead=ahead)
        assert store.complete is (ahead == 11)
        store.start_run({})
        until_complete(store)
        store.end_run("stopped", None, 0)
        assert store.counts().total == 10


def test_growth_is_told_in_the_end_and_counts_from_the_start_of_the_run(tmp_path: Path) -> None:
    told: list[tuple[int, bool]] = []
    with Store.create(tmp_path, spec(A)) as store:
        # Names that come again are no further inputs.
        store.set_inputs([*rows(2500), *rows(2600)], read_hash=never, ahead=500)
        store.on_growth(lambda more, complete: told.append((more, complete)))
        store.start_run({})
        until_complete(store)
        store.end_run("stopped", None, 0)
    assert told[-1] == (2100, True)
    assert [complete for _, complete in told] == [False] * (len(told) - 1) + [True]


def test_a_callback_that_fails_costs_nothing(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(rows(3000), read_hash=never, ahead=500)
        store.on_growth(lambda more, complete: 1 // 0)
        store.start_run({})
        until_complete(store)
        store.end_run("stopped", None, 0)
        assert store.error is None


def test_answers_are_safe_while_inputs_are_still_being_found(tmp_path: Path) -> None:
    gate = Gate(200_000, at=199_000)
    safe: list[int] = []

    def committed(group: Sequence[CallRecord]) -> None:
        safe.extend(record.call.id for record in group)

    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=2000)
        store.on_commit(committed)
        store.start_run({})
        calls = store.lease(1, 50)
        for call in calls:
            for value in records(call, reply()):
                store.submit(value)
            time.sleep(0.002)
        until = time.monotonic() + PATIENCE_S
        while len(safe) < 50 and time.monotonic() < until:
            time.sleep(0.001)
        assert safe == [call.id for call in calls]
        assert not store.complete
        gate.open.set()
        store.end_run("stopped", None, 0)


def test_a_run_that_ends_does_not_wait_for_the_rest_of_the_plan(tmp_path: Path) -> None:
    gate = Gate(100_000, at=60_000)
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=5)
        store.start_run({})
        began = time.monotonic()
        store.end_run("interrupted", None, 0)
        # At most a step of a thousand; the rest of the plan is waited for that long.
        assert time.monotonic() - began < PATIENCE_S / 2
        known = store.counts().total
        assert 5 <= known < 60_000
        assert not store.complete
        # What is not found yet is found by the next run of the same process.
        store.start_run({})
        gate.open.set()
        until_complete(store)
        store.end_run("interrupted", None, 0)
        assert store.counts().total == 100_000


def test_an_iterator_that_is_stuck_holds_up_neither_answers_nor_the_end(tmp_path: Path) -> None:
    gate, safe = Gate(5000, at=2500), threading.Event()
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=1000)
        store.on_commit(lambda group: safe.set() if group else None)
        store.start_run({})
        assert gate.reached.wait(PATIENCE_S)
        for value in records(store.lease(1, 1)[0], reply()):
            store.submit(value)
        began = time.monotonic()
        assert safe.wait(PATIENCE_S)
        store.end_run("interrupted", None, 1)
        assert time.monotonic() - began < PATIENCE_S / 2
    assert time.monotonic() - began < PATIENCE_S / 2
    gate.open.set()
    with Store.resume(tmp_path, spec(A)) as store:
        store.set_inputs(rows(5000), read_hash=never)
        assert store.counts() == Counts(total=5000, succeeded=1, failed=0, pending=4999)


@pytest.mark.parametrize("error", [InputError("rows.csv is gone"), OSError(5, "broken"), ValueError("odd")])
def test_inputs_that_cannot_be_found_any_further_are_a_problem_and_cost_no_answer(
    tmp_path: Path, error: Exception
) -> None:
    woken = threading.Event()

    def breaking() -> Iterator[FoundInput]:
        yield from rows(3000)
        raise error

    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(breaking(), read_hash=never, ahead=2000)
        calls = store.lease(1, 5)
        store.on_commit(lambda group: woken.set() if store.problem else None)
        store.start_run({})
        assert woken.wait(PATIENCE_S)
        assert store.problem is error or repr(error) in str(store.problem)
        assert isinstance(store.problem, InputError)
        assert not store.complete
        for call in calls:
            for value in records(call, reply()):
                store.submit(value)
        store.end_run("stopped", str(store.problem), 1)
        assert store.error is None
        assert store.counts().succeeded == 5
    with Store.resume(tmp_path, spec(A)) as store:
        store.set_inputs(rows(4000), read_hash=never, ahead=2000)
        assert store.counts() == Counts(total=4000, succeeded=5, failed=0, pending=3995)


def test_a_failure_before_the_first_calls_is_raised_and_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[FoundInput]:
        yield from rows(30)
        raise InputError("rows.csv is gone")

    with Store.create(tmp_path, spec(A)) as store:
        with pytest.raises(InputError, match=r"rows\.csv is gone"):
            store.set_inputs(breaking(), read_hash=never, ahead=2000)
        assert store.counts().total == 0


def test_an_incomplete_plan_is_gone_on_with(tmp_path: Path) -> None:
    gate = Gate(9000, at=3000)
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=2500)
        record(store, [(call, reply()) for call in store.lease(1, 40)])
        assert 2500 <= store.counts().total <= 3000
    # What is known is compared at once; what follows it is new, and is taken in step by step again.
    with Store.resume(tmp_path, spec(A)) as store:
        store.set_inputs(rows(9000), read_hash=never, ahead=100)
        assert not store.complete
        assert 2600 <= store.counts().total <= 3100
        assert store.counts().succeeded == 40
        store.start_run({})
        until_complete(store)
        store.end_run("stopped", None, 0)
        assert store.counts().total == 9000
    # One that changed in the middle is compared whole.
    with Store.resume(tmp_path, spec(A)) as store:
        store.set_inputs(
            [*rows(20), *rows(20, stamp="2"), *list(rows(9500))[21:]], read_hash=never, ahead=100
        )
        assert store.complete
        assert store.counts().total == 9499


def test_a_row_whose_bytes_changed_is_read_and_runs_again_if_other_words_are_sent(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(rows(5), read_hash=never)
        answer_all(store)
    changed = [*list(rows(5))[:3], *list(rows(5, stamp="2"))[3:]]
    read: list[str] = []

    def other(path: str, part: str, *_: str) -> bytes:
        read.append(part)
        return b"other"

    with Store.resume(tmp_path, spec(A)) as store:
        store.set_inputs(changed, read_hash=other)
        assert store.counts() == Counts(total=5, succeeded=3, failed=0, pending=2)
        assert read == [row.part for row in changed[3:]]
        assert [call.input.name for call in store.lease(1, 9) if call.input] == ["row-3", "row-4"]


def test_a_row_that_moved_keeps_its_answer_and_is_read_where_it_is_now(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(rows(3), read_hash=never)
        record(store, [(call, reply()) for call in store.lease(1, 2)])
    moved = [msgspec.structs.replace(row, part="moved " + row.part) for row in rows(3)]
    with Store.resume(tmp_path, spec(A)) as store:
        store.set_inputs(moved, read_hash=never)
        assert store.counts().succeeded == 2
        (call,) = store.lease(1, 9)
        assert call.input is not None
        assert call.input.part == "moved row 2 18 9"


def test_a_disk_that_refuses_while_inputs_are_taken_in_stops_the_run(tmp_path: Path) -> None:
    gate = Gate(9000, at=3000)
    woken = threading.Event()
    with Store.create(tmp_path, spec(A)) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=2500)
        store.on_commit(lambda group: woken.set() if store.error else None)
        store.start_run({})
        assert gate.reached.wait(PATIENCE_S)
        query(tmp_path, "DROP TABLE inputs")
        gate.open.set()
        assert woken.wait(PATIENCE_S)
        assert isinstance(store.error, StoreError)
        store.end_run("stopped", None, 0)


def test_names_stay_unique_over_steps(tmp_path: Path) -> None:
    every = [
        row for i in range(1500) for row in files(f"N{i}", f"n{i}", f"n{i}.google_gemini", f"é{i}", f"É{i}")
    ]
    with Store.create(tmp_path, spec(A, B)) as store:
        store.set_inputs(iter(every), read_hash=never, ahead=700)
        store.start_run({})
        until_complete(store)
        store.end_run("stopped", None, 0)
    stems = [str(stem).lower() for (stem,) in query(tmp_path, "SELECT stem FROM inputs")]
    assert len(set(stems)) == len(stems) == len(every)


def test_an_engine_makes_all_calls_of_a_plan_that_grows(tmp_path: Path) -> None:
    async def ask(call: Call, turns: object, on_text: object, lane: str) -> AttemptResult:
        await asyncio.sleep(0)
        timing = Timing(started_at=0.0, latency_s=0.0)
        return AttemptResult(outcome=reply(), timing=timing, key="k", content=b"", cost_nusd=1)

    async def go(store: Store) -> RunResult:
        loop = asyncio.get_running_loop()
        lane = Lane(name="l", group="g", limit=Limit(value=50.0, ceiling=50, slow_start=False))
        pool = Pool(dict.fromkeys(store.models, lane), policy=RetryPolicy(), max_in_flight=50)
        engine = Engine(pool=pool, source=store, sink=store, runner=ask, calls=CallInfo(store.models))
        store.start_run({})
        store.on_commit(lambda group: loop.call_soon_threadsafe(engine.acknowledge, group))
        result = await asyncio.wait_for(engine.run(), PATIENCE_S)
        await asyncio.to_thread(store.end_run, result.status, result.reason, result.peak_in_flight)
        return result

    with Store.create(tmp_path, spec(A, B)) as store:
        store.set_inputs(rows(2500), read_hash=never, ahead=10)
        result = asyncio.run(go(store))
        assert (result.status, result.failed) == ("complete", 0)
        assert store.counts() == Counts(total=5000, succeeded=5000, failed=0, pending=0)


def test_very_many_inputs_start_before_the_rest_is_found(tmp_path: Path) -> None:
    many = 60_000
    gate = Gate(many, at=4000)
    with Store.create(
        tmp_path, spec(A, prompts=(Prompt(name="p", text="t"), Prompt(name="q", text="t")))
    ) as store:
        store.set_inputs(gate.rows(), read_hash=never, ahead=2000)
        assert len(store.lease(1, 256)) == 256
        assert not gate.open.is_set()
        gate.open.set()
        store.start_run({})
        until_complete(store)
        store.end_run("stopped", None, 0)
        assert store.standing()[1] == {1: many, 2: many}
        with Reader.open(tmp_path) as reader:
            assert reader.connection.execute("SELECT count(*) FROM inputs").fetchone()[0] == many


def test_each_of_very_many_inputs_costs_as_little_as_one_of_few(tmp_path: Path) -> None:
    folders = (tmp_path / str(n) for n in count())

    def taken_in(many: int) -> None:
        with Store.create(next(folders), spec(A)) as store:
            store.set_inputs(rows(many), read_hash=never, ahead=2000)
            store.start_run({})
            until_complete(store)
            store.end_run("stopped", None, 0)

    # Four if each costs the same, sixteen if it grows with the square. `benchmarks/moments.py` has the time.
    assert growth(lambda: taken_in(15_000), lambda: taken_in(60_000), times=2) < 8
