"""The engine in virtual time: starts, retries, stops, and what it records and reports of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.memory import COMMIT_S, PRICE, Attempts, MemoryStore, answer_all, at, model_name, run
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import CallInfo
from umwelten.engine.ledger import BACKLOG
from umwelten.events import (
    AttemptFailed,
    CallFailed,
    CallStarted,
    CallSucceeded,
    Event,
    LaneStopped,
    LimitChanged,
    ModelStopped,
    TextArrived,
)
from umwelten.simulate.clock import run_virtual
from umwelten.types import AttemptOutcome, Call, Failure, FailureKind, ModelRef, RateLimitHints, Reply

BROKEN = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)
BAD = Failure(kind=FailureKind.BAD_REQUEST, message="no such field", retry=False)
GONE = Failure(kind=FailureKind.BAD_REQUEST, message="no such model", retry=False, model_down=True)
DOWN = Failure(kind=FailureKind.UNAVAILABLE, message="key refused", retry=False, lane_down=True)


def refused_once(call: Call, number: int) -> AttemptOutcome:
    return BROKEN if number == 1 else Reply(text="x")


# --- starts ----------------------------------------------------------------------------------


def test_every_call_is_made_once_with_no_more_in_flight_than_allowed() -> None:
    store = MemoryStore(300, models=2)
    ran = run(store, models=2, in_flight=20)
    assert (ran.result.status, ran.result.reason, ran.result.failed) == ("complete", None, 0)
    assert sorted(call for call, _ in ran.attempts.seen) == [*range(300), *range(1000, 1300)]
    assert ran.attempts.peak == ran.result.peak_in_flight == 20
    # 600 calls, 20 at a time, a second each.
    assert ran.took == pytest.approx(30.0 + COMMIT_S, abs=0.1)
    assert ran.result.wall_s == pytest.approx(ran.took)


def test_a_run_without_calls_ends_at_once() -> None:
    ran = run(MemoryStore(0))
    assert (ran.result.status, ran.took, ran.events) == ("complete", 0.0, [])


def test_each_call_has_an_attempt_and_a_record_with_its_identity_and_its_bill() -> None:
    store = MemoryStore(2)
    run(store)
    for attempt, call in zip(store.attempts(), store.calls(), strict=True):
        assert attempt.call == call.call
        assert (attempt.number, attempt.cost_nusd) == (1, PRICE)
        assert (call.key, call.attempts, call.cost_nusd) == (f"k{call.call.id}", 1, PRICE)
        assert call.outcome == Reply(text=f"{call.call.id}")


def test_a_call_is_reported_when_it_starts_and_when_its_record_is_committed() -> None:
    times: list[tuple[str, float]] = []

    def note(event: object) -> None:
        times.append((type(event).__name__, asyncio.get_running_loop().time()))

    run(MemoryStore(1), observer=note)
    assert times == [("CallStarted", 0.0), ("CallSucceeded", pytest.approx(1.0 + COMMIT_S))]


def test_streamed_text_is_reported_only_where_it_is_asked_for() -> None:
    assert [event.text for event in run(MemoryStore(2), stream=True).of(TextArrived)] == ["so far "] * 2
    assert run(MemoryStore(2)).of(TextArrived) == []


def test_the_sink_need_not_wait_for_more_once_nothing_is_in_flight() -> None:
    store = MemoryStore(8)
    run(store)
    # Four at a time: after the first round others start, after the second none does.
    assert store.flushes == 1


def test_what_a_call_takes_is_asked_once_a_call_and_reaches_the_pool() -> None:
    asked: list[int] = []

    def tokens(call: Call, turns: object) -> tuple[int, int | None]:
        asked.append(call.id)
        return 100, 10

    info = CallInfo({1: ModelRef("p", "m")}, estimate=lambda call, turns: 50, tokens=tokens)
    ran = run(MemoryStore(5), info=info, cap=150)
    assert asked == [0, 1, 2, 3, 4]
    # Each reserves 50 of 150 and costs 7: three at first, then as many as fit.
    assert ran.attempts.peak == 3
    assert ran.result.status == "complete"


# --- failures --------------------------------------------------------------------------------


def test_a_failed_attempt_is_retried_after_a_wait_in_which_another_call_has_its_slot() -> None:
    store = MemoryStore(2)
    ran = run(store, refused_once, in_flight=1, retries=2)
    assert [call for call, _ in ran.attempts.seen] == [0, 1, 0, 1]
    assert [record.attempts for record in store.calls()] == [2, 2]
    assert [record.cost_nusd for record in store.calls()] == [2 * PRICE] * 2
    assert [(record.number, record.outcome) for record in store.attempts()][:2] == [(1, BROKEN), (1, BROKEN)]
    again = ran.of(AttemptFailed)
    assert [(event.failure, event.counted, event.attempt) for event in again] == [(BROKEN, True, 1)] * 2
    assert all(event.retry_in_s == pytest.approx(0.25) for event in again)


def test_a_call_is_given_up_after_its_retries_and_the_others_go_on() -> None:
    def answer(call: Call, number: int) -> AttemptOutcome:
        return BROKEN if call.id == 1 else Reply(text="x")

    store = MemoryStore(4)
    ran = run(store, answer, retries=2)
    assert (ran.result.status, ran.result.failed) == ("failed", 1)
    (failed,) = ran.of(CallFailed)
    assert (failed.call.id, failed.attempts, failed.failure, failed.cost_nusd) == (1, 3, BROKEN, 3 * PRICE)
    assert len(ran.of(CallSucceeded)) == 3
    assert failed.time_s == pytest.approx(3.0)


def test_a_failure_that_no_retry_can_help_ends_its_call_at_once() -> None:
    store = MemoryStore(1)
    ran = run(store, lambda call, number: BAD, retries=5)
    assert [record.outcome for record in store.attempts()] == [BAD]
    assert ran.result.status == "failed"


def test_max_errors_stops_the_run_and_leaves_the_rest_pending() -> None:
    store = MemoryStore(100)
    ran = run(store, lambda call, number: BAD, max_errors=3)
    assert (ran.result.status, ran.reason) == ("stopped", ("max_errors", "3 calls failed (max_errors)"))
    # The three that were in flight when the third failed end as well.
    assert len(store.calls()) == 6


def test_a_rate_limit_delays_its_call_and_lowers_no_retries() -> None:
    limited = Failure(
        kind=FailureKind.RATE_LIMIT, message="slow down", status=429, hints=RateLimitHints(retry_after_s=30.0)
    )
    store = MemoryStore(1)
    ran = run(store, lambda call, number: limited if number < 4 else Reply(text="x"))
    (record,) = store.calls()
    assert (record.attempts, ran.result.status) == (4, "complete")
    # What nothing has proven is believed for a second, and for twice as long after each refusal.
    assert 4 + 1 + 2 + 4 <= ran.took < 4 + 3 * 30
    assert not any(event.counted for event in ran.of(AttemptFailed))


def test_a_refused_key_stops_its_lane_and_the_other_models_finish() -> None:
    store = MemoryStore(20, models=2)
    ran = run(store, lambda call, number: DOWN if call.model == 1 else Reply(text="x"), models=2)
    assert (ran.result.status, ran.reason) == ("stopped", ("unavailable", "lane 1 is unavailable"))
    (stopped,) = ran.of(LaneStopped)
    assert (stopped.lane, stopped.failure) == ("lane 1", DOWN)
    assert {record.call.model for record in store.calls()} == {2}
    assert len(store.calls()) == 20
    assert ran.result.failed == 0, "what a stopped lane holds stays pending"


def test_a_refused_model_is_stopped_and_the_other_models_finish() -> None:
    store = MemoryStore(20, models=2)
    ran = run(store, lambda call, number: GONE if call.model == 1 else Reply(text="x"), models=2)
    assert (ran.result.status, ran.reason) == ("stopped", ("unavailable", f"{model_name(1)} is unavailable"))
    (stopped,) = ran.of(ModelStopped)
    assert (stopped.model, stopped.lane, stopped.failure) == (model_name(1), "lane 1", GONE)
    assert {record.call.model for record in store.calls()} == {2}
    assert sum(record.call.model == 1 for record in store.attempts()) <= 4
    assert (len(store.calls()), ran.result.failed) == (20, 0)
    assert [view.stopped for view in ran.engine.lanes()] == [GONE.message, None]


def test_a_cost_cap_ends_the_run_before_it_is_passed() -> None:
    store = MemoryStore(50)
    info = CallInfo(
        {1: ModelRef("p", "m")}, estimate=lambda call, turns: 10, tokens=lambda call, turns: (1, 1)
    )
    ran = run(store, info=info, cap=100)
    assert ran.result.status == "stopped"
    assert ran.reason is not None
    assert ran.reason[0] == "max_cost"
    spent = sum(record.cost_nusd or 0 for record in store.attempts())
    assert 90 <= spent <= 100


def test_a_moved_limit_is_recorded_and_reported() -> None:
    store = MemoryStore(40)
    ran = run(store, slow_start=True, in_flight=8)
    events, records = ran.of(LimitChanged), store.limits()
    assert [(event.limit, event.reason) for event in events] == [(one.limit, one.reason) for one in records]
    assert max(event.limit for event in events) == 8
    assert {event.reason for event in events} == {"slow start"}


# --- trouble of our own ----------------------------------------------------------------------


def test_an_attempt_that_raises_leaves_its_call_pending_and_is_reported_to_the_loop() -> None:
    reported: list[dict[str, Any]] = []

    def answer(call: Call, number: int) -> AttemptOutcome:
        if call.id == 2:
            raise ZeroDivisionError
        return Reply(text="x")

    def later(engine: Engine) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context))

    store = MemoryStore(5)
    ran = run(store, answer, later=later)
    assert {record.call.id for record in store.calls()} == {0, 1, 3, 4}
    assert ran.result.failed == 0
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]


def test_no_more_ended_calls_wait_for_their_commit_than_a_kill_may_cost() -> None:
    store = MemoryStore(2 * BACKLOG, commits=False)
    at_ten: list[int] = []

    def look() -> None:
        at_ten.append(len(store.calls()))
        store.commits = True
        store.commit_all()

    ran = run(store, in_flight=100, later=lambda engine: at(10.0, look))
    # The others of the hundred in flight ended when the backlog was full already.
    assert at_ten == [BACKLOG + 99]
    assert ran.result.status == "complete"
    assert len(ran.of(CallSucceeded)) == 2 * BACKLOG


def test_when_records_cannot_be_stored_nothing_more_starts_and_the_run_ends() -> None:
    store = MemoryStore(100, commits=False)
    full = OSError(28, "No space left on device")
    ran = run(store, later=lambda engine: at(1.5, lambda: store.break_down(full)))
    assert ran.result.status == "stopped"
    assert ran.reason == ("store", f"answers can no longer be stored: {full}")
    assert len(ran.of(CallStarted)) == 8
    assert ran.of(CallSucceeded) == [], "nothing was committed"


# --- stops -----------------------------------------------------------------------------------


def test_a_stop_lets_those_in_flight_finish_within_its_grace() -> None:
    store = MemoryStore(100)
    ran = run(store, latency_s=4.0, later=lambda engine: at(1.0, lambda: engine.stop("enough", grace_s=10)))
    assert (ran.result.status, ran.reason) == ("stopped", ("caller", "enough"))
    assert (len(store.calls()), ran.attempts.cancelled) == (4, 0)
    assert ran.took == pytest.approx(4.0 + COMMIT_S)


def test_after_the_grace_they_are_cancelled_and_stay_pending() -> None:
    store = MemoryStore(100)
    ran = run(store, latency_s=50.0, later=lambda engine: at(1.0, lambda: engine.stop("enough", grace_s=10)))
    assert (store.records, ran.attempts.cancelled) == ([], 4)
    assert ran.took == pytest.approx(11.0)
    assert ran.pool.in_flight == 0


def test_a_second_stop_may_shorten_the_grace_and_the_first_reason_stays() -> None:
    store = MemoryStore(100)

    def later(engine: Engine) -> None:
        at(1.0, lambda: engine.stop("first", grace_s=100))
        at(2.0, lambda: engine.stop("second", interrupted=True, grace_s=0))

    ran = run(store, latency_s=50.0, later=later)
    assert (ran.result.status, ran.reason) == ("interrupted", ("caller", "first"))
    assert ran.took == pytest.approx(2.0)


def test_a_stop_reaches_calls_that_were_only_just_started() -> None:
    store = MemoryStore(9)
    seen: list[CallStarted] = []

    def stop_at_the_second(event: object) -> None:
        if isinstance(event, CallStarted):
            seen.append(event)
            if len(seen) == 2:
                assert store.engine is not None
                store.engine.stop("enough", grace_s=0)

    ran = run(store, observer=stop_at_the_second, latency_s=1000.0)
    assert (ran.result.status, ran.reason, len(seen)) == ("stopped", ("caller", "enough"), 2)
    assert ran.took < 1.0
    assert store.calls() == []


def test_a_run_that_is_cancelled_takes_its_attempts_with_it() -> None:
    async def main() -> int:
        store, attempts = MemoryStore(9), Attempts(answer_all, 1000.0)
        lane = Lane(name="l", group="g", limit=Limit(value=4.0, ceiling=4))
        store.engine = Engine(
            pool=Pool({1: lane}, policy=RetryPolicy()),
            source=store,
            sink=store,
            runner=attempts,
            calls=CallInfo({1: ModelRef("p", "m")}),
        )
        running = asyncio.create_task(store.engine.run())
        await asyncio.sleep(1.0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert (len(attempts.seen), attempts.in_flight) == (4, 0), "and nothing starts in their place"
        return attempts.cancelled

    assert run_virtual(main()) == 4


# --- looking ---------------------------------------------------------------------------------


def test_the_lanes_and_where_their_time_went_can_be_asked_at_any_time() -> None:
    views: list[Any] = []
    store = MemoryStore(8)
    ran = run(store, later=lambda engine: at(0.5, lambda: views.extend(engine.lanes())))
    (view,) = views
    assert (view.name, view.in_flight, view.limit, view.ready, view.waiting) == ("lane 1", 4, 4.0, 4, 0)
    (sheet,) = ran.engine.attributions()
    assert sum(sheet.seconds().values()) == pytest.approx(ran.result.wall_s)


@pytest.mark.parametrize("where", ["lease", "event"])
def test_a_fault_of_ours_in_the_middle_ends_the_run_with_it(where: str) -> None:
    class Faulty(MemoryStore):
        def lease(self, model: int, n: int) -> list[Call]:
            if where == "lease" and self.leases:
                raise ValueError("a fault of ours")
            return super().lease(model, n)

    def observe(event: Event) -> None:
        if where == "event" and isinstance(event, CallSucceeded):
            raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        run(Faulty(1000), observer=observe)
