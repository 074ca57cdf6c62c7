"""Windows that may be what a lane has met: so many calls in any so many seconds, by the lane's own log of
starts.

Theory of operation. A limit by windows is a load and an edge: the load of a call is how many others started
in the
`period_s` before it, and it is let in below the edge. Whether the window slides or starts anew at fixed
times, a
lane that never starts more than that in any such time is never refused for long, and loses nothing once the
two
have fallen into step.

A window that starts anew at fixed times is foretold better by those: they lie between the last call that was
refused and the first that was let in, each time that it reopens. A length for which all reopenings agree is a
hypothesis of its own (`Fixed`).

There is a hypothesis for each usual length, and for others that the gate measured (`gate.py`) or headers
stated.
Each keeps the largest load that was let in (`lo`) and the smallest that was refused (`top`), and is scored
by how
much better it foretold calls than their frequency does. The best takes the lead once it has explained several
refusals, and loses it when it has not.

The lane's clock is not the provider's: a refused call is judged at the largest load that it may have had,
given
the jitter of the way there, one let in at the smallest, so that the true window is hardly ever contradicted.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

USUAL = (1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Lengths of windows that providers use."""

JITTER = 0.3
"""Times the time of a refusal: so much calls may change places on their way. At 0 the true window is
contradicted
by every burst."""

LEAST_JITTER_S = 0.005

LEAD = 3.0
"""Nats better than the frequency that give the lead: two refusals foretold, and no call let in against it."""

LOSE = -0.5
"""And that take it away."""

NEARLY = 1.5
"""Nats by which windows may differ that foretell as well as each other."""

BEST = 10.0
"""Nats that are kept: some five errors end any lead."""

ERROR = 2.0
"""Less of them are kept after each error."""

KNOWN = 0.01
"""Nats for a call let in below the edge."""

FORGIVEN = 0.002
"""And more after each call foretold."""

COMMANDED = -2.0
"""For a refusal of a call that the window that leads let go, and not to try for more: a bucket is well
described by windows, which then are refused at their own edge for ever."""

REOPENED = 5.0
"""Nats by which a fixed window foretold reopenings better than chance, none amiss, before it leads. At two
reopenings whatever their width a window of 1 s takes `bucket_100_blind` to 0.72 and 0.063."""

MOST_REOPENED = 3.0
"""Nats of one reopening."""

PLAIN = 10
"""Calls of a window that is believed in once it was met: a bucket may let in a few at once, and then none
for long."""

FEWEST = 4
"""Calls that make a window: one call in ten seconds is a rate, and better measured as one."""

EXPLAINED = 3
"""Refused episodes that a window must explain before it leads: one is explained by each of them."""

MORE = 64
"""Calls let in without a refusal after which one more than the edge is tried, or as many as the window
holds twice."""

_KEEP = 8192
"""Starts in the log: larger windows are no limit to one process."""

_ODD = 5
"""Lengths that are not usual and are looked at, at most."""


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


