"""How fast things go lately, and since they began."""

from __future__ import annotations

LEAST_HALF_LIFE_S = 15.0
"""Shorter, and the rate of a batch whose calls end in bursts jumps with each of them."""


class Pace:
    """Rates that forget with time: the overall mean at first, ever more the recent past later.

    `now` is seconds of any clock that only moves on. The half-life is three mean call times, at least
    15 s, so that calls that end in bursts don't make the rate jump; with `memory`, it is at least that share
    of the time since the beginning as well, so that neither do limits that let calls in once a minute.
    """

    def __init__(self, now: float, memory: float = 0.0) -> None:
        self._began = self._now = self._ended_at = now
        self._memory = memory
        self._time = self._calls = self._tokens = self._busy_s = self._flying_s = 0.0
        self._first = 1.0  # what is left of the weight of the beginning
        self._seen_calls = self._seen_tokens = self._in_flight = 0
        self._seen_busy_s = 0.0
        self._is_begun = False

    def look(
        self,
        now: float,
        calls: int,
        tokens: int,
        busy_s: float = 0.0,
        in_flight: int = 0,
    ) -> None:
        """Take in the totals so far: calls that ended, tokens they wrote, and the time of these calls.

        There may be fewer than before, where calls that had failed are made again.
        """
        passed = now - self._now
        if passed <= 0:
            return
        if not self._is_begun and not calls and not in_flight:
            # A model whose turn comes later begins then.
            self._began = self._now = self._ended_at = now
            return
        self._is_begun = True
        mean_s = busy_s / calls if calls else 0.0
        least_s = max(LEAST_HALF_LIFE_S, self._memory * (now - self._began))
        kept = 0.5 ** (passed / max(least_s, 3 * mean_s))
        self._time = self._time * kept + passed
        self._calls = self._calls * kept + max(calls - self._seen_calls, 0)
        self._tokens = self._tokens * kept + tokens - self._seen_tokens
        self._busy_s = self._busy_s * kept + busy_s - self._seen_busy_s
        self._flying_s = self._flying_s * kept + passed * (in_flight + self._in_flight) / 2
        self._first *= kept
        self._ended_at = now if calls != self._seen_calls else self._ended_at
        self._now, self._seen_calls, self._seen_tokens = now, calls, tokens
        self._seen_busy_s, self._in_flight = busy_s, in_flight

    @property
    def calls_per_s(self) -> float:
        """Return how many calls ended in a second lately."""
        return self._calls / self._time if self._time else 0.0

    @property
    def tokens_per_s(self) -> float:
        """Return how many tokens they wrote."""
        return self._tokens / self._time if self._time else 0.0

    @property
    def progress_per_s(self) -> float:
        """Return `calls_per_s` with what is half done: at the beginning calls are in flight, none ended."""
        return (self._calls + self._first * self._in_flight / 2) / self._time if self._time else 0.0

    @property
    def call_s(self) -> float:
        """Return how long a call took lately; 0 while none ended."""
        if not self._seen_calls:
            return 0.0
        lately = self._calls > 1e-9  # what ended hours ago is forgotten all but entirely
        mean_s = self._busy_s / self._calls if lately else self._seen_busy_s / self._seen_calls
        return max(mean_s, 1e-6)

    @property
    def in_flight(self) -> float:
        """Return how many calls were in flight lately."""
        return self._flying_s / self._time if self._time else float(self._in_flight)

    @property
    def mean(self) -> tuple[float, float]:
        """Return calls and tokens a second from the beginning to the last call that ended."""
        took_s = self._ended_at - self._began
        return (self._seen_calls / took_s, self._seen_tokens / took_s) if took_s > 0 else (0.0, 0.0)

    @property
    def age_s(self) -> float:
        """Return for how long it has gone on."""
        return self._now - self._began
