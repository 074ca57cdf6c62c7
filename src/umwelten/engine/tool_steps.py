"""Calls between two of their requests: their tools are run, and hold no slot of a lane.

A step, the model's turn that called tools, is committed before anything is built on it: before its call's
next request, and before a tool starts that may run once only. So a kill costs one step at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import msgspec

from umwelten.control.pool import Pool
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import Lease
from umwelten.engine.interfaces import AttemptResult, ToolCaller
from umwelten.engine.tool_events import ToolNews
from umwelten.errors import UmweltenError
from umwelten.events import Observer, StepEnded, ToolStarted
from umwelten.phrases import Wording
from umwelten.records import BegunCall, CallRecord, Record, StepRecord, ToolCallsRecord, ToolTotals
from umwelten.tool_calls import ModelTurn, RunEnds, ToolCall, ToolCallState, ToolOutcome, ToolResults
from umwelten.types import (
    STOPPED_CODE,
    Call,
    Failure,
    FailureKind,
    ModelRef,
    Outcome,
    Reply,
    Timing,
    ToolStep,
    Turn,
    Usage,
    add_usage,
    steps_in,
)


class _Conversation(msgspec.Struct):
    """What a call with tools has come to so far, in this run and before it."""

    key: str
    content: bytes
    started_at: float
    served_by: str | None
    usage: Usage | None = None
    totals: ToolTotals = ToolTotals(steps=0)
    earlier_nusd: int | None = 0


class _ParkedCall(msgspec.Struct):
    """A call whose tools are to be run. `outcomes` by their places among the turn's calls."""

    scheduled: ScheduledCall
    conversation: _Conversation
    step: int
    calls: tuple[ToolCall, ...]
    names: tuple[str, ...]
    outcomes: dict[int, ToolOutcome] = {}
    is_committed: bool = False
    is_ready: bool = False


