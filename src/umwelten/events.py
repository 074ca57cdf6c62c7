"""What happens in a run, as a closed list of values.

An observer is any callable that takes an event. Observers can't hurt: one that raises is dropped.
Times in events are seconds of the engine's monotonic clock, except where the name says `unix`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

import msgspec

from umwelten.types import (
    Call,
    Failure,
    FailureKind,
    FrozenStruct,
    ModelRef,
    Reply,
    Resource,
    Timing,
    Usage,
)


class RunStatus(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    """Every call ended; some failed, or text files of answers could not be written."""
    STOPPED = "stopped"
    """Calls are pending: a rule, a provider that is unavailable, or the caller ended the run."""
    INTERRUPTED = "interrupted"


class StopCode(StrEnum):
    """Why a run ended before its work was done. The first two are the options of these names."""

    MAX_COST = "max_cost"
    MAX_ERRORS = "max_errors"
    UNAVAILABLE = "unavailable"
    """Lanes or models take no more calls; `LaneStopped` and `ModelStopped` say why."""
    STORE = "store"
    """Answers can no longer be stored."""
    INPUTS = "inputs"
    """Further calls can't be read, from the store or from what they are about."""
    TOOLS = "tools"
    """Tools that models call can no longer be run."""
    CALLER = "caller"
    """A signal, or whoever used the library."""


class NoteLevel(StrEnum):
    """Who wants to read a note: everybody, or only those who asked for details or for tracing."""

    WARNING = "warning"
    INFO = "info"
    DETAIL = "detail"
    DEBUG = "debug"


class WaitReason(StrEnum):
    """What a lane waits for that starts nothing although it has calls."""

    RATE_LIMIT = "rate_limit"
    """It was refused, and nothing has been answered since."""
    BUDGET = "budget"
    """What the provider states, or its refusals taught, is used up for now."""
    KNOWN_LIMIT = "known_limit"
    """A rate that the user set, or the user's share of what is stated, lets no call start yet."""
    OUTAGE = "outage"
    """The provider answers nothing but errors."""
    CONNECTION = "connection"
    """Nobody can be reached at the address any more."""
    RETRY = "retry"
    """All calls that are left wait after failures of their own."""
    MEMORY = "memory"
    """The server, or this machine, had no room for a call."""
    MODEL = "model"
    """The model seems to refuse every call: those in flight will tell."""
    TOOLS = "tools"
    """The tools that its calls called are being run."""
    PAUSED = "paused"
    """Somebody paused it."""
    WORKERS = "workers"
    """No worker is there to make attempts."""
    COST = "cost"
    """The next call may not fit under the cap of costs before others have ended."""
    SLOTS = "slots"
    """Calls of other lanes take all that may be in flight."""
    LOADING = "loading"
    """The model is being loaded on this machine."""
    STORE = "store"
    """Answers come faster than they can be stored."""


class WorkerState(StrEnum):
    """How a worker stands, of a run whose attempts are made by several processes."""

    JOINED = "joined"
    """It is ready for calls."""
    SUSPECT = "suspect"
    """It has said nothing for some seconds, and gets no new calls."""
    BACK = "back"
    """It was suspect, and gets calls again."""
    LOST = "lost"
    """It is gone, and its calls are made again."""
    LEFT = "left"
    """It ended with the run."""


class ModelCalls(FrozenStruct):
    """How many calls a model has in all, and how many of them are to be made in this run."""

    total: int
    pending: int


class RunStarted(FrozenStruct):
    """Work begins. `total` is the grid's size, `done` what earlier runs had already answered.

    `pending` counts the calls to make by lane. `complete` False: there will be more, see `Grown`. `reused`
    counts the answers that were taken over from other evaluations, by their ids; they are part of `done`.
    `tools` are those that the models may call. `by_model` has what `total` and `pending` are for each model,
    over all of its prompts.
    """

    id: str
    total: int
    done: int
    models: tuple[ModelRef, ...]
    max_concurrency: int | None
    at_unix: float
    pending: dict[str, int] = msgspec.field(default_factory=dict)
    complete: bool = True
    reused: dict[str, int] = msgspec.field(default_factory=dict)
    tools: tuple[str, ...] = ()
    by_model: dict[str, ModelCalls] = msgspec.field(default_factory=dict)


