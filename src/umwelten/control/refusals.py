"""What a refusal is about, and which part of its lane answers it.

Theory of operation. A refusal that states an empty budget needs no guessing. Any other is judged by the
height at which its call was started, that is, by how many were in flight with it. Where nobody had been
admitted before, it is taken for a cap on calls in flight, and the limit is set below it. Where calls had
been admitted before, time is what counts: the limit goes back to where it was, and the estimator or the
gate take over. `limit_kind.py` weighs what contradicts the kind that is believed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from umwelten.control.amounts import Amounts, Point
from umwelten.control.gate import Gate
from umwelten.control.knee import Knee
from umwelten.control.limit import Limit, LimitChange, LimitReason
from umwelten.control.limit_kind import RATES, LimitEvidence, LimitKind, stated_kind
from umwelten.control.pacer import NOTHING, Pacer
from umwelten.control.ramp import Ramp
from umwelten.control.told_wait import ToldWait
from umwelten.control.window import Windows
from umwelten.types import RateLimitHints, Resource


class StartSnapshot(msgspec.Struct, frozen=True):
    """A lane's state when a call was started, kept by its lease.

    It was the `number`-th call and the `level`-th in flight; `high` was the greatest level before.
    `need` was reserved for it; `used` was reserved before it, and `refusals` calls had been refused.
    `edge` is the limit's then, and `forecasts` tells which stated budgets would have let it in.
    """

    number: int = 0
    level: int = 1
    high: int = 0
    need: Amounts = (1.0, 0.0, 0.0, 0.0)
    used: Amounts = NOTHING
    refusals: int = 0
    edge: int | None = None
    forecasts: tuple[int, ...] = ()


class RefusedCall(msgspec.Struct, frozen=True):
    """A call that was refused, with what was said; `in_flight` others were under way when that came.

    It started `dry_s` after the last one that was let in; `share` of all calls was refused so far. `fresh`:
    it started after the last refusal was known.
    """

    started_at: float
    now: float
    hints: RateLimitHints
    start: StartSnapshot
    in_flight: int
    dry_s: float = 0.0
    share: float = 0.1
    fresh: bool = True


_NO_WINDOW = (LimitKind.CONCURRENCY, LimitKind.TOKENS)

DRY = 6.0
"""Calls that a known rate would have let in meanwhile: then another limit holds, which the gate waits for."""


@dataclass(slots=True)
class RefusalDiagnosis:
    """See the module's text. `kind` is the limit that is believed in; the parts are those of its lane.

    `first` and `last` are the refusals, the first of them so many seconds after the first call.
    """

    limit: Limit
    ramp: Ramp
    gate: Gate
    pacer: Pacer
    knee: Knee | None = None
    kind: LimitKind = LimitKind.NONE
    evidence: LimitEvidence = field(default_factory=LimitEvidence)
    windows: Windows = field(default_factory=Windows)
    told: ToldWait = field(default_factory=ToldWait)
    first: Point | None = None
    last: Point | None = None
    first_after_s: float = 0.0

    # --- what is admitted --------------------------------------------------------------------

    def on_start(self, now: float, level: int, *, test: bool = False) -> tuple[int, int | None]:
        """Note a call that starts as the `level`-th; return the greatest level before, and the edge.

        A `test` goes beyond what is believed, and its height says nothing.
        """
        high = self.evidence.high
        level = min(level, high) if test else level
        edge = self.limit.edge if self.kind is LimitKind.CONCURRENCY else None
        self.evidence.on_start(level, now, edge)
        self.windows.on_start(now)
        return high, edge

    def on_answer(self, started_at: float, now: float, start: StartSnapshot) -> bool:
        """Note a call that was admitted; True once that contradicts a cap: see `take_for_rate`."""
        self.evidence.on_answer(start.level)
        if self.kind is not LimitKind.CONCURRENCY:
            return False
        if started_at > self.limit.cut_at and start.level == self.limit.slots:
            self.evidence.note_fit()
        return self.evidence.note_rise(now, self.gate.refusal_s)

    def take_for_rate(self, now: float) -> LimitChange | None:
        """Believe that time is what counts. Whether earlier points tell the rate or not, start with few."""
        self.kind = LimitKind.RATE
        self.pacer.estimator.learn(now)
        self.start_small(now)
        return self._restore()

    def take_for_queue(self) -> None:
        """Believe that the server queues what is too much."""
        self.kind = LimitKind.QUEUE

    def take_back(self, started_at: float) -> None:
        """Take a call that was refused for nothing out of what is counted."""
        self.gate.take_back(started_at)
        self.windows.take_back(started_at)

    def forget(self) -> LimitChange | None:
        """Drop all that was learnt from refusals."""
        self.kind, self.evidence = LimitKind.NONE, LimitEvidence(spread=self.evidence.spread)
        self.pacer.estimator.forget()
        self.gate.reopen()
        self.windows.forget()
        self.limit.free()
        return LimitChange(self.limit.value, LimitReason.NOT_CONCURRENCY)

    def end_watch(self, knee: Knee) -> None:
        """Judge refusals as those of any provider; a level that was found stays the most in flight."""
        self.knee = None
        if knee.settled:
            self.limit.ceiling, self.kind = knee.level, LimitKind.NONE

    def start_small(self, now: float) -> None:
        """Start with two calls, twice as many whenever refusals of those before would be in."""
        self.ramp.begin(now, 2.0, max(0.05, 2 * self.gate.refusal_s))

    @property
    def leads(self) -> bool:
        """Return whether a window paces the lane: not while a cap does, nor where tokens are counted."""
        if self.windows.lead is None or self.kind in _NO_WINDOW:
            return False
        return not self.pacer.by_tokens

    @property
    def held(self) -> bool:
        """Return whether a belief paces the lane that does not try for more by itself."""
        return bool(self.pacer.stated) or self.leads

    def certain(self, now: float) -> bool:
        """Return whether what holds the lane has proven to be true."""
        if self.pacer.proven or self.gate.exact or self.told.earliest_start(now) > now:
            return True
        return self.leads and self.windows.certain

    # --- what is refused -------------------------------------------------------------------

    def on_refusal(self, call: RefusedCall) -> LimitChange | None:
        """Tell what the refusal is about and let that part react."""
        self.ramp.end(call.now)
        self._note_span(call)
        self.gate.take_back(call.started_at)
        self.gate.note_refusal_time(call.now - call.started_at)
        self.limit.allow_for(self.gate.refusal_s)
        self.pacer.estimator.allow_for(self.gate.refusal_s)
        self.windows.refusal_s = self.gate.refusal_s
        self.windows.take_back(call.started_at)
        self.told.on_refusal(call.now, call.hints.retry_after_s)
        if self.told.exact:
            self.windows.told_at = self.told.until
        if self.knee is not None:
            return self.cut(call.started_at, call.now, LimitReason.RATE_LIMIT)
        stated = self.pacer.stated_empty(call.hints, call.start.need)
        if stated in (None, Resource.REQUESTS) and self._explained_by_window(call):
            self.kind = LimitKind.WINDOW
            self.gate.reopen()
            return self._restore()
        if stated is not None:
            self._note_point(call)
            self.kind = LimitKind.RATE if stated is Resource.REQUESTS else LimitKind.TOKENS
            return self._restore()
        if stated_kind(call.hints) is LimitKind.CONCURRENCY:
            self.kind = LimitKind.CONCURRENCY
            return self._on_full_cap(call)
        if self.kind in RATES:
            return self._on_empty_rate(call)
        return self._on_unstated(call)

    def _explained_by_window(self, call: RefusedCall) -> bool:
        """Tell the windows, which count requests; True if the one that paces the lane foretold that."""
        led = self.leads
        explained = self.windows.on_refusal(call.started_at, call.share, fresh=call.fresh)
        if led and not self.leads:
            self.start_small(call.now)
        return explained and not self.pacer.proven and self.kind is not LimitKind.CONCURRENCY

    def _on_unstated(self, call: RefusedCall) -> LimitChange | None:
        """Nothing says what it is about, and no rate is known: a cap, unless too much contradicts it."""
        self._note_point(call)
        if self.evidence.on_refusal(call.started_at, call.start.level):
            return self._turn_into_rate(call)
        if self._fits_a_cap(call, self.evidence.spread):
            capped = self.kind is LimitKind.CONCURRENCY
            if capped and not self._fits_a_cap(call, 0) and self.evidence.note_doubt():
                return self._turn_into_rate(call)
            self.kind = LimitKind.CONCURRENCY
            return self._on_full_cap(call)
        if self.evidence.sure and call.started_at <= self.limit.cut_at:
            return None
        if self.evidence.note_surprise(call.start.level, call.start.edge):
            return self._turn_into_rate(call)
        if self.evidence.sure:
            return self._on_smaller_cap(call)
        return self._on_full_cap(call) if self.kind is LimitKind.CONCURRENCY else None

    def _turn_into_rate(self, call: RefusedCall) -> LimitChange | None:
        change = self.take_for_rate(call.now)
        return self._on_empty_rate(call) or change

    def _fits_a_cap(self, call: RefusedCall, spread: int) -> bool:
        """Return whether a cap on calls in flight would refuse there or `spread` higher, or well might."""
        if self.limit.edge is not None and call.started_at <= self.limit.cut_at + self._grace_s:
            return True
        level, high, edge = call.start.level + spread, call.start.high, call.start.edge
        if edge is None:
            # Answers on their way make us count a few more in flight than there are.
            new = level > high or not self.evidence.proven
            return new and self.kind is LimitKind.NONE and level > 0.9 * high
        return level >= (0.9 * edge - 1 if self.evidence.sure else edge) or level > high

    def _on_full_cap(self, call: RefusedCall) -> LimitChange | None:
        before, evidence = self.limit.value, self.evidence
        cut = self.limit.cut_to_edge(
            call.start.level, call.in_flight, call.started_at, call.now, self._grace_s
        )
        if cut and not evidence.sure:
            # Until all refusals of this episode are in, nobody knows how many calls were admitted.
            few = max(2.0, 0.1 * self.limit.value)
            self.ramp.begin(call.now + self._grace_s, few, max(0.05, 2 * self.gate.refusal_s))
        if self.limit.edge is not None:
            evidence.set_high(min(evidence.high, self.limit.edge - 1))
        moved = cut or self.limit.value != before
        return LimitChange(self.limit.value, LimitReason.CONCURRENCY) if moved else None

    def _on_smaller_cap(self, call: RefusedCall) -> LimitChange | None:
        """A cap that was sure admits fewer than before."""
        if not self.limit.halve_edge(call.started_at, call.now):
            return None
        self.evidence.set_high(self.limit.slots)
        return LimitChange(self.limit.value, LimitReason.CONCURRENCY)

    def _on_empty_rate(self, call: RefusedCall) -> LimitChange | None:
        gate, estimator, hint = self.gate, self.pacer.estimator, call.hints.retry_after_s
        self._note_point(call)
        # While nothing is admitted, the limit goes down as well; the gate's opening brings it back.
        tried = gate.closed and not gate.exact
        change = self.cut(call.started_at, call.now, LimitReason.RATE_LIMIT) if tried else None
        if gate.closed or self._is_dry(call):
            gate.on_refusal(call.started_at, call.now, hint)
        elif estimator.on_refusal(call.started_at, call.now, hint):
            self.kind = LimitKind.BUCKET if estimator.by == 0 else LimitKind.TOKENS
        else:
            gate.on_refusal(call.started_at, call.now, hint)
            estimator.suspend()
        return change

    def _is_dry(self, call: RefusedCall) -> bool:
        """Return whether nothing was let in for so long that no bucket of the rate that is known did it."""
        pace = self.pacer.estimator.pace
        return pace is not None and call.dry_s > max(1.0, DRY / pace)

    def on_opened(self, now: float) -> None:
        """Calls are let in again: if a window was met, that is known now."""
        if self.gate.found is not None:
            self.windows.found(*self.gate.found)
            self.gate.found = None
            self.pacer.estimator.points.clear()
        self.start_small(now)

    def cut(self, started_at: float, now: float, reason: LimitReason) -> LimitChange | None:
        """Halve the limit, for a level that the server can't take."""
        if not self.limit.halve(started_at, now):
            return None
        if self.knee is not None:
            self.knee.hold_at_most(self.limit.slots)
        return LimitChange(self.limit.value, reason)

    @property
    def _grace_s(self) -> float:
        """Refusals of calls that left before a cut was known are in by then."""
        return 1.5 * self.gate.refusal_s

    def _restore(self) -> LimitChange | None:
        return LimitChange(self.limit.value, LimitReason.NOT_CONCURRENCY) if self.limit.restore() else None

    def _note_point(self, call: RefusedCall) -> None:
        """The provider was empty when that call started."""
        self.pacer.estimator.note(self._point(call))

    def _note_span(self, call: RefusedCall) -> None:
        episode, self.last = self.first is self.last, self._point(call)
        # Only with the last of them is it known what was let in before the first.
        if self.first is None or (episode and not call.fresh):
            self.first, self.first_after_s = self.last, self.windows.age(call.started_at)

    def _point(self, call: RefusedCall) -> Point:
        start = call.start
        taken = self.pacer.let_in_before(start.used, start.number, start.refusals)
        return Point(call.started_at, taken, start.number)
