"""Until when nothing is let in, by what refusals say (`Retry-After`), once that is known to be exact.

Theory of operation. A hint is a time from now, so the hints of one closure that are exact name one moment:
each is shorter than the one before by the time between them. One that is padded, rounded or a constant does
not do that, which a few refusals of one burst tell already. Until the moment that exact hints name nothing
goes, and no probe is lost. A call that is let in well before it refutes them.
"""

from __future__ import annotations

from dataclasses import dataclass

SOON_S = 0.01
"""Hints nearer to each other than that say nothing: the way back of refusals differs by as much."""

AGREE = 0.2
"""Of the time between two hints by which the moments that they name may differ."""

WHOLE_S = 0.05
"""By which they may always differ once `LONG_S` lie between them: answers overtake each other."""

LONG_S = 0.25

SURE = 2
"""Pairs that agree, less those that don't, that make hints exact."""

SHORT_S = 0.5
"""A shorter hint is over before it matters."""

MARGIN_S = 0.03
"""A call goes that long after the moment: one that is early is refused, and hints are rounded."""

LATE = 0.1
"""Of a hint by which a call may be let in early without refuting it, or `MARGIN_S`."""


@dataclass(slots=True)
class ToldWait:
    """See the module's text. `until` is the moment that the last hint named."""

    until: float = float("-inf")
    score: int = 0
    _first: tuple[float, float] | None = None
    _asked_s: float = 0.0

    @property
    def exact(self) -> bool:
        """Return whether hints name the moment at which calls are let in again."""
        return self.score >= SURE

    def earliest_start(self, now: float) -> float:
        """Return when the next call may start, by exact hints."""
        return max(now, self.until + MARGIN_S) if self.exact and self._first is not None else now

    def on_refusal(self, now: float, hint: float | None) -> None:
        """Note a refusal and the seconds that it asks to wait."""
        if hint is None or hint < SHORT_S:
            return
        end = now + hint
        if self._first is None or end > self.until + max(1.0, hint):
            self._first = (now, end)
        else:
            passed = now - self._first[0]
            if passed >= SOON_S:
                allowed = AGREE * passed if passed < LONG_S else max(WHOLE_S, 0.5 * AGREE * passed)
                self._score(agrees=abs(end - self._first[1]) < allowed)
        self.until, self._asked_s = end, hint

    def on_let_in(self, started_at: float) -> None:
        """Note a call that was let in: that ends the closure, and refutes hints that named a later moment."""
        if self._first is None or started_at <= self._first[0]:
            return
        if started_at < self.until - max(MARGIN_S, LATE * self._asked_s):
            self.score = -SURE
        self._first = None

    def _score(self, *, agrees: bool) -> None:
        self.score = max(-SURE, min(3 * SURE, self.score + (1 if agrees else -1)))
