"""The only orchestrator: asks the pool what may start, starts it, and tells the pool how it ended.

It takes its calls from a `Source` in windows and hands what came out to a `Sink`; it does not know
SQLite, HTTP or a terminal. One task an attempt; a call that waits for a retry is no task and holds no
slot. All state changes happen in the event loop's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from umwelten.control.pool import WINDOW, Job, Lease, Pool, Start, Verdict, WaitUntil
from umwelten.control.retry import Again, GiveUp
from umwelten.events import (
    AttemptFailed,
    CallFailed,
    CallStarted,
    CallSucceeded,
    Event,
    LaneStopped,
    LaneView,
    LimitChanged,
    Note,
    Observer,
    TextArrived,
)
from umwelten.store.records import AttemptRecord, CallRecord, LimitRecord, Record
from umwelten.types import Call, Failure, Frozen, ModelRef, Outcome, Reply, Timing


class Source(Protocol):
    """Where calls come from: the store, or a lease of a larger machine's work."""

    def lease(self, model: int, n: int) -> list[Call]:
        """Up to `n` further calls of a model, in order; fewer than `n` when there are no more."""


class Sink(Protocol):
    """Where outcomes go."""

    def submit(self, record: Record) -> None:
        """Take a record; it is acknowledged through `Engine.committed` once it is safe."""

    def hurry(self) -> None:
        """Nothing else is under way: what was submitted need not wait for company."""

    @property
    def error(self) -> BaseException | None:
        """Why records can no longer be kept, if so: the engine then starts no further call."""


class Exchanged(Frozen):
    """One attempt as made: its outcome, the call's identity and the content hash of what was sent."""

    outcome: Outcome
    timing: Timing
    key: str
    content: bytes
    cost_nusd: int | None = None


class Ask(Protocol):
    """Makes one attempt. Returns whatever happens as a value; raises only when cancelled."""

    async def __call__(self, call: Call, on_text: Callable[[str], None] | None) -> Exchanged: ...


class Result(Frozen):
    """How a run ended; `status` as in `events.RunFinished`."""

    status: str
    reason: str | None
    wall_s: float
    peak_in_flight: int


@dataclass(frozen=True, slots=True)
class Naming:
    """How the engine calls things in events: `models` by number, `estimate` a call's cost at most."""

    models: dict[int, ModelRef]
    estimate: Callable[[Call], int | None] = lambda call: None


