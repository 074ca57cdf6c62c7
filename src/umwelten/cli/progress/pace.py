"""How fast things go lately, and how long the rest will take."""

from __future__ import annotations

_LEAST_HALF_LIFE_S = 15.0
_LEAST_ENDED = 3


class Pace:
    """Rates that forget with time: the overall mean at first, ever more the recent past later.

    `now` is seconds of any clock that only moves on. The half-life is three mean call times, at least
    15 s, so that calls that end in bursts don't make the rate jump.
    """

    def __init__(self, now: float) -> None:
        self._now = now
        self._time = self._calls = self._tokens = 0.0
        self._seen_calls = self._seen_tokens = 0

    def look(self, now: float, calls: int, tokens: int, mean_s: float = 0.0) -> None:
        """Take in the totals so far: calls that ended, tokens they wrote, mean time of a call."""
        passed = now - self._now
        if passed <= 0:
            return
        kept = 0.5 ** (passed / max(_LEAST_HALF_LIFE_S, 3 * mean_s))
        self._time = self._time * kept + passed
        self._calls = self._calls * kept + calls - self._seen_calls
        self._tokens = self._tokens * kept + tokens - self._seen_tokens
        self._now, self._seen_calls, self._seen_tokens = now, calls, tokens

    @property
    def calls_per_s(self) -> float:
        return self._calls / self._time if self._time else 0.0

    @property
    def tokens_per_s(self) -> float:
        return self._tokens / self._time if self._time else 0.0

    def left_s(self, remaining: int, in_flight: int) -> float | None:
        """Seconds until the rest is done; `None` until a full round of calls ended, or while none do."""
        if not remaining:
            return 0.0
        if self._seen_calls < max(_LEAST_ENDED, in_flight) or self.calls_per_s < 1e-6:
            return None
        return remaining / self.calls_per_s
