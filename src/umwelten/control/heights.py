"""How many calls were in flight, where calls arrive in another order than they start in."""

from __future__ import annotations

from collections import deque

import msgspec

from umwelten.control.refusals import StartSnapshot
from umwelten.types import AttemptOutcome, Failure, FailureKind

OVERTAKEN_S = 1.0
"""For so long a start may arrive later than others: a refusal takes as long as the lane's parts believe."""


class Heights:
    """How many calls were in flight at most since some moment of late.

    Calls of several runs, or by several workers, arrive in another order than they were let go in. One that
    is refused may have been overtaken by a later one: it was refused at that one's height. Without that, one
    cap in ten is taken for a rate, and half of it held.
    """

    def __init__(self) -> None:
        self._tops: deque[tuple[float, int]] = deque()

    def note(self, now: float, level: int) -> None:
        """A call was let go as the `level`-th in flight."""
        tops = self._tops
        while tops and tops[-1][1] <= level:
            tops.pop()
        tops.append((now, level))
        while tops[0][0] < now - OVERTAKEN_S:
            tops.popleft()

    def since(self, at: float) -> int:
        """Return the greatest height from then on, 0 if there was no start."""
        return next((level for started_at, level in self._tops if started_at >= at), 0)

    def of(
        self, outcome: AttemptOutcome | None, started_at: float, start: StartSnapshot | None
    ) -> StartSnapshot | None:
        """Return the start of a call as it was for the provider, if that refused it."""
        if start is None or not isinstance(outcome, Failure) or outcome.kind is not FailureKind.RATE_LIMIT:
            return start
        level = self.since(started_at)
        return msgspec.structs.replace(start, level=level) if level > start.level else start