class Engine:
    """Runs all calls of a pool. Made and run inside one event loop; `run` once."""

    def __init__(
        self,
        *,
        pool: Pool,
        source: Source,
        sink: Sink,
        ask: Ask,
        naming: Naming,
        observers: Iterable[Observer] = (),
        stream: bool = False,
        dice: Callable[[], float] = random.random,
        max_errors: int | None = None,
    ) -> None:
        self._pool, self._source, self._sink, self._ask = pool, source, sink, ask
        self._naming, self._observers, self._stream = naming, list(observers), stream
        self._dice, self._max_errors = dice, max_errors
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._failed = 0
        self._uncommitted = 0
        self._reason: str | None = None
        self._interrupted = False
        self._unix_offset = time.time() - self._loop.time()

    # --- outside ---------------------------------------------------------------------------

    async def run(self) -> Result:
        """Work until nothing is left that may start; what the lanes hold back stays pending."""
        start = self._loop.time()
        try:
            self._pump()
            await self._finished
        finally:
            if self._timer is not None:
                self._timer.cancel()
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)
        return Result(
            status=self._status(),
            reason=self._reason,
            wall_s=self._loop.time() - start,
            peak_in_flight=self._pool.peak_in_flight,
        )

    def stop(self, reason: str, *, interrupted: bool = False, grace_s: float = 10.0) -> None:
        """Start nothing more; what is in flight may finish within the grace, then it is cancelled."""
        self._reason = self._reason or reason
        self._interrupted = self._interrupted or interrupted
        self._pool.closed = True
        if grace_s <= 0:
            self._cancel_all()
        else:
            self._loop.call_later(grace_s, self._cancel_all)
        self._pump()

    def committed(self, records: Sequence[CallRecord]) -> None:
        """The sink has these safe. Called in the loop's thread."""
        for record in records:
            self._uncommitted -= 1
            self._emit(self._ending(record))
        if self._sink.error is not None:
            self._pump()
        self._check_finished()

    def lanes(self) -> list[LaneView]:
        """The lanes as they are now."""
        now = self._loop.time()
        wakes = self._pool.wakes_at()
        views = []
        for lane in self._pool.lanes:
            ready, waiting = self._pool.queued(lane)
            held = waiting and not ready and wakes is not None
            views.append(
                LaneView(
                    name=lane.name,
                    in_flight=lane.in_flight,
                    limit=lane.limit.value,
                    ready=ready,
                    waiting=waiting,
                    waiting_s=max(0.0, wakes - now) if held and wakes is not None else None,
                    waiting_why=lane.waiting_why,
                    stopped=lane.stopped.message if lane.stopped else None,
                )
            )
        return views

    # --- the pump --------------------------------------------------------------------------

    def _pump(self) -> None:
        """Start all that may start, then set one timer for the next time something could."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._sink.error is not None and not self._pool.closed:
            self._pool.closed = True
            self._reason = f"answers can no longer be stored: {self._sink.error}"
        while True:
            self._refill()
            now = self._loop.time()
            step = self._pool.next(now)
            if isinstance(step, Start):
                self._start(step.lease)
                continue
            if isinstance(step, WaitUntil):
                self._timer = self._loop.call_at(step.at, self._pump)
            break
        if self._uncommitted and not self._pool.in_flight:
            self._sink.hurry()
        self._check_finished()

    def _refill(self) -> None:
        for model in self._pool.hungry():
            calls = self._source.lease(model, WINDOW)
            jobs = [
                Job(call, call.input.size if call.input else 0, self._naming.estimate(call)) for call in calls
            ]
            self._pool.offer(model, jobs, drained=len(calls) < WINDOW)

    def _start(self, lease: Lease) -> None:
        task = self._loop.create_task(self._attempt(lease))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attempt(self, lease: Lease) -> None:
        job = lease.job
        model = self._naming.models[job.call.model]
        self._emit(CallStarted(call=job.call, model=model, lane=lease.lane.name, attempt=job.attempts))
        on_text = None
        if self._stream:

            def on_text(text: str) -> None:
                self._emit(TextArrived(call=job.call, model=model, text=text))

        exchanged: Exchanged | None = None
        try:
            exchanged = await self._ask(job.call, on_text)
        finally:
            self._ended(lease, exchanged)
            self._pump()

    def _ended(self, lease: Lease, exchanged: Exchanged | None) -> None:
        now = self._loop.time()
        if exchanged is None:
            self._pool.ended(lease, None, now, 0.0)
            return
        verdict = self._pool.ended(lease, exchanged.outcome, now, self._dice(), exchanged.cost_nusd)
        self._record(lease, exchanged, verdict)
        self._tell(lease, verdict)

    def _record(self, lease: Lease, exchanged: Exchanged, verdict: Verdict) -> None:
        job = lease.job
        outcome = verdict.failure or exchanged.outcome
        self._sink.submit(
            AttemptRecord(
                call=job.call,
                number=job.attempts,
                outcome=outcome,
                timing=exchanged.timing,
                cost_nusd=exchanged.cost_nusd,
            )
        )
        if isinstance(outcome, Failure) and not isinstance(verdict.decision, GiveUp):
            return
        self._uncommitted += 1
        self._sink.submit(
            CallRecord(
                call=job.call,
                key=exchanged.key,
                content=exchanged.content,
                outcome=outcome,
                timing=exchanged.timing,
                attempts=job.attempts,
                time_s=job.time_s,
                cost_nusd=job.cost_nusd,
            )
        )
        if isinstance(outcome, Failure):
            self._count_failure()

    def _count_failure(self) -> None:
        self._failed += 1
        if self._max_errors is not None and self._failed >= self._max_errors and not self._pool.closed:
            self._pool.closed = True
            self._reason = f"{self._failed} calls failed (--max-errors)"

    def _tell(self, lease: Lease, verdict: Verdict) -> None:
        job, lane = lease.job, lease.lane
        if verdict.change is not None:
            at = self._loop.time() + self._unix_offset
            change = verdict.change
            self._sink.submit(
                LimitRecord(
                    at=at, lane=lane.name, limit=change.limit, in_flight=lane.in_flight, reason=change.reason
                )
            )
            self._emit(
                LimitChanged(
                    lane=lane.name,
                    limit=change.limit,
                    in_flight=lane.in_flight,
                    reason=change.reason,
                    at_unix=at,
                )
            )
        if isinstance(verdict.decision, Again) and verdict.failure is not None:
            self._emit(
                AttemptFailed(
                    call=job.call,
                    model=self._naming.models[job.call.model],
                    lane=lane.name,
                    attempt=job.attempts,
                    failure=verdict.failure,
                    retry_in_s=verdict.decision.delay_s,
                    counted=verdict.decision.counted,
                )
            )
        if verdict.lane_stopped and lane.stopped is not None:
            self._emit(LaneStopped(lane=lane.name, failure=lane.stopped))

    def _ending(self, record: CallRecord) -> CallSucceeded | CallFailed:
        model = self._naming.models[record.call.model]
        lane = self._pool.lane(record.call.model).name
        if isinstance(record.outcome, Reply):
            return CallSucceeded(
                call=record.call,
                model=model,
                lane=lane,
                reply=record.outcome,
                timing=record.timing,
                attempts=record.attempts,
                time_s=record.time_s,
                cost_nusd=record.cost_nusd,
            )
        return CallFailed(
            call=record.call,
            model=model,
            lane=lane,
            failure=record.outcome,
            timing=record.timing,
            attempts=record.attempts,
            time_s=record.time_s,
            cost_nusd=record.cost_nusd,
        )

    # --- the end ---------------------------------------------------------------------------

    def _check_finished(self) -> None:
        settled = not self._uncommitted or self._sink.error is not None
        if self._pool.finished and settled and not self._finished.done():
            self._finished.set_result(None)

    def _cancel_all(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()

    def _status(self) -> str:
        if self._interrupted:
            return "interrupted"
        stopped = [lane for lane in self._pool.lanes if lane.stopped is not None]
        if self._pool.cap.hit:
            self._reason = self._reason or "the cost cap is reached (--max-cost)"
        elif stopped and self._reason is None:
            self._reason = "; ".join(f"{lane.name} is unavailable" for lane in stopped)
        if self._pool.closed or stopped:
            return "stopped"
        return "failed" if self._failed else "complete"

    def _emit(self, event: Event) -> None:
        for observer in tuple(self._observers):
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - observers are anybody's code and can't hurt
                self._observers.remove(observer)
                with contextlib.suppress(ValueError):
                    self._emit(Note(text=f"an observer failed and is dropped: {error!r}", level="warning"))
