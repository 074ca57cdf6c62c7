"""A lane that several runs may share: its desk answers for it, that of an owner or of a guest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from msgspec.structs import replace

from umwelten.control.lane import Lane
from umwelten.control.limit import LimitChange
from umwelten.control.pacer import amounts
from umwelten.control.refusals import StartSnapshot
from umwelten.types import AttemptOutcome, Continue, Failure, Reply, ToolStep

POLL_S = 0.5
"""A lane that waits for other runs is asked again after so long, whatever happens to them."""


class Desk(Protocol):
    """What a shared lane asks and tells: see `Lane`."""

    def earliest_start(self, now: float, input_tokens: int, output_tokens: int | None) -> float: ...

    def on_start(self, now: float, input_tokens: int, output_tokens: int | None) -> StartSnapshot: ...

    def on_end(
        self, outcome: AttemptOutcome | None, started_at: float, now: float, start: StartSnapshot | None
    ) -> LimitChange | None: ...

    def on_error(self, started_at: float, now: float) -> None: ...


@dataclass(slots=True)
class SharedLane(Lane):
    """See the module's text. `on_stop` is told when the lane starts no further calls in this run, `on_halt`
    when it starts none for a while, and `on_retune` does what `retune` is to do.

    What it knows was learnt by another run until `adopted_at`.
    """

    desk: Desk | None = None
    on_stop: Callable[[], None] = lambda: None
    on_halt: Callable[[], None] = lambda: None
    on_retune: Callable[[int, bool, int], None] | None = None
    adopted_at: float = -inf

    # `super()` finds no class in a dataclass with slots.

    def earliest_start(self, now: float, input_tokens: int = 0, output_tokens: int | None = None) -> float:
        if self.desk is None or self.stopped is not None:
            return Lane.earliest_start(self, now, input_tokens, output_tokens)
        return self.desk.earliest_start(now, input_tokens, output_tokens)

    def on_start(
        self, now: float = 0.0, input_tokens: int = 0, output_tokens: int | None = None
    ) -> StartSnapshot:
        if self.desk is None:
            return Lane.on_start(self, now, input_tokens, output_tokens)
        return self.desk.on_start(now, input_tokens, output_tokens)

    def on_follow(
        self, now: float = 0.0, input_tokens: int = 0, output_tokens: int | None = None
    ) -> StartSnapshot:
        if self.desk is None:
            return Lane.on_follow(self, now, input_tokens, output_tokens)
        return self.desk.on_start(now, input_tokens, output_tokens)

    def may_follow(self, now: float, input_tokens: int = 0, output_tokens: int | None = None) -> bool:
        return self.desk is None and Lane.may_follow(self, now, input_tokens, output_tokens)

    def on_end(
        self,
        outcome: AttemptOutcome | None,
        started_at: float,
        now: float,
        start: StartSnapshot | None = None,
    ) -> LimitChange | None:
        if self.desk is None:
            return self.end_here(outcome, started_at, now, start)
        return self.desk.on_end(outcome, started_at, now, start)

    def end_here(
        self, outcome: AttemptOutcome | None, started_at: float, now: float, start: StartSnapshot | None
    ) -> LimitChange | None:
        """Learn from a call of this run, which another owner may have granted."""
        if started_at < self.adopted_at or is_granted(start):
            return self.end_unknown(outcome, started_at, now)
        return Lane.on_end(self, outcome, started_at, now, start)

    def end_unknown(
        self, outcome: AttemptOutcome | None, started_at: float, now: float
    ) -> LimitChange | None:
        """Learn from a call of which only another owner knew what else was under way when it started.

        What its answer states was left then, so nobody can tell what is left now; what it used was reserved.
        """
        need = NOTHING_RESERVED
        if isinstance(outcome, Reply | Continue | ToolStep):
            usage = outcome.usage
            need = amounts(float(usage.input_tokens or 0), float(usage.output_tokens or 0))
            outcome = _without_budgets(outcome)
        start = StartSnapshot(
            number=self.started,
            level=self.in_flight,
            high=self.refusals.evidence.high,
            need=need,
            used=self.pacer.used,
            refusals=self.pacer.refusals,
            edge=self.limit.edge,
        )
        return Lane.on_end(self, outcome, started_at, now, start)

    def on_error(self, started_at: float, now: float) -> None:
        if self.desk is None:
            Lane.on_error(self, started_at, now)
        else:
            self.desk.on_error(started_at, now)

    def retune(self, ceiling: int, *, fixed: bool, start: int) -> None:
        if self.on_retune is None:
            Lane.retune(self, ceiling, fixed=fixed, start=start)
        else:
            self.on_retune(ceiling, fixed, start)

    def halt(self) -> None:
        self.on_halt()

    def stop(self, failure: Failure) -> None:
        Lane.stop(self, failure)
        self.on_stop()


NOTHING_RESERVED = StartSnapshot().need
"""One request, and no tokens."""


def _without_budgets(outcome: Reply | Continue | ToolStep) -> Reply | Continue | ToolStep:
    if isinstance(outcome, Continue):
        hints = replace(outcome.failure.hints, budgets=())
        return replace(outcome, failure=replace(outcome.failure, hints=hints))
    if isinstance(outcome, ToolStep):
        hints = replace(outcome.reply.hints, budgets=())
        return replace(outcome, reply=replace(outcome.reply, hints=hints))
    return replace(outcome, hints=replace(outcome.hints, budgets=()))


class GrantedStart(StartSnapshot, frozen=True):
    """The start of a call by the `grant` of another run, whose lane has its snapshot."""

    grant: int = 0


def is_granted(start: StartSnapshot | None) -> bool:
    """Return whether another run granted this start."""
    return isinstance(start, GrantedStart)
