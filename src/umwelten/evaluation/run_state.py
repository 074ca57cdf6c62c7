"""A run as it is now, as plain values: what `ctl`, `top`, the view and `Job.status` show."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from umwelten.types import FrozenStruct


class RunPhase(StrEnum):
    """What a run is doing."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    """Nothing starts because somebody said so."""
    STOPPING = "stopping"
    """Nothing more starts; what is in flight may finish."""
    ENDED = "ended"


class LaneWait(FrozenStruct):
    """Why a lane starts nothing. `reason` is an `events.WaitReason`, or "paused"; times are Unix seconds."""

    reason: str
    text: str
    since: float
    until: float | None = None
    gives_up_at: float | None = None


class LaneState(FrozenStruct):
    """A lane: an account, a model of one, or a host.

    `limit` is what it has learnt that it may have in flight, `ceiling` what it may learn at most. `rate` is
    what the user set, such as "300/min". `stopped`: why it takes no more calls.
    """

    name: str
    provider: str
    models: tuple[str, ...]
    in_flight: int
    limit: int
    ceiling: int
    ready: int
    waiting: int
    parked: int
    calls_per_s: float
    tokens_per_s: float
    succeeded: int
    failed: int
    retries: int
    cost_usd: float | None
    paused: bool = False
    rate: str | None = None
    wait: LaneWait | None = None
    stopped: str | None = None
    unpriced_calls: int = 0


class ModelState(FrozenStruct):
    """A model, over all of its prompts. `done` includes the answers of earlier runs."""

    model: str
    total: int
    done: int
    failed: int
    in_flight: int
    cost_usd: float | None
    paused: bool = False
    stopped: str | None = None
    unpriced_calls: int = 0


class ChangeState(FrozenStruct):
    """A change that was made to this run, as `records.ChangeRecord`; `old` and `new` are values of JSON."""

    at: float
    key: str
    scope: str
    old: Any
    new: Any
    via: str
    author: str
    reason: str
    journalled: bool | None


class WorkerView(FrozenStruct):
    """A worker that is there. `state` is an `events.WorkerState`, since `since` (Unix seconds)."""

    number: int
    node: str
    state: str
    since: float


class WorkersState(FrozenStruct):
    """The processes that make the attempts of a run: how many are `wanted`, how many get calls (`ready`), and
    how many were `lost`. `each` are those that are there.
    """

    wanted: int
    ready: int
    lost: int
    each: tuple[WorkerView, ...] = ()


class RunState(FrozenStruct):
    """See the module's text. Costs are US dollars, `None` where not known, without those of the
    `unpriced_calls`; times are Unix seconds.

    `done` counts calls with an answer, of earlier runs too; `failed` those that this run gave up. `total` is
    of what is known so far unless `complete`. `quiet`: nothing is in flight and everything is committed, so a
    kill loses nothing. `settings` are the values that hold now, by the names of the options. `changes` are
    the latest 1,000. `workers`: `None` where this process makes the attempts.
    """

    id: str
    folder: str
    pid: int
    version: str
    phase: RunPhase
    started_at: float
    elapsed_s: float
    paused_s: float
    quiet: bool
    total: int
    complete: bool
    done: int
    failed: int
    in_flight: int
    calls_per_s: float
    tokens_per_s: float
    left_s: float | None
    cost_usd: float | None
    input_tokens: int
    output_tokens: int
    settings: dict[str, Any]
    lanes: tuple[LaneState, ...] = ()
    models: tuple[ModelState, ...] = ()
    changes: tuple[ChangeState, ...] = ()
    status: str | None = None
    reason: str | None = None
    unpriced_calls: int = 0
    workers: WorkersState | None = None


class Author(FrozenStruct):
    """Who changes a run, through what ("ctl", "view", "ui", "library"), and why; "" where not said."""

    via: str = "library"
    name: str = ""
    reason: str = ""


class Change(FrozenStruct):
    """What came of a change. `old` and `new` are values of JSON; `note` is what the user should know.

    `journalled` False: it holds, but could not be stored. `None`: nothing was changed (a dry run), or whoever
    asked is in the thread of the run and could not wait.
    """

    key: str
    scope: str
    old: Any
    new: Any
    journalled: bool | None
    note: str = ""
