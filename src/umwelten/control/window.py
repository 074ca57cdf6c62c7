"""Windows that may be what a lane has met: so many calls in any so many seconds, by the lane's own log of
starts.

Theory of operation. A limit by windows is a load and an edge: the load of a call is how many others started
in the `period_s` before it, and it is let in below the edge. Whether the window slides or starts anew at
fixed times, a lane that never starts more than that in any such time is never refused for long, and loses
nothing once the two have fallen into step.

A window that starts anew at fixed times is foretold better by those: they lie between the last call that was
refused and the first that was let in, each time that it reopens. A length for which all reopenings agree is a
hypothesis of its own (`Fixed`).

There is a hypothesis for each usual length, and for others that the gate measured (`gate.py`) or headers
stated. Each keeps the largest load that was let in (`lo`) and the smallest that was refused (`top`), and is
scored by how much better it foretold calls than their frequency does. The best takes the lead once it has
explained several refusals, and loses it when it has not.

The lane's clock is not the provider's: a refused call is judged at the largest load that it may have had,
given the jitter of the way there, one let in at the smallest, so that the true window is hardly ever
contradicted.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field

from umwelten.control.slide import EXPLAINED, FEWEST, LEAD, Fixed, Slide

USUAL = (1.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Lengths of windows that providers use."""

JITTER = 0.3
"""Times the time of a refusal: so much calls may change places on their way. At 0 the true window is
contradicted by every burst."""

LEAST_JITTER_S = 0.005

LEAST_PERIOD_S = 0.9
"""A shorter window is a rate."""

LOSE = -0.5
"""And that take it away."""

NEARLY = 1.5
"""Nats by which windows may differ that foretell as well as each other."""

COMMANDED = -2.0
"""For a refusal of a call that the window that leads let go, and not to try for more: a bucket is well
described by windows, which then are refused at their own edge for ever."""

TOO_SHORT = -2.5
"""For a window that is shorter than exact hints say that the closure lasts."""

PLAIN = 10
"""Calls of a window that is believed in once it was met: a bucket may let in a few at once, and then none
for long."""

_KEEP = 8192
"""Starts in the log: larger windows are no limit to one process."""

_ODD = 5
"""Lengths that are not usual and are looked at, at most."""


@dataclass(slots=True)
class Windows:
    """See the module's text. `refusal_s` is how long refusals take, `told_at` a reopening by exact hints."""

    refusal_s: float = 0.1
    lead: Slide | None = None
    told_at: float = -math.inf
    slides: list[Slide] = field(default_factory=list)
    _awake: list[Slide] = field(default_factory=list)
    _starts: list[float] = field(default_factory=list)
    _let_in: list[float] = field(default_factory=list)
    _first: float | None = None
    _refused_at: float = -math.inf
    _last_told: float = -math.inf

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

    def age(self, now: float) -> float:
        """Return how long ago the first call started."""
        return 0.0 if self._first is None else now - self._first

    @property
    def explained(self) -> int:
        """Return how many refused episodes the window that leads has explained."""
        return 0 if self.lead is None else self.lead.explained

    # --- learning --------------------------------------------------------------------------

    def on_start(self, now: float) -> None:
        """Note a call that starts."""
        self._starts.append(now)
        if self._first is None:
            self._first = now
        for log in (self._starts, self._let_in):
            if len(log) > 2 * _KEEP:
                del log[:_KEEP]

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

    def begin_from(self, size: int, period_s: float) -> None:
        """Believe in a window that an earlier run found."""
        self.look_at(period_s)
        slide = next(s for s in self.slides if abs(s.period_s - period_s) < 0.02 * period_s)
        slide.lo, slide.refused, slide.score, slide.explained = size, [size], 2 * LEAD, EXPLAINED
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
        let_in = self._let_in
        insort(let_in, started_at)
        last = bisect_right(let_in, started_at)
        self._reopen(started_at)
        for slide in self._awake:
            begun = started_at - slide.period_s
            if type(slide) is Fixed:
                begun = slide.begun(started_at + jitter_s, late=True)
            begun += jitter_s
            load = upto - bisect_right(starts, begun)
            slide.on_let_in(load if load > 0 else 0, share)
            slide.prove(last - bisect_right(let_in, begun))
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
            if fresh and self.told_at - started_at > 1.1 * slide.period_s + jitter_s:
                # Exact hints name a moment at which a window so short would long have begun anew.
                slide.mark(TOO_SHORT)
        self._choose(started_at)
        return explained and self.lead is not None

    def _reopen(self, let_in_at: float) -> None:
        """Tell the hypotheses of fixed windows if that call is the first that was let in after a refusal."""
        after, self._refused_at = self._refused_at, -math.inf
        if let_in_at <= after or after == -math.inf:
            self._refused_at = after
            return
        upto = let_in_at
        if after < self.told_at <= let_in_at:
            # Exact hints named the moment.
            after = upto = self.told_at
            if self.told_at - self._last_told >= LEAST_PERIOD_S and self._last_told > -math.inf:
                self.look_at(self.told_at - self._last_told)
            self._last_told = self.told_at
        for slide in self.slides:
            if isinstance(slide, Fixed):
                slide.on_reopening(after - self.jitter_s, upto + self.jitter_s)
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
