"""One provider account or host: the calls it has, its limit, and whether it may start one now.

Theory of operation. A lane never acts; it answers. The pool asks `opening(now)`: may a call start, and
if not, when? It tells the lane what was started and how that ended. Everything the lane knows it
learnt from those two. Calls that must wait are the pool's matter and hold no slot here.

A lane is open until a failure shows that nothing at this account or host can work (key refused, credit
used up, nobody listening). Then it is stopped for the rest of the run; its calls stay pending.
"""

from __future__ import annotations

from dataclasses import dataclass

from umwelten.control.limit import Limit
from umwelten.types import Failure, FailureKind, Reply

NEVER = float("inf")

THROTTLED_TOO_LONG_S = 900.0
"""A lane that has had nothing but refusals for this long is stopped: the run must end some time."""


@dataclass(frozen=True, slots=True)
class Change:
    """The limit moved, for the record."""

    limit: float
    reason: str


@dataclass(slots=True)
class Lane:
    """See the module's text. `host`: its calls are ordered by model. `group`: the provider's name."""

    name: str
    group: str
    limit: Limit
    host: bool = False
    in_flight: int = 0
    peak: int = 0
    answered: bool = False
    stopped: Failure | None = None
    current: int | None = None
    throttled_since: float | None = None
    waiting_why: str | None = None

    def opening(self, now: float) -> float:
        """When the next call may start: `now`, or `NEVER` (ask again after something ended)."""
        if self.stopped is not None or self.in_flight >= max(1, self.limit.slots):
            return NEVER
        return now

    def started(self) -> None:
        """A call went out."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)

    def ended(self, outcome: Reply | Failure | None, started_at: float, now: float) -> Change | None:
        """A call came back; `None` as outcome: it was cancelled by us and says nothing."""
        peak, self.peak = self.peak, self.in_flight
        self.in_flight -= 1
        if outcome is None:
            return None
        if isinstance(outcome, Reply):
            self.answered, self.throttled_since, self.waiting_why = True, None, None
            if self.limit.succeeded(peak):
                return Change(self.limit.value, "slow start" if self.limit.slow_start else "growing")
            return None
        return self._failed(outcome, started_at, now)

    def _failed(self, failure: Failure, started_at: float, now: float) -> Change | None:
        self.answered = self.answered or failure.status is not None
        if failure.kind not in (FailureKind.RATE_LIMIT, FailureKind.MEMORY):
            return None
        if self.throttled_since is None:
            self.throttled_since = now
        self.waiting_why = str(failure.kind)
        if self.limit.throttled(started_at, now):
            return Change(self.limit.value, str(failure.kind))
        return None

    def judge(self, failure: Failure, now: float) -> Failure:
        """The failure as this lane sees it: what only its history can tell is filled in."""
        if failure.code == "refused" and not self.answered:
            return _down(failure, failure.message)
        since = self.throttled_since
        if (
            failure.kind is FailureKind.RATE_LIMIT
            and since is not None
            and now - since > THROTTLED_TOO_LONG_S
        ):
            return _down(failure, f"nothing but rate limits for {now - since:.0f} s: {failure.message}")
        return failure


def _down(failure: Failure, message: str) -> Failure:
    return Failure(
        kind=FailureKind.UNAVAILABLE,
        message=message,
        status=failure.status,
        code=failure.code,
        retry=False,
        lane_down=True,
        request_id=failure.request_id,
        hints=failure.hints,
    )