class Grown(FrozenStruct):
    """Further inputs were found. `total`, `pending` and `by_model` as in `RunStarted`, with them; that is all
    if `complete`.
    """

    total: int
    pending: dict[str, int]
    complete: bool
    by_model: dict[str, ModelCalls] = msgspec.field(default_factory=dict)


class CallStarted(FrozenStruct):
    """An attempt goes out. `attempt` counts from 1. `hedge`: the call's first attempt is still under way."""

    call: Call
    model: ModelRef
    lane: str
    attempt: int
    hedge: bool = False


class TextArrived(FrozenStruct):
    """A piece of a streamed answer."""

    call: Call
    model: ModelRef
    text: str


class AttemptFailed(FrozenStruct):
    """An attempt failed and the call goes again after `retry_in_s`.

    `counted` False: it uses up no retry, as a rate limit or an answer in the wrong shape does not.
    """

    call: Call
    model: ModelRef
    lane: str
    attempt: int
    failure: Failure
    retry_in_s: float
    counted: bool

    @property
    def answered(self) -> bool:
        """Whether the provider answered: what failed is the answer, which did not fit the schema."""
        return self.failure.kind is FailureKind.SCHEMA


class AttemptDropped(FrozenStruct):
    """One of two attempts of a call that does not decide it: the other was answered first, which is a failure
    of kind "superseded", or it failed while the other goes on. `hedge`: it is the second one. `cost_nusd`
    None: not known. `late`: the other had been given up as lost.
    """

    call: Call
    model: ModelRef
    lane: str
    attempt: int
    failure: Failure
    hedge: bool
    cost_nusd: int | None
    late: bool = False


class CallSucceeded(FrozenStruct):
    """An answer, committed to the store. `cost_nusd` None: the price is not known. `time_s`: all attempts.

    `tool_calls`: how many of all its requests, earlier runs' too; `None` where no tools were offered.
    """

    call: Call
    model: ModelRef
    lane: str
    reply: Reply
    timing: Timing
    attempts: int
    time_s: float
    cost_nusd: int | None
    tool_calls: int | None = None


class CallFailed(FrozenStruct):
    """A call that is given up, committed to the store as failed."""

    call: Call
    model: ModelRef
    lane: str
    failure: Failure
    timing: Timing
    attempts: int
    time_s: float
    cost_nusd: int | None
    tool_calls: int | None = None


class CallsRequeued(FrozenStruct):
    """So many calls that were given up are made again; how many of each kind of failure, lane and model."""

    calls: int
    kinds: dict[str, int] = msgspec.field(default_factory=dict)
    lanes: dict[str, int] = msgspec.field(default_factory=dict)
    models: dict[str, int] = msgspec.field(default_factory=dict)


class RunChanged(FrozenStruct):
    """Somebody changed the run while it goes on. The fields are those of `records.ChangeRecord`; `old` and
    `new` are values of JSON.
    """

    at_unix: float
    key: str
    old: Any
    new: Any
    scope: str = ""
    via: str = ""
    author: str = ""
    reason: str = ""


class StepEnded(FrozenStruct):
    """A request of a call was answered with calls of tools; its next one follows once they have been run.

    `tools` are what users call them, in the order in which the model called them. `timing` and `usage` are
    those of the request.
    """

    call: Call
    model: ModelRef
    lane: str
    step: int
    tools: tuple[str, ...]
    cost_nusd: int | None = None
    timing: Timing | None = None
    usage: Usage | None = None


class ToolStarted(FrozenStruct):
    """A tool that a model called is run. `arguments` is JSON as the model wrote it."""

    call: Call
    model: ModelRef
    step: int
    tool: str
    arguments: str = "{}"


class ToolEnded(FrozenStruct):
    """A tool that a model called came back, or did not.

    `text` is what the model is told, `message` the beginning of it where that is a failure.
    """

    call: Call
    model: ModelRef
    step: int
    tool: str
    state: str
    took_s: float | None = None
    message: str | None = None
    text: str = ""


