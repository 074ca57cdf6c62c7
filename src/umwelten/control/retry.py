"""What follows a failed attempt: again after a while, given up, or the whole lane stopped."""

from __future__ import annotations

from dataclasses import dataclass

from umwelten.types import Failure, FailureKind


@dataclass(frozen=True, slots=True)
class Again:
    """The call goes again after `delay_s`; `counted`: it uses up one of the retries."""

    delay_s: float
    counted: bool


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The failure is recorded as the call's outcome."""


@dataclass(frozen=True, slots=True)
class StopLane:
    """Nothing at this account or host will work: its calls stay pending."""


Decision = Again | GiveUp | StopLane


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`retries` attempts after the first; waits grow from `base_s`, at most `cap_s`."""

    retries: int = 6
    base_s: float = 0.5
    cap_s: float = 30.0

    def backoff(self, failures: int, dice: float) -> float:
        """Full jitter: anywhere between 0 and the doubling bound. `dice` in [0, 1)."""
        return dice * min(self.cap_s, self.base_s * 2.0 ** min(failures, 16))

    def decide(self, failure: Failure, *, counted: int, throttles: int, dice: float) -> Decision:
        """`counted` retries and `throttles` refusals were spent on this call before this failure."""
        if failure.lane_down:
            return StopLane()
        if failure.parameter is not None and failure.retry:
            return Again(0.0, counted=False)
        if failure.kind is FailureKind.RATE_LIMIT:
            return Again(self._throttle_delay(failure, throttles, dice), counted=False)
        if not failure.retry or counted >= self.retries:
            return GiveUp()
        hint = failure.hints.retry_after_s
        delay = self.backoff(counted, dice)
        return Again(max(delay, hint) if hint is not None else delay, counted=True)

    def _throttle_delay(self, failure: Failure, throttles: int, dice: float) -> float:
        hint = failure.hints.retry_after_s
        if hint is None:
            # At least half a second: an immediate second try would meet the same limit.
            return 0.5 + self.backoff(throttles + 1, dice)
        return hint + dice * min(1.0, 0.1 * hint + 0.05)
