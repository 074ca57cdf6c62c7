"""A provider that answers nothing but errors: how a lane stops hammering it, and notices that it is back.

An outage is told by failures of calls that started after the first of them, with no answer among those.
Then the circuit is open: one probe at a time goes out, at growing distances, at most a second and a half
apart, and the first answer closes it. Probes are attempts like any other, made by all calls in turn; the
rest wait without spending retries. The limit is left alone, so that the lane comes back at full speed.
"""

from __future__ import annotations

from dataclasses import dataclass

NEVER = float("inf")
FEWEST = 20
"""Errors without an answer that open it. At 60 `outage` sees 120 attempts while it lasts, not 105; 5 does as
well."""

FIRST_S = 0.5
"""To the first probe. `outage` falls from 0.94 to 0.92 at 0.1 as well as at 2."""

LONGEST_S = 1.5
"""Between probes, at most. At 5 `outage` falls from 0.94 to 0.93, at 0.5 it sees 121 attempts, not 105."""


@dataclass(slots=True)
class Circuit:
    """See the module's text."""

    open_since: float | None = None
    failures: int = 0
    _first_at: float | None = None
    _probe_at: float | None = None
    _next: float = 0.0
    _gap_s: float = FIRST_S

    def earliest_start(self, now: float) -> float:
        """Return when a call may start."""
        if self.open_since is None:
            return now
        return NEVER if self._probe_at is not None else max(now, self._next)

    def on_start(self, now: float) -> None:
        """Note a call that starts: in an outage it is the probe."""
        if self.open_since is not None:
            self._probe_at = now

    def on_failure(self, started_at: float, now: float, limit: int) -> None:
        """Count a call that met an error of the server, a time-out or no connection."""
        if self._first_at is None:
            self._first_at = started_at
        self.failures += 1
        if self.open_since is None:
            if self.failures >= max(FEWEST, limit // 4):
                self.open_since, self._gap_s = now, FIRST_S
                self._next = now + FIRST_S
        elif started_at == self._probe_at:
            self._retry(now)

    def on_release(self, started_at: float, now: float) -> None:
        """Note a call that ended and says nothing: if it was the probe, another will go."""
        if started_at == self._probe_at:
            self._retry(now)

    def lose_probe(self, now: float) -> None:
        """Have another go: of the probe nothing will be heard."""
        if self._probe_at is not None:
            self._retry(now)

    def _retry(self, now: float) -> None:
        self._probe_at = None
        self._gap_s = min(LONGEST_S, self._gap_s * 1.5)
        self._next = now + self._gap_s

    def on_answer(self, started_at: float) -> bool:
        """Note that a call was answered; True if that closed the circuit."""
        if self._first_at is None or started_at <= self._first_at:
            return False
        was_open = self.open_since is not None
        self.failures, self._first_at, self._probe_at, self.open_since = 0, None, None, None
        return was_open
