"""What becomes of attempts that ended: of answers, of two attempts of one call, and of those that were lost.

The pool decides what follows; the records go to the store, the events to observers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from umwelten.control.pool import Pool
from umwelten.control.retry import GiveUp, Park
from umwelten.control.steps import AttemptVerdict, Lease
from umwelten.engine.emitter import EventEmitter
from umwelten.engine.interfaces import AttemptResult, CallInfo, Sink
from umwelten.engine.ledger import Ledger
from umwelten.engine.lost_attempts import LostAttempt, LostAttempts, is_lost
from umwelten.engine.supply import Estimates
from umwelten.engine.tool_steps import ToolSteps
from umwelten.engine.twins import Attempt, Twins
from umwelten.records import AttemptRecord, CallRecord, CostRecord
from umwelten.types import Continue, Failure, FailureKind, Reply, Timing, ToolStep, Usage


class Settlement:
    """See the module's text. `tasks`: the attempts under way, which the engine keeps.

    `requeued` are the calls that were made again after they had been given up.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        calls: CallInfo,
        sink: Sink,
        ledger: Ledger,
        emitter: EventEmitter,
        estimates: Estimates,
        twins: Twins | None,
        tools: ToolSteps | None,
        tasks: Mapping[asyncio.Task[Any], Lease],
        dice: Callable[[], float],
        unix_offset: float,
    ) -> None:
        self.requeued: set[int] = set()
        self.lost = LostAttempts()
        self._pool, self._calls, self._sink, self._ledger = pool, calls, sink, ledger
        self._emitter, self._estimates, self._twins, self._tools = emitter, estimates, twins, tools
        self._tasks, self._dice, self._unix_offset = tasks, dice, unix_offset
        self._superseded: set[asyncio.Task[Any]] = set()
        """Those whose attempts are recorded although they have not ended."""

    def on_end(self, lease: Lease, task: asyncio.Task[AttemptResult], now: float) -> None:
        """Take an attempt whose task is done."""
        if task in self._superseded:
            self._superseded.discard(task)  # it is recorded
        elif task.cancelled() or task.exception() is not None:
            self._drop(lease, now)
        else:
            self._settle(lease, task.result(), now)

    def _drop(self, lease: Lease, now: float) -> None:
        """Count an attempt that was cancelled, or whose task raised: its call stays pending."""
        if self._twins is not None:
            self._twins.on_end(lease, now, None, answered=False)
        self._pool.on_end(lease, None, now, 0.0)

    def _settle(self, lease: Lease, result: AttemptResult, now: float) -> None:
        """Let the pool decide what follows the attempt; record and report it."""
        result = self._priced(lease, result)
        answered = not isinstance(result.outcome, Failure)
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
            self.lost.add(lease, result, verdict.counted_nusd)
        if isinstance(result.outcome, Continue):
            self._estimates.estimate(lease.scheduled)
        step = result.outcome if isinstance(result.outcome, ToolStep) else None
        if step is None or not isinstance(verdict.decision, Park):
            self._record(lease, result, verdict)
        elif self._tools is not None:
            self._submit_attempt(lease, result, step.reply)
            self._ledger.count()
            self._tools.on_step(lease, result, step)
        self._emitter.emit_verdict(lease, verdict, now + self._unix_offset)
        if not alone and verdict.failure is not None:
            self._emitter.emit_dropped(lease, verdict.failure, result.cost_nusd)

    def _priced(self, lease: Lease, result: AttemptResult) -> AttemptResult:
        """Return a result; that of a lost attempt with its cost, where that is nothing anyway."""
        if not is_lost(result) or result.cost_nusd is not None:
            return result
        return replace(result, cost_nusd=self._calls.broken_off(lease.scheduled.call))

    def take_late(self, lost: LostAttempt, result: AttemptResult, now: float, *, counts: bool) -> None:
        """Take the end of an attempt that had been given up as lost; see `Engine.late`.

        Not `counts`: the run is over for the call, so that only costs are put right.
        """
        lease, scheduled, outcome = lost.lease, lost.lease.scheduled, result.outcome
        self._pool.correct_cost(scheduled, lost.counted_nusd, lost.result.cost_nusd, result.cost_nusd)
        scheduled.lost -= is_lost(result)  # nothing was sent, which its worker says only now
        if isinstance(outcome, ToolStep | Continue):
            outcome = outcome.reply if isinstance(outcome, ToolStep) else outcome.failure
        self._submit_attempt(lease, result, outcome, late=True)
        if isinstance(result.outcome, Reply) and lost.still_asked and counts:
            for task, other in [pair for pair in self._tasks.items() if pair[1].scheduled is scheduled]:
                self._supersede(Attempt(other, task), now, result.cost_nusd, late=True)
            self._pool.withdraw(lease)
            self._submit_call(lease, result, result.outcome)
        elif scheduled.recorded and scheduled.call.id not in self.requeued:
            known, earlier = scheduled.cost_nusd, scheduled.earlier_nusd
            if known is not None and earlier is not None and result.cost_nusd is not None:
                self._sink.submit(CostRecord(call=scheduled.call, cost_nusd=known + earlier))

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
            self.lost.add(lease, result, verdict.counted_nusd)
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
        scheduled = lease.scheduled
        scheduled.recorded = True
        cost, tools = scheduled.cost_nusd, None
        if self._tools is not None:
            earlier = self._tools.earlier_nusd(scheduled.call) if scheduled.turns else 0
            scheduled.earlier_nusd = earlier
            cost = None if cost is None or earlier is None else cost + earlier
            outcome, tools = self._tools.finish(scheduled.call, outcome, scheduled.turns)
        self._ledger.submit(
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


def _superseded(outcome: Reply | Continue | ToolStep | None, *, late: bool) -> Failure:
    """Return the failure of an attempt whose twin was answered first, with what its own answer used."""
    usage = Usage() if outcome is None else outcome.usage
    which = "an attempt that had been lost" if late else "the call's other attempt"
    message = f"{which} was answered first"
    return Failure(kind=FailureKind.SUPERSEDED, message=message, retry=False, usage=usage)
