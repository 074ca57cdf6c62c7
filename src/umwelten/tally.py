"""The tally of a run: the observer that folds its events into figures."""

from __future__ import annotations

from collections import Counter

from umwelten.events import (
    AttemptDropped,
    AttemptFailed,
    CallFailed,
    CallsRequeued,
    CallStarted,
    CallSucceeded,
    Event,
    Grown,
    LaneStopped,
    ModelCalls,
    ModelStopped,
    RunChanged,
    RunFinished,
    RunStarted,
    StepEnded,
    ToolEnded,
    WorkerChanged,
    WorkersStarting,
    WorkerState,
)
from umwelten.tool_calls import ToolCallState
from umwelten.types import Failure, FailureKind, FinishReason, ModelRef


class LaneTally:
    """Sums of one lane, or of one model. `time_s` is that of all attempts of the calls that ended.

    `priced` and `unpriced` count those whose cost is known and is not; one that is made again counts twice.
    """

    __slots__ = (
        "cost_nusd",
        "failed",
        "input_tokens",
        "output_tokens",
        "priced",
        "retries",
        "succeeded",
        "time_s",
        "unpriced",
    )

    def __init__(self) -> None:
        self.succeeded = self.failed = self.retries = self.priced = self.unpriced = 0
        self.input_tokens = self.output_tokens = self.cost_nusd = 0
        self.time_s = 0.0

    @property
    def ended(self) -> int:
        """Return how many calls ended, either way."""
        return self.succeeded + self.failed


class ToolTally:
    """Sums over the calls of tools: `steps` are requests that were answered with some, `calls` these by tool,
    `callers` the models that called any.
    """

    __slots__ = ("callers", "calls", "errors", "seconds", "steps")

    def __init__(self) -> None:
        self.steps = self.errors = 0
        self.seconds = 0.0
        self.calls: Counter[str] = Counter()
        self.callers: set[ModelRef] = set()

    def __call__(self, event: StepEnded | ToolEnded) -> None:
        if isinstance(event, StepEnded):
            self.steps += 1
            self.callers.update([event.model] if event.tools else [])
            return
        self.calls[event.tool] += 1
        self.errors += event.state != ToolCallState.DONE
        self.seconds += event.took_s or 0.0


class WorkerTally:
    """The workers of a run: `wanted` so many since `since_unix`, all there `started_s` later. By number, what
    was told last of each that is there; `lost` counts those that are not.
    """

    __slots__ = ("address", "by_number", "lost", "since_unix", "started_s", "wanted")

    def __init__(self, wanted: int = 0, address: str = "", since_unix: float = 0.0) -> None:
        self.wanted, self.address, self.since_unix = wanted, address, since_unix
        self.by_number: dict[int, WorkerChanged] = {}
        self.lost = 0
        self.started_s: float | None = None

    def __call__(self, event: WorkerChanged) -> None:
        # A new dictionary: other threads walk over it.
        others = {number: each for number, each in self.by_number.items() if number != event.number}
        if event.state in (WorkerState.LOST, WorkerState.LEFT):
            self.by_number = others
            self.lost += event.state is WorkerState.LOST
            return
        self.by_number = {**others, event.number: event}
        if self.started_s is None and len(self.by_number) >= self.wanted:
            self.started_s = max(0.0, event.at_unix - self.since_unix)

    @property
    def ready(self) -> int:
        """Return how many get calls."""
        return sum(each.state is not WorkerState.SUSPECT for each in self.by_number.values())