@dataclass(slots=True)
class Windows:
    """See the module's text. `refusal_s` is how long refusals take."""

    refusal_s: float = 0.1
    lead: Slide | None = None
    slides: list[Slide] = field(default_factory=list)
    _awake: list[Slide] = field(default_factory=list)
    _starts: list[float] = field(default_factory=list)
    _first: float | None = None
    _refused_at: float = -math.inf

    @property
    def jitter_s(self) -> float:
        """Return by how much a call may be earlier or later than the log says."""
        return max(LEAST_JITTER_S, JITTER * self.refusal_s)

    def earliest_start(self, now: float) -> float:
        """Return when the next call may start, by the window that leads."""
        lead = self.lead
        if lead is None:
            return now
        size = lead.size
        if len(self._starts) < size:
            return now
        if isinstance(lead, Fixed):
            begun = lead.begun(now - self.jitter_s, late=True)
            used = len(self._starts) - bisect_left(self._starts, begun)
            return now if used < size else begun + lead.period_s + self.jitter_s
        return max(now, self._starts[-size] + lead.period_s + self.jitter_s)

    @property
    def certain(self) -> bool:
        """Return whether the window that leads has foretold so much that nothing else need be tried."""
        return self.lead is not None and self.lead.score > 2 * LEAD

    # --- learning --------------------------------------------------------------------------

    def on_start(self, now: float) -> None:
        """Note a call that starts."""
        self._starts.append(now)
        if self._first is None:
            self._first = now
        if len(self._starts) > 2 * _KEEP:
            del self._starts[:_KEEP]

    def take_back(self, started_at: float) -> None:
        """Take a call out that was refused, or ended before it was counted."""
        i = bisect_left(self._starts, started_at)
        if i < len(self._starts) and self._starts[i] == started_at:
            del self._starts[i]

    def found(self, size: int, period_s: float) -> None:
        """Believe in a window that was met: so many calls were let in, then none until it began anew."""
        self.look_at(period_s)
        if size >= PLAIN:
            slide = next(s for s in self.slides if abs(s.period_s - period_s) < 0.02 * period_s)
            slide.score, slide.explained = max(slide.score, min(slide.best, 2 * LEAD)), EXPLAINED
            if slide.leads and (self.lead is None or slide.score > self.lead.score):
                self.lead = slide

    def look_at(self, period_s: float) -> None:
        """Consider windows of that length as well."""
        if not self.slides:
            self._begin()
        if any(abs(slide.period_s - period_s) < 0.02 * period_s for slide in self.slides):
            return
        odd = [slide for slide in self.slides if slide.period_s not in USUAL]
        if len(odd) >= _ODD:
            worst = min(odd, key=_score)
            if worst is self.lead:
                return
            self.slides.remove(worst)
        self.slides += [self._new(period_s), Fixed(period_s, lo=1)]
        self._wake()

    def on_let_in(self, started_at: float, share: float) -> None:
        """Note a call that was let in."""
        if not self.slides:
            return
        starts, jitter_s = self._starts, self.jitter_s
        upto = bisect_left(starts, started_at - jitter_s)
        self._reopen(started_at)
        for slide in self._awake:
            begun = started_at - slide.period_s
            if type(slide) is Fixed:
                begun = slide.begun(started_at + jitter_s, late=True)
            load = upto - bisect_right(starts, begun + jitter_s)
            slide.on_let_in(load if load > 0 else 0, share)
        if self.lead is not None:
            self.lead.try_more()
            if self.lead.score < LOSE:
                self._choose(started_at)

    def on_refusal(self, started_at: float, share: float, *, fresh: bool) -> bool:
        """Note a refusal, after its call was taken back; True if the window that leads explains it."""
        if not self.slides:
            self._begin()
        starts, jitter_s = self._starts, self.jitter_s
        upto = bisect_right(starts, started_at + jitter_s)
        explained = False
        self._refused_at = max(self._refused_at, started_at)
        for slide in self._awake:
            begun = started_at - slide.period_s
            if isinstance(slide, Fixed):
                begun = slide.begun(started_at - jitter_s, late=False)
            load = upto - bisect_left(starts, begun - jitter_s)
            if slide is self.lead:
                explained = load >= slide.lo - max(1, slide.lo // 20)
                if fresh and load < slide.lo:
                    slide.mark(COMMANDED)
            slide.on_refusal(load, share, fresh=fresh)
        self._choose(started_at)
        return explained and self.lead is not None

    def _reopen(self, let_in_at: float) -> None:
        """Tell the hypotheses of fixed windows if that call is the first that was let in after a refusal."""
        after, self._refused_at = self._refused_at, -math.inf
        if let_in_at <= after or after == -math.inf:
            self._refused_at = after
            return
        for slide in self.slides:
            if isinstance(slide, Fixed):
                slide.on_reopening(after - self.jitter_s, let_in_at + self.jitter_s)
        self._wake()
        self._choose(let_in_at)

    def forget(self) -> None:
        """Refusals were about something else."""
        self.slides, self._awake, self.lead = [], [], None

    def _choose(self, now: float) -> None:
        if self.lead is not None and (self.lead.score < LOSE or self.lead.size < FEWEST):
            self.lead.explained, self.lead = 0, None
        # A window that has not passed once has not been tried: all that are longer than the run look alike.
        passed = now - (now if self._first is None else self._first)
        fit = [slide for slide in self.slides if slide.period_s < 0.95 * passed and slide.leads]
        if not fit:
            return
        most = max(slide.score for slide in fit)
        # Of those that foretell as well the least strict is taken, which is soon refuted if it errs; and of
        # those the shortest: two windows look like one of twice the length.
        best = max((slide for slide in fit if slide.score > most - NEARLY), key=_generosity)
        if self.lead is None or best.score > self.lead.score - NEARLY:
            self.lead = best

    def _begin(self) -> None:
        self.slides = [self._new(period_s) for period_s in USUAL]
        self.slides += [Fixed(period_s, lo=1) for period_s in USUAL if period_s < 3600]
        self._wake()

    def _wake(self) -> None:
        """Note which can foretell anything: a fixed window sleeps until it has been seen to begin."""
        self._awake = [s for s in self.slides if not isinstance(s, Fixed) or s.after is not None]

    def _new(self, period_s: float) -> Slide:
        """A hypothesis that knows the largest load that was let in until now."""
        starts, jitter_s = self._starts, self.jitter_s
        upto = bisect_left(starts, starts[-1] - 2 * self.refusal_s) if starts else 0
        most = first = 0
        for i in range(max(0, upto - 2000), upto):
            while starts[first] <= starts[i] - period_s + jitter_s:
                first += 1
            most = max(most, i - first)
        return Slide(period_s, lo=most + 1)


def _score(slide: Slide) -> float:
    return slide.score


def _generosity(slide: Slide) -> tuple[float, float]:
    return round(math.log(slide.size / slide.period_s), 1), -slide.period_s
