"""The engine in virtual time where its source still grows, and where answers come in the wrong shape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, CallInfo, RunResult
from umwelten.errors import InputError, UmweltenError
from umwelten.events import AttemptFailed, CallFailed, CallStarted, CallSucceeded, Event, Tally
from umwelten.records import AttemptRecord, CallRecord, Record
from umwelten.simulate.clock import run_virtual
from umwelten.types import (
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FailureKind,
    Message,
    ModelRef,
    Reply,
    Timing,
)

MODEL = ModelRef("p", "m")
UNFIT = Failure(kind=FailureKind.SCHEMA, message="title: is missing", code="title", partial="{}")
WRONG = Continue(turns=(), failure=UNFIT)


class Sheet:
    """A source that grows when told, and a sink that commits a moment later."""

    error: BaseException | None = None

    def __init__(self, n: int, *, complete: bool) -> None:
        self.n, self.given, self.complete = n, 0, complete
        self.problem: UmweltenError | None = None
        self.engine: Engine | None = None
        self.records: list[Record] = []
        self.leases = 0

    def lease(self, model: int, n: int) -> list[Call]:
        self.leases += 1
        first, self.given = self.given, min(self.n, self.given + n)
        return [Call(id=number, model=1, input=None) for number in range(first, self.given)]

    def submit(self, record: Record) -> None:
        self.records.append(record)
        if isinstance(record, CallRecord):
            asyncio.get_running_loop().call_later(0.02, self._commit, record)

    def flush_soon(self) -> None:
        """All is committed soon."""

    def grow(self, n: int = 0, *, complete: bool = False, problem: UmweltenError | None = None) -> None:
        self.n, self.complete, self.problem = self.n + n, complete, problem
        self._tell([])

    def _commit(self, record: CallRecord) -> None:
        self._tell([record])

    def _tell(self, records: list[CallRecord]) -> None:
        assert self.engine is not None
        self.engine.committed(records)

    def ended(self) -> list[CallRecord]:
        return [record for record in self.records if isinstance(record, CallRecord)]


def run(
    sheet: Sheet,
    answer: Callable[[Call, int], AttemptOutcome] = lambda call, attempt: Reply(text="x"),
    *,
    in_flight: int = 4,
    later: Callable[[Sheet], None] = lambda sheet: None,
    tell: Callable[[Event], None] = lambda event: None,
    latency_s: float = 1.0,
    under_way: Callable[[], object] | None = None,
) -> tuple[RunResult, float]:
    """The run's result and how long it took; `later` may set timers on the loop."""
    attempts: dict[int, int] = {}

    async def ask(call: Call, turns: tuple[Message, ...], on_text: object) -> AttemptResult:
        attempts[call.id] = attempts.get(call.id, 0) + 1
        await asyncio.sleep(latency_s)
        outcome = answer(call, attempts[call.id])
        timing = Timing(started_at=0.0, latency_s=latency_s)
        return AttemptResult(outcome=outcome, timing=timing, key="k", content=b"", cost_nusd=7)

    async def go() -> tuple[RunResult, float]:
        lane = Lane(name="l", group="g", limit=Limit(value=float(in_flight), ceiling=in_flight))
        pool = Pool({1: lane}, policy=RetryPolicy(retries=0), max_in_flight=in_flight)
        sheet.engine = Engine(
            pool=pool,
            source=sheet,
            sink=sheet,
            ask=ask,
            naming=CallInfo({1: MODEL}),
            tell=tell,
            under_way=under_way,
        )
        later(sheet)
        result = await asyncio.wait_for(sheet.engine.run(), 10_000)
        return result, asyncio.get_running_loop().time()

    return run_virtual(go())


