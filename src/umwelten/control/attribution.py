"""Where a lane's time went, and the one line of advice that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from umwelten.phrases import Phrase, Wording
from umwelten.types import FrozenStruct


class Reason(StrEnum):
    """What a lane was waiting for."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"
    LATENCY = "latency"
    BACKOFF = "backoff"
    TOOLS = "tools"
    COST = "cost"
    PAUSED = "paused"
    WORKERS = "workers"
    NO_WORK = "no_work"
    CPU = "cpu"


class Attribution(FrozenStruct):
    """Seconds of a lane's wall time by what it waited for; the parts add up to `wall_s`.

    `requests_s`, `tokens_s`: the provider's limits. `concurrency_s`: all slots were taken. `latency_s`:
    all work was under way. `backoff_s`: what was left waited after failures. `tools_s`: the tools of all
    that was left were being run. `cost_s`: for the cost cap. `paused_s`: somebody had paused it.
    `workers_s`: no worker was there to make attempts. `no_work_s`: nothing to do. `cpu_s`: a call could have
    started and we were busy. `held_to_known`: of the limits, one that the user set was met last.
    """

    lane: str
    wall_s: float
    requests_s: float = 0.0
    tokens_s: float = 0.0
    concurrency_s: float = 0.0
    latency_s: float = 0.0
    backoff_s: float = 0.0
    tools_s: float = 0.0
    cost_s: float = 0.0
    paused_s: float = 0.0
    workers_s: float = 0.0
    no_work_s: float = 0.0
    cpu_s: float = 0.0
    limit: float = 0.0
    capped_by_user: bool = False
    held_to_known: bool = False

    def seconds(self) -> dict[str, float]:
        """Seconds by reason, without those that took none."""
        return {str(reason): seconds for reason in Reason if (seconds := self._seconds(reason)) > 0}

    def parts(self) -> dict[Reason, float]:
        """Shares of the wall time, largest first."""
        whole = self.wall_s or 1.0
        shares = ((reason, self._seconds(reason) / whole) for reason in Reason)
        return dict(sorted(shares, key=lambda pair: -pair[1]))

    def _seconds(self, reason: Reason) -> float:
        return float(getattr(self, f"{reason}_s"))


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

    def sheet(
        self, lane: str, wall_s: float, limit: float, capped_by_user: bool, held_to_known: bool = False
    ) -> Attribution:
        """The sums; what is missing to the wall time had no work."""
        total = sum(self.seconds.values())
        idle = self.seconds.get(Reason.NO_WORK, 0.0) + max(0.0, wall_s - total)
        named = {f"{reason}_s": self.seconds.get(reason, 0.0) for reason in Reason}
        named["no_work_s"] = idle
        return Attribution(
            lane=lane,
            wall_s=max(wall_s, total),
            limit=limit,
            capped_by_user=capped_by_user,
            held_to_known=held_to_known,
            **named,
        )


_WAITED: dict[Reason, tuple[str, Wording]] = {
    Reason.REQUESTS: (
        "limited by requests per minute",
        "a higher tier would help, more concurrency would not",
    ),
    Reason.TOKENS: (
        "limited by tokens per minute",
        "a higher tier or shorter prompts would help, more concurrency would not",
    ),
    Reason.LATENCY: ("waiting for the last answers", "more calls at once would not help"),
    Reason.TOOLS: (
        "waiting for tools",
        Phrase("faster tools would help, or more at a time: {option:tool_concurrency}"),
    ),
    Reason.COST: ("stopped by the cost cap", Phrase("raise {option:max_cost} and resume")),
    Reason.PAUSED: ("paused", "nothing was started until it was resumed"),
    Reason.WORKERS: ("without workers", "nothing was started until a worker was there"),
    Reason.NO_WORK: ("without work", "it was not what the run waited for"),
    Reason.CPU: ("waiting for this machine", "it was too busy; more concurrency would not help"),
}
"""What a lane was waiting for, and what follows from it."""


def advice(sheet: Attribution) -> Phrase:
    """One line: what the lane waited for most, and what would change that."""
    reason, share = next(iter(sheet.parts().items()))
    if reason is Reason.BACKOFF:
        return advice_on_failures(sheet.lane, share)
    if sheet.held_to_known and reason in (Reason.REQUESTS, Reason.TOKENS):
        return Phrase(
            "{lane} was held to the known limit of {what} {share}: {option:rate}, or rpm, tpm and share in "
            "umwelten.toml, set it",
            lane=sheet.lane,
            what=str(reason),
            share=_of_the_time(share),
        )
    if reason is not Reason.CONCURRENCY:
        waited, change = _WAITED[reason]
        return Phrase(
            "{lane} was {waited} {share}: {change}",
            lane=sheet.lane,
            waited=waited,
            share=_of_the_time(share),
            change=change,
        )
    if sheet.capped_by_user and sheet.limit <= 1:
        return Phrase(
            "{lane} was asked one call at a time, and was full {share}: {option:concurrent} makes five at a "
            "time, {option:max_concurrency} auto as many as the account allows",
            lane=sheet.lane,
            share=_of_the_time(share),
        )
    if sheet.capped_by_user:
        return Phrase(
            "{lane} was full {share}: more than {calls} at a time ({option:max_concurrency}) may be "
            "faster, as far as the account allows it; auto finds out",
            lane=sheet.lane,
            share=_of_the_time(share),
            calls=_calls(sheet.limit),
        )
    calls = "1 call" if _calls(sheet.limit) == "1 call" else f"about {_calls(sheet.limit)}"
    return Phrase(
        "{lane} answered {calls} at a time and was full {share}",
        lane=sheet.lane,
        calls=calls,
        share=_of_the_time(share),
    )


def _calls(limit: float) -> str:
    rounded = f"{limit:.0f}"
    return "1 call" if rounded == "1" else f"{rounded} calls"


def advice_on_failures(lane: str, share: float, retried: Mapping[str, int] = MappingProxyType({})) -> Phrase:
    """The line for a lane that waited most after failures; `retried` counts those by kind, where known."""
    kinds = ", ".join(f"{count:,} × {kind}" for kind, count in retried.items())
    which = f"attempts made again: {kinds}" if kinds else "attempts that failed and were made again"
    return Phrase(
        "{lane} was waiting after failures {share} ({which})",
        lane=lane,
        share=_of_the_time(share),
        which=which,
    )


def _of_the_time(share: float) -> str:
    return f"{100 * share:.0f} % of the time"
