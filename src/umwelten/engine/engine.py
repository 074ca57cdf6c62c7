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

from umwelten.control.attribution import Attribution
from umwelten.control.hedging import Hedging
from umwelten.control.lane import Lane
from umwelten.control.pool import Pool
from umwelten.control.steps import Lease, Start, WaitUntil
from umwelten.control.stop import ErrorCap, StopReason
from umwelten.control.waits import Wait, wait_of
from umwelten.engine.emitter import EventEmitter, lane_views
from umwelten.engine.ending import Ending
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
from umwelten.engine.ledger import Ledger
from umwelten.engine.settlement import Settlement
from umwelten.engine.standbys import Standbys
from umwelten.engine.supply import Estimates, Supply
from umwelten.engine.tool_steps import ToolSteps
from umwelten.engine.twins import Twins
from umwelten.engine.waits import LOOK_S, WaitReports
from umwelten.errors import UmweltenError
from umwelten.events import LaneView, Observer, StopCode, WaitReason
from umwelten.phrases import Wording
from umwelten.records import BegunCall, CallRecord, ChangeRecord, Committable
from umwelten.types import Call

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
        self._pool, self._sink, self._runner = pool, sink, runner
        self._calls, self._loading = calls, loading
        self.stream = stream
        """Whether calls that start from now on tell of the pieces of their answers."""
        self._emitter = EventEmitter(models=calls.models, pool=pool, submit=sink.submit, observer=observer)
        self._ending = Ending(pool, calls.models)
        self._ledger = Ledger(sink, ErrorCap(max_errors), self._ending.close)
        self._estimates = Estimates(calls)
        self._twins = Twins(Hedging(hedge)) if hedge else None
        self._loop = asyncio.get_running_loop()
        self._finished: asyncio.Future[None] = self._loop.create_future()
        self._tasks: dict[asyncio.Task[Any], Lease] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._started_at: float | None = None
        self._pumping = self._again = self._over = False
        self._cancelling: set[int] = set()
        self._unix_offset = time.time() - self._loop.time()
        self._waits = WaitReports(pool.lanes, self._wait_of, observer, self._unix_offset)
        self._standbys: Standbys | None = None
        if isinstance(runner, StandbyRunner) and self._twins is None and tools is None:
            self._standbys = Standbys(pool, runner, self._adopt, self._pump, self._abort)
        self._tools = None if tools is None else self._tool_steps(tools, begun, observer)
        self._supply = Supply(pool, source, self._estimates, self._tools)
        self._settlement = Settlement(
            pool=pool,
            calls=calls,
            sink=sink,
            ledger=self._ledger,
            emitter=self._emitter,
            estimates=self._estimates,
            twins=self._twins,
            tools=self._tools,
            tasks=self._tasks,
            dice=dice,
            unix_offset=self._unix_offset,
        )

    def _tool_steps(
        self, caller: ToolCaller, begun: Callable[[Call], BegunCall | None], observer: Observer
    ) -> ToolSteps:
        return ToolSteps(
            caller=caller,
            pool=self._pool,
            models=self._calls.models,
            submit=self._sink.submit,
            begun=begun,
            estimate=self._estimates.estimate,
            on_start=self._ledger.count,
            on_end=self._pump,
            on_failure=self._ledger.submit,
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
        failed = self._ledger.errors.failed
        return RunResult(
            status=self._ending.status(failed),
            reason=self._ending.reason,
            wall_s=self._loop.time() - started_at,
            peak_in_flight=self._pool.peak_in_flight,
            failed=failed,
        )

    def stop(self, reason: str, *, interrupted: bool = False, grace_s: float = 10.0) -> None:
        """Start no further attempt; those in flight may finish within the grace, then they are cancelled."""
        self._ending.interrupted = self._ending.interrupted or interrupted
        self._ending.close(StopReason(code=StopCode.CALLER, wording=reason))
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
                self._ledger.on_commit(record)
                if isinstance(record, CallRecord):
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
        return not (under_way or self._ledger.uncommitted or self._tool_tasks)

    @property
    def max_errors(self) -> int | None:
        """How many calls may fail before the run ends."""
        return self._ledger.errors.cap

    @max_errors.setter
    def max_errors(self, most: int | None) -> None:
        self._ledger.errors.cap = most
        self._ledger.check_errors()

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
        self._pool.set_cost_cap(cap, self._estimates.renew, leases)
        if self._tools is not None:
            for scheduled in self._tools.parked():
                self._estimates.renew(scheduled)

    def is_failing(self, call: int) -> bool:
        """Whether a call was given up that is not known to be committed yet, and no event has told of."""
        return self._ledger.is_failing(call)

    def requeue(self, calls: Sequence[Call]) -> None:
        """Make calls again that were given up, after those that wait already.

        A conversation goes on where it ended, as in another run: what its tools did is not done twice.
        """
        self._ledger.errors.failed -= len(calls)
        self._settlement.requeued.update(call.id for call in calls)
        self._supply.put_back(calls)

    def cancel(self, call: int) -> bool:
        """Cancel the attempts of a call that are in flight; it stays pending. False: there are none.

        One that has just ended, and is about to be handled, is not in flight.
        """
        found = [task for task, lease in self._tasks.items() if lease.scheduled.call.id == call]
        if not found or any(task.done() and not task.cancelled() for task in found):
            return False
        for task in found:
            task.cancel()
        self._ending.cancelled += call not in self._cancelling
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
        lost = self._settlement.lost.take(assignment)
        if lost is None or self._over:
            return
        try:
            self._settlement.take_late(lost, result, self._loop.time(), counts=self.is_running)
            self.look_again()
        except Exception as fault:  # noqa: BLE001
            self._abort(fault)

    # --- what lanes wait for ---------------------------------------------------------------

    def _look(self) -> None:
        """Report lanes that stand still, now and then until the end."""
        now = self._loop.time()
        self._waits.look(now)
        self._set_timer("look", now + LOOK_S, self._look)

    def _wait_of(self, lane: Lane) -> Wait | None:
        if lane.stopped is None and (load := self._loading(lane.name)) is not None:
            return Wait(WaitReason.LOADING, since=load[0], gives_up=load[1])
        if self._ledger.is_full and not lane.own_in_flight and any(self._pool.queued(lane)):
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
            self._ending.close(StopReason(code=StopCode.STORE, wording=problem))
        self._pumping = True
        try:
            self._start_all()
        except UmweltenError as error:
            # The store or the inputs can't be read: attempts in flight still end, no further one starts.
            self._ending.close(StopReason(code=StopCode.INPUTS, wording=error.wording))
        except Exception as fault:  # noqa: BLE001
            self._abort(fault)
        finally:
            self._pumping = False
        if self._again:
            self._again = False
            self._set_timer("pump", self._loop.time(), self._pump)
        if self._ledger.uncommitted and not self._pool.in_flight:
            self._sink.flush_soon()
        self._check_finished()

    def _start_all(self) -> None:
        if self._twins is not None:
            self._send_again(self._twins)
        for _ in range(MOST_AT_ONCE):
            if self._ledger.is_full:
                self._look_at_standbys(is_open=False)
                return
            while self._supply.fetch() and not self._ledger.is_full:
                pass
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
        if self._ledger.is_full:
            return  # what is committed next looks again
        now, hedging = self._loop.time(), twins.hedging
        for lease in twins.due(now):
            if (hedge := self._pool.hedge(lease, now)) is not None:
                self._start(hedge)
            else:
                hedging.hold_back(now)
        if hedging.wakes < math.inf:
            self._set_timer("hedge", hedging.wakes, self._pump)

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
            self._settlement.on_end(lease, task, self._loop.time())
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

    def _stop_for_tools(self, why: Wording) -> None:
        self._ending.close(StopReason(code=StopCode.TOOLS, wording=why))

    # --- the end ---------------------------------------------------------------------------

    def _abort(self, fault: Exception) -> None:
        """End the run with a fault of ours: nobody else would hear of it, and the run would wait forever."""
        if not self._finished.done():
            self._finished.set_exception(fault)

    def _check_finished(self) -> None:
        settled = not self._ledger.uncommitted or self._sink.error is not None
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
