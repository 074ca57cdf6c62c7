"""What follows an attempt without a final answer: another one, giving up, or stopping the lane."""

from __future__ import annotations

from dataclasses import dataclass

from umwelten.types import EXHAUSTED_CODE, Failure, FailureKind

LONGEST_WAIT_S = 900.0
"""A rate limit that asks for more stops its lane, unless the user says otherwise: the calls stay pending, and
a later run continues."""

LONGEST_HINT_S = 120.0
"""So much of a `Retry-After` is believed that comes with another failure than a rate limit."""

FIRST_HINT_S = 1.0
"""So much of a `Retry-After` that nothing has proven yet, doubled with each of three refusals of the call:
where all calls are told a minute, none is left that could show that a second would do."""

EMPTY_RETRIES = 2
"""Further attempts for a call whose answer was empty. That is mostly a whim, which one more attempt ends; a
model that has nothing to say is paid for each time."""

SCHEMA_RETRIES = 2
"""Further requests of a call for an answer that fits its schema: each pays for the whole input again."""


LOST_MOST = 5
"""Attempts of a call that may be lost with their workers. One that ends its worker, such as by an input that
takes all memory, would end each of them in turn. Where four workers are killed in any order, a call that is
in flight all the time meets a quarter of the kills by chance: five in a row in one of a thousand calls."""


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


@dataclass(frozen=True, slots=True)
class HoldModel:
    """The model seems to refuse every call: its calls wait for what those in flight come to."""


@dataclass(frozen=True, slots=True)
class Park:
    """The call goes on once the tools that it called have been run; until then it holds no slot."""


Decision = Again | GiveUp | StopLane | HoldModel | Park


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`retries` attempts after the first; waits grow from `base_s`, at most `cap_s`.

    A rate limit that asks for more than `longest_wait_s` stops its lane.
    """

    retries: int = 6
    longest_wait_s: float = LONGEST_WAIT_S
    base_s: float = 0.5
    cap_s: float = 30.0

    def backoff(self, failures: int, dice: float) -> float:
        """Full jitter: anywhere between 0 and the doubling bound. `dice` in [0, 1)."""
        return dice * min(self.cap_s, self.base_s * 2.0 ** min(failures, 16))

    def decide(
        self,
        failure: Failure,
        *,
        counted: int,
        throttles: int,
        dice: float,
        empties: int = 0,
        trust_retry_after: bool = True,
        retry_after_proven: bool = True,
        model_answered: bool = True,
        crowded: bool = False,
    ) -> Decision:
        """`counted` retries, `throttles` refusals and `empties` empty answers came before this failure.

        `trust_retry_after` False: what the provider says about waiting was proven wrong;
        `retry_after_proven`: calls were let in when it said, and not before. `model_answered`: the model
        answered a call of this run. `crowded`: this machine had no room for the call beside the others that
        were in flight.
        """
        if failure.lane_down:
            return StopLane()
        if failure.model_down and not model_answered:
            return HoldModel()
        if failure.parameter is not None and failure.retry:
            return Again(0.0, counted=False)
        if failure.kind is FailureKind.RATE_LIMIT:
            if trust_retry_after and (failure.hints.retry_after_s or 0.0) > self.longest_wait_s:
                return StopLane()
            bound = 0.0
            if trust_retry_after:
                first = FIRST_HINT_S * 2.0 ** min(throttles, 3)
                bound = self.longest_wait_s if retry_after_proven else first
            return Again(self._throttle_delay(failure, dice, bound), counted=False)
        if crowded:
            return Again(self.base_s * 0.5 * (1 + dice), counted=False)
        if not failure.retry or counted >= self.retries:
            # Where there is no room for a single call, there is none for the next either.
            return StopLane() if failure.code == EXHAUSTED_CODE else GiveUp()
        if failure.kind is FailureKind.EMPTY and empties >= EMPTY_RETRIES:
            return GiveUp()
        hint = min(failure.hints.retry_after_s or 0.0, LONGEST_HINT_S)
        return Again(max(self.backoff(counted, dice), hint), counted=True)

    def after_loss(self, lost: int) -> Again | GiveUp:
        """Return whether a call goes again of which so many attempts are lost: at once, and uncounted."""
        return Again(0.0, counted=False) if lost < LOST_MOST else GiveUp()

    def follow_up(self, failure: Failure, schema_retries: int) -> Again | GiveUp:
        """Return whether an answered call that has to go on may; `failure` if not.

        It goes at once and uses up no retry: the provider is well, and the request is another one.
        `schema_retries` of its requests were such already.
        """
        may_go = failure.retry and schema_retries < SCHEMA_RETRIES
        return Again(0.0, counted=False) if may_go else GiveUp()

    def _throttle_delay(self, failure: Failure, dice: float, bound: float) -> float:
        """A call waits as it was told, but no longer than `bound`; 0: not told, or told wrongly."""
        hint = failure.hints.retry_after_s
        if hint is None or not bound:
            # When the lane may start again is the lane's own knowledge; this only lets others go first.
            return self.base_s * 0.5 * (1 + dice)
        return min(hint, bound) + dice * min(1.0, 0.1 * hint + 0.05)
