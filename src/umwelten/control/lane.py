"""One provider account or host: the calls it has, its limits, and whether it may start one now.

Theory of operation. A lane never acts; it answers. The pool asks `earliest_start(now, …)`: may that call
start, and if not, when? It tells the lane what was started and how that ended. Everything the lane
knows it learnt from those two. Calls that must wait are the pool's matter and hold no slot here.

A call starts when all of these let it:

    limit     how many may be in flight (`limit.py`); in `auto` mode set by the knee where the server is
              watched (`knee.py`)
    ramp      how fast an untried lane fills up (`ramp.py`)
    pacer     rates that the user knows, stated budgets, and the rate learnt from refusals (`pacer.py`)
    gate      closed while nothing is admitted at all; probes (`gate.py`)
    circuit   open while the provider answers nothing but errors; probes (`circuit.py`)

A refusal first says what it is about (`refusals.py`), and only that part reacts. `Retry-After` delays
the call that got it; it throttles the lane only as far as the gate believes it. Errors of the server and
time-outs change no limit, ever.

A lane is open until a failure shows that nothing at this account or host can work (key refused, credit
used up, nobody listening). Then it is stopped for the rest of the run; its calls stay pending.

Beside each constant of this package that decides something stands what it does and what another value
breaks: figures of `python -m benchmarks.control CELL`, efficiency where nothing else is said, medians of
three seeds with 3,000 calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, sqrt

from umwelten.control.amounts import Amounts, plus
from umwelten.control.attribution import Attribution, Reason, Timesheet
from umwelten.control.circuit import NEVER, Circuit
from umwelten.control.gate import Gate
from umwelten.control.heights import Heights
from umwelten.control.knee import Knee, Watch
from umwelten.control.lane_failure import as_seen
from umwelten.control.limit import Limit, LimitChange, LimitReason
from umwelten.control.limit_kind import RATES, LimitKind, RetryAfterTrust
from umwelten.control.pacer import NOTHING, Pacer
from umwelten.control.ramp import Ramp
from umwelten.control.recalled import Recalled
from umwelten.control.refusals import RefusalDiagnosis, RefusedCall, StartSnapshot
from umwelten.control.safety import Safety
from umwelten.types import AttemptOutcome, Failure, FailureKind, Resource

THROTTLED_TOO_LONG_S = 900.0
"""A lane that has had nothing but refusals for this long is stopped, unless the user says otherwise: the run
must end some time."""

UNREFUSED_S = 60.0
"""Without a refusal, before calls may start unseen: a limit that time refills has shown itself by then. At 0
`window_exact` is refused 0.044 a call, not 0.013: how much was let in before a refusal is learnt wrong."""

DOWN_TOO_LONG_S = 300.0
"""So is one that has had nothing but errors, or earlier if the user has less patience."""


_MUCH_TRANSIT = 0.08
"""Of a call's time is on its way to a worker and back: then the heights of calls are known to a few only.
Below, caps are told from rates as on one machine; `bucket_20_blind` would be refused 0.03 a call more."""


@dataclass(slots=True)
class Lane:
    """See the module's text. `group`: the provider's name. `ordered`: its calls go model by model.

    `current` is the model whose turn it is. `waiting_why` is the failure that its calls wait after,
    `throttled_since` when the first refusal came, and `last_failure` the last of any kind, all `None` after
    an answer, since which there were so many `failures`. `wait_reason` is why `earliest_start` named a later
    time; `waits_for_known`: the last time, for a limit that the user set. The lane is stopped by a refusal
    that comes `patience_s` after the first.
    """

    name: str
    group: str
    limit: Limit
    watch: Watch = Watch.NO
    ordered: bool = False
    in_flight: int = 0
    others: int = 0
    peak: int = 0
    answered: bool = False
    stopped: Failure | None = None
    current: int | None = None
    throttled_since: float | None = None
    waiting_why: FailureKind | None = None
    last_failure: Failure | None = None
    failures: int = 0
    patience_s: float = THROTTLED_TOO_LONG_S
    wait_reason: Reason = Reason.NO_WORK
    waits_for_known: bool = False
    pacer: Pacer = field(default_factory=Pacer)
    gate: Gate = field(default_factory=Gate)
    circuit: Circuit = field(default_factory=Circuit)
    safety: Safety = field(default_factory=Safety)
    ramp: Ramp = field(default_factory=Ramp)
    trust: RetryAfterTrust = field(default_factory=RetryAfterTrust)
    timesheet: Timesheet = field(default_factory=Timesheet)
    knee: Knee | None = None
    recalled: Recalled | None = None
    refusals: RefusalDiagnosis = field(init=False)
    _transit: float = 0.0
    _heights: Heights | None = None
    _number: int = 0
    _pass: bool = False

    def __post_init__(self) -> None:
        if self.watch is not Watch.NO and self.limit.slow_start and self.knee is None:
            self.knee = Knee(level=self.limit.slots, ceiling=self.limit.ceiling)
        self.set_ceiling(self.limit.ceiling)
        self.refusals = RefusalDiagnosis(self.limit, self.ramp, self.gate, self.pacer, self.knee)

    @property
    def kind(self) -> LimitKind:
        """The kind of limit that was met so far."""
        return self.refusals.kind

    # --- deciding --------------------------------------------------------------------------

    def earliest_start(self, now: float, input_tokens: int = 0, output_tokens: int | None = None) -> float:
        """Return when the next call may start: `now`, a later time, or `NEVER` (until something ends)."""
        if self.stopped is not None:
            return NEVER
        need = self.pacer.need(input_tokens, output_tokens)
        if self.safety.unrelated.testing and self.in_flight < self.limit.ceiling and not self.in_outage:
            return self._keep_known(now, now, need)
        at, self._pass = self._room(now), False
        self.wait_reason = Reason.CONCURRENCY
        if at == NEVER:
            return at
        lead = self.refusals.leads
        held = max(
            self.circuit.earliest_start(now),
            self.ramp.earliest_start(now),
            self.refusals.told.earliest_start(now),
        )
        if not self.pacer.proven:
            held = max(held, self.gate.earliest_start(now))
            if lead:
                held = max(held, self.refusals.windows.earliest_start(now))
        if held > at:
            at = held
            self.wait_reason = Reason.BACKOFF if self.in_outage else Reason.REQUESTS
        paced, what = self.pacer.earliest_start(now, need, learnt=not lead)
        if paced > at:
            at = paced
            self.wait_reason = Reason.REQUESTS if what is Resource.REQUESTS else Reason.TOKENS
        if self.recalled is not None and not self.safety.refused:
            recalled = self.recalled.earliest_start(now, need, self.in_flight)
            if recalled > at:
                at = recalled
                self.wait_reason = Reason.REQUESTS
        if self.safety.refused and self.knee is None:
            at = self._keep_safe(now, at)
        since = self.throttled_since
        if at > now and since is not None and not self.in_flight and not self.gate.exact:
            # The last attempt goes when the patience ends, not some minutes later.
            at = min(at, max(now, since + self.patience_s))
        return self._keep_known(now, at, need)

    def _keep_known(self, now: float, at: float, need: Amounts) -> float:
        """Return when the call may start, which is never before what the user knows lets it."""
        opens, what = self.pacer.known.earliest_start(now, need)
        if opens <= at:
            self.waits_for_known = self.waits_for_known and at <= now
            return at
        self.waits_for_known = True
        self.wait_reason = Reason.REQUESTS if what is Resource.REQUESTS else Reason.TOKENS
        return opens

    def _keep_safe(self, now: float, at: float) -> float:
        """Return when the call may start, whatever is believed."""
        safe = max(self.safety.earliest_start(now), self.safety.spacing(now))
        self._learn_let_in()
        if at > now and not self.in_outage and not self.refusals.certain(now):
            at = min(at, max(now, self.safety.patience(self.pacer.estimator.pace)))
        if at > now and self.safety.passes and self.refusals.held and not self.in_outage:
            at, self._pass = self.safety.cut_short(now, at), True
        if safe > at:
            at = safe
            self.wait_reason = Reason.REQUESTS
        return at

    def _room(self, now: float) -> float:
        if self.in_flight < max(1, self.limit.slots):
            return now
        if self.in_flight >= self.limit.ceiling:
            return NEVER  # a ceiling that was lowered lets none try whether there is room for one more
        return max(now, self.limit.next_step(now)) if self.kind is LimitKind.CONCURRENCY else NEVER

    def may_follow(self, now: float, input_tokens: int = 0, output_tokens: int | None = None) -> bool:
        """Return whether a call may start the moment one in flight is answered, without being asked again.

        Only the limit on calls in flight keeps it from starting now, and that does not move.
        """
        limit, pacer = self.limit, self.pacer
        growing = (limit.edge is None and limit.value < limit.ceiling) or self.knee is not None
        paced = pacer.estimator.rate is not None and not (pacer.proven or self.refusals.leads)
        if (
            self.in_flight != max(1, limit.slots)
            or self.others
            or growing
            or paced
            or not self._is_level_sure(now)
            or self.safety.unrelated.testing
            or self.in_outage
            or self.gate.closed
            or pacer.known.meters
            or (self.recalled is not None and not self.safety.refused)
        ):
            return False
        # What is stated must have room for as many calls again as are in flight: those start unseen.
        requests, tokens, inputs, outputs = pacer.need(input_tokens, output_tokens)
        n = self.in_flight
        many = (n * requests, n * tokens, n * inputs, n * outputs)
        if pacer.earliest_start(now, many, learnt=False)[0] > now:
            return False
        said = self.wait_reason, self.waits_for_known, self._pass
        self.in_flight -= 1
        try:
            return self.earliest_start(now, input_tokens, output_tokens) <= now
        finally:
            self.in_flight += 1
            self.wait_reason, self.waits_for_known, self._pass = said

    def _is_level_sure(self, now: float) -> bool:
        """Return whether the limit on calls in flight seems to be the one that holds."""
        if self.kind is LimitKind.CONCURRENCY:
            return True
        began_at = self.ramp.began_at
        proven = began_at is not None and now - began_at > UNREFUSED_S
        return proven and self.kind is LimitKind.NONE and not self.safety.refused

    @property
    def down_s(self) -> float:
        """Return after how long with nothing but errors it is stopped."""
        return min(DOWN_TOO_LONG_S, self.patience_s)

    @property
    def started(self) -> int:
        """Return how many calls have started so far."""
        return self._number

    @property
    def own_in_flight(self) -> int:
        """Return how many calls of this run are in flight."""
        return self.in_flight - self.others

    @property
    def in_outage(self) -> bool:
        """Return whether the provider answers nothing but errors."""
        return self.circuit.open_since is not None

    def _learn_let_in(self) -> None:
        """Have the windows learn from the calls that were let in meanwhile."""
        resolved = self.safety.resolved
        if resolved:
            share = self.safety.share
            for started_at in resolved:
                self.refusals.told.on_let_in(started_at)
                self.refusals.windows.on_let_in(started_at, share)
            resolved.clear()

    # --- being told ------------------------------------------------------------------------

    def take_turn(self, model: int) -> None:
        """From now on the calls of this model start, those of others don't."""
        self.current = model

    def set_ceiling(self, most: int) -> None:
        """Have so many calls in flight at most, whatever is found out."""
        self.limit.ceiling = self.safety.most_in_flight = most

    def retune(self, ceiling: int, *, fixed: bool, start: int) -> None:
        """Have so many calls in flight at most from now on; what is in flight stays.

        `fixed`: its user named the number, which holds unless a limit was met. Else it finds its own level,
        from `start` on where nothing was found yet.
        """
        limit = self.limit
        untried = not limit.cuts and limit.edge is None
        self.set_ceiling(ceiling)
        if fixed and self.knee is not None:
            self.knee = self.refusals.knee = None
        if untried:
            limit.slow_start = not fixed
            limit.value = float(ceiling if fixed else max(start, limit.value))
        limit.bound(ceiling)
        if self.knee is not None:
            self.knee.ceiling, self.knee.level = ceiling, min(self.knee.level, ceiling)
        elif not fixed and untried and self.watch is not Watch.NO:
            self.knee = self.refusals.knee = Knee(level=limit.slots, ceiling=ceiling)

    def halt(self) -> None:
        """Take note of a pause that begins: none of this run's calls starts until it is over."""

    def skip_pause(self, since: float, now: float) -> None:
        """Count a pause, in which nothing could be answered, as no time without answers.

        What was refused while it went on, of the calls that were in flight, counts from its end.
        """
        if self.throttled_since is not None:
            self.throttled_since = now - max(0.0, since - self.throttled_since)
        if self.circuit.open_since is not None:
            self.circuit.open_since = now - max(0.0, since - self.circuit.open_since)

    def lose_calls(self, now: float) -> None:
        """Wait no longer for what is in flight: the run that told of it is gone."""
        self.circuit.lose_probe(now)
        self.gate.lose_probe()
        self.safety.lose_calls()

    def stop(self, failure: Failure) -> None:
        """Start no further call in this run."""
        self.stopped = failure

    # --- learning --------------------------------------------------------------------------

    def on_connected(self, now: float, took_s: float) -> None:
        """Note that a connection was there after so long: a round trip, or a little more."""
        self.ramp.on_connected(now, took_s)

    def note_transit(self, took_s: float, transit_s: float) -> None:
        """Note for how long an answered call was on its way to a worker and back, of all its time."""
        if self._heights is None and self._transit > _MUCH_TRANSIT:
            self._heights = Heights()
        part = min(1.0, transit_s / took_s) if took_s > 0 else 0.0
        self._transit = part if not self._transit else self._transit + (part - self._transit) / 20
        mean = self.in_flight * self._transit if self._transit > _MUCH_TRANSIT else 0.0
        self.refusals.evidence.spread = ceil(mean + 2 * sqrt(mean))

    def on_start(
        self, now: float = 0.0, input_tokens: int = 0, output_tokens: int | None = None
    ) -> StartSnapshot:
        """Count a call that goes out; return what `on_end` needs to know of this moment."""
        if self.in_flight >= max(1, self.limit.slots) and not self.safety.unrelated.testing:
            self.limit.step(now)
        return Lane.on_follow(self, now, input_tokens, output_tokens)  # not that of a shared lane's desk

    def on_follow(
        self, now: float = 0.0, input_tokens: int = 0, output_tokens: int | None = None
    ) -> StartSnapshot:
        """Count a call that went out in place of one that was answered: the limit is not tried by it."""
        testing = self.safety.unrelated.testing
        self.limit.on_start(now)
        self.in_flight += 1
        self._number += 1
        self.peak = max(self.peak, self.in_flight)
        high, edge = self.refusals.on_start(now, self.in_flight, test=testing)
        if self._heights is not None:
            self._heights.note(now, self.in_flight)
        self.circuit.on_start(now)
        was_closed = self.gate.closed
        self.gate.on_start(now)
        if was_closed and not self.gate.closed:
            self.limit.restore()
            self.refusals.on_opened(now)
        self.ramp.on_start(now, self.limit.slots)
        self.safety.on_start(now, self._number)
        if self._pass:
            self.safety.use_pass()
            self._pass = False
        need = self.pacer.need(input_tokens, output_tokens)
        used, forecasts = self.pacer.used, self.pacer.forecasts(now, need)
        self.pacer.take(now, need)
        if self.recalled is not None and not self.safety.refused:
            # What is stated says more, once that is known to be true.
            used_up = self.pacer.proven or not self.recalled.on_start(now, need, self.in_flight)
            self.recalled = None if used_up else self.recalled
        return StartSnapshot(
            self._number, self.in_flight, high, need, used, self.pacer.refusals, edge, forecasts
        )

    def on_end(
        self,
        outcome: AttemptOutcome | None,
        started_at: float,
        now: float,
        start: StartSnapshot | None = None,
    ) -> LimitChange | None:
        """Learn from a call that came back; `None` as outcome: we cancelled it, and it says nothing."""
        if self._heights is not None:
            start = self._heights.of(outcome, started_at, start)
        start = start or StartSnapshot(number=self._number)
        peak, self.peak = self.peak, self.in_flight
        self.in_flight -= 1
        if outcome is None:
            self.pacer.refund(now, start.need)
            self.circuit.on_release(started_at, now)
            self.gate.on_release(started_at)
            self.safety.on_release(start.number)
            return None
        said = self.pacer.says
        change = self._learn(outcome, started_at, now, start, peak)
        if said and not self.pacer.says:
            # What was stated is not true, and what is instead is not known yet.
            self.refusals.start_small(now)
        return change

    def _learn(
        self, outcome: AttemptOutcome, started_at: float, now: float, start: StartSnapshot, peak: int
    ) -> LimitChange | None:
        # An empty answer is one to the provider, which counts its tokens.
        if isinstance(outcome, Failure) and outcome.kind is not FailureKind.EMPTY:
            return self._on_failure(outcome, started_at, now, start)
        return self._on_answer(outcome, started_at, now, start, peak)

    def _on_answer(
        self, reply: AttemptOutcome, started_at: float, now: float, start: StartSnapshot, peak: int
    ) -> LimitChange | None:
        self.answered, self.throttled_since, self.waiting_why = True, None, None
        self.last_failure, self.failures = None, 0
        if self.circuit.on_answer(started_at):
            self.ramp.begin(now, 16.0, max(0.05, self.gate.refusal_s))
        self.gate.on_answer(started_at)
        self.safety.on_answer(start.number)
        if self.safety.freed:
            self._go_free(now)
        self.ramp.on_answer()
        self.pacer.judge(start.forecasts, reply.hints, start.need, let_in=True)
        real = self.pacer.settle(now, start.need, reply.usage)
        before = self.pacer.let_in_before(start.used, start.number, start.refusals)
        self.pacer.observe(reply.hints, started_at, plus(before, real), start.number, real)
        self.trust.on_answer(started_at)
        if self.refusals.on_answer(started_at, now, start):
            return self.refusals.take_for_rate(now)
        if self.knee is not None:
            return self._follow_knee(self.knee, reply, started_at, now, peak)
        if self.limit.on_answer(peak, now):
            reason = LimitReason.SLOW_START if self.limit.slow_start else LimitReason.GROWING
            return LimitChange(self.limit.value, reason)
        return None

    def _follow_knee(
        self, knee: Knee, reply: AttemptOutcome, started_at: float, now: float, peak: int
    ) -> LimitChange | None:
        full = peak >= knee.level
        if not knee.on_answer(started_at, now, reply.usage.output_tokens, full):
            return None
        self.limit.hold_at(knee.level)
        if knee.settled:
            self.refusals.take_for_queue()
        return LimitChange(self.limit.value, LimitReason.QUEUE if knee.settled else LimitReason.SLOW_START)

    def _on_failure(
        self, failure: Failure, started_at: float, now: float, start: StartSnapshot
    ) -> LimitChange | None:
        self.answered = self.answered or failure.status is not None
        self.last_failure = failure
        self.failures += 1
        refused, unrelated, fresh = failure.kind is FailureKind.RATE_LIMIT, False, False
        if refused:
            fresh = started_at > self.safety.refused_at
            # Of those that left together one tells as much as all.
            weight = 1.0 if fresh else 0.15
            self.pacer.judge(start.forecasts, failure.hints, start.need, let_in=False, weight=weight)
            self.pacer.on_refusal(now, start.need, start.number)
            plain = self.pacer.proven and self.pacer.stated_empty(failure.hints, start.need) is not None
            unrelated = self.safety.on_refusal(start.number, started_at, now, plain=plain)
        else:
            self.pacer.refund(now, start.need)
            self.safety.on_release(start.number)
        before = self.pacer.let_in_before(start.used, start.number, start.refusals)
        self.pacer.observe(failure.hints, started_at, before, start.number, NOTHING)
        if refused or failure.kind is FailureKind.MEMORY:
            self.end_watch(alone=refused and start.level == 1)
        if failure.kind is FailureKind.MEMORY:
            self.waiting_why = failure.kind
            return self.refusals.cut(started_at, now, LimitReason.MEMORY)
        self.circuit.on_release(started_at, now)
        if failure.kind is FailureKind.BAD_REQUEST:
            self.throttled_since = None  # it was let in
        if not refused:
            return None
        self.throttled_since = now if self.throttled_since is None else self.throttled_since
        self.waiting_why = failure.kind
        self.trust.on_refusal(now, failure.hints.retry_after_s)
        if unrelated:
            self.refusals.take_back(started_at)
            return self._go_free(now)
        if self.recalled is not None and fresh and not self.recalled.on_refusal(started_at, now, before):
            self.recalled = None
        self.pacer.estimator.may_test = self.safety.tokens > 0
        if self.refusals.told.exact:
            self.safety.told_until = self.refusals.told.until
        dry_s = started_at - self.safety.last_let_in
        return self.refusals.on_refusal(
            RefusedCall(
                started_at, now, failure.hints, start, self.in_flight, dry_s, self.safety.share, fresh
            )
        )

    def _go_free(self, now: float) -> LimitChange | None:
        """Forget what refusals taught: they had nothing to do with what the lane did."""
        if self.safety.unrelated.share is None or not self.safety.freed:
            return None
        self.safety.freed = False
        self.ramp.begin(now, 4.0, max(0.05, 2 * self.gate.refusal_s))
        return self.refusals.forget()

    def end_watch(self, *, alone: bool = False) -> None:
        """Go by an account's refusals once it refuses: it does not queue what is too much.

        Nor does a host that refuses a call that is `alone`: something in front of it counts calls by time.
        """
        if self.knee is not None and (alone or self.watch is Watch.UNTIL_REFUSED):
            self.refusals.end_watch(self.knee)
            self.knee = None

    def on_error(self, started_at: float, now: float) -> None:
        """Count an error of the server, a time-out or no connection of a call that will be retried."""
        self.circuit.on_failure(started_at, now, self.limit.slots)

    def judge(self, failure: Failure, now: float) -> Failure:
        """Return the failure as this lane sees it: what only its history can tell is filled in."""
        since, errors = self.throttled_since, self.circuit.open_since
        return as_seen(
            failure,
            answered=self.answered,
            throttled_s=None if since is None or now - since < self.patience_s else now - since,
            errors_s=None if errors is None or now - errors < self.down_s else now - errors,
        )

    @property
    def trusts_retry_after(self) -> bool:
        """Return whether a refused call waits as long as it was told: not once hints were proven too long."""
        return not self.trust.overstated

    def attribution(self, wall_s: float) -> Attribution:
        """Return where the time went so far."""
        capped = self.kind in (LimitKind.NONE, *RATES)
        return self.timesheet.sheet(self.name, wall_s, self.limit.value, capped, self.waits_for_known)