def at(when: float, act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_at(when, act)


def test_a_run_goes_on_as_long_as_its_source_may_grow() -> None:
    def later(sheet: Sheet) -> None:
        at(3.0, lambda: sheet.grow(3))
        at(50.0, lambda: sheet.grow(2))
        at(70.0, lambda: sheet.grow(complete=True))

    sheet = Sheet(2, complete=False)
    result, took = run(sheet, later=later)
    assert (result.status, len(sheet.ended())) == ("complete", 7)
    assert 70.0 <= took < 71.0


def test_what_comes_is_started_at_once_and_nobody_looks_for_it_again_and_again() -> None:
    sheet = Sheet(0, complete=False)
    _, took = run(sheet, later=lambda one: at(100.0, lambda: one.grow(8, complete=True)))
    assert 102.0 <= took < 102.2
    assert sheet.leases < 30


def test_it_is_said_once_that_all_who_may_start_have_started() -> None:
    said: list[int] = []
    started: list[Event] = []

    def count(event: Event) -> None:
        if isinstance(event, CallStarted):
            started.append(event)

    run(Sheet(9, complete=True), tell=count, under_way=lambda: said.append(len(started)))
    assert said == [4]
    said.clear()
    run(Sheet(0, complete=True), under_way=lambda: said.append(0))
    assert said == [], "nothing was under way"


def test_a_stop_reaches_calls_that_were_only_just_started() -> None:
    sheet = Sheet(9, complete=True)
    seen: list[Event] = []

    def stop_at_the_second(event: Event) -> None:
        if isinstance(event, CallStarted):
            seen.append(event)
            if len(seen) == 2:
                assert sheet.engine is not None
                sheet.engine.stop("enough", grace_s=0)

    result, took = run(sheet, tell=stop_at_the_second, latency_s=1000.0)
    assert (result.status, result.reason, len(seen)) == ("stopped", "enough", 2)
    assert took < 1.0
    assert sheet.ended() == []


def test_a_source_that_breaks_off_stops_the_run_and_keeps_the_answers() -> None:
    def later(sheet: Sheet) -> None:
        at(2.5, lambda: sheet.grow(problem=InputError("rows.csv is gone")))

    sheet = Sheet(1000, complete=False)
    result, took = run(sheet, later=later)
    assert (result.status, result.reason) == ("stopped", "rows.csv is gone")
    # Four at a time, a second each: three rounds had begun, none begins after.
    assert len(sheet.ended()) == 12
    assert took < 3.5


def test_an_interrupted_run_does_not_wait_for_a_source_that_grows() -> None:
    def later(sheet: Sheet) -> None:
        assert sheet.engine is not None
        at(5.2, lambda: sheet.engine and sheet.engine.stop("interrupted", interrupted=True))

    result, took = run(Sheet(3, complete=False), later=later)
    assert result.status == "interrupted"
    assert took < 6.0


@pytest.mark.parametrize("right_at", [1, 2, 3, 4])
def test_a_call_in_the_wrong_shape_is_asked_again_and_all_of_it_is_paid_and_kept(right_at: int) -> None:
    told: list[Event] = []
    tally = Tally()
    sheet = Sheet(1, complete=True)

    def tell(event: Event) -> None:
        told.append(event)
        tally(event)

    result, took = run(
        sheet, lambda call, attempt: Reply(text="x") if attempt >= right_at else WRONG, tell=tell
    )
    attempts = min(right_at, 3)
    assert result.status == ("complete" if right_at <= 3 else "failed")
    (ended,) = sheet.ended()
    assert (ended.attempts, ended.cost_nusd, ended.time_s) == (
        attempts,
        7 * attempts,
        pytest.approx(attempts),
    )
    kept = [record for record in sheet.records if isinstance(record, AttemptRecord)]
    assert [record.cost_nusd for record in kept] == [7] * attempts
    wrong = [record.outcome for record in kept if record.outcome == UNFIT]
    assert len(wrong) == min(right_at - 1, 3)
    # No waiting between them.
    assert took == pytest.approx(attempts + 0.02, abs=0.01)
    assert isinstance(told[-1], CallSucceeded if right_at <= 3 else CallFailed)
    again = [event for event in told if isinstance(event, AttemptFailed)]
    assert [(event.retry_in_s, event.counted) for event in again] == [(0.0, False)] * (attempts - 1)
    assert (tally.asked_again, tally.retries) == (attempts - 1, 0)
    assert tally.failures == ({} if right_at <= 3 else {"schema": 1})
