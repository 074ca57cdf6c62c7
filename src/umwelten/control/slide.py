"""One window that may be what a lane has met, and how well it foretells calls: see `window.py`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

LEAD = 3.0
"""Nats better than the frequency that give the lead: two refusals foretold, and no call let in against it."""

BEST = 10.0
"""Nats that are kept: some five errors end any lead."""

ERROR = 2.0
"""Less of them are kept after each error."""

FORGIVEN = 0.002
"""And more after each call foretold."""

KNOWN = 0.01
"""Nats for a call let in below the edge."""

REOPENED = 5.0
"""Nats by which a fixed window foretold reopenings better than chance, none amiss, before it leads. At two
reopenings whatever their width a window of 1 s takes `bucket_100_blind` to 0.72 and 0.063."""

MOST_REOPENED = 3.0
"""Nats of one reopening."""

FEWEST = 4
"""Calls that make a window: one call in ten seconds is a rate, and better measured as one."""

EXPLAINED = 3
"""Refused episodes that a window must explain before it leads: one is explained by each of them."""

MORE = 64
"""Calls let in without a refusal after which one more than the edge is tried, or as many as the window
holds twice."""


@dataclass(slots=True)
class Slide:
    """One hypothesis. `lo`: loads below were let in; `refused`: the last loads that were not."""

    period_s: float
    score: float = 0.0
    lo: int = 1
    refused: list[int] = field(default_factory=list)
    explained: int = 0
    since: int = 0
    step: int = 0
    tries: int = 0
    below: int = 0
    best: float = BEST

    @property
    def top(self) -> int | None:
        """Return the smallest load that was refused, bar an outlier."""
        if not self.refused:
            return None
        ordered = sorted(self.refused)
        return ordered[1] if len(ordered) > 3 else ordered[0]

    @property
    def size(self) -> int:
        """Return below which load calls go."""
        top = self.top
        if top is None:
            return max(1, self.lo + self.step)
        if self.since < 24 << min(4, self.tries):
            return max(1, min(self.lo, top))
        return max(1, top + self.step)

    @property
    def leads(self) -> bool:
        """Return whether it has foretold enough to lead."""
        top = self.top
        return self.score >= LEAD and self.explained >= EXPLAINED and (top is None or top >= FEWEST)

    def mark(self, nats: float) -> None:
        """Count what was foretold well (more than 0) or badly."""
        # What all windows foretell alike makes up for no error: only time does.
        self.best = max(0.0, self.best - ERROR) if nats < -1.0 else min(BEST, self.best + FORGIVEN)
        self.score = max(-BEST, min(self.best, self.score + nats))

    def chance(self, load: int) -> float:
        """Return how likely a call of that load is let in."""
        top = self.top
        if load < self.lo:
            return 0.995
        if top is None:
            return max(0.5, 0.98 - 0.48 * (load - self.lo + 1) / (self.lo + 1))
        if load >= top:
            return 0.05
        return 0.95 - 0.8 * (load - self.lo + 1) / (top - self.lo + 1)

    def on_let_in(self, load: int, share: float) -> None:
        """Learn from a call that was let in; `share` of all calls is refused."""
        self.since += 1
        self.below = 0
        if load < self.lo:
            # What goes below every edge is let in by each hypothesis: that speaks for none.
            if self.score < self.best:
                self.score += KNOWN
            if self.best < BEST:
                self.best += FORGIVEN
            return
        chance = self.chance(load) if self.refused else 1.0
        self.lo, self.tries = load + 1, 0
        if self.refused:
            self.mark(max(-2.5, min(KNOWN, math.log(chance / (1.0 - share)))))
            self.refused = [other for other in self.refused if other > load]
        if not self.refused:
            # More than it was ever known to hold: how much more is found by doubling.
            self.step = min(self.lo, 2 * max(1, self.step))

    def prove(self, let_in: int) -> None:
        """Note that so many calls were let in within one window, in whatever order they came."""
        if let_in > self.lo:
            self.lo = let_in
            if self.refused:
                self.refused = [load for load in self.refused if load >= let_in]

    def try_more(self) -> None:
        """Go for one more than is known, after many calls without a refusal."""
        if not self.step and self.since >= max(MORE, 2 * self.lo) << min(4, self.tries):
            self.step = 1

    def on_refusal(self, load: int, share: float, *, fresh: bool) -> None:
        """Learn from a call that was refused; `fresh`: it left after the last refusal was known."""
        chance = self.chance(load)
        gain = math.log((1.0 - chance) / share)
        if fresh or gain < 0:
            self.mark(max(-2.5, min(2.0, gain)))
        if load < self.lo:
            self.below += fresh
            if self.below >= 2:
                # It fell: nobody knows how far.
                self.lo, self.refused, self.below = max(1, load // 2), [max(1, load)], 0
                self.score, self.explained = min(self.score, 0.0), 0
            elif self.lo - load <= max(1, self.lo // 20):
                self.refused = [*self.refused[-5:], self.lo]
            return
        if fresh and chance < 0.5:
            self.explained += 1
        if self.step or self.since >= 24 << min(4, self.tries):
            self.tries += 1
        self.since = self.step = 0
        self.refused = [*self.refused[-5:], load]


@dataclass(slots=True)
class Fixed(Slide):
    """A window that starts anew at `after` < t <= `upto`, and every `period_s` from there; `None`: not
    known."""

    after: float | None = None
    upto: float = 0.0
    reopened: float = 0.0

    @property
    def leads(self) -> bool:
        """Return whether it has foretold enough to lead."""
        return self.reopened >= REOPENED and Slide.leads.__get__(self)

    def begun(self, at: float, *, late: bool) -> float:
        """Return when the window of `at` began; `late`: at the latest, else at the earliest."""
        base = self.upto if late else self.after
        assert base is not None
        return base + math.floor((at - base) / self.period_s) * self.period_s

    def on_reopening(self, after: float, upto: float) -> None:
        """Learn that it started anew in that time."""
        if self.after is None:
            if upto - after < 0.3 * self.period_s:
                self.after, self.upto = after, upto
            return
        turns = round((upto - self.upto) / self.period_s) * self.period_s
        if turns < 0.5 * self.period_s:
            return
        low, high = max(self.after, after - turns), min(self.upto, upto - turns)
        if low < high:
            width = self.upto - self.after + upto - after
            if width < 0.5 * self.period_s:
                # By chance the two would meet as often as they are wide.
                nats = math.log(self.period_s / width)
                self.mark(min(2.0, nats))
                self.reopened += min(MOST_REOPENED, nats)
                self.explained += 1
            self.after, self.upto = low, high
            return
        self.reopened = 0.0
        self.mark(-2.5)
        if upto - after < 0.3 * self.period_s:
            self.after, self.upto = after, upto
