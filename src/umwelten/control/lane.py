"""One provider account or host: the calls it has, its limits, and whether it may start one now.

Theory of operation. A lane never acts; it answers. The pool asks `opening(now, job)`: may that call
start, and if not, when? It tells the lane what was started and how that ended. Everything the lane
knows it learnt from those two. Calls that must wait are the pool's matter and hold no slot here.

A call starts when all of these let it:

    limit     how many may be in flight (`limit.py`); for a host in `auto` mode set by the knee (`knee.py`)
    ramp      how fast an untried lane fills up (`ramp.py`)
    pacer     stated budgets, and the rate learnt from refusals (`pacing.py`)
    gate      closed while nothing is let in at all; probes (`gate.py`)
    circuit   open while the provider answers nothing but errors; probes (`circuit.py`)

A refusal first says what it is about (`classify.py`), and only that part reacts. If its headers state an
empty budget, the meter knows the time and nothing else changes. If it came at a height that nobody had
been let in at, it is taken for a cap on calls in flight, and the limit is set below it. If refusals
come where calls had been let in before, time is what counts: the limit goes back to where it was and
the flow or the gate take over. `Retry-After` delays the call that got it; it holds back the lane only as
far as the gate believes it. Errors of the server and time-outs change no limit, ever.

A lane is open until a failure shows that nothing at this account or host can work (key refused, credit
used up, nobody listening). Then it is stopped for the rest of the run; its calls stay pending.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from umwelten.control.attribution import Attribution, Reason, Timesheet
from umwelten.control.circuit import Circuit
from umwelten.control.gate import Gate
from umwelten.control.knee import Knee
from umwelten.control.limit import FIRST_STEP_S, Limit
from umwelten.control.limit_kind import RATES, LimitEvidence, LimitKind, RetryAfterTrust, stated_kind
from umwelten.control.pacer import NOTHING, Pacer, plus
from umwelten.control.ramp import Ramp
from umwelten.control.rate_estimator import Amounts, Point
from umwelten.types import Failure, FailureKind, Outcome, Reply, Resource

NEVER = float("inf")

THROTTLED_TOO_LONG_S = 900.0
"""A lane that has had nothing but refusals for this long is stopped: the run must end some time."""

DOWN_TOO_LONG_S = 300.0
"""So is one that has had nothing but errors."""


class LimitChange(msgspec.Struct, frozen=True):
    """The limit moved, for the record."""

    limit: float
    reason: str


class StartSnapshot(msgspec.Struct, frozen=True):
    """A lane's state when a call was started, kept by its lease.

    It was the `number`-th call and the `level`-th in flight; `high` was the greatest level before.
    `need` was reserved for it; `used` was reserved before it, and `refusals` calls had been refused.
    `edge` is the limit's then.
    """

    number: int = 0
    level: int = 1
    high: int = 0
    need: Amounts = (1.0, 0.0, 0.0, 0.0)
    used: Amounts = NOTHING
    refusals: int = 0
    edge: int | None = None


@dataclass(slots=True)
class Lane:
    """See the module's text. `host`: its calls are ordered by model. `group`: the provider's name."""

    name: str
    group: str
    limit: Limit
    host: bool = False
    in_flight: int = 0
    peak: int = 0
    answered: bool = False
    stopped: Failure | None = None
    current: int | None = None
    throttled_since: float | None = None
    waiting_why: str | None = None
    kind: LimitKind = LimitKind.NONE
    why: Reason = Reason.NO_WORK
    pacer: Pacer = field(default_factory=Pacer)
    gate: Gate = field(default_factory=Gate)
    circuit: Circuit = field(default_factory=Circuit)
    ramp: Ramp = field(default_factory=Ramp)
    evidence: LimitEvidence = field(default_factory=LimitEvidence)
    trust: RetryAfterTrust = field(default_factory=RetryAfterTrust)
    timesheet: Timesheet = field(default_factory=Timesheet)
    knee: Knee | None = None
    _number: int = 0

    def __post_init__(self) -> None:
        if self.host and self.limit.slow_start and self.knee is None:
            self.knee = Knee(level=self.limit.slots, ceiling=self.limit.ceiling)

    # --- deciding --------------------------------------------------------------------------

    def opening(self, now: float, input_tokens: int = 0, output_tokens: int | None = None) -> float:
        """When the next call may start: `now`, a later time, or `NEVER` (ask after something ended)."""
        if self.stopped is not None:
            return NEVER
        at = self._room(now)
        self.why = Reason.CONCURRENCY
        if at == NEVER:
            return at
        held = max(self.circuit.opening(now), self.gate.opening(now), self.ramp.opening(now))
        if held > at:
            at = held
            self.why = Reason.BACKOFF if self.circuit.open_since is not None else Reason.REQUESTS
        paced, what = self.pacer.opening(now, self.pacer.need(input_tokens, output_tokens))
        if paced > at:
            at, self.why = paced, Reason.REQUESTS if what is Resource.REQUESTS else Reason.TOKENS
        return at

    def _room(self, now: float) -> float:
        if self.in_flight < max(1, self.limit.slots):
            return now
        return max(now, self.limit.next_step(now)) if self.kind is LimitKind.CONCURRENCY else NEVER

    def started(
        self, now: float = 0.0, input_tokens: int = 0, output_tokens: int | None = None
    ) -> StartSnapshot:
        """A call went out."""
        if self.in_flight >= max(1, self.limit.slots):
            self.limit.step(now)
        self.in_flight += 1
        self._number += 1
        self.peak = max(self.peak, self.in_flight)
        high = self.evidence.high
        edge = self.limit.edge if self.kind is LimitKind.CONCURRENCY else None
        self.evidence.started(self.in_flight, now, edge)
        self.circuit.started(now)
        was_closed = self.gate.closed
        self.gate.started(now)
        if was_closed and not self.gate.closed:
            self.limit.restore()
            self.ramp.begin(now, 2.0, max(0.05, 2 * self.gate.reply_s))
        self.ramp.started(now, self.limit.slots)
        need = self.pacer.need(input_tokens, output_tokens)
        used = self.pacer.used
        self.pacer.take(now, need)
        return StartSnapshot(self._number, self.in_flight, high, need, used, self.pacer.refusals, edge)

    def _is_a_rate(self, now: float) -> LimitChange | None:
        """Time is what counts. Whether points of before tell the rate or not, it starts with few calls."""
        self.kind = LimitKind.RATE
        self.pacer.flow.learn(now)
        self.ramp.begin(now, 2.0, max(0.05, 2 * self.gate.reply_s))
        return self._restored()

    # --- learning --------------------------------------------------------------------------

    def ended(
        self,
        outcome: Reply | Failure | None,
        started_at: float,
        now: float,
        mark: StartSnapshot | None = None,
    ) -> LimitChange | None:
        """A call came back; `None` as outcome: it was cancelled by us and says nothing."""
        mark = mark or StartSnapshot(number=self._number)
        peak, self.peak = self.peak, self.in_flight
        self.in_flight -= 1
        if outcome is None:
            self.pacer.refund(now, mark.need)
            self.circuit.released(started_at, now)
            return None
        if isinstance(outcome, Reply) or outcome.kind is FailureKind.SCHEMA:
            # An answer in another shape than asked for is one to everything that is counted here.
            return self._answered(outcome, started_at, now, mark, peak)
        return self._failed(outcome, started_at, now, mark)

    def _answered(
        self, reply: Outcome, started_at: float, now: float, mark: StartSnapshot, peak: int
    ) -> LimitChange | None:
        self.answered, self.throttled_since, self.waiting_why = True, None, None
        if self.circuit.answered(started_at):
            self.ramp.begin(now, 16.0, max(0.05, self.gate.reply_s))
        self.gate.answered(started_at)
        real = self.pacer.settle(now, mark.need, reply.usage)
        before = self.pacer.let_in(mark.used, mark.number, mark.refusals)
        self.pacer.observe(reply.hints, started_at, plus(before, real), mark.number)
        self.trust.let_in(started_at)
        self.evidence.answered(mark.level)
        if (
            self.kind is LimitKind.CONCURRENCY
            and started_at > self.limit.cut_at
            and mark.level == self.limit.slots
        ):
            self.evidence.fit()
        if self.kind is LimitKind.CONCURRENCY and self.evidence.ended(now, self.gate.reply_s):
            return self._is_a_rate(now)
        if self.knee is not None:
            return self._found(reply, started_at, now, peak)
        if self.limit.succeeded(peak, now):
            return LimitChange(self.limit.value, "slow start" if self.limit.slow_start else "growing")
        return None

    def _found(self, reply: Outcome, started_at: float, now: float, peak: int) -> LimitChange | None:
        assert self.knee is not None
        full = peak >= self.knee.level
        if not self.knee.answered(started_at, now, reply.usage.output_tokens, full):
            return None
        self.limit.value = float(self.knee.level)
        if self.knee.settled:
            self.kind = LimitKind.QUEUE
        return LimitChange(self.limit.value, "queue" if self.knee.settled else "slow start")

    def _failed(
        self, failure: Failure, started_at: float, now: float, mark: StartSnapshot
    ) -> LimitChange | None:
        self.answered = self.answered or failure.status is not None
        if failure.kind is FailureKind.RATE_LIMIT:
            self.pacer.refused(now, mark.need, mark.number)
        else:
            self.pacer.refund(now, mark.need)
        before = self.pacer.let_in(mark.used, mark.number, mark.refusals)
        self.pacer.observe(failure.hints, started_at, before, mark.number)
        if failure.kind is FailureKind.MEMORY:
            self.waiting_why = str(failure.kind)
            return self._cut(started_at, now, str(failure.kind))
        if failure.kind is not FailureKind.RATE_LIMIT:
            self.circuit.released(started_at, now)
            return None
        self.circuit.released(started_at, now)
        if self.throttled_since is None:
            self.throttled_since = now
        self.waiting_why = str(failure.kind)
        return self._refused(failure, started_at, now, mark)

    def _cut(self, started_at: float, now: float, reason: str) -> LimitChange | None:
        if not self.limit.throttled(started_at, now):
            return None
        if self.knee is not None:
            self.knee.level = self.knee.ceiling = max(1, self.limit.slots)
        return LimitChange(self.limit.value, reason)

    # --- refusals --------------------------------------------------------------------------

    def _refused(
        self, failure: Failure, started_at: float, now: float, mark: StartSnapshot
    ) -> LimitChange | None:
        self.ramp.end(now)
        self.gate.took_back(started_at)
        self.trust.told(now, failure.hints.retry_after_s)
        self.gate.reply_s = max(0.8 * self.gate.reply_s, min(1.0, now - started_at), 0.02)
        self.limit.first_step_s = max(FIRST_STEP_S, 3 * self.gate.reply_s)
        self.pacer.flow.reply_s = self.gate.reply_s
        if self.knee is not None:
            return self._cut(started_at, now, "rate_limit")
        stated = self.pacer.stated_empty(failure.hints, mark.need)
        if stated is not None:
            self.kind = LimitKind.RATE if stated is Resource.REQUESTS else LimitKind.TOKENS
            return self._restored()
        if stated_kind(failure.hints) is LimitKind.CONCURRENCY:
            self.kind = LimitKind.CONCURRENCY
            return self._bounded(mark, started_at, now)
        if self.kind in RATES:
            return self._rate(failure, started_at, now, mark)
        self._note_point(started_at, mark)
        if self.evidence.refused(started_at, mark.level):
            change = self._is_a_rate(now)
            return self._rate(failure, started_at, now, mark) or change
        if self._fits_a_cap(mark, started_at):
            self.kind = LimitKind.CONCURRENCY
            return self._bounded(mark, started_at, now)
        if self.evidence.sure and started_at <= self.limit.cut_at:
            return None
        if self.evidence.surprise(mark.level, mark.edge):
            change = self._is_a_rate(now)
            return self._rate(failure, started_at, now, mark) or change
        if self.evidence.sure:
            return self._shrunk(started_at, now)
        return self._bounded(mark, started_at, now) if self.kind is LimitKind.CONCURRENCY else None

    def _shrunk(self, started_at: float, now: float) -> LimitChange | None:
        """A cap that was sure lets in fewer than before."""
        if not self.limit.shrunk(started_at, now):
            return None
        self.evidence.high = self.limit.slots
        return LimitChange(self.limit.value, "concurrency")

    @property
    def _grace(self) -> float:
        """Refusals of calls that left before a cut was known are in by then."""
        return 1.5 * self.gate.reply_s

    def _fits_a_cap(self, mark: StartSnapshot, started_at: float) -> bool:
        """Whether a cap on calls in flight would refuse there, or at least well might."""
        if self.limit.edge is not None and started_at <= self.limit.cut_at + self._grace:
            return True
        edge = mark.edge
        if edge is None:
            # Answers on their way make us count a few more in flight than there are.
            new = mark.level > mark.high or not self.evidence.proven
            return new and self.kind is LimitKind.NONE and mark.level > 0.9 * mark.high
        return mark.level >= (0.9 * edge - 1 if self.evidence.sure else edge) or mark.level > mark.high

    def _bounded(self, mark: StartSnapshot, started_at: float, now: float) -> LimitChange | None:
        before = self.limit.value
        cut = self.limit.bounded(mark.level, self.in_flight, started_at, now, self._grace)
        if cut and not self.evidence.sure:
            # Until all refusals of this episode are in, nobody knows how many calls were let in.
            self.ramp.begin(now + self._grace, max(2.0, 0.1 * self.limit.value), max(0.05, self.gate.reply_s))
        if self.limit.edge is not None:
            self.evidence.high = min(self.evidence.high, self.limit.edge - 1)
        return LimitChange(self.limit.value, "concurrency") if cut or self.limit.value != before else None

    def _restored(self) -> LimitChange | None:
        return LimitChange(self.limit.value, "not concurrency") if self.limit.restore() else None

    def _note_point(self, started_at: float, mark: StartSnapshot) -> Point:
        """The provider was empty when that call started."""
        taken = self.pacer.let_in(mark.used, mark.number, mark.refusals)
        point = Point(started_at, taken, mark.number)
        self.pacer.flow.note(point)
        return point

    def _rate(
        self, failure: Failure, started_at: float, now: float, mark: StartSnapshot
    ) -> LimitChange | None:
        hint = failure.hints.retry_after_s
        self._note_point(started_at, mark)
        # While nothing is let in, the limit goes down as well; the gate's opening brings it back.
        tried = self.gate.closed and not self.gate.exact
        change = self._cut(started_at, now, "rate_limit") if tried else None
        if self.gate.closed or self.gate.window or not self.pacer.flow.refused(started_at, now, hint):
            self.gate.refused(started_at, now, hint)
            self.pacer.flow.rate = self.pacer.flow.test = None
        else:
            self.kind = LimitKind.BUCKET if self.pacer.flow.by == 0 else LimitKind.TOKENS
        if self.gate.window:
            self.kind = LimitKind.WINDOW
            self.pacer.flow.forget()
        elif self.kind is LimitKind.WINDOW:
            self.kind = LimitKind.RATE
        return change

    def failing(self, started_at: float, now: float) -> None:
        """A call that will be tried again met an error of the server, a time-out or no connection."""
        self.circuit.failed(started_at, now, self.limit.slots)

    def judge(self, failure: Failure, now: float) -> Failure:
        """The failure as this lane sees it: what only its history can tell is filled in."""
        if failure.kind is FailureKind.SCHEMA:
            return failure
        if failure.code == "refused" and not self.answered:
            return _down(failure, failure.message)
        since = self.throttled_since
        if failure.kind is FailureKind.RATE_LIMIT and since is not None:
            if now - since > THROTTLED_TOO_LONG_S:
                return _down(failure, f"nothing but rate limits for {now - since:.0f} s: {failure.message}")
        elif self.circuit.open_since is not None and now - self.circuit.open_since > DOWN_TOO_LONG_S:
            took = now - self.circuit.open_since
            return _down(failure, f"nothing but errors for {took:.0f} s: {failure.message}")
        return failure

    def believes(self, failure: Failure) -> bool:
        """Whether a refused call waits as long as it was told; padded hints were proven wrong."""
        return not self.trust.padded

    def attribution(self, wall_s: float) -> Attribution:
        """Where the time went so far."""
        capped = self.kind in (LimitKind.NONE, *RATES)
        return self.timesheet.sheet(self.name, wall_s, self.limit.value, capped)


def _down(failure: Failure, message: str) -> Failure:
    return Failure(
        kind=FailureKind.UNAVAILABLE,
        message=message,
        status=failure.status,
        code=failure.code,
        retry=False,
        lane_down=True,
        request_id=failure.request_id,
        hints=failure.hints,
    )