class Tally:
    """Sums over a run's events; an observer itself. Plain numbers, constant memory.

    `asked_again` counts answers in the wrong shape that were followed by another try, `hedged` the calls that
    were sent a second time, `hedges_won` those whose second attempt was answered first. `total` and `pending`
    are of what is known so far unless `complete`. `models` are sums by model, `by_model` what each one has to
    do; `answers` counts each model's. `changes`: how often somebody changed the run while it went on.
    `workers` are there where several processes make the attempts; `lost` counts attempts that ended with
    their worker and are made again.
    """

    def __init__(self) -> None:
        self.total = self.done_before = self.succeeded = self.failed = self.retries = self.asked_again = 0
        self.pending: dict[str, int] = {}
        self.complete = True
        self.input_tokens = self.output_tokens = self.cost_nusd = self.priced = self.unpriced = 0
        self.time_s = 0.0
        self.failures: dict[str, int] = {}
        self.examples: dict[str, Failure] = {}
        self.by_model: dict[str, ModelCalls] = {}
        self.lanes: dict[str, LaneTally] = {}
        self.models: dict[str, LaneTally] = {}
        self.stopped: dict[str, Failure] = {}
        self.cut_off = self.hedged = self.hedges_won = self.changes = self.lost = 0
        self.tools = ToolTally()
        self.workers: WorkerTally | None = None
        self.answers: Counter[ModelRef] = Counter()
        self.started: RunStarted | None = None
        self.finished: RunFinished | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case CallStarted():
                self.hedged += event.hedge
            case AttemptDropped():
                won = not (event.hedge or event.late) and event.failure.kind is FailureKind.SUPERSEDED
                self.hedges_won += won
            case StepEnded() | ToolEnded():
                self.tools(event)
            case CallSucceeded() | CallFailed():
                self.tools.callers.update([event.model] if event.tool_calls else [])
                self._end(event)
            case AttemptFailed():
                if event.answered:
                    self.asked_again += 1
                    return
                self.retries += 1
                self.lost += event.failure.kind is FailureKind.LOST
                _sums(self.lanes, event.lane).retries += 1
                _sums(self.models, str(event.model)).retries += 1
            case RunStarted() | Grown():
                if isinstance(event, RunStarted):
                    self.started, self.done_before = event, event.done
                self._grow(event)
            case CallsRequeued() | RunChanged() | WorkersStarting() | WorkerChanged():
                self._change(event)
            case LaneStopped() | ModelStopped():
                name = event.lane if isinstance(event, LaneStopped) else str(event.model)
                self.stopped[name] = event.failure
            case RunFinished():
                self.finished = event

    @property
    def done(self) -> int:
        """Calls of this run that ended, either way."""
        return self.succeeded + self.failed

    def _grow(self, event: RunStarted | Grown) -> None:
        self.total, self.pending, self.complete = event.total, event.pending, event.complete
        self.by_model = event.by_model

    def _change(self, event: CallsRequeued | RunChanged | WorkersStarting | WorkerChanged) -> None:
        match event:
            case RunChanged():
                self.changes += 1
            case CallsRequeued():
                self._requeue(event)
            case WorkersStarting():
                self.workers = WorkerTally(event.workers, event.address, event.at_unix)
            case WorkerChanged():
                self.workers = self.workers or WorkerTally(since_unix=event.at_unix)
                self.workers(event)

    def _requeue(self, event: CallsRequeued) -> None:
        """Count calls as pending again that had failed; what they cost stays."""
        self.failed -= event.calls
        for kind, calls in event.kinds.items():
            self.failures[kind] = self.failures.get(kind, 0) - calls
            if self.failures[kind] <= 0:
                self.failures.pop(kind)
                self.examples.pop(kind, None)
        for sums, by_name in ((self.lanes, event.lanes), (self.models, event.models)):
            for name, calls in by_name.items():
                _sums(sums, name).failed -= calls

    def _end(self, event: CallSucceeded | CallFailed) -> None:
        lane, model = _sums(self.lanes, event.lane), _sums(self.models, str(event.model))
        self._finish(event, lane, model)
        if isinstance(event, CallSucceeded):
            self.succeeded += 1
            self.answers[event.model] += 1
            self.cut_off += event.reply.finish_reason is FinishReason.LENGTH
            lane.succeeded += 1
            model.succeeded += 1
            return
        self.failed += 1
        lane.failed += 1
        model.failed += 1
        kind = str(event.failure.kind)
        self.failures[kind] = self.failures.get(kind, 0) + 1
        self.examples.setdefault(kind, event.failure)

    def _finish(self, event: CallSucceeded | CallFailed, lane: LaneTally, model: LaneTally) -> None:
        usage = event.reply.usage if isinstance(event, CallSucceeded) else event.failure.usage
        for tally in (self, lane, model):
            tally.time_s += event.time_s
            tally.input_tokens += usage.input_tokens or 0
            tally.output_tokens += usage.output_tokens or 0
            if event.cost_nusd is None:
                tally.unpriced += 1
            else:
                tally.priced += 1
                tally.cost_nusd += event.cost_nusd


def _sums(by_name: dict[str, LaneTally], name: str) -> LaneTally:
    sums = by_name.get(name)
    if sums is None:
        sums = by_name[name] = LaneTally()
    return sums
