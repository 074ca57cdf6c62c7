"""Attempts whose workers are lost: nothing is learnt from them, their calls go again, late ends are kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.lost_worlds import BOUND, LossyAttempts, play
from engine.memory import PRICE, MemoryStore, Run, at, model_name, run
from umwelten.control.attribution import Reason
from umwelten.control.retry import LOST_MOST
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, CallInfo
from umwelten.events import (
    AttemptDropped,
    AttemptFailed,
    CallStarted,
    CallSucceeded,
    Event,
    LaneResumed,
    LaneWaiting,
    WaitReason,
)
from umwelten.records import CostRecord
from umwelten.types import AttemptOutcome, Call, Continue, Failure, FailureKind, Message, Reply, Role, Text

WORLDS = 3_000 if os.environ.get("UMWELTEN_TEST_THOROUGH") else 80
SCHEMA = Failure(kind=FailureKind.SCHEMA, message="no")
Fate = tuple[float | None, float | None]


def lossy(
    fates: dict[tuple[int, int], Fate],
    *,
    away: bool = False,
    sent: bool = True,
    change: Callable[[AttemptResult], AttemptResult] = lambda result: result,
) -> type[LossyAttempts]:
    """Return a runner: when attempts, by call and number, are given up, and after how long they end late."""
    numbers: dict[int, int] = {}
    lost: dict[str, Any] = {} if sent else {"sent": False, "cost_nusd": 0}

    class Runner(LossyAttempts):
        @staticmethod
        def fate(call: Call) -> Fate:
            numbers[call.id] = numbers.get(call.id, 0) + 1
            return fates.get((call.id, numbers[call.id]), (None, None))

        @staticmethod
        def away() -> bool:
            return away

        async def __call__(self, *args: object) -> AttemptResult:
            result = await LossyAttempts.__call__(self, *args)  # type: ignore[arg-type]
            is_lost = isinstance(result.outcome, Failure) and result.outcome.kind is FailureKind.LOST
            return msgspec.structs.replace(result, **lost) if is_lost else change(result)

    return Runner


def lose(store: MemoryStore, fates: dict[tuple[int, int], Fate], **options: object) -> Run:
    """Run with one call at a time, unless `options` say otherwise."""
    runner = lossy(fates)

    def hear(assignment: int, result: AttemptResult) -> None:
        assert store.engine is not None
        store.engine.late(assignment, result)

    runner.late = staticmethod(hear)
    return run(store, **{"in_flight": 1, "runner": runner, **options})  # type: ignore[arg-type]


def rows(store: MemoryStore, call: int) -> list[tuple[int, str, int | None, int | None, bool]]:
    """Return the attempts of a call: number, kind, cost, worker, and whether it is a late one."""
    return [
        (
            a.number,
            str(a.outcome.kind) if isinstance(a.outcome, Failure) else "answered",
            a.cost_nusd,
            a.worker,
            a.late,
        )
        for a in store.attempts()
        if a.call.id == call
    ]


def test_a_lost_call_goes_again_at_once_before_the_others() -> None:
    """It uses up no retry, of which there are none here, and its cost is not known."""
    store = MemoryStore(3)
    ran = lose(store, {(0, 1): (0.5, None)})
    assert [(e.call.id, e.attempt) for e in ran.of(CallStarted)] == [(0, 1), (0, 2), (1, 1), (2, 1)]
    assert rows(store, 0) == [(1, "lost", None, 2, False), (2, "answered", PRICE, 1, False)]
    assert [(c.attempts, c.cost_nusd) for c in store.calls()] == [(2, None), (1, PRICE), (1, PRICE)]
    (failed,) = ran.of(AttemptFailed)
    assert (failed.failure.kind, failed.retry_in_s, failed.counted) == (FailureKind.LOST, 0.0, False)
    assert ran.took == pytest.approx(3.5, abs=0.1)


def test_a_call_that_ends_its_workers_ends() -> None:
    store = MemoryStore(2)
    ran = lose(store, {(0, n): (0.5, None) for n in range(1, 99)})
    failed, answered = store.calls()
    assert isinstance(failed.outcome, Failure)
    assert (failed.outcome.kind, failed.attempts, failed.cost_nusd) == (FailureKind.LOST, LOST_MOST, None)
    assert failed.outcome.message == "the worker was lost; 5 attempts of this call were lost so"
    assert (answered.outcome, ran.result.failed) == (Reply(text="1"), 1)


def test_losses_of_which_nothing_was_sent_end_no_call() -> None:
    """Neither those that are known to be so at once, nor those whose worker says so later."""
    store = MemoryStore(1)
    ran = run(store, in_flight=1, runner=lossy({(0, n): (0.5, None) for n in range(1, 20)}, sent=False))
    assert (ran.result.failed, store.calls()[0].attempts) == (0, 20)
    assert not ran.engine._settlement.lost._attempts, "nothing will be heard of them"

    store = MemoryStore(1)
    runner = lossy({(0, n): (0.5, 0.1) for n in range(1, 20)})

    def hear(assignment: int, result: AttemptResult) -> None:
        assert store.engine is not None
        outcome = Failure(kind=FailureKind.LOST, message="nothing was sent")
        store.engine.late(assignment, msgspec.structs.replace(result, outcome=outcome, cost_nusd=0))

    runner.late = staticmethod(hear)
    ran = run(store, in_flight=1, runner=runner)
    assert (ran.result.failed, store.calls()[0].cost_nusd) == (0, PRICE)


def test_a_late_answer_takes_the_place_of_the_attempt_that_waits() -> None:
    """No worker is there when it comes: the call is not made again, and its cost is known."""
    store = MemoryStore(2)

    def plan(engine: Engine) -> None:
        at(0.4, engine.hold)
        at(5.0, engine.release)

    ran = lose(store, {(0, 1): (0.5, 1.0)}, later=plan)
    assert [(e.call.id, e.attempt) for e in ran.of(CallStarted)] == [(0, 1), (1, 1)]
    assert rows(store, 0) == [(1, "lost", None, 2, False), (1, "answered", PRICE, 2, True)]
    first = store.calls()[0]
    assert (first.outcome, first.attempts, first.cost_nusd) == (Reply(text="0"), 1, PRICE)
    assert ran.took == pytest.approx(6.0, abs=0.1)


def test_a_late_answer_breaks_off_the_attempt_under_way() -> None:
    store = MemoryStore(1)
    ran = lose(store, {(0, 1): (0.5, 0.2)})
    assert rows(store, 0) == [
        (1, "lost", None, 2, False),
        (1, "answered", PRICE, 2, True),
        (2, "superseded", None, None, False),
    ]
    (record,) = store.calls()
    assert (record.outcome, record.attempts, record.cost_nusd) == (Reply(text="0"), 2, None)
    assert (ran.attempts.cancelled, ran.pool.in_flight) == (1, 0)
    (dropped,) = ran.of(AttemptDropped)
    assert (dropped.failure.message, dropped.late) == (
        "an attempt that had been lost was answered first",
        True,
    )
    assert ran.took == pytest.approx(0.7, abs=0.1)


def test_a_late_answer_takes_the_place_of_a_retry_that_waits() -> None:
    """The attempt after the lost one failed: its call waits, and does so no more."""
    store = MemoryStore(1)
    broken = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)

    def answer(call: Call, number: int) -> AttemptOutcome:
        return broken if number == 1 else Reply(text="late" if number == 0 else "x")

    ran = lose(store, {(0, 1): (0.5, 1.1)}, answer=answer, retries=1)
    assert [kind for _, kind, *_ in rows(store, 0)] == ["lost", "server", "answered"]
    assert [c.outcome for c in store.calls()] == [Reply(text="late")]
    assert len(ran.of(CallStarted)) == 2


def test_nothing_is_sent_a_second_time_while_no_worker_is_there() -> None:
    store = MemoryStore(60)

    def latency(call: Call, n: int) -> float:
        return 30.0 if call.id == 40 else 1.0

    def plan(engine: Engine) -> None:
        at(10.5, engine.hold)
        at(25.0, engine.release)

    hedged = list[float]()

    def see(event: Event) -> None:
        if isinstance(event, CallStarted) and event.hedge:
            assert store.engine is not None
            hedged.append(store.engine._loop.time())

    run(store, in_flight=4, hedge=0.5, latency_s=latency, later=plan, observer=see)
    assert len(store.calls()) == 60
    assert min(hedged) == pytest.approx(25.0, abs=0.3)


def test_the_cost_of_a_late_answer_counts_though_its_call_is_over() -> None:
    """The cap, too, had to take the lost attempt for as dear as it could be."""
    store, spent = MemoryStore(4), list[int]()
    info = CallInfo({1: model_name(1)}, estimate=lambda call, turns: BOUND, tokens=lambda call, turns: (1, 1))

    def plan(engine: Engine) -> None:
        at(0.6, lambda: spent.append(engine._pool.cap.spent))
        at(1.9, lambda: spent.append(engine._pool.cap.spent))

    ran = lose(store, {(0, 1): (0.5, 1.2)}, info=info, cap=1000, later=plan)
    assert rows(store, 0)[-1] == (1, "answered", PRICE, 2, True)
    assert [r.cost_nusd for r in store.records if isinstance(r, CostRecord)] == [2 * PRICE]
    assert spent == [BOUND, 2 * PRICE]
    assert ran.pool.cap.spent == 5 * PRICE
    assert len(ran.of(CallSucceeded)) == len(store.calls()) == 4


def test_a_lost_attempt_of_which_nothing_was_sent_costs_nothing() -> None:
    store = MemoryStore(1)
    run(store, in_flight=1, runner=lossy({(0, 1): (0.5, None)}, sent=False))
    assert rows(store, 0) == [(1, "lost", 0, 2, False), (2, "answered", PRICE, 1, False)]
    assert store.calls()[0].cost_nusd == PRICE


@pytest.mark.parametrize("late_s", [None, 0.2, 1.2])
def test_a_lost_attempt_at_a_free_model_costs_nothing_and_counts_as_sent(late_s: float | None) -> None:
    store = MemoryStore(2)
    info = CallInfo({1: model_name(1)}, broken_off=lambda call: 0)
    ran = lose(store, {(0, 1): (0.5, late_s)}, info=info, price=lambda call: 0)
    assert [c.cost_nusd for c in store.calls()] == [0, 0]
    assert {a.cost_nusd for a in store.attempts()} == {0}
    assert ran.pool.cap.spent == 0

    store = MemoryStore(1)
    lose(store, {(0, n): (0.5, None) for n in range(1, 99)}, info=info)
    assert (store.calls()[0].attempts, store.calls()[0].cost_nusd) == (LOST_MOST, 0)


@pytest.mark.parametrize("number", [1, 2])
def test_the_other_attempt_of_a_pair_goes_on(number: int) -> None:
    """One of two attempts is lost: the other answers, and no third one is made."""
    store = MemoryStore(60)
    fates = {(40, number): (9.0 if number == 1 else 1.0, None)}

    def latency(call: Call, n: int) -> float:
        return 20.0 if call.id == 40 else 1.0

    ran = lose(store, fates, hedge=0.5, latency_s=latency, in_flight=4)
    assert [a for a, *_ in rows(store, 40)] == ([1, 2] if number == 1 else [2, 1])
    assert [kind for _, kind, *_ in rows(store, 40)] == ["lost", "answered"]
    (dropped,) = ran.of(AttemptDropped)
    assert (dropped.attempt, dropped.failure.kind) == (number, FailureKind.LOST)


def test_an_answer_to_a_request_that_is_out_of_date_is_not_the_calls() -> None:
    """The call went on to ask for another answer: the late one is recorded as an attempt alone."""
    turn = Message(role=Role.USER, parts=(Text(text="again"),))

    def answer(call: Call, number: int) -> AttemptOutcome:
        return Continue(turns=(turn,), failure=SCHEMA) if number == 1 else Reply(text=f"number {number}")

    store = MemoryStore(1)
    lose(store, {(0, 1): (0.5, 1.2)}, answer=answer)
    assert [kind for _, kind, *_ in rows(store, 0)] == ["lost", "schema", "answered", "answered"]
    (record,) = store.calls()
    assert (record.outcome, record.attempts, record.cost_nusd) == (Reply(text="number 2"), 3, 3 * PRICE)


def test_lanes_learn_nothing_from_workers_that_are_lost_or_were_away() -> None:
    """Hundreds of losses, and errors of workers that were silent: the lane is as at its start."""
    broken = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)
    store = MemoryStore(200)
    fates = {(call, 1): (15.0, None) for call in range(0, 200, 2)}

    def answer(call: Call, number: int) -> AttemptOutcome:
        return broken if number == 1 and call.id % 2 else Reply(text="x")

    ran = run(
        store, answer, in_flight=20, retries=1, runner=lossy(fates, away=True), slow_start=True, hedge=0.5
    )
    (lane,) = ran.pool.lanes
    assert len(store.calls()) == 200 and not ran.result.failed
    assert (lane.circuit.failures, lane.limit.value, lane.limit.cuts, lane.answered) == (0, 1.0, 0, False)
    assert (lane.failures, lane.last_failure, lane.in_flight) == (0, None, 0)
    assert not ran.engine._twins.hedging._models[1].latencies  # type: ignore[union-attr]


def test_nothing_starts_while_no_worker_is_there() -> None:
    """A lane says so; the time is nobody else's; a pause that its user made is not over with it."""
    store = MemoryStore(6)

    def plan(engine: Engine) -> None:
        lane = engine._pool.lanes[0]

        def pause() -> None:
            engine._pool.pause([lane], [], engine._loop.time())
            engine.look_again()

        def resume() -> None:
            engine._pool.resume([lane], [], engine._loop.time())
            engine.look_again()

        at(1.5, engine.hold)
        at(11.5, pause)
        at(21.5, engine.release)
        at(31.5, resume)

    ran = run(store, in_flight=1, later=plan)
    assert ran.took == pytest.approx(6.0 + 29.5, abs=0.1)
    (sheet,) = ran.engine.attributions()
    assert sheet.seconds()[Reason.WORKERS] == pytest.approx(10.0, abs=0.1)
    assert sheet.seconds()[Reason.PAUSED] == pytest.approx(20.0, abs=0.1)
    assert sum(sheet.seconds().values()) == pytest.approx(ran.result.wall_s)
    assert [e.reason for e in ran.of(LaneWaiting)][:1] == [WaitReason.WORKERS]
    assert [e.reason for e in ran.of(LaneResumed)] == [WaitReason.PAUSED]


def test_time_without_workers_ends_no_lane() -> None:
    """Nothing but refusals before and after an hour without workers: no patience is used up by that."""
    limited = Failure(kind=FailureKind.RATE_LIMIT, message="HTTP 429", status=429)
    store, late = MemoryStore(3), 3620.0

    def answer(call: Call, number: int) -> AttemptOutcome:
        return limited if store.engine._loop.time() < late else Reply(text="x")  # type: ignore[union-attr]

    def plan(engine: Engine) -> None:
        at(10.0, engine.hold)
        at(3610.0, engine.release)

    ran = run(store, answer, in_flight=1, later=plan)
    assert len(store.calls()) == 3
    (sheet,) = ran.engine.attributions()
    assert sheet.seconds()[Reason.WORKERS] == pytest.approx(3600.0, rel=0.01)


def test_random_losses_lose_nothing() -> None:
    for seed in range(WORLDS):
        play(seed)
