"""All calls that may start, over all lanes: which one is next, and when.

Theory of operation. The grid inputs × models × repeats is one pool. Each model has a short queue of
ready calls, refilled from the store in windows; calls that wait for a retry lie in a heap and hold no
slot. A free slot goes to the model with the fewest calls in flight among those whose lane may start
one: that splits the slots evenly over the models that have work, and lends what one cannot use to the
others. In an ordered lane, only one model's calls start until it has no more, so that the server
does not swap models.

Nothing here acts or looks at a clock: `next(now)` answers `Start`, `WaitUntil` or `Idle`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.crowding import Crowding
from umwelten.control.lane import Lane
from umwelten.control.model_state import ModelState
from umwelten.control.retry import Again, Decision, GiveUp, HoldModel, RetryPolicy, StopLane
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import IDLE, AttemptVerdict, Lease, Start, Step, WaitUntil
from umwelten.control.stop import CostCap
from umwelten.types import EXHAUSTED_CODE, AttemptOutcome, Continue, Failure, FailureKind, Reply

WINDOW = 256
"""Ready calls of a model that are held in memory: enough for a thousand in flight, small for a million."""

MOST_WAITING = 4 * WINDOW
"""While that many calls of a model wait, no further ones are fetched: they would wait as well."""

_NOT_THE_PROVIDERS = (FailureKind.EMPTY, FailureKind.LOCAL)
"""Failures that are retried and do not mean that a provider is down."""


@dataclass(slots=True)
class _Queue:
    model: int
    lane: Lane
    state: ModelState
    ready: deque[ScheduledCall] = field(default_factory=deque)
    drained: bool = False
    in_flight: int = 0
    waiting: int = 0
    served: int = 0

    @property
    def stopped(self) -> bool:
        return self.lane.stopped is not None or self.state.stopped is not None


class Pool:
    """See the module's text. `max_in_flight` None: only the lanes' own limits hold.

    `states`: the states of the models by number, where several numbers are prompts of one model.
    """

    def __init__(
        self,
        lanes: dict[int, Lane],
        *,
        policy: RetryPolicy,
        max_in_flight: int | None = None,
        group_caps: dict[str, int] | None = None,
        max_bytes: int | None = None,
        cap: CostCap | None = None,
        states: Mapping[int, ModelState] = MappingProxyType({}),
    ) -> None:
        self.policy = policy
        self.max_in_flight = max_in_flight
        self.cap = cap or CostCap()
        self.in_flight = self.peak_in_flight = 0
        self.closed = False
        self._group_caps = group_caps or {}
        self._groups: dict[str, int] = {}
        self._max_bytes = max_bytes
        self._bytes = 0
        self._queues = {
            model: _Queue(model, lane, states.get(model) or ModelState()) for model, lane in lanes.items()
        }
        self._waiting: list[tuple[float, int, ScheduledCall]] = []
        self._turn = 0
        self._capped: ScheduledCall | None = None
        self._reasons: dict[str, tuple[Reason, float]] = {}
        self._crowding = Crowding()
        self._lanes = list({id(lane): lane for lane in lanes.values()}.values())

    # --- filling ---------------------------------------------------------------------------

    def models_to_refill(self) -> Iterable[int]:
        """Models whose queue runs low and may have more in the store."""
        if self.closed:
            return ()
        return [
            q.model
            for q in self._queues.values()
            if not q.drained and not q.stopped and len(q.ready) < WINDOW // 4 and q.waiting < MOST_WAITING
        ]

    def add_calls(self, model: int, scheduled: Sequence[ScheduledCall], *, drained: bool) -> None:
        """More calls of a model, in order. `drained`: the store has no further ones."""
        queue = self._queues[model]
        queue.ready.extend(scheduled)
        queue.drained = drained

    # --- deciding --------------------------------------------------------------------------

    def next(self, now: float) -> Step:
        """What to do at `now`. Never names a time that has passed."""
        self._reasons.clear()
        step = self._decide(now)
        for lane in self.lanes:
            if isinstance(step, Start) and step.lease.lane is lane:
                lane.timesheet.turn(now, Reason.CPU)
            else:
                reason, until = self._reasons.get(lane.name) or (self._idle_reason(lane), NEVER)
                lane.timesheet.turn(now, reason, until)
        return step

    def _idle_reason(self, lane: Lane) -> Reason:
        """Why a lane starts nothing although nothing forbids it."""
        if self.closed:
            return Reason.COST if self.cap.reason else Reason.LATENCY if lane.in_flight else Reason.NO_WORK
        ready, waiting = self.queued(lane)
        if ready:
            return Reason.CONCURRENCY
        if waiting:
            return Reason.BACKOFF
        return Reason.LATENCY if lane.in_flight else Reason.NO_WORK

    def _decide(self, now: float) -> Step:
        if self.closed:
            return IDLE
        self._wake(now)
        full = self.max_in_flight is not None and self.in_flight >= self.max_in_flight
        queue, opens = (None, NEVER) if full else self._choose(now)
        if queue is not None:
            return self._start(queue, now)
        if self._capped and not self.in_flight and opens == NEVER and not self._waiting:
            # Nothing under way could cost less than was reserved for it, and nothing cheaper is left.
            self.cap.end(self._capped.reserve, open_ended=self._capped.open_ended)
            self.closed = True
            return IDLE
        # When the pool itself is full, time alone opens nothing.
        at = NEVER if full else min(opens, self._waiting[0][0] if self._waiting else NEVER)
        return WaitUntil(at) if at < NEVER else IDLE

    def _wake(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            scheduled = heapq.heappop(self._waiting)[2]
            queue = self._queues[scheduled.call.model]
            queue.waiting -= 1
            if queue.stopped:
                continue
            if queue.lane.in_outage:
                # In an outage the probes go round, so that no call spends all its retries on them.
                queue.ready.append(scheduled)
            else:
                queue.ready.appendleft(scheduled)

    def _choose(self, now: float) -> tuple[_Queue | None, float]:
        best: _Queue | None = None
        opens = NEVER
        self._capped = None
        for queue in self._queues.values():
            if not queue.ready or queue.state.held or not self._may_start(queue):
                continue
            scheduled = queue.ready[0]
            at = queue.lane.earliest_start(now, scheduled.input_tokens, scheduled.output_tokens)
            if at > now:
                opens = min(opens, at)
                self._reasons[queue.lane.name] = (queue.lane.wait_reason, at)
            elif best is None or (queue.in_flight, queue.served) < (best.in_flight, best.served):
                best = queue
        return best, opens

    def _may_start(self, queue: _Queue) -> bool:
        lane = queue.lane
        cap = self._group_caps.get(lane.group)
        if cap is not None and self._groups.get(lane.group, 0) >= cap:
            return False
        if lane.ordered and not self._has_turn(lane, queue):
            return False
        scheduled = queue.ready[0]
        if self._max_bytes is not None and self._bytes and self._bytes + scheduled.size > self._max_bytes:
            return False
        if self.cap.admits(scheduled.reserve, alone=scheduled.open_ended and not lane.in_flight):
            return True
        self._reasons[lane.name] = (Reason.COST, NEVER)
        if self._capped is None or (scheduled.reserve or 0) < (self._capped.reserve or 0):
            self._capped = scheduled
        return False

    def _has_turn(self, lane: Lane, queue: _Queue) -> bool:
        """Whether it is this model's turn in its lane; the turn passes on when it has no ready call."""
        if lane.current is None or not self._queues[lane.current].ready:
            lane.take_turn(queue.model)
        return lane.current == queue.model

    def _start(self, queue: _Queue, now: float) -> Start:
        scheduled = queue.ready.popleft()
        lane = queue.lane
        self._turn += 1
        queue.served = self._turn
        queue.in_flight += 1
        queue.state.in_flight += 1
        self.in_flight += 1
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        self._groups[lane.group] = self._groups.get(lane.group, 0) + 1
        self._bytes += scheduled.size
        scheduled.held = self.cap.reserve(scheduled.reserve)
        scheduled.attempts += 1
        start = lane.on_start(now, scheduled.input_tokens, scheduled.output_tokens)
        return Start(Lease(scheduled, lane, now, start))

    # --- learning --------------------------------------------------------------------------

    def on_end(
        self, lease: Lease, outcome: AttemptOutcome | None, now: float, dice: float, cost: int | None = 0
    ) -> AttemptVerdict:
        """Decide what follows an attempt that ended; `None`: we cancelled it, the call stays pending."""
        scheduled, lane = lease.scheduled, lease.lane
        self._release(lease, cost, now)
        trusted, down = lane.trusts_retry_after, lane.in_outage
        change = lane.on_end(outcome, lease.started_at, now, lease.start)
        if trusted and not lane.trusts_retry_after:
            self._wake_early(lane, now, refused=True)
        if down and not lane.in_outage:
            self._wake_early(lane, now, refused=False)
        state = self._queues[scheduled.call.model].state
        if isinstance(outcome, Reply | Continue) or (outcome and outcome.kind is FailureKind.EMPTY):
            self._let_go(state)
        if outcome is None or isinstance(outcome, Reply):
            return AttemptVerdict(None, None, change, model_stopped=self._stop_model(state))
        if isinstance(outcome, Continue):
            return AttemptVerdict(outcome.failure, self._go_on(scheduled, outcome, now), change)
        failure = lane.judge(outcome, now)
        crowded = failure.code == EXHAUSTED_CODE and self._narrow(lease, now)
        decision = self.policy.decide(
            failure,
            counted=scheduled.counted,
            throttles=scheduled.throttles,
            dice=dice,
            empties=scheduled.empties,
            trust_retry_after=lane.trusts_retry_after,
            retry_after_proven=lane.trust.proven,
            model_answered=state.answered,
            crowded=crowded,
        )
        if isinstance(decision, Again) and decision.counted and failure.kind not in _NOT_THE_PROVIDERS:
            lane.on_error(lease.started_at, now)
        stopped = False
        match decision:
            case Again():
                self._again(scheduled, decision, failure, now)
            case StopLane():
                stopped = self.stop_lane(lane, failure)
            case HoldModel():
                state.put_aside(scheduled, failure)
            case GiveUp():
                pass
        return AttemptVerdict(failure, decision, change, stopped, self._stop_model(state))

    def _narrow(self, lease: Lease, now: float) -> bool:
        """Allow fewer calls in flight. False if there is no room even for one."""
        cap = self._crowding.narrow(self.max_in_flight, self.in_flight, lease.started_at, now)
        self.max_in_flight = cap or 1
        return cap is not None

    def _release(self, lease: Lease, cost: int | None, now: float) -> None:
        scheduled, lane = lease.scheduled, lease.lane
        queue = self._queues[scheduled.call.model]
        queue.in_flight -= 1
        queue.state.in_flight -= 1
        self.in_flight -= 1
        self._groups[lane.group] -= 1
        self._bytes -= scheduled.size
        self.cap.settle(scheduled.reserve, scheduled.held, cost, open_ended=scheduled.open_ended)
        scheduled.time_s += now - lease.started_at
        scheduled.cost_nusd = (
            None if cost is None or scheduled.cost_nusd is None else scheduled.cost_nusd + cost
        )

    def _again(self, scheduled: ScheduledCall, decision: Again, failure: Failure, now: float) -> None:
        if decision.counted:
            scheduled.counted += 1
            scheduled.empties += failure.kind is FailureKind.EMPTY
        elif failure.kind is FailureKind.RATE_LIMIT:
            scheduled.throttles += 1
        scheduled.refused = failure.kind is FailureKind.RATE_LIMIT
        self._wait(scheduled, now + decision.delay_s)

    def _go_on(self, scheduled: ScheduledCall, answered: Continue, now: float) -> Decision:
        """The call's next request follows at once, if it may have one."""
        decision = self.policy.follow_up(answered.failure, scheduled.schema_retries)
        if isinstance(decision, Again):
            scheduled.schema_retries += 1
            scheduled.turns = answered.turns
            scheduled.refused = False
            self._wait(scheduled, now + decision.delay_s)
        return decision

    def _wait(self, scheduled: ScheduledCall, until: float) -> None:
        queue = self._queues[scheduled.call.model]
        if queue.lane.stopped is None and not self.closed:
            queue.waiting += 1
            self._turn += 1
            heapq.heappush(self._waiting, (until, self._turn, scheduled))

    def _wake_early(self, lane: Lane, now: float, *, refused: bool) -> None:
        """What a lane's calls wait for is over: hints were proven wrong, or the provider is back."""
        self._waiting = [
            (min(at, now), turn, scheduled)
            if scheduled.refused is refused and self._queues[scheduled.call.model].lane is lane
            else (at, turn, scheduled)
            for at, turn, scheduled in self._waiting
        ]
        heapq.heapify(self._waiting)

    def stop_lane(self, lane: Lane, failure: Failure) -> bool:
        """The lane takes no more calls. True if it was open until now."""
        if lane.stopped is not None:
            return False
        lane.stop(failure)
        for queue in self._queues.values():
            if queue.lane is lane:
                queue.ready.clear()
                queue.drained = True
        return True

    def _let_go(self, state: ModelState) -> None:
        """A model answered: the calls that it seemed to refuse as a whole go again."""
        for scheduled in reversed(state.on_answer()):
            queue = self._queues[scheduled.call.model]
            if not queue.stopped:
                queue.ready.appendleft(scheduled)

    def _stop_model(self, state: ModelState) -> bool:
        """Stop a model that was refused, unless others of its calls may still be answered."""
        if not state.stop_if_refused():
            return False
        for queue in self._queues.values():
            if queue.state is state:
                queue.ready.clear()
                queue.drained = True
        return True

    # --- looking ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Nothing in flight and nothing that could still start."""
        if self.in_flight:
            return False
        return self.closed or not any(
            not q.stopped and (q.ready or q.waiting or not q.drained) for q in self._queues.values()
        )

    @property
    def lanes(self) -> list[Lane]:
        """The lanes, each once, in the order of their first model."""
        return self._lanes

    def lane(self, model: int) -> Lane:
        """The lane of a model."""
        return self._queues[model].lane

    def stopped_models(self) -> dict[int, Failure]:
        """Why models take no more calls although their lanes do, by the number of each one's first prompt."""
        first = {id(q.state): q for q in reversed(self._queues.values()) if q.lane.stopped is None}
        return {q.model: q.state.stopped for q in first.values() if q.state.stopped is not None}

    def model_failure(self, model: int) -> Failure | None:
        """Why a model takes no more calls; `None` while it does."""
        return self._queues[model].state.stopped

    def why_stopped(self, lane: Lane) -> Failure | None:
        """Why a lane takes no more calls, itself or each of its models; `None` while it does."""
        queues = [q for q in self._queues.values() if q.lane is lane]
        return lane.stopped or (queues[0].state.stopped if all(q.stopped for q in queues) else None)

    def queued(self, lane: Lane) -> tuple[int, int]:
        """Ready and waiting calls of a lane that are held in memory."""
        queues = [q for q in self._queues.values() if q.lane is lane]
        return sum(len(q.ready) for q in queues), sum(q.waiting for q in queues)

    def held(self, lane: Lane) -> bool:
        """Whether a model of the lane is held until its calls in flight have ended."""
        return any(q.state.held for q in self._queues.values() if q.lane is lane)

    def wakes_at(self, lane: Lane) -> float | None:
        """When the first of a lane's waiting calls may go again."""
        times = (at for at, _, scheduled in self._waiting if self.lane(scheduled.call.model) is lane)
        return min(times, default=None)
