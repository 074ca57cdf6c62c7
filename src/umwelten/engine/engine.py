"""The only orchestrator: asks the pool what may start, starts it, and tells the pool how it ended.

It takes its calls from a `Source` in windows and hands what came out to a `Sink`; it knows no SQLite, HTTP
or terminal. One task an attempt; a call that waits for a retry is no task and holds no slot. All state
changes happen in the event loop's thread.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from functools import partial

from umwelten.control.attribution import Attribution
from umwelten.control.pool import WINDOW, AttemptVerdict, Lease, Pool, ScheduledCall, Start, WaitUntil
from umwelten.control.retry import GiveUp
from umwelten.control.stop import ErrorCap
from umwelten.engine.emitter import EventEmitter, lane_views
from umwelten.engine.interfaces import AttemptResult, AttemptRunner, CallInfo, RunResult, Sink, Source
from umwelten.errors import UmweltenError
from umwelten.events import LaneView, Observer
from umwelten.records import AttemptRecord, CallRecord
from umwelten.types import Call, Continue, Failure, Reply

BACKLOG = 250
"""Ended calls that may wait for their commit; above it nothing starts, so that a kill loses little."""

MOST_AT_ONCE = 50
"""Attempts that start in one pass; then answers that have come are taken in first."""


class Engine:
    """Runs all calls of a pool. Made and run inside one event loop; `run` once.

    `under_way` is called once: when all that may start at first has started, or the first attempt ended.
    """

    def __init__(
        self,
        *,
        pool: Pool,
        source: Source,
        sink: Sink,
        ask: AttemptRunner,
        naming: CallInfo,
        tell: Observer = lambda event: None,
        stream: bool = False,
        dice: Callable[[], float] = random.random,
        max_errors: int | None = None,
        under_way: Callable[[], object] | None = None,
    ) -> None:
        self._pool, self._source, self._sink, self._ask = pool, source, sink, ask
        self._naming, self._stream = naming, stream
        self._teller = EventEmitter(models=naming.models, pool=pool, submit=sink.submit, tell=tell)
        self._dice, self._errors = dice, ErrorCap(max_errors)
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._tasks: set[asyncio.Task[AttemptResult]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._began: float | None = None
        self._uncommitted = 0
        self._reason: str | None = None
        self._interrupted = False
        self._under_way = under_way
        self._unix_offset = time.time() - self._loop.time()

    # --- outside ---------------------------------------------------------------------------

    async def run(self) -> RunResult:
        """Work until nothing is left that may start; what the lanes hold back stays pending."""
        start = self._began = self._loop.time()
        try:
            self._pump()
            await self._finished
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._cancel_all()
            if self._tasks:
                await asyncio.wait(self._tasks)
        return RunResult(
            status=self._status(),
            reason=self._reason,
            wall_s=self._loop.time() - start,
            peak_in_flight=self._pool.peak_in_flight,
            failed=self._errors.failed,
        )

    def stop(self, reason: str, *, interrupted: bool = False, grace_s: float = 10.0) -> None:
        """Start nothing more; what is in flight may finish within the grace, then it is cancelled."""
        self._interrupted = self._interrupted or interrupted
        self._close(reason)
        if grace_s <= 0:
            self._cancel_all()
        else:
            self._set_timer("grace", self._loop.time() + grace_s, self._cancel_all)
        self._pump()

    def committed(self, records: Sequence[CallRecord]) -> None:
        """The sink has these safe; none: it has an error, or the source has more. In the loop's thread."""
        for record in records:
            self._uncommitted -= 1
            self._teller.ended(record)
        self._pump()

    def lanes(self) -> list[LaneView]:
        """The lanes as they are now."""
        return lane_views(self._pool, self._loop.time())

    def attributions(self) -> list[Attribution]:
        """Where each lane's time went since the run began."""
        wall_s = 0.0 if self._began is None else self._loop.time() - self._began
        return [lane.attribution(wall_s) for lane in self._pool.lanes]

    # --- the pump --------------------------------------------------------------------------

    def _pump(self) -> None:
        """Start all that may start, then set one timer for the next time something could."""
        self._clear_timer("pump")
        if self._sink.error is not None:
            self._close(f"answers can no longer be stored: {self._sink.error}")
        try:
            self._start_all()
        except UmweltenError as error:
            # The store or the inputs can't be read: what is in flight still ends, nothing more begins.
            self._close(error.message)
        if self._uncommitted and not self._pool.in_flight:
            self._sink.flush_soon()
        self._check_finished()

    def _start_all(self) -> None:
        for _ in range(MOST_AT_ONCE):
            if self._uncommitted >= BACKLOG:
                return
            self._refill()
            step = self._pool.next(self._loop.time())
            if isinstance(step, Start):
                self._start(step.lease)
                continue
            if isinstance(step, WaitUntil):
                self._set_timer("pump", step.at, self._pump)
            else:
                self._tell_under_way()
            return
        self._set_timer("pump", self._loop.time(), self._pump)

    def _refill(self) -> None:
        complete = self._source.complete  # asked first: what comes meanwhile is found by another look
        if (problem := self._source.problem) is not None:
            raise problem
        for model in self._pool.models_to_refill():
            scheduled = [self._schedule(call) for call in self._source.lease(model, WINDOW)]
            self._pool.add_calls(model, scheduled, drained=complete and len(scheduled) < WINDOW)

    def _schedule(self, call: Call) -> ScheduledCall:
        scheduled = ScheduledCall(call, call.input.size if call.input else 0)
        self._estimate(scheduled)
        return scheduled

    def _estimate(self, scheduled: ScheduledCall) -> None:
        """Note what the call's next request takes."""
        call, turns = scheduled.call, scheduled.turns
        scheduled.input_tokens, scheduled.output_tokens = self._naming.tokens(call, turns)
        scheduled.reserve = self._naming.estimate(call, turns)

    def _start(self, lease: Lease) -> None:
        on_text = self._teller.text(lease) if self._stream else None
        # All have one name: numbering them costs more than it tells.
        scheduled = lease.scheduled
        attempt = self._ask(scheduled.call, scheduled.turns, on_text)
        task = self._loop.create_task(attempt, name="attempt")
        self._tasks.add(task)
        task.add_done_callback(partial(self._came_back, lease))
        self._teller.started(lease)

    def _tell_under_way(self) -> None:
        if self._under_way is not None and self._pool.in_flight:
            tell, self._under_way = self._under_way, None
            tell()

    def _came_back(self, lease: Lease, task: asyncio.Task[AttemptResult]) -> None:
        self._tell_under_way()
        self._tasks.discard(task)
        failed = None if task.cancelled() else task.exception()
        if isinstance(failed, Exception):
            self._loop.call_exception_handler({"message": "an attempt raised", "exception": failed})
        self._ended(lease, None if failed is not None or task.cancelled() else task.result())
        self._pump()

    def _ended(self, lease: Lease, exchanged: AttemptResult | None) -> None:
        now = self._loop.time()
        if exchanged is None:
            self._pool.on_end(lease, None, now, 0.0)
            return
        verdict = self._pool.on_end(lease, exchanged.outcome, now, self._dice(), exchanged.cost_nusd)
        if isinstance(exchanged.outcome, Continue):
            self._estimate(lease.scheduled)
        self._record(lease, exchanged, verdict)
        self._teller.verdict(lease, verdict, now + self._unix_offset)

    def _record(self, lease: Lease, exchanged: AttemptResult, verdict: AttemptVerdict) -> None:
        scheduled = lease.scheduled
        outcome = exchanged.outcome if isinstance(exchanged.outcome, Reply) else verdict.failure
        assert outcome is not None, "a failed attempt has a failure"
        self._sink.submit(
            AttemptRecord(
                call=scheduled.call,
                number=scheduled.attempts,
                outcome=outcome,
                timing=exchanged.timing,
                cost_nusd=exchanged.cost_nusd,
            )
        )
        failed = isinstance(outcome, Failure)
        if failed and not isinstance(verdict.decision, GiveUp):
            return
        self._uncommitted += 1
        self._sink.submit(
            CallRecord(
                call=scheduled.call,
                key=exchanged.key,
                content=exchanged.content,
                outcome=outcome,
                timing=exchanged.timing,
                attempts=scheduled.attempts,
                time_s=scheduled.time_s,
                cost_nusd=scheduled.cost_nusd,
            )
        )
        if failed:
            self._count_failure()

    def _count_failure(self) -> None:
        self._errors.failed += 1
        if self._errors.hit:
            self._close(f"{self._errors.failed} calls failed (--max-errors)")

    # --- the end ---------------------------------------------------------------------------

    def _close(self, reason: str) -> None:
        self._reason = self._reason or reason
        self._pool.closed = True

    def _check_finished(self) -> None:
        settled = not self._uncommitted or self._sink.error is not None
        if self._pool.finished and settled and not self._finished.done():
            self._finished.set_result(None)

    def _cancel_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    def _set_timer(self, name: str, at: float, act: Callable[[], None]) -> None:
        self._clear_timer(name)
        self._timers[name] = self._loop.call_at(at, act)

    def _clear_timer(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def _status(self) -> str:
        if self._interrupted:
            return "interrupted"
        stopped = [lane for lane in self._pool.lanes if lane.stopped is not None]
        if self._reason is None and self._pool.cap.hit:
            self._reason = self._pool.cap.reason
        if self._reason is None and stopped:
            self._reason = "; ".join(f"{lane.name} is unavailable" for lane in stopped)
        if self._pool.closed or stopped:
            return "stopped"
        return "failed" if self._errors.failed else "complete"
