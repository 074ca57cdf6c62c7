"""What the engine needs from others: a source of calls, a sink of records, a runner of attempts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from umwelten.errors import UmweltenError
from umwelten.records import Record
from umwelten.types import AttemptOutcome, Call, FrozenStruct, Message, ModelRef, Timing


class Source(Protocol):
    """Where calls come from: the store, or a lease of a larger machine's work."""

    def lease(self, model: int, n: int) -> list[Call]:
        """Up to `n` further calls of a model, in order; fewer than `n` when there are no more so far."""

    @property
    def complete(self) -> bool:
        """Whether `lease` finds all there will be; until then `Engine.committed` says when to look again."""

    @property
    def problem(self) -> UmweltenError | None:
        """Why it will not be complete, if so: then no further call starts."""


class Sink(Protocol):
    """Where outcomes go."""

    def submit(self, record: Record) -> None:
        """Take a record; it is acknowledged through `Engine.committed` once it is safe."""

    def flush_soon(self) -> None:
        """Nothing else is under way: what was submitted need not wait for company."""

    @property
    def error(self) -> BaseException | None:
        """Why records can no longer be kept, if so: the engine then starts no further call."""


class AttemptResult(FrozenStruct):
    """One attempt as made: its outcome, the call's identity and the content hash of what was sent."""

    outcome: AttemptOutcome
    timing: Timing
    key: str
    content: bytes
    cost_nusd: int | None = None


class AttemptRunner(Protocol):
    """Makes one attempt. Returns whatever happens as a value; raises only when cancelled.

    `turns` are the call's conversation after its question; `on_text` takes the pieces of a streamed answer.
    """

    def __call__(
        self, call: Call, turns: tuple[Message, ...], on_text: Callable[[str], None] | None
    ) -> Coroutine[Any, Any, AttemptResult]: ...


class RunResult(FrozenStruct):
    """How a run ended; `status` as in `events.RunFinished`. `failed` counts the calls given up."""

    status: str
    reason: str | None
    wall_s: float
    peak_in_flight: int
    failed: int


@dataclass(frozen=True, slots=True)
class CallInfo:
    """What the engine has to know about calls: `models` by number, and what their next request takes.

    `estimate` is its cost at most, in nano-USD; `tokens` its input as estimated, and its output at most
    (`None` if not known). Both are given the call and the turns of its conversation after the question.
    """

    models: dict[int, ModelRef]
    estimate: Callable[[Call, tuple[Message, ...]], int | None] = lambda call, turns: None
    tokens: Callable[[Call, tuple[Message, ...]], tuple[int, int | None]] = lambda call, turns: (0, None)
