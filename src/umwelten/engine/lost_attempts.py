"""Attempts that were given up as lost, while the run goes on: their ends may still be heard of."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from umwelten.control.steps import Lease
from umwelten.engine.interfaces import AttemptResult
from umwelten.types import Failure, FailureKind, Turn

MOST_REMEMBERED = 100_000
"""Attempts that were given up and may still be told of: more than are ever in flight."""

T = TypeVar("T")


class LostAttempt(NamedTuple):
    """An attempt that was given up. `result` is what was recorded of it, `counted_nusd` what the cost cap
    counts for it, and `turns` the conversation that it was sent.
    """

    lease: Lease
    result: AttemptResult
    counted_nusd: int
    turns: tuple[Turn, ...]

    @property
    def still_asked(self) -> bool:
        """Return whether an answer to what was sent would be one to what its call asks now."""
        scheduled = self.lease.scheduled
        return not scheduled.recorded and scheduled.turns is self.turns


class LostAttempts:
    """See the module's text; by the number of their assignment."""

    def __init__(self) -> None:
        self._attempts: dict[int, LostAttempt] = {}

    def add(self, lease: Lease, result: AttemptResult, counted_nusd: int) -> None:
        """Remember one. Without an assignment, or where nothing was sent, nothing will be heard of it."""
        if result.assignment and result.sent:
            lost = LostAttempt(lease, result, counted_nusd, lease.scheduled.turns)
            remember(self._attempts, result.assignment, lost)

    def take(self, assignment: int) -> LostAttempt | None:
        """Return one, and forget it; `None` if there is none."""
        return self._attempts.pop(assignment, None)


def is_lost(result: AttemptResult) -> bool:
    """Return whether nobody knows what became of an attempt."""
    return isinstance(result.outcome, Failure) and result.outcome.kind is FailureKind.LOST


def remember(them: dict[int, T], n: int, what: T) -> None:
    """Keep something by the number of its assignment, and forget the oldest of too many."""
    them[n] = what
    if len(them) > MOST_REMEMBERED:
        del them[next(iter(them))]
