"""What the engine needs from others: a source of calls, a sink of records, a runner of attempts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from umwelten.control.stop import StopReason
from umwelten.errors import UmweltenError
from umwelten.events import RunStatus
from umwelten.records import Record
from umwelten.tool_calls import ToolCall, ToolOutcome
from umwelten.types import AttemptOutcome, Call, FrozenStruct, ModelRef, Timing, Turn


class Source(Protocol):
    """Where calls come from: the store, or some of its calls."""

    def lease(self, model: int, n: int) -> list[Call]:
        """Return up to `n` further calls of a model, in order; fewer than `n` if there are no more so far."""

    @property
    def complete(self) -> bool:
        """Return whether all calls are known; until then `Engine.acknowledge` says that there may be more."""

    @property
    def problem(self) -> UmweltenError | None:
        """Why it can't be completed, if so: then no further call starts."""


class Sink(Protocol):
    """Where records go."""

    def submit(self, record: Record) -> None:
        """Take a record; once it is committed, call `Engine.acknowledge`."""

    def flush_soon(self) -> None:
        """Commit what was submitted without waiting for more: no attempt is in flight."""

    @property
    def error(self) -> BaseException | None:
        """Why records can no longer be stored, if so: the engine then starts no further call."""


class AttemptResult(FrozenStruct):
    """An attempt that ended. `key` is the call's identity, `content` the hash of the input's bytes.

    `kept` is the hash of what was sent where that is kept, else empty. `step`: it was for that request of a
    call with tools. `worker` is the number of the worker that made it, `None` for this process. `away`: that
    worker did not answer for a while, so that the attempt says nothing about the provider's speed or limits.
    `assignment` is the worker's number for the attempt, by which the end of a lost one is told later, and
    `successor` that of the attempt on standby which began in its place, 0 if none did. `transit_s`: how long
    messages took to the worker and back, 0 if that is not known. `sent` is False of a lost one of which
    nothing was sent.
    """

    outcome: AttemptOutcome
    timing: Timing
    key: str
    content: bytes
    cost_nusd: int | None = None
    step: int = 1
    kept: bytes = b""
    worker: int | None = None
    away: bool = False
    assignment: int = 0
    transit_s: float = 0.0
    successor: int = 0
    sent: bool = True


class AttemptRunner(Protocol):
    """Makes one attempt. It returns whatever happens as a value and raises only when cancelled.

    `turns` are the call's conversation after its question; `on_text` takes the pieces of a streamed answer.
    `lane` is the name of the account or host that makes it.
    """

    def __call__(
        self, call: Call, turns: tuple[Turn, ...], on_text: Callable[[str], None] | None, lane: str
    ) -> Coroutine[Any, Any, AttemptResult]: ...


@runtime_checkable
class StandbyRunner(Protocol):
    """What a runner of attempts can that holds attempts on standby: see `engine.standbys`."""

    def wants_standby(self, lane: str, call: Call | None = None) -> bool:
        """Return whether one more attempt of a lane should be on standby, and that call's may be."""

    def stand_by(
        self, call: Call, lane: str, on_begin: Callable[[int], None]
    ) -> tuple[int, asyncio.Task[AttemptResult | None]]:
        """Have an attempt ready that begins once another of the lane is answered; return its number.

        The number comes as `AttemptResult.successor` of that other one, or where nobody waits for that, to
        `on_begin`. The result is `None` if nothing was sent.
        """

    def take_back(self, number: int) -> None:
        """Let it not begin any more; if it has begun already, it goes on."""


class ToolCaller(Protocol):
    """Runs the tools that models call."""

    def name(self, asked: ToolCall) -> str:
        """Return what users call the tool; for one that is not known, what the model called it."""

    def is_once(self, name: str) -> bool:
        """Return whether the tool that users call so may run once a call only."""

    def run(
        self,
        call: Call,
        asked: tuple[ToolCall, ...],
        *,
        step: int,
        key: str,
        started_at: float,
        known: Mapping[int, ToolOutcome],
        on_start: Callable[[int], Awaitable[None]],
        on_end: Callable[[int, ToolOutcome], None],
    ) -> Coroutine[Any, Any, tuple[ToolOutcome, ...]]:
        """Run the tools that a turn called; return what came of each, in their order.

        `key` is the call's identity, `started_at` when it first began, in Unix seconds. `known` are outcomes
        by place that are there already. `on_start` is awaited before a tool starts, `on_end` is told of its
        end. It raises only for what ends the run, and `RunEnds` where `on_start` does, once those at work
        have ended.
        """


class RunResult(FrozenStruct):
    """How a run ended; `reason`: why it did before all was done. `failed` counts the calls given up."""

    status: RunStatus
    reason: StopReason | None
    wall_s: float
    peak_in_flight: int
    failed: int


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What the engine has to know about calls: `models` by number, and what their next request takes.

    `estimate` is its cost at most, in nano-USD; `tokens` its input as estimated, and its output at most
    (`None` if not known). Both are given the call and the turns of its conversation after the question.
    `broken_off` is what an attempt costs that was broken off, `None` if not known.
    """

    models: dict[int, ModelRef]
    estimate: Callable[[Call, tuple[Turn, ...]], int | None] = lambda call, turns: None
    tokens: Callable[[Call, tuple[Turn, ...]], tuple[int, int | None]] = lambda call, turns: (0, None)
    broken_off: Callable[[Call], int | None] = lambda call: None
