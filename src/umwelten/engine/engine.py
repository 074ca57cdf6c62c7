"""The only orchestrator: asks the pool what may start, starts it, and reports its outcome to the pool.

It leases calls from a `Source` in windows and submits their records to a `Sink`; it knows no SQLite, HTTP
or terminal. Each attempt is one task; a call that waits for its next attempt is no task and holds no slot.
All state changes in the thread of the event loop.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from umwelten.control.attribution import Attribution
from umwelten.control.hedging import Hedging
from umwelten.control.lane import Lane
from umwelten.control.pool import Pool
from umwelten.control.queues import WINDOW
from umwelten.control.retry import GiveUp, Park
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import AttemptVerdict, Lease, Start, WaitUntil
from umwelten.control.stop import ErrorCap, StopReason
from umwelten.control.waits import Wait, wait_of
from umwelten.engine.emitter import EventEmitter, lane_views
from umwelten.engine.interfaces import (
    AttemptResult,
    AttemptRunner,
    CallInfo,
    RunResult,
    Sink,
    Source,
    StandbyRunner,
    ToolCaller,
)
from umwelten.engine.lost_attempts import LostAttempt, LostAttempts, is_lost
from umwelten.engine.standbys import Standbys
from umwelten.engine.tool_steps import ToolSteps
from umwelten.engine.twins import Attempt, Twins
from umwelten.engine.waits import LOOK_S, WaitReports
from umwelten.errors import UmweltenError
from umwelten.events import LaneView, Observer, RunStatus, StopCode, WaitReason
from umwelten.phrases import Wording
from umwelten.records import AttemptRecord, BegunCall, CallRecord, ChangeRecord, Committable, CostRecord
from umwelten.types import Call, Continue, Failure, FailureKind, Reply, Timing, ToolStep, Usage

BACKLOG = 250
"""Ended calls that may wait for their commit; above that no call starts. A kill loses what waits, and it was
paid for. The store commits every 20 ms: a disk that keeps up never gets here at 2,000 calls a second."""

MOST_AT_ONCE = 50
"""Attempts that start in one pass; then answers that have arrived are handled first. A start takes about
half of a call's 0.4 ms of CPU, and the event loop may be 20 ms late (`benchmarks.wire lateness`)."""


