"""A lane that was refused although nothing says when it may continue: closed, and tried from time to time.

Theory of operation. While closed, one probe at a time is let out. When the next one goes depends on what
the refusals said:

- hints that agree on one moment (each shorter than the one before by the time between them) are exact:
  the next probe goes then, and none before;
- hints that don't agree are not believed, yet not ignored: a probe goes when they say, and others at
  doubling distances before, since a padded hint on a bucket would waste nine tenths of its capacity;
- without hints the distances grow with the time since the closing, by a fifth of it, never more than
  30 s, so that the lateness of the reopening stays in proportion to the wait. Probes also go when
  windows of the usual lengths would end.

A probe that is not refused within twice the time that refusals usually take counts as admitted. Then
more follow, twice as many in each such time, until something is refused again.

A lane that was closed for much longer than its calls had been apart has met a window: a bucket that
needs a second for one call gives no hundred calls in the next. What the window admitted and how long
after its start it began anew are told to `window.py`. Periods that nearly match a usual one (a second, a
minute, an hour) are taken for it.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PROBE_S = 0.25
"""From the closing to the first probe. At 2 `window_minute` is refused 0.016 a call, not 0.020; not sensitive
down to 0.05."""

LONGEST_GAP_S = 30.0
"""Between probes, at most. At 2 `window_long` is refused 0.018 a call, not 0.011; not sensitive up to 90."""

GROWTH = 0.2
"""Gap between probes by the time since the closing. At 0.4 `window_minute` falls from 0.98 to 0.94, at 0.1 it
is refused 0.025 a call, not 0.020."""

APART = 5.0
"""A closure so much longer than the calls were apart was a window's. Not sensitive from 1 to 100 in any
cell."""

FEWEST = 4
"""Calls that make a window. One call in ten seconds is a rate: taken for a window it is refused three times a
call, for ever."""

_USUAL = (1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 600.0, 3600.0)
"""Lengths of windows that providers use. Without them `window_minute` falls from 0.98 to 0.95."""

_GUESSES = (10.0, 60.0, 3600.0)
"""Lengths after which a probe goes unasked. Without 60 `window_long` falls from 1.00 to 0.97, without 10
`window_minute` from 0.98 to 0.96."""

_LATE_S = 0.05
"""A probe goes so much after its moment. At 0.1 `sliding` is refused 0.007 a call, not 0.020; at 0.02
0.016."""


@dataclass(slots=True)
class Gate:
    """See the module's text. `used` calls were admitted since `start`; `found` is a window: size and length.

    `refusal_s` is how long refusals take to come back.
    """

    closed_at: float | None = None
    refusal_s: float = 0.1
    exact: bool = False
    start: float | None = None
    used: int = 0
    found: tuple[int, float] | None = None
    _refusals: int = 0
    _probe_at: float | None = None
    _next: float = 0.0
    _refused_at: float = 0.0
    _first_hint: tuple[float, float] | None = None
    _before: tuple[float, float, int] | None = None

    # --- asking ----------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Only probes go out."""
        return self.closed_at is not None

    @property
    def let_in(self) -> int:
        """Calls since `start` that were not refused."""
        return self.used - self._refusals

    def take_back(self, started_at: float) -> None:
        """Uncount a call that was refused after it had been counted."""
        probe = self._probe_at is not None and started_at >= self._probe_at
        if self.start is not None and started_at >= self.start - 1e-9 and not probe:
            self._refusals += 1
            if self._before is not None and self.let_in <= 0 and self.closed_at is None:
                # It had not opened: the refusal of its probe took longer than any before.
                (self.closed_at, self.start, self.used), self._refusals = self._before, 0
                self._before = None

    def earliest_start(self, now: float) -> float:
        """Return when the next call may start."""
        if self.closed_at is None:
            return now
        if self._probe_at is not None:
            return max(now, self._probe_at + 2 * self.refusal_s)
        return max(now, self._next)

    # --- learning --------------------------------------------------------------------------

    def note_refusal_time(self, took_s: float) -> None:
        """A refusal came after that long: the slowest of late counts."""
        self.refusal_s = max(0.8 * self.refusal_s, min(1.0, took_s), 0.02)

    def on_start(self, now: float) -> None:
        """Note a call that starts: a probe, or the first after a closure, or any other."""
        if self.start is None:
            self.start = now
        if self.closed_at is not None:
            if self._probe_at is None:
                self._probe_at = now
                return
            self._open(self._probe_at)
        self.used += 1

    def on_answer(self, started_at: float) -> None:
        """Note that a call was admitted after all: that opens the gate."""
        if self.closed_at is not None and started_at > max(self._refused_at, self.closed_at):
            self._open(started_at)

    def on_refusal(self, started_at: float, now: float, hint: float | None) -> None:
        """Note a refusal: the lane closes, or stays closed."""
        if self.closed_at is None:
            self.closed_at, self._first_hint = started_at, None
        if self._probe_at is not None and started_at >= self._probe_at:
            self._probe_at = None
        self._refused_at = max(self._refused_at, started_at)
        self._note_hint(now, hint)
        self._next = self._plan(now, hint)

    def lose_probe(self) -> None:
        """Have another go: of the probe nothing will be heard."""
        self._probe_at = None

    def on_release(self, started_at: float) -> None:
        """Note a call that ended and says nothing: if it was the probe, another will go."""
        if started_at == self._probe_at:
            self._probe_at = None

    def reopen(self) -> None:
        """Forget that anything was refused."""
        self.closed_at = self._probe_at = self.start = self.found = self._before = None
        self.used = self._refusals = 0
        self.exact = False

    def _open(self, at: float) -> None:
        assert self.closed_at is not None
        if self.start is None:
            self.start = self.closed_at
        shut, old = at - self.closed_at, self.start
        let_in, self._refusals = self.let_in, 0
        self._before = self.closed_at, old, let_in
        self.closed_at = self._probe_at = None
        self.start, self.used = at, 1
        burst = at - shut - old
        if let_in >= FEWEST and shut > 1.0 and shut >= APART * burst / let_in:
            self.found = let_in, _usual(self._refused_at - old, at - old)

    def _note_hint(self, now: float, hint: float | None) -> None:
        if hint is None:
            return
        if self._first_hint is None:
            self._first_hint = (now, now + hint)
        passed = now - self._first_hint[0]
        if passed >= FIRST_PROBE_S and hint > 1.0:
            self.exact = abs(now + hint - self._first_hint[1]) < max(0.05, 0.1 * passed)

    def _plan(self, now: float, hint: float | None) -> float:
        """When the next probe goes."""
        assert self.closed_at is not None
        if hint is not None and self.exact:
            return now + hint + _LATE_S
        elapsed = now - self.closed_at
        first = FIRST_PROBE_S if hint is None else min(FIRST_PROBE_S, max(hint, _LATE_S))
        gap = max(first, GROWTH * elapsed)
        if hint is not None:
            # A long hint may be the truth: look in more rarely than without any, and when it says.
            gap = (
                max(hint, gap) if hint <= max(1.0, gap) else min(max(FIRST_PROBE_S, elapsed), hint + _LATE_S)
            )
        return min([now + min(LONGEST_GAP_S, gap), *self._ends(now)])

    def _ends(self, now: float) -> list[float]:
        """Moments at which windows of usual lengths would start anew."""
        if self.start is None:
            return []
        return [at for length in _GUESSES if (at := self.start + length + _LATE_S) > now]


def _usual(low: float, high: float) -> float:
    """A usual length of windows between two bounds, else the upper bound."""
    for length in reversed(_USUAL):
        if low <= length <= high + 0.02 * length + 2 * _LATE_S:
            return length
    return high
