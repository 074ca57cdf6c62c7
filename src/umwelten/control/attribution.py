"""Where a lane's time went, and the one line of advice that follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from umwelten.types import FrozenStruct


class Reason(StrEnum):
    """What a lane was waiting for."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"
    LATENCY = "latency"
    BACKOFF = "backoff"
    COST = "cost"
    NO_WORK = "no_work"
    CPU = "cpu"


class Attribution(FrozenStruct):
    """Seconds of a lane's wall time by what it waited for; the parts add up to `wall_s`.

    `requests_s`, `tokens_s`: the provider's limits. `concurrency_s`: all slots were taken. `latency_s`:
    all work was under way. `backoff_s`: what was left waited after failures. `cost_s`: for the cost cap.
    `no_work_s`: nothing to do. `cpu_s`: a call could have started and we were busy.
    """

    lane: str
    wall_s: float
    requests_s: float = 0.0
    tokens_s: float = 0.0
    concurrency_s: float = 0.0
    latency_s: float = 0.0
    backoff_s: float = 0.0
    cost_s: float = 0.0
    no_work_s: float = 0.0
    cpu_s: float = 0.0
    limit: float = 0.0
    capped_by_user: bool = False

    def seconds(self) -> dict[str, float]:
        """Seconds by reason, without those that took none."""
        found = {str(reason): float(getattr(self, f"{reason}_s")) for reason in Reason}
        return {reason: seconds for reason, seconds in found.items() if seconds > 0}

    def parts(self) -> dict[str, float]:
        """Shares of the wall time, largest first."""
        names = [str(reason) for reason in Reason]
        seconds = {name: float(getattr(self, f"{name}_s")) for name in names}
        whole = self.wall_s or 1.0
        return dict(sorted(((n, s / whole) for n, s in seconds.items()), key=lambda pair: -pair[1]))


@dataclass(slots=True)
class Timesheet:
    """Adds up a lane's time by reason. `until`: what was waited for would be over then."""

    since: float | None = None
    reason: Reason = Reason.NO_WORK
    until: float = float("inf")
    seconds: dict[Reason, float] = field(default_factory=dict)

    def turn(self, now: float, reason: Reason, until: float = float("inf")) -> None:
        """From now on the lane waits for `reason`."""
        since = self.since
        if since is not None and now > since:
            due = min(max(since, self.until), now)
            self._add(self.reason, due - since)
            self._add(Reason.CPU, now - due)
        if since is None or now > since:
            self.since = now
        self.reason, self.until = reason, until

    def _add(self, reason: Reason, seconds: float) -> None:
        if seconds > 0:
            self.seconds[reason] = self.seconds.get(reason, 0.0) + seconds

    def sheet(self, lane: str, wall_s: float, limit: float, capped_by_user: bool) -> Attribution:
        """The sums; what is missing to the wall time had no work."""
        known = sum(self.seconds.values())
        idle = self.seconds.get(Reason.NO_WORK, 0.0) + max(0.0, wall_s - known)
        named = {f"{reason}_s": self.seconds.get(reason, 0.0) for reason in Reason}
        named["no_work_s"] = idle
        return Attribution(
            lane=lane, wall_s=max(wall_s, known), limit=limit, capped_by_user=capped_by_user, **named
        )


MADE_AGAIN = "(attempts that failed and were made again)"
"""What a lane waited after; whoever knows the attempts may put their numbers in its place."""

_SAYS = {
    "requests": "limited by requests per minute {0}: a higher tier would help, more concurrency would not",
    "tokens": "limited by tokens per minute {0}: a higher tier or shorter prompts would help, "
    "more concurrency would not",
    "latency": "waiting for the last answers {0}: more calls at once would not help",
    "backoff": "waiting after failures {0} " + MADE_AGAIN,
    "cost": "held back by the cost cap {0}: raise --max-cost and resume",
    "no_work": "without work {0}: it was not what the run waited for",
    "cpu": "waiting for this machine {0}: it was too busy; more concurrency would not help",
}


def advice(sheet: Attribution) -> str:
    """One line: what the lane waited for most, and what would change that."""
    parts = sheet.parts()
    name, share = next(iter(parts.items()))
    how_long = f"{100 * share:.0f} % of the time"
    if name != "concurrency":
        return f"{sheet.lane} was {_SAYS[name].format(how_long)}"
    if sheet.capped_by_user:
        return (
            f"{sheet.lane} had all its slots taken {how_long}: a higher --max-concurrency "
            f"(now {sheet.limit:.0f}) or auto would help"
        )
    return f"{sheet.lane} lets about {sheet.limit:.0f} calls in at a time and was full {how_long}"
