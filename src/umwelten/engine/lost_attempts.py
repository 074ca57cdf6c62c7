"""Attempts that were given up as lost, while the run goes on: their ends may still be heard of."""

from __future__ import annotations

from typing import NamedTuple

from umwelten.control.steps import Lease
from umwelten.engine.interfaces import AttemptResult
from umwelten.types import Failure, FailureKind, Turn


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
        """Remember one. Without an assignment nothing will be heard of it."""
        if result.assignment:
            lost = LostAttempt(lease, result, counted_nusd, lease.scheduled.turns)
            self._attempts[result.assignment] = lost

    def take(self, assignment: int) -> LostAttempt | None:
        """Return one, and forget it; `None` if there is none."""
        return self._attempts.pop(assignment, None)


def is_lost(result: AttemptResult) -> bool:
    """Return whether nobody knows what became of an attempt."""
    return isinstance(result.outcome, Failure) and result.outcome.kind is FailureKind.LOST