class Engine:
    """Runs all calls of a pool. Create and run it inside one event loop; `run` once.

    `observer` gets the events; `stream` adds those of arriving text. `dice` gives numbers in [0, 1).
    `max_errors`: stop once so many calls have failed. `hedge` is the part of the calls that may be sent once
    more. `loading` says since when a lane's model is being loaded, and when that is given up. `tools` runs
    those that models call; `begun` tells how far an earlier run got with a call.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        source: Source,
        sink: Sink,
        runner: AttemptRunner,
        calls: CallInfo,
        observer: Observer = lambda event: None,
        stream: bool = False,
        dice: Callable[[], float] = random.random,
        max_errors: int | None = None,
        hedge: float = 0.0,
        loading: Callable[[str], tuple[float, float] | None] = lambda lane: None,
        tools: ToolCaller | None = None,
        begun: Callable[[Call], BegunCall | None] = lambda call: None,
    ) -> None:
        self._pool, self._source, self._sink, self._runner = pool, source, sink, runner
        self._calls, self._loading = calls, loading
        self.stream = stream
        """Whether calls that start from now on tell of the pieces of their answers."""
        self._emitter = EventEmitter(models=calls.models, pool=pool, submit=sink.submit, observer=observer)
        self._dice, self._errors = dice, ErrorCap(max_errors)
        self._twins = Twins(Hedging(hedge)) if hedge else None
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._tasks: dict[asyncio.Task[Any], Lease] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._started_at: float | None = None
        self._uncommitted = 0
        self._reason: StopReason | None = None
        self._interrupted = self._pumping = self._over = False
        self._cancelled = 0
        self._again = False
        self._cancelling: set[int] = set()
        self._superseded: set[asyncio.Task[Any]] = set()
        self._lost = LostAttempts()
        self._failing: set[int] = set()
        self._requeued: set[int] = set()
        self._unix_offset = time.time() - self._loop.time()
        self._waits = WaitReports(pool.lanes, self._wait_of, observer, self._unix_offset)
        self._standbys: Standbys | None = None
        if isinstance(runner, StandbyRunner) and self._twins is None and tools is None:
            self._standbys = Standbys(pool, runner, self._adopt, self._pump, self._abort)
        self._tools: ToolSteps | None = None
        if tools is not None:
            self._tools = ToolSteps(
                caller=tools,
                pool=pool,
                models=calls.models,
                submit=sink.submit,
                begun=begun,
                estimate=self._estimate,
                on_start=self._count_uncommitted,
                on_end=self._pump,
                on_failure=self._record_failure,
                on_error=self._stop_for_tools,
                observer=observer,
                unix_offset=self._unix_offset,
            )

    # --- outside ---------------------------------------------------------------------------

    async def run(self) -> RunResult:
        """Run until nothing is left that may start; calls of stopped lanes stay pending."""
        started_at = self._started_at = self._loop.time()
        try:
            self._look()
            self._pump()
            await self._finished
        except BaseException:
            self._pool.closed = True  # the attempts that are cancelled below make room for no others
            raise
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._cancel_all()
            if tasks := {*self._tasks, *self._tool_tasks, *self._standby_tasks}:
                await asyncio.wait(tasks)
            self._pool.account(self._loop.time())
            self._over = True
        return RunResult(
            status=self._status(),
            reason=self._reason,
            wall_s=self._loop.time() - started_at,
            peak_in_flight=self._pool.peak_in_flight,
            failed=self._errors.failed,
        )

    def stop(self, reason: str, *, interrupted: bool = False, grace_s: float = 10.0) -> None:
        """Start no further attempt; those in flight may finish within the grace, then they are cancelled."""
        self._interrupted = self._interrupted or interrupted
        self._close(StopReason(code=StopCode.CALLER, wording=reason))
        if grace_s <= 0:
            self._cancel_all()
        else:
            self._set_timer("grace", self._loop.time() + grace_s, self._cancel_all)
        self._pump()

    def acknowledge(self, records: Sequence[Committable]) -> None:
        """Take note that the sink has committed these. To be called in the thread of the event loop.

        No records: the sink has an error, or the source has more calls.
        """
        try:
            for record in records:
                if isinstance(record, ChangeRecord):
                    continue
                self._uncommitted -= 1
                if isinstance(record, CallRecord):
                    self._failing.discard(record.call.id)
                    self._emitter.emit_end(record)
                elif self._tools is not None:
                    self._tools.on_commit(record)
            self._pump()
        except Exception as error:  # noqa: BLE001
            self._abort(error)

    def wake(self, lane: Lane) -> None:
        """Look for calls to start: something happened to a lane beside this engine."""
        self._pool.touch(lane)
        self.look_again()

    # --- changes while it runs -------------------------------------------------------------

    @property
    def is_running(self) -> bool:
        """Whether calls may start still, or end."""
        return self._started_at is not None and not self._finished.done()

    @property
    def is_closed(self) -> bool:
        """Whether no further call starts."""
        return self._pool.closed

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is in flight, and all that ended is committed."""
        under_way = self._pool.in_flight or self._pool.standing_by
        return not (under_way or self._uncommitted or self._tool_tasks)

    @property
    def max_errors(self) -> int | None:
        """How many calls may fail before the run ends."""
        return self._errors.cap

    @max_errors.setter
    def max_errors(self, most: int | None) -> None:
        self._errors.cap = most
        if (reason := self._errors.reason) is not None:
            self._close(reason)

    def look_again(self) -> None:
        """Start what may start after something was changed in the pool, at once if that is possible."""
        if self._standbys is not None:
            self._standbys.touch_all()
        if self._pumping:
            # An observer of a start changes something, perhaps at every start: not one within the other.
            self._again = True
        elif self.is_running:
            self._pump()

    def set_cost_cap(self, cap: int | None) -> None:
        """Keep another cap of costs, in nano-USD; what is in flight counts as well."""
        leases = list(self._tasks.values())
        if self._standbys is not None:
            leases += self._standbys.leases
        self._pool.set_cost_cap(cap, self._estimate_anew, leases)
        if self._tools is not None:
            for scheduled in self._tools.parked():
                self._estimate_anew(scheduled)

    def is_failing(self, call: int) -> bool:
        """Whether a call was given up that is not known to be committed yet, and no event has told of."""
        return call in self._failing

    def requeue(self, calls: Sequence[Call]) -> None:
        """Make calls again that were given up, after those that wait already.

        A conversation goes on where it ended, as in another run: what its tools did is not done twice.
        """
        self._errors.failed -= len(calls)
        self._requeued.update(call.id for call in calls)
        by_model: dict[int, list[ScheduledCall]] = {}
        for call in calls:
            by_model.setdefault(call.model, []).append(self._schedule(call))
        for model, scheduled in by_model.items():
            if self._tools is not None:
                scheduled = list(filter(self._tools.resume, scheduled))
            self._pool.put_back(model, scheduled)

    def cancel(self, call: int) -> bool:
        """Cancel the attempts of a call that are in flight; it stays pending. False: there are none.

        One that has just ended, and is about to be handled, is not in flight.
        """
        found = [task for task, lease in self._tasks.items() if lease.scheduled.call.id == call]
        if not found or any(task.done() and not task.cancelled() for task in found):
            return False
        for task in found:
            task.cancel()
        self._cancelled += call not in self._cancelling
        self._cancelling.add(call)
        return True

    def lanes(self) -> list[LaneView]:
        """Return the lanes as they are now."""
        return lane_views(self._pool, self._loop.time(), self._waits.of, self._calls.models)

    def attributions(self) -> list[Attribution]:
        """Return where each lane's time went since the run began."""
        wall_s = 0.0 if self._started_at is None else self._loop.time() - self._started_at
        return [lane.attribution(wall_s) for lane in self._pool.lanes]

    # --- workers ---------------------------------------------------------------------------

    def hold(self) -> None:
        """Start no attempt until `release`: no worker is there. What is in flight ends as ever."""
        self._pool.hold(self._loop.time())
        self.look_again()

    def release(self) -> None:
        """Start attempts again."""
        self._pool.release(self._loop.time())
        self.look_again()

    def late(self, assignment: int, result: AttemptResult) -> None:
        """Take the end of an attempt that had been given up as lost, by its `AttemptResult.assignment`.

        Its attempt is recorded anew. An answer is its call's, unless that has ended or asks something else.
        """
        lost = self._lost.take(assignment)
        if lost is None or self._over:
            return
        try:
            self._take_late(lost, result)
            self.look_again()
        except Exception as fault:  # noqa: BLE001
            self._abort(fault)

    def _take_late(self, lost: LostAttempt, result: AttemptResult) -> None:
        lease, scheduled, outcome = lost.lease, lost.lease.scheduled, result.outcome
        self._pool.correct_cost(scheduled, lost.counted_nusd, lost.result.cost_nusd, result.cost_nusd)
        scheduled.lost -= is_lost(result)  # nothing was sent, which its worker says only now
        if isinstance(outcome, ToolStep | Continue):
            outcome = outcome.reply if isinstance(outcome, ToolStep) else outcome.failure
        self._submit_attempt(lease, result, outcome, late=True)
        if isinstance(result.outcome, Reply) and lost.still_asked and self.is_running:
            now = self._loop.time()
            for task, other in [pair for pair in self._tasks.items() if pair[1].scheduled is scheduled]:
                self._supersede(Attempt(other, task), now, result.cost_nusd, late=True)
            self._pool.withdraw(lease)
            self._submit_call(lease, result, result.outcome)
        elif scheduled.recorded and scheduled.call.id not in self._requeued:
            known, earlier = scheduled.cost_nusd, scheduled.earlier_nusd
            if known is not None and earlier is not None and result.cost_nusd is not None:
                self._sink.submit(CostRecord(call=scheduled.call, cost_nusd=known + earlier))

    # --- what lanes wait for ---------------------------------------------------------------

    def _look(self) -> None:
        """Report lanes that stand still, now and then until the end."""
        now = self._loop.time()
        self._waits.look(now)
        self._set_timer("look", now + LOOK_S, self._look)

    def _wait_of(self, lane: Lane) -> Wait | None:
        if lane.stopped is None and (load := self._loading(lane.name)) is not None:
            return Wait(WaitReason.LOADING, since=load[0], gives_up=load[1])
        if self._uncommitted >= BACKLOG and not lane.own_in_flight and any(self._pool.queued(lane)):
            return Wait(WaitReason.STORE)
        return wait_of(self._pool, lane)

    # --- the pump --------------------------------------------------------------------------

    def _pump(self) -> None:
        """Start everything that may start, then set one timer for the next time something could."""
        self._clear_timer("pump")
        if self._sink.error is not None:
            problem = f"answers can no longer be stored: {self._sink.error}"
            if self._tools is not None:
                self._tools.cancel()  # some wait until it is stored that they start
            self._close(StopReason(code=StopCode.STORE, wording=problem))
        self._pumping = True
        try:
            self._start_all()
        except UmweltenError as error:
            # The store or the inputs can't be read: attempts in flight still end, no further one starts.
            self._close(StopReason(code=StopCode.INPUTS, wording=error.wording))
        except Exception as fault:  # noqa: BLE001
            self._abort(fault)
        finally:
            self._pumping = False
        if self._again:
            self._again = False
            self._set_timer("pump", self._loop.time(), self._pump)
        if self._uncommitted and not self._pool.in_flight:
            self._sink.flush_soon()
        self._check_finished()

    def _start_all(self) -> None:
        if self._twins is not None:
            self._send_again(self._twins)
        for _ in range(MOST_AT_ONCE):
            if self._uncommitted >= BACKLOG:
                self._look_at_standbys(is_open=False)
                return
            self._refill()
            step = self._pool.next(self._loop.time())
            if isinstance(step, Start):
                self._start(step.lease)
                continue
            if isinstance(step, WaitUntil):
                self._set_timer("pump", step.at, self._pump)
            self._look_at_standbys(is_open=not self.stream)
            return
        self._set_timer("pump", self._loop.time(), self._pump)

    def _look_at_standbys(self, *, is_open: bool) -> None:
        if self._standbys is not None:
            self._standbys.look(is_open=is_open)

    def _send_again(self, twins: Twins) -> None:
        """Send the calls once more that take unusually long, before others get the slot."""
        if self._uncommitted >= BACKLOG:
            return  # what is committed next looks again
        now, hedging = self._loop.time(), twins.hedging
        for lease in twins.due(now):
            if (hedge := self._pool.hedge(lease, now)) is not None:
                self._start(hedge)
            else:
                hedging.hold_back(now)
        if hedging.wakes < math.inf:
            self._set_timer("hedge", hedging.wakes, self._pump)

    def _refill(self) -> None:
        while self._fetch() and self._uncommitted < BACKLOG:
            pass

    @property
    def _is_full_of_conversations(self) -> bool:
        """Return whether what models and tools said takes all the memory that calls may."""
        limit, tools = self._pool.max_bytes, self._tools
        if tools is None or limit is None or not tools.holds_over(limit):
            return False
        return bool(self._pool.in_flight or tools.tasks)

    def _fetch(self) -> bool:
        """Fetch calls of the models that run low. True if none of a model's may start now: others may."""
        # Before `lease`: calls that come in between are leased the next time.
        complete, again = self._source.complete, False
        if self._is_full_of_conversations:
            return False
        if (problem := self._source.problem) is not None:
            raise problem
        for model in self._pool.models_to_refill():
            scheduled = [self._schedule(call) for call in self._source.lease(model, WINDOW)]
            fetched = len(scheduled)
            if self._tools is not None:
                scheduled = list(filter(self._tools.resume, scheduled))
            self._pool.add_calls(model, scheduled, drained=complete and fetched < WINDOW)
            again = again or bool(fetched and not scheduled)
        return again

    def _schedule(self, call: Call) -> ScheduledCall:
        scheduled = ScheduledCall(call, call.input.size if call.input else 0)
        self._estimate(scheduled)
        return scheduled

    def _estimate(self, scheduled: ScheduledCall) -> None:
        """Set what the call's next request takes."""
        call, turns = scheduled.call, scheduled.turns
        scheduled.input_tokens, scheduled.output_tokens = self._calls.tokens(call, turns)
        scheduled.reserve = self._calls.estimate(call, turns)

    def _estimate_anew(self, scheduled: ScheduledCall) -> None:
        """Set it under another cap, also for where the call starts over."""
        self._estimate(scheduled)
        if scheduled.at_first is not None:
            size, _, tokens = scheduled.at_first
            scheduled.at_first = size, self._calls.estimate(scheduled.call, ()), tokens

    def _start(self, lease: Lease) -> None:
        on_text = self._emitter.text_callback(lease) if self.stream else None
        if self._twins is not None and on_text is not None:
            on_text = self._twins.listener(lease, on_text)
        scheduled = lease.scheduled
        attempt = self._runner(scheduled.call, scheduled.turns, on_text, lease.lane.name)
        # All tasks have the same name: asyncio's numbering costs more than it tells.
        task = self._loop.create_task(attempt, name="attempt")
        self._tasks[task] = lease
        if self._twins is not None:
            self._twins.on_start(lease, task)
        task.add_done_callback(partial(self._on_task_done, lease))
        self._emitter.emit_start(lease)

    def _adopt(self, lease: Lease, task: asyncio.Task[AttemptResult | None]) -> None:
        """Take an attempt that was on standby and began."""
        self._tasks[task] = lease
        task.add_done_callback(partial(self._on_task_done, lease))
        self._emitter.emit_start(lease)

    def _on_task_done(self, lease: Lease, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._loop.call_exception_handler({"message": "an attempt raised", "exception": error})
        try:
            if task in self._superseded:
                self._superseded.discard(task)  # it is recorded
            elif error is None and not task.cancelled():
                self._settle(lease, task.result())
            else:
                now = self._loop.time()
                if self._twins is not None:
                    self._twins.on_end(lease, now, None, answered=False)
                self._pool.on_end(lease, None, now, 0.0)
            if self._standbys is not None:
                self._follow(self._standbys, lease.lane, task)
            self._pump()
        except Exception as fault:  # noqa: BLE001
            self._abort(fault)

    def _follow(self, standbys: Standbys, lane: Lane, task: asyncio.Task[Any]) -> None:
        """Count the attempt that began in place of one that ended, before anything else gets its slot."""
        standbys.touch(lane)
        if not task.cancelled() and task.exception() is None and (number := task.result().successor):
            standbys.begin(number)

    def _settle(self, lease: Lease, result: AttemptResult) -> None:
        """Let the pool decide what follows the attempt; record and report it."""
        result = self._priced(lease, result)
        now, answered = self._loop.time(), not isinstance(result.outcome, Failure)
        alone, lost = True, is_lost(result)
        if self._twins is not None:
            other, timed = self._twins.other(lease), not (lost or result.away)
            self._twins.on_end(lease, now, result.cost_nusd, answered=answered, timed=timed)
            if other is not None and answered:
                self._supersede(other, now, result.cost_nusd)
            alone = other is None or answered
        if answered and result.transit_s and not result.away:
            lease.lane.note_transit(now - lease.started_at, result.transit_s)
        verdict = self._pool.on_end(
            lease,
            result.outcome,
            now,
            self._dice(),
            result.cost_nusd,
            alone=alone,
            away=result.away,
            sent=result.sent,
        )
        if lost:
            self._lost.add(lease, result, verdict.counted_nusd)
        if isinstance(result.outcome, Continue):
            self._estimate(lease.scheduled)
        step = result.outcome if isinstance(result.outcome, ToolStep) else None
        if step is None or not isinstance(verdict.decision, Park):
            self._record(lease, result, verdict)
        elif self._tools is not None:
            self._submit_attempt(lease, result, step.reply)
            self._uncommitted += 1
            self._tools.on_step(lease, result, step)
        self._emitter.emit_verdict(lease, verdict, now + self._unix_offset)
        if not alone and verdict.failure is not None:
            self._emitter.emit_dropped(lease, verdict.failure, result.cost_nusd)

    def _priced(self, lease: Lease, result: AttemptResult) -> AttemptResult:
        """Return a result; that of a lost attempt with its cost, where that is nothing anyway."""
        if not is_lost(result) or result.cost_nusd is not None:
            return result
        return replace(result, cost_nusd=self._calls.broken_off(lease.scheduled.call))

    def _supersede(
        self, attempt: Attempt, now: float, answer_nusd: int | None, *, late: bool = False
    ) -> None:
        """Break off the other attempt of a call whose answer cost that. It is stored; it may be charged.

        `late`: the answer is that of an attempt that had been lost.
        """
        lease = attempt.lease
        result = None if attempt.result is None else self._priced(lease, attempt.result)
        attempt.task.cancel()
        self._superseded.add(attempt.task)
        outcome = None if result is None else result.outcome
        cost = self._calls.broken_off(lease.scheduled.call) if result is None else result.cost_nusd
        if self._twins is not None:
            charged = answer_nusd if cost is None else cost
            self._twins.on_end(lease, now, charged, answered=False, timed=not late)
        timing = Timing(started_at=lease.started_at + self._unix_offset, latency_s=now - lease.started_at)
        away, sent = result is not None and result.away, result is None or result.sent
        verdict = self._pool.on_end(lease, outcome, now, 0.0, cost, alone=False, away=away, sent=sent)
        if result is not None and is_lost(result):
            self._lost.add(lease, result, verdict.counted_nusd)
        failure = outcome if isinstance(outcome, Failure) else _superseded(outcome, late=late)
        self._sink.submit(
            AttemptRecord(
                call=lease.scheduled.call,
                number=lease.number,
                outcome=failure,
                timing=timing if result is None else result.timing,
                cost_nusd=cost,
                served_by=lease.lane.name,
                worker=None if result is None else result.worker,
            )
        )
        self._emitter.emit_verdict(lease, verdict, now + self._unix_offset)
        self._emitter.emit_dropped(lease, failure, cost, late=late)

    def _record(self, lease: Lease, result: AttemptResult, verdict: AttemptVerdict) -> None:
        outcome = result.outcome if isinstance(result.outcome, Reply) else verdict.failure
        assert outcome is not None, "an attempt without a reply has a failure"
        self._submit_attempt(lease, result, outcome)
        if isinstance(outcome, Reply) or isinstance(verdict.decision, GiveUp):
            self._submit_call(lease, result, outcome)

    def _submit_call(self, lease: Lease, result: AttemptResult, outcome: Reply | Failure) -> None:
        scheduled, failed = lease.scheduled, isinstance(outcome, Failure)
        scheduled.recorded = True
        cost, tools = scheduled.cost_nusd, None
        if self._tools is not None:
            earlier = self._tools.earlier_nusd(scheduled.call) if scheduled.turns else 0
            scheduled.earlier_nusd = earlier
            cost = None if cost is None or earlier is None else cost + earlier
            outcome, tools = self._tools.finish(scheduled.call, outcome, scheduled.turns)
        self._uncommitted += 1
        if failed:
            self._failing.add(scheduled.call.id)
        self._sink.submit(
            CallRecord(
                call=scheduled.call,
                key=result.key,
                content=result.content,
                kept=result.kept,
                outcome=outcome,
                timing=result.timing,
                attempts=scheduled.attempts,
                time_s=scheduled.time_s,
                cost_nusd=cost,
                served_by=lease.lane.name,
                tools=tools,
            )
        )
        if failed:
            self._count_failure()

    def _submit_attempt(
        self, lease: Lease, result: AttemptResult, outcome: Reply | Failure, *, late: bool = False
    ) -> None:
        self._sink.submit(
            AttemptRecord(
                call=lease.scheduled.call,
                number=lease.number,
                outcome=outcome,
                timing=result.timing,
                cost_nusd=result.cost_nusd,
                served_by=lease.lane.name,
                step=1 if self._tools is None else result.step,
                worker=result.worker,
                late=late,
            )
        )

    def _count_uncommitted(self) -> None:
        self._uncommitted += 1

    def _record_failure(self, record: CallRecord) -> None:
        """Record a call that its tools ended."""
        self._uncommitted += 1
        self._failing.add(record.call.id)
        self._sink.submit(record)
        self._count_failure()

    def _stop_for_tools(self, why: Wording) -> None:
        self._close(StopReason(code=StopCode.TOOLS, wording=why))

    def _count_failure(self) -> None:
        self._errors.failed += 1
        if (reason := self._errors.reason) is not None:
            self._close(reason)

    # --- the end ---------------------------------------------------------------------------

    def _close(self, reason: StopReason) -> None:
        self._reason = self._reason or reason
        self._pool.closed = True

    def _abort(self, fault: Exception) -> None:
        """End the run with a fault of ours: nobody else would hear of it, and the run would wait forever."""
        if not self._finished.done():
            self._finished.set_exception(fault)

    def _check_finished(self) -> None:
        settled = not self._uncommitted or self._sink.error is not None
        if self._pool.finished and settled and not self._tool_tasks and not self._finished.done():
            self._finished.set_result(None)

    def _cancel_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._standbys is not None:
            self._standbys.cancel()
        if self._tools is not None:
            self._tools.cancel()

    @property
    def _standby_tasks(self) -> Collection[asyncio.Task[Any]]:
        return () if self._standbys is None else self._standbys.tasks

    @property
    def _tool_tasks(self) -> Collection[asyncio.Task[None]]:
        return () if self._tools is None else self._tools.tasks

    def _set_timer(self, name: str, at: float, act: Callable[[], None]) -> None:
        self._clear_timer(name)
        self._timers[name] = self._loop.call_at(at, act)

    def _clear_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _status(self) -> RunStatus:
        if self._interrupted:
            return RunStatus.INTERRUPTED
        if self._cancelled and self._reason is None:
            text = (
                "1 call was cancelled" if self._cancelled == 1 else f"{self._cancelled} calls were cancelled"
            )
            self._reason = StopReason(code=StopCode.CALLER, wording=text)
        stopped = [lane.name for lane in self._pool.stopped_lanes()]
        stopped += [str(self._calls.models[model]) for model in self._pool.stopped_models()]
        self._reason = self._reason or self._pool.cap.reason
        if self._reason is None and stopped:
            which = "; ".join(f"{name} is unavailable" for name in stopped)
            self._reason = StopReason(code=StopCode.UNAVAILABLE, wording=which)
        if self._pool.closed or stopped or self._cancelled:
            return RunStatus.STOPPED
        return RunStatus.FAILED if self._errors.failed else RunStatus.COMPLETE


def _superseded(outcome: Reply | Continue | ToolStep | None, *, late: bool) -> Failure:
    """Return the failure of an attempt whose twin was answered first, with what its own answer used."""
    usage = Usage() if outcome is None else outcome.usage
    which = "an attempt that had been lost" if late else "the call's other attempt"
    message = f"{which} was answered first"
    return Failure(kind=FailureKind.SUPERSEDED, message=message, retry=False, usage=usage)