class ToolSteps:
    """The calls whose tools are being run. `models` by number.

    `begun` tells how far an earlier run got with a call. `estimate` sets what a call's next request takes.
    `on_start` is called when a record that a tool starts is handed over, `on_end` when tools have ended,
    `on_failure` with the record of a call that failed, and `on_error` when no tool can be run any more.
    """

    def __init__(
        self,
        *,
        caller: ToolCaller,
        pool: Pool,
        models: Mapping[int, ModelRef],
        submit: Callable[[Record], None],
        begun: Callable[[Call], BegunCall | None],
        estimate: Callable[[ScheduledCall], None],
        on_start: Callable[[], None],
        on_end: Callable[[], None],
        on_failure: Callable[[CallRecord], None],
        on_error: Callable[[Wording], None],
        observer: Observer,
        unix_offset: float,
    ) -> None:
        self._caller, self._pool, self._submit, self._begun = caller, pool, submit, begun
        self._models, self._observer = models, observer
        self._estimate, self._on_start, self._on_end = estimate, on_start, on_end
        self._on_failure, self._on_error = on_failure, on_error
        self._loop, self._unix_offset = asyncio.get_running_loop(), unix_offset
        self._conversations: dict[int, _Conversation] = {}
        self._sizes: dict[int, dict[int, int]] = {}  # by model and call
        self._held_bytes = 0
        self._parked: dict[int, _ParkedCall] = {}
        self._starts: dict[tuple[int, int], asyncio.Future[None]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self._tell = ToolNews(observer, models)

    # --- going on with what an earlier run began ---------------------------------------------

    def resume(self, scheduled: ScheduledCall) -> bool:
        """Return whether the call's next request may start; else tools are run first, or it has failed."""
        call = scheduled.call
        begun = self._begun(call)
        if begun is None:
            return True
        once = [name for name in begun.tools if self._caller.is_once(name)]
        lost = [name for name in begun.running if name in once]
        if begun.failed_as == FailureKind.TOOLS and not once:
            return True  # its conversation came to no answer: another one may
        conversation = self._conversations[call.id] = _Conversation(
            key=begun.key,
            content=begun.content,
            started_at=begun.started_at,
            served_by=begun.served_by,
            usage=begun.usage,
            totals=begun.totals,
            earlier_nusd=begun.cost_nusd,
        )
        if lost or begun.failed_as == FailureKind.TOOLS:
            self._fail(scheduled, conversation, _not_again(lost or once, was_running=bool(lost)))
            return False
        scheduled.turns, scheduled.is_bound = begun.turns, bool(once)
        self._pool.adopt(scheduled, begun.served_by)
        if once and not scheduled.turns:
            self._fail(scheduled, conversation, _not_again(once, was_running=False))
            return False
        last = begun.turns[-1]
        if not scheduled.turns or isinstance(last, ToolResults) or not last.calls:
            self._prepare(scheduled)
            return True
        parked = self._park(scheduled, conversation, last)
        parked.outcomes, parked.is_committed = dict(begun.outcomes), True
        self._pool.park(scheduled)
        self._start(parked)
        return False

    # --- a step of this run ------------------------------------------------------------------

    def on_step(self, lease: Lease, result: AttemptResult, step: ToolStep) -> None:
        """Store the step of a call that is parked, and run its tools."""
        scheduled = lease.scheduled
        number = steps_in(step.turns)
        turn = next(turn for turn in reversed(step.turns) if isinstance(turn, ModelTurn))
        given = step.turns[-1] if isinstance(step.turns[-1], ToolResults) else None
        conversation = self._conversations.get(scheduled.call.id)
        if conversation is None or number == 1:
            conversation = _Conversation(
                result.key, result.content, result.timing.started_at, lease.lane.name
            )
            self._conversations[scheduled.call.id] = conversation
        before, usage = conversation.usage, step.reply.usage
        conversation.usage = usage if before is None else add_usage(before, usage)
        conversation.totals = msgspec.structs.replace(conversation.totals, steps=number)
        conversation.served_by = lease.lane.name
        parked = self._park(scheduled, conversation, turn)
        self._submit(
            StepRecord(
                call=scheduled.call,
                number=number,
                turn=turn,
                started_at=result.timing.started_at,
                key=result.key,
                content=result.content,
                names=parked.names,
                results=None if given is None else _not_run(given, parked.names),
                usage=usage,
                cost_nusd=result.cost_nusd,
                served_by=lease.lane.name,
            )
        )
        model = self._models[scheduled.call.model]
        self._observer(
            StepEnded(
                call=scheduled.call,
                model=model,
                lane=lease.lane.name,
                step=number,
                tools=parked.names,
                cost_nusd=result.cost_nusd,
                timing=result.timing,
                usage=usage,
            )
        )
        if given is not None or not turn.calls:
            if given is not None:
                ended = _not_run(given, parked.names)
                self._count(conversation, ended)
                for outcome in ended:
                    self._tell(scheduled.call, number, outcome)
            self._prepare(scheduled)
            parked.is_ready = True
        else:
            self._start(parked)

    def on_commit(self, record: StepRecord | ToolCallsRecord) -> None:
        """Take note that a step is safe, or that a tool is about to be started."""
        if isinstance(record, ToolCallsRecord):
            stored = self._starts.pop((record.call.id, record.places[0]), None)
            if stored is not None and not stored.done():
                stored.set_result(None)
            return
        parked = self._parked.get(record.call.id)
        if parked is None or parked.step != record.number:
            return
        parked.is_committed = True
        if parked.is_ready:
            self._go_on(parked)

    def finish(self, call: Call, outcome: Outcome, turns: tuple[Turn, ...]) -> tuple[Outcome, ToolTotals]:
        """Return a call's outcome with the usage of all its steps, and what its tools took."""
        conversation = self._conversations.pop(call.id, None)
        self._hold(call, 0)
        number = steps_in(turns) + isinstance(outcome, Reply)
        if conversation is None or conversation.usage is None or not steps_in(turns):
            return outcome, ToolTotals(steps=number)
        usage = conversation.usage
        if isinstance(outcome, Reply) or outcome.usage != Usage():  # one that was refused used nothing
            usage = add_usage(usage, outcome.usage)
        return msgspec.structs.replace(outcome, usage=usage), msgspec.structs.replace(
            conversation.totals, steps=number
        )

    def earlier_nusd(self, call: Call) -> int | None:
        """Return what earlier runs paid for a call's steps; `None`: not known."""
        conversation = self._conversations.get(call.id)
        return 0 if conversation is None else conversation.earlier_nusd

    def holds_over(self, limit: int) -> bool:
        """Return whether conversations take more than so many bytes, except what a stopped model left."""
        if self._held_bytes > limit:
            for model in [model for model in self._sizes if self._pool.is_stopped(model)]:
                self._held_bytes -= sum(self._sizes.pop(model).values())
        return self._held_bytes > limit

    def parked(self) -> list[ScheduledCall]:
        """Return the calls whose tools are run, or whose step is not stored yet."""
        return [parked.scheduled for parked in self._parked.values()]

    def cancel(self) -> None:
        """Break off the tools that are running."""
        for task in tuple(self.tasks):
            task.cancel()

    # --- inside ------------------------------------------------------------------------------

    def _park(self, scheduled: ScheduledCall, conversation: _Conversation, turn: ModelTurn) -> _ParkedCall:
        self._hold(scheduled.call, size_of(scheduled.turns))
        parked = self._parked[scheduled.call.id] = _ParkedCall(
            scheduled=scheduled,
            conversation=conversation,
            step=conversation.totals.steps,
            calls=turn.calls,
            names=tuple(map(self._caller.name, turn.calls)),
        )
        return parked

    def _start(self, parked: _ParkedCall) -> None:
        """Run those of a step's tools that have no result; a run that is to end leaves them to the next."""
        if self._pool.closed:
            del self._parked[parked.scheduled.call.id]
            return
        task = self._loop.create_task(self._run(parked), name="tools")
        self.tasks.add(task)
        task.add_done_callback(self._on_task_done)

    async def _run(self, parked: _ParkedCall) -> None:
        call, conversation = parked.scheduled.call, parked.conversation
        model, known = self._models[call.model], parked.outcomes

        async def on_start(place: int) -> None:
            name = parked.names[place]
            if self._pool.closed:
                raise RunEnds
            if self._caller.is_once(name):
                await self._store_start(parked, place)
            self._observer(
                ToolStarted(
                    call=call,
                    model=model,
                    step=parked.step,
                    tool=name,
                    arguments=parked.calls[place].arguments,
                )
            )

        def on_end(place: int, outcome: ToolOutcome) -> None:
            self._store(parked, place, outcome)
            self._tell(call, parked.step, outcome)

        try:
            outcomes = await self._caller.run(
                call,
                parked.calls,
                step=parked.step,
                key=conversation.key,
                started_at=conversation.started_at,
                known=known,
                on_start=on_start,
                on_end=on_end,
            )
        except RunEnds:
            del self._parked[call.id]  # the next run goes on with what is left of the step
            return
        self._count(conversation, tuple(one for place, one in enumerate(outcomes) if place not in known))
        stopped = next((one for one in outcomes if one.state is ToolCallState.STOPPED), None)
        if stopped is not None:
            del self._parked[call.id]
            self._pool.unpark(parked.scheduled, goes_on=False)
            text = f"{stopped.tool} ended the call: {stopped.error or stopped.text}"
            self._fail(parked.scheduled, conversation, text)
            return
        results = ToolResults(results=tuple(one.result for one in outcomes))
        parked.scheduled.turns = (*parked.scheduled.turns, results)
        self._prepare(parked.scheduled)
        parked.is_ready = True
        if parked.is_committed:
            self._go_on(parked)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            why = error.wording if isinstance(error, UmweltenError) else f"tools fail: {error!r}"
            self._on_error(why)
        self._on_end()

    def _store(self, parked: _ParkedCall, place: int, outcome: ToolOutcome) -> None:
        self._submit(
            ToolCallsRecord(
                call=parked.scheduled.call, step=parked.step, outcomes=(outcome,), places=(place,)
            )
        )

    async def _store_start(self, parked: _ParkedCall, place: int) -> None:
        """Have it stored that a tool starts, before it does: after a kill it is not run again."""
        stored = self._starts[parked.scheduled.call.id, place] = self._loop.create_future()
        asked, name = parked.calls[place], parked.names[place]
        parked.scheduled.is_bound = True
        self._on_start()
        self._store(parked, place, ToolOutcome(call=asked, tool=name, state=ToolCallState.STARTED, text=""))
        await stored

    def _count(self, conversation: _Conversation, outcomes: tuple[ToolOutcome, ...]) -> None:
        totals = conversation.totals
        conversation.totals = ToolTotals(
            steps=totals.steps,
            calls=totals.calls + len(outcomes),
            errors=totals.errors + sum(one.is_error for one in outcomes),
            seconds=totals.seconds + sum(one.took_s or 0.0 for one in outcomes),
        )

    def _prepare(self, scheduled: ScheduledCall) -> None:
        """Set what the call's next request takes, with its conversation in memory."""
        if scheduled.at_first is None:
            scheduled.at_first = (scheduled.size, scheduled.reserve, scheduled.input_tokens)
        source = scheduled.call.input
        size = size_of(scheduled.turns)
        self._hold(scheduled.call, size)
        scheduled.size = (0 if source is None else source.size) + size
        self._estimate(scheduled)

    def _hold(self, call: Call, size: int) -> None:
        """Count the bytes of a call's conversation; 0 once it is over."""
        sizes = self._sizes.setdefault(call.model, {})
        self._held_bytes += size - sizes.pop(call.id, 0)
        if size:
            sizes[call.id] = size

    def _go_on(self, parked: _ParkedCall) -> None:
        del self._parked[parked.scheduled.call.id]
        self._pool.unpark(parked.scheduled)

    def _fail(self, scheduled: ScheduledCall, conversation: _Conversation, message: str) -> None:
        now = self._loop.time() + self._unix_offset
        failure = Failure(kind=FailureKind.TOOLS, message=message, code=STOPPED_CODE, retry=False)
        self._conversations.pop(scheduled.call.id, None)
        self._hold(scheduled.call, 0)
        scheduled.recorded, scheduled.earlier_nusd = True, conversation.earlier_nusd
        known = scheduled.cost_nusd is not None and conversation.earlier_nusd is not None
        self._on_failure(
            CallRecord(
                call=scheduled.call,
                key=conversation.key,
                content=conversation.content,
                outcome=msgspec.structs.replace(failure, usage=conversation.usage or Usage()),
                timing=Timing(started_at=now, latency_s=0.0),
                attempts=scheduled.attempts,
                time_s=scheduled.time_s,
                cost_nusd=(scheduled.cost_nusd or 0) + (conversation.earlier_nusd or 0) if known else None,
                served_by=conversation.served_by,
                tools=conversation.totals,
            )
        )


def size_of(turns: tuple[Turn, ...]) -> int:
    """Return roughly how many bytes a conversation takes in memory."""
    size = 0
    for turn in turns:
        if isinstance(turn, ModelTurn):
            size += len(turn.raw)
        elif isinstance(turn, ToolResults):
            size += sum(len(result.text) for result in turn.results)
    return size


def _not_run(given: ToolResults, names: tuple[str, ...]) -> tuple[ToolOutcome, ...]:
    """Return the outcomes of calls that were answered without being run: cut off, or one too many."""
    pairs = zip(given.results, names, strict=True)
    return tuple(
        ToolOutcome(call=result.call, tool=name, state=ToolCallState.ERROR, text=result.text)
        for result, name in pairs
    )


def _not_again(names: list[str], *, was_running: bool) -> str:
    if was_running:
        return f"{names[0]} was started before the interruption and may have run; it may run once only"
    return f"{names[0]} has run, and may run once only: the call is not begun anew"