class WorkersStarting(FrozenStruct):
    """So many worker processes are being started. `address` is that of their cluster, "" one of this run."""

    workers: int
    address: str
    at_unix: float


class WorkerChanged(FrozenStruct):
    """A worker came, went, or is in doubt. `number` counts from 1; one that is started anew has a new number.

    `node` is what its cluster calls the machine, `why` says in words why it is lost.
    """

    number: int
    node: str
    state: WorkerState
    at_unix: float
    why: str = ""


class LaneStopped(FrozenStruct):
    """A lane takes no more calls; what it still had goes to others that have its models, or stays pending."""

    lane: str
    failure: Failure


class ModelStopped(FrozenStruct):
    """A model takes no more calls, and what it still had stays pending; others of its lane go on."""

    model: ModelRef
    lane: str
    failure: Failure


class LaneWaiting(FrozenStruct):
    """A lane stands still since `since_unix`: reported after five seconds, then ever more rarely.

    It tries again at `until_unix`, and if nothing was answered by `gives_up_unix`, it stops with the next
    attempt that fails; both `None` where no time is known. `resource` is what is used up, `status` and
    `message` are of the last failure, all `None` where there is none. `failures` counts the attempts that
    failed since the last answer.
    """

    lane: str
    reason: WaitReason
    since_unix: float
    at_unix: float
    until_unix: float | None = None
    gives_up_unix: float | None = None
    resource: Resource | None = None
    status: int | None = None
    message: str | None = None
    failures: int = 0

    @property
    def waited_s(self) -> float:
        """Return how long it has waited."""
        return self.at_unix - self.since_unix


class LaneResumed(FrozenStruct):
    """A lane whose waiting was reported continues, after `waited_s`."""

    lane: str
    reason: WaitReason
    waited_s: float
    at_unix: float


class LimitChanged(FrozenStruct):
    """A lane's concurrency limit moved; `reason` in a few words."""

    lane: str
    limit: float
    in_flight: int
    reason: str
    at_unix: float


class Note(FrozenStruct):
    """Something worth a line to the user."""

    text: str
    level: NoteLevel = NoteLevel.INFO


class LaneTime(FrozenStruct):
    """Where a lane's wall time went: `seconds` by reason, and what follows from it in one line."""

    lane: str
    seconds: dict[str, float]
    advice: str


class RunFinished(FrozenStruct):
    """Work ended. `reason`, in words, and `reason_code` say why it did before all was done.

    `missing_texts`: so many stored answers have no text file, because it could not be written.
    """

    status: RunStatus
    reason: str | None
    wall_s: float
    pending: int
    peak_in_flight: int
    lane_times: tuple[LaneTime, ...] = ()
    reason_code: StopCode | None = None
    missing_texts: int = 0


Event = (
    RunStarted
    | Grown
    | CallStarted
    | TextArrived
    | AttemptFailed
    | AttemptDropped
    | StepEnded
    | ToolStarted
    | ToolEnded
    | CallSucceeded
    | CallFailed
    | CallsRequeued
    | RunChanged
    | WorkersStarting
    | WorkerChanged
    | LaneStopped
    | ModelStopped
    | LaneWaiting
    | LaneResumed
    | LimitChanged
    | Note
    | RunFinished
)
Observer = Callable[[Event], None]


class Observers:
    """Many observers as one. One that raises is dropped, and the others are told."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def __call__(self, event: Event) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - observers are anybody's code and can't hurt
                if observer in self._observers:
                    self._observers = tuple(each for each in self._observers if each is not observer)
                    self(Note(text=f"an observer failed and is dropped: {error!r}", level=NoteLevel.WARNING))


class LaneView(FrozenStruct):
    """A lane as progress shows it, taken when asked. `waiting_s`: until the lane may start again.

    `wait`: why it stands still, if it does. `parked` calls have their tools run; they are not among the
    `waiting` ones. `models` are those whose calls it makes, each with its calls in flight over all lanes.
    """

    name: str
    in_flight: int
    limit: float
    ready: int
    waiting: int
    waiting_s: float | None = None
    waiting_why: str | None = None
    stopped: str | None = None
    wait: LaneWaiting | None = None
    parked: int = 0
    models: dict[str, int] = msgspec.field(default_factory=dict)
