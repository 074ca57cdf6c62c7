"""What is written to an evaluation's store, as values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from umwelten.tool_calls import ModelTurn, ToolCallState, ToolOutcome, ToolResults
from umwelten.types import Call, FrozenStruct, ModelRef, Outcome, RequestSettings, Timing, Usage


class Derived(FrozenStruct):
    """That an evaluation was made for something else, and for what.

    `role` "judge": its calls are verdicts of the scorer `scorer` on the answers of the evaluation `of`.
    "rank": its calls say which of two answers is better; `of` is the evaluation of the answers, of several
    the first, and `definition["of"]` are all.
    "learn": its answers are facts for the memory store `of`; "merge": they say how facts that were learnt in
    the evaluation `scorer` join what that store knows. `definition` is what it is made by, as it was written.
    """

    role: str
    of: str
    scorer: str
    definition: Mapping[str, Any] = {}


class Recall(FrozenStruct):
    """What a run recalls of a memory store: what was known of a scope after the change `seq` of the store.

    `scope` is a template, `limit` counts tokens. It is in no identity: what is recalled for a call is.
    """

    store: str
    scope: str
    limit: int
    seq: int


class StoredSpec(FrozenStruct):
    """The settings of an evaluation as its store keeps them. `kind` is "run" or "batch".

    `derived`: what it is for, where a user did not begin it as such.
    """

    id: str
    kind: str
    models: tuple[ModelRef, ...]
    request: RequestSettings
    repeats: int = 1
    coerce: bool = False
    derived: Derived | None = None
    recall: Recall | None = None


class AttemptRecord(FrozenStruct):
    """One attempt that ended. `number` counts from 1 within the call; `served_by` names the lane.

    `step`: it was for that request of a call with several. `worker` is the number of the worker that made it,
    `None` for the process itself. `late`: it was recorded as lost before, which this replaces.
    """

    call: Call
    number: int
    outcome: Outcome
    timing: Timing
    cost_nusd: int | None = None
    served_by: str | None = None
    step: int = 1
    worker: int | None = None
    late: bool = False


class ToolTotals(FrozenStruct):
    """What a call with tools took: its answered requests, and the calls of tools with their seconds."""

    steps: int
    calls: int = 0
    errors: int = 0
    seconds: float = 0.0


class StepRecord(FrozenStruct):
    """A request of a call whose answer called tools, or paused. `number` counts from 1 within the call.

    `names` are what users call the tools, in the order of the turn's calls. `results` is `None` where these
    are run. `usage` and `cost_nusd` are those of this request; `key` and `content` as in `CallRecord`.
    """

    call: Call
    number: int
    turn: ModelTurn
    started_at: float
    key: str
    content: bytes
    names: tuple[str, ...] = ()
    results: tuple[ToolOutcome, ...] | None = None
    usage: Usage = Usage()
    cost_nusd: int | None = None
    served_by: str | None = None


class ToolCallsRecord(FrozenStruct):
    """What came of the calls of tools of a step. `places` are theirs among the turn's calls, from 0."""

    call: Call
    step: int
    outcomes: tuple[ToolOutcome, ...]
    places: tuple[int, ...]

    @property
    def is_start(self) -> bool:
        """Whether it says that tools are about to be started."""
        return self.outcomes[0].state is ToolCallState.STARTED


class BegunCall(FrozenStruct):
    """A call that was interrupted between two of its requests, as its store has it.

    `turns` is the conversation after the question; where the last one is the model's, some of its calls have
    no result: `outcomes` has those that do, by place, and `running` the tools of those that may have been
    started. `tools` are all that are known to have been started. `started_at` is when the call first began,
    in Unix seconds; `failed_as` the kind of failure that the conversation ended with, if it did.
    """

    key: str
    content: bytes
    turns: tuple[ModelTurn | ToolResults, ...]
    outcomes: Mapping[int, ToolOutcome]
    totals: ToolTotals
    usage: Usage
    cost_nusd: int | None
    served_by: str | None
    started_at: float
    running: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    failed_as: str | None = None


class CallRecord(FrozenStruct):
    """A call that ended: its last attempt's outcome, and sums over all of them.

    `key` is the call's identity, `content` the hash of the file's bytes that were sent (b"" without a
    file). `time_s` is the time in flight of all attempts of this process. `cost_nusd` is `None` when
    the price of any attempt that used tokens is unknown. `served_by` names the lane of the last attempt.
    `kept` is the hash of what was sent where that is kept (`store.contents`), else empty.
    `tools`: `None` where none were offered; else the outcome's usage is the sum over all steps.
    """

    call: Call
    key: str
    content: bytes
    outcome: Outcome
    timing: Timing
    attempts: int
    time_s: float
    cost_nusd: int | None = None
    served_by: str | None = None
    tools: ToolTotals | None = None
    kept: bytes = b""


class LimitRecord(FrozenStruct):
    """A lane's concurrency limit moved, `at` Unix seconds."""

    at: float
    lane: str
    limit: float
    in_flight: int
    reason: str


class ChangeKey(StrEnum):
    """What can be changed while a run goes on. The settings are named as their options are."""

    MAX_CONCURRENCY = "max_concurrency"
    PROVIDER_CONCURRENCY = "provider_concurrency"
    """Calls in flight at most at a provider, or in a lane."""
    RATE = "rate"
    """Calls a minute at most of a lane or a provider."""
    MAX_COST = "max_cost"
    MAX_ERRORS = "max_errors"
    TIMEOUT = "timeout"
    RETRIES = "retries"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RETRY = "retry"
    """Failed calls are made again."""
    CANCEL = "cancel"
    """A call under way is cancelled, and stays pending."""


class ChangeRecord(FrozenStruct):
    """What somebody changed while a run went on, `at` Unix seconds.

    `via` is what was used for it: "ctl", "view", "ui", "library". `scope`: the provider, lane, model or call
    that it is about, "" for all. `old` and `new` are JSON; `author` and `reason` are "" where not given.
    """

    at: float
    key: ChangeKey
    old: str
    new: str
    scope: str = ""
    via: str = "library"
    author: str = ""
    reason: str = ""


class CostRecord(FrozenStruct):
    """What a call has cost of which that was not known when it was recorded."""

    call: Call
    cost_nusd: int


class WorkerRecord(FrozenStruct):
    """A worker of a run on several processes, as it is now: the latest record of a `number` counts.

    `node` is what its cluster calls the machine, `address` that machine's address. Times are Unix seconds.
    `left_at` is `None` while it is there; `why` says why it left. `calls` are the attempts it made, `cpu_s`
    the seconds of processor time it used, `None` if not known.
    """

    number: int
    node: str
    address: str
    pid: int
    joined_at: float
    left_at: float | None = None
    why: str = ""
    calls: int = 0
    cpu_s: float | None = None


Committable = CallRecord | StepRecord | ToolCallsRecord | ChangeRecord
"""The records of which it is told when they are safe."""

Record = (
    AttemptRecord
    | CallRecord
    | StepRecord
    | ToolCallsRecord
    | LimitRecord
    | ChangeRecord
    | CostRecord
    | WorkerRecord
)
