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

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import MappingProxyType

import msgspec

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.crowding import Crowding
from umwelten.control.hedging import member_for_hedge
from umwelten.control.lane import Lane
from umwelten.control.limit import LimitChange
from umwelten.control.lineup import Lineup
from umwelten.control.model_state import ModelState
from umwelten.control.queues import Member, Queue
from umwelten.control.refusals import StartSnapshot
from umwelten.control.retry import Again, Decision, GiveUp, HoldModel, Park, RetryPolicy, StopLane
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import IDLE, AttemptVerdict, Lease, Start, Step, WaitUntil
from umwelten.control.stop import UNBOUNDED, CostCap
from umwelten.control.tournament import NOBODY
from umwelten.types import (
    EXHAUSTED_CODE,
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FailureKind,
    Reply,
    ToolStep,
)

_NOT_THE_PROVIDERS = (FailureKind.EMPTY, FailureKind.LOCAL)
"""Failures that are retried and do not mean that a provider is down."""


class Pool:
    """See the module's text. `lanes`: by model, the one or those that may make its calls; models have all of
    them in common, or none. `max_in_flight` None: only the lanes' own limits hold.

    `states`: the states of the models by number, where several numbers are prompts of one model.
    """

    def __init__(
        self,
        lanes: Mapping[int, Lane | Sequence[Lane]],
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
        self.in_flight = self.peak_in_flight = self.standing_by = 0
        self.closed = False
        self.held_since: float | None = None
        self._max_bytes = max_bytes
        self._bytes = 0
        self._full_since = NEVER
        self._told_closed = False
        self._crowding = Crowding()
        serving = {model: (of,) if isinstance(of, Lane) else tuple(of) for model, of in lanes.items()}
        self._lineup = Lineup(serving, states, self.cap, group_caps or {})
        self._queues = self._lineup.queues
        self._alike: dict[int, list[Queue]] = {}
        for queue in self._queues.values():
            self._alike.setdefault(id(queue.state), []).append(queue)
        self._lanes = [member.lane for member in self._lineup.members.values()]

    @property
    def max_bytes(self) -> int | None:
        """How many bytes calls may hold that are under way; `None`: any number."""
        return self._max_bytes

    # --- filling ---------------------------------------------------------------------------

    def models_to_refill(self) -> Iterable[int]:
        """Models whose queue runs low and may have more in the store."""
        return () if self.closed else self._lineup.running_low

    def add_calls(self, model: int, scheduled: Sequence[ScheduledCall], *, drained: bool) -> None:
        """More calls of a model, in order. `drained`: the store has no further ones."""
        queue = self._queues[model]
        if scheduled or drained is not queue.drained:
            queue.put_last(scheduled)
            queue.drained = drained
            self._lineup.note(queue)

    def put_back(self, model: int, scheduled: Sequence[ScheduledCall]) -> None:
        """Have calls ready again that were given up; where the model is stopped, they stay as they are."""
        queue = self._queues[model]
        if not self.closed and not queue.stopped:
            queue.put_last(scheduled)
            self._lineup.note(queue)

    def touch(self, lane: Lane) -> None:
        """Ask a lane again, which was told something by others than this pool."""
        self._lineup.touch(self._lineup.members[id(lane)])

    def wake_early(self, lane: Lane, now: float, *, refused: bool) -> None:
        """What a lane's calls wait for is over, those that were refused or the others."""
        self._lineup.wake_early(self._lineup.members[id(lane)].route, now, refused=refused)

    def startable(self, lane: Lane, most: int) -> list[tuple[int, int | None]]:
        """Return the tokens of up to so many calls that would start now if their lane let them."""
        self._lineup.settle()
        room = most if self.max_in_flight is None else min(most, self.max_in_flight - self.in_flight)
        room, size, cost = min(room, self._lineup.groups.room(lane.group)), self._bytes_left, self.cap.room
        found: list[tuple[int, int | None]] = []
        member = self._lineup.members[id(lane)]
        shut = self.closed or self.held_since is not None or member.paused_at is not None
        for queue in () if shut else member.route.queues:
            needs, head = queue.leaf.needs, queue.next_for(member)
            if head is None or queue.leaf.key is NOBODY or needs[0] > size or needs[1] > cost:
                continue
            for scheduled in islice(queue.ready or (head,), max(0, room - len(found))):
                size, cost = size - scheduled.size, cost - (scheduled.reserve or 0)
                if found and min(size, cost) < 0:
                    break
                found.append((scheduled.input_tokens, scheduled.output_tokens))
        return found

    def on_connected(self, lane: Lane, now: float, took_s: float) -> None:
        """Tell a lane how long a connection took."""
        lane.on_connected(now, took_s)
        self.touch(lane)

    # --- changes from outside --------------------------------------------------------------

    def pause(self, lanes: Iterable[Lane], models: Iterable[int], now: float) -> None:
        """Start no calls in these lanes, nor of these models, until `resume`; what is in flight ends."""
        for lane in lanes:
            member = self._lineup.members[id(lane)]
            if member.paused_at is None:
                self._lineup.set_pause(member, now)
        self._set_paused(models, paused=True)
        self._note_halts(now)

    def resume(self, lanes: Iterable[Lane], models: Iterable[int], now: float) -> None:
        """Let calls start again."""
        for lane in lanes:
            member = self._lineup.members[id(lane)]
            if member.paused_at is not None:
                self._lineup.set_pause(member, None)
        self._set_paused(models, paused=False)
        self._note_halts(now)

    def hold(self, now: float) -> None:
        """Start nothing until `release`: nobody is there to make attempts. Pauses are kept apart."""
        if self.held_since is None:
            self.held_since = now
            self._lineup.label_all()
            self._note_halts(now)

    def release(self, now: float) -> None:
        """Let calls start again."""
        if self.held_since is not None:
            self.held_since = None
            self.touch_all()
            self._note_halts(now)

    def _note_halts(self, now: float) -> None:
        """Tell the lanes that a pause of theirs, of all of their models, or of all, has begun or is over."""
        for member in self._lineup.members.values():
            halted = self.held_since is not None or member.is_halted
            if halted and member.halted_at is None:
                member.halted_at = now
                member.lane.halt()
            elif not halted and member.halted_at is not None:
                member.lane.skip_pause(member.halted_at, now)
                member.halted_at = None

    def _set_paused(self, models: Iterable[int], *, paused: bool) -> None:
        for model in models:
            self._queues[model].paused = paused
            self._lineup.note(self._queues[model])
            self._lineup.touch_all(self._queues[model].route)

    def paused_since(self, lane: Lane) -> float | None:
        """When a lane was paused, if it is."""
        return self._lineup.members[id(lane)].paused_at

    def in_flight_of(self, model: int) -> int:
        """How many calls of a model are in flight."""
        return self._queues[model].in_flight

    def is_paused(self, model: int) -> bool:
        """Whether a model is paused, itself or in all of its lanes."""
        queue = self._queues[model]
        return queue.paused or all(member.paused_at is not None for member in queue.route.members)

    def set_group_cap(self, group: str, cap: int | None) -> None:
        """Let so many calls of a provider be in flight at most; `None`: any number."""
        in_flight = sum(lane.own_in_flight for lane in self._lanes if lane.group == group)
        self._lineup.groups.set_cap(group, cap, in_flight)

    def set_cost_cap(
        self, cap: int | None, estimate: Callable[[ScheduledCall], None], in_flight: Iterable[Lease] = ()
    ) -> None:
        """Keep another cap of costs, in nano-USD; `estimate` sets what a call takes under it.

        It is over the attempts `in_flight` too, for which nothing was held while there was none.
        """
        self.cap.cap = cap
        for lease in in_flight:
            scheduled = lease.scheduled
            if scheduled.reserve is None:
                estimate(scheduled)
            if not lease.held and scheduled.reserve:
                msgspec.structs.force_setattr(lease, "held", self.cap.reserve(scheduled.reserve))
        for queue in self._queues.values():
            for scheduled in queue.in_memory():
                estimate(scheduled)
            self._lineup.note(queue)
            self._lineup.touch_all(queue.route)

    def touch_all(self) -> None:
        """Ask every lane again."""
        for member in self._lineup.members.values():
            self._lineup.touch(member)

    # --- deciding --------------------------------------------------------------------------

    def next(self, now: float) -> Step:
        """What to do at `now`. Never names a time that has passed."""
        step = self._decide(now)
        if not isinstance(step, Start):
            if self.closed and not self._told_closed:
                self._told_closed = True
                self._lineup.label_all()
            self._lineup.label(now, self._idle_reason)
        return step

    def account(self, now: float) -> None:
        """Count the time of every lane up to now."""
        self._lineup.account(now)

    def _decide(self, now: float) -> Step:
        lineup = self._lineup
        lineup.wake(now)
        lineup.expire(now, NEVER if self.held_since is not None else self._full_since)
        lineup.settle()
        if self.closed or self._full or self.held_since is not None:
            return IDLE  # where all slots are taken, time alone opens nothing
        lineup.ask_changed(now)
        chosen = lineup.choose(now, self._bytes_left, self.cap.room)
        if chosen is not None:
            return self._start(*chosen, now)
        at = min(lineup.opens, lineup.wakes)
        if at == NEVER and not (self.in_flight or self.standing_by or lineup.parked):
            self._end_if_capped()
        return WaitUntil(at) if at < NEVER else IDLE

    @property
    def _full(self) -> bool:
        return self.max_in_flight is not None and self.in_flight >= self.max_in_flight

    @property
    def _bytes_left(self) -> int:
        """How many bytes the next call may have: any number if it is the only one."""
        return self._max_bytes - self._bytes if self._max_bytes is not None and self._bytes else UNBOUNDED

    def _end_if_capped(self) -> None:
        """End the run if calls are left that the cap does not admit, and nothing under way costs less."""
        if self.cap.cap is None or any(map(self._may_go_on, self._queues.values())):
            return
        entered = [q for q in self._queues.values() if q.leaf.key is not NOBODY]
        ready = [(q, q.head()) for q in entered if q.has_ready]
        left = [head for q, head in ready if head is not None and not self.cap.fits(q.leaf.needs[1])]
        if left:
            cheapest = min(left, key=lambda scheduled: scheduled.reserve or 0)
            self.cap.end(cheapest.reserve, open_ended=cheapest.open_ended)
            self.closed = True

    def _may_go_on(self, queue: Queue) -> bool:
        """Return whether the cap admits the next call of a model that is paused, with nothing under way."""
        if not self.is_paused(queue.model) or queue.stopped or not queue.has_ready:
            return False
        head = queue.head()
        return head is not None and self.cap.admits(head.reserve, alone=head.open_ended)

    def _idle_reason(self, member: Member) -> Reason:
        """Why a lane starts nothing although it would let a call start."""
        if self.closed:
            if self.cap.reason:
                return Reason.COST
            return Reason.LATENCY if member.lane.own_in_flight else Reason.NO_WORK
        best, reason = member.route.best, member.idle_reason()
        if self.held_since is not None:
            return Reason.WORKERS if reason is Reason.CONCURRENCY else reason
        return Reason.COST if best.key is not NOBODY and not self.cap.fits(best.needs[1]) else reason

    def hedge(self, lease: Lease, now: float) -> Lease | None:
        """Start a second attempt of a call that is under way, if one more call could start now."""
        scheduled = lease.scheduled
        queue = self._queues[scheduled.call.model]
        full = self._full or self._lineup.groups.is_full(queue.route.group)
        if (
            self.closed
            or self.held_since is not None
            or full
            or queue.paused
            or scheduled.size > self._bytes_left
            or not self.cap.admits(scheduled.reserve)
        ):
            return None
        member = member_for_hedge(queue, lease, now)
        return None if member is None else self._launch(queue, member, scheduled, now, hedge=True)

    def _start(self, queue: Queue, member: Member, now: float) -> Start:
        scheduled = self._lineup.pull(queue, member)
        queue.served = member.served = self._lineup.take_turn()
        return Start(self._launch(queue, member, scheduled, now))

    def _launch(
        self, queue: Queue, member: Member, scheduled: ScheduledCall, now: float, *, hedge: bool = False
    ) -> Lease:
        held = self.cap.reserve(scheduled.reserve)
        start = member.lane.on_start(now, scheduled.input_tokens, scheduled.output_tokens)
        return self._begin(queue, member, scheduled, now, start, held, hedge=hedge)

    def _begin(
        self,
        queue: Queue,
        member: Member,
        scheduled: ScheduledCall,
        now: float,
        start: StartSnapshot,
        held: int,
        *,
        hedge: bool = False,
    ) -> Lease:
        lane = member.lane
        scheduled.begin(now, hedge=hedge)
        lane.timesheet.turn(now, Reason.CPU)
        self._count(queue, member, scheduled, 1)
        self.peak_in_flight = max(self.peak_in_flight, self.in_flight)
        self._full_since = now if self._full else NEVER
        return Lease(scheduled, lane, now, start, scheduled.attempts, held, hedge)

    def _count(self, queue: Queue, member: Member, scheduled: ScheduledCall, more: int) -> None:
        """Count a call that starts, or with -1 one that ended."""
        queue.in_flight += more
        queue.state.in_flight += more
        self.in_flight += more
        self._bytes += more * scheduled.size
        self._lineup.count(queue, member, more)

    # --- standby ---------------------------------------------------------------------------

    def may_stand_by(self, lane: Lane, now: float) -> bool:
        """Return whether calls of a lane may be on standby: it starts none only because of its own limit.

        Such a call starts unseen in place of one of the lane's that is answered.
        """
        member = self._lineup.members[id(lane)]
        route = member.route
        if (
            self.closed
            or self.held_since is not None
            or member.paused_at is not None
            or lane.stopped is not None
            or not route.is_alone
            or route.ordered
            or (self.max_in_flight is not None and self.in_flight > self.max_in_flight)
            or self._lineup.groups.room(route.group) < 0
            or any(q.standing_by and (q.stopped or q.paused or q.state.held) for q in route.queues)
        ):
            return False
        queue = self._lineup.first(route)
        head = None if queue is None else queue.head()
        if head is None or not self.cap.admits(head.reserve):
            return False
        return lane.may_follow(now, head.input_tokens, head.output_tokens)

    def standby(self, lane: Lane, now: float, wanted: Callable[[Call], bool]) -> Lease | None:
        """Take the next call of a lane that `may_stand_by`, if it is `wanted` for that.

        Its lease is none to make an attempt: either `begin_standby` or `drop_standby` follows.
        """
        member = self._lineup.members[id(lane)]
        queue = self._lineup.first(member.route)
        if queue is None or queue.homed or not queue.ready:
            return None
        head = queue.ready[0]
        few = queue.drained and len(queue.ready) < lane.in_flight  # the last ones go wherever there is room
        # What is made again goes before all others as soon as anything ends.
        if few or head.attempts or head.turns or head.size > self._bytes_left:
            return None
        if not self.cap.admits(head.reserve) or not wanted(head.call):
            return None
        scheduled = self._lineup.pull(queue, member)
        queue.served = member.served = self._lineup.take_turn()
        self._count_standby(queue, scheduled, 1)
        return Lease(scheduled, lane, now, held=self.cap.reserve(scheduled.reserve))

    def begin_standby(self, lease: Lease, now: float) -> Lease:
        """Count a call that went out in place of one that was answered; returns its lease."""
        scheduled, lane = lease.scheduled, lease.lane
        queue, member = self._queues[scheduled.call.model], self._lineup.members[id(lane)]
        self._count_standby(queue, scheduled, -1)
        start = lane.on_follow(now, scheduled.input_tokens, scheduled.output_tokens)
        return self._begin(queue, member, scheduled, now, start, lease.held)

    def drop_standby(self, lease: Lease) -> None:
        """Have a call ready again, before all others, that nothing was sent for."""
        scheduled = lease.scheduled
        queue = self._queues[scheduled.call.model]
        self._count_standby(queue, scheduled, -1)
        self.cap.settle(scheduled.reserve, lease.held, 0)
        if not queue.stopped and not self.closed:
            queue.put_first(scheduled)

    def _count_standby(self, queue: Queue, scheduled: ScheduledCall, more: int) -> None:
        queue.standing_by += more
        self.standing_by += more
        self._bytes += more * scheduled.size
        self._lineup.note(queue)

    # --- learning --------------------------------------------------------------------------

    def on_end(
        self,
        lease: Lease,
        outcome: AttemptOutcome | None,
        now: float,
        dice: float,
        cost: int | None = 0,
        *,
        alone: bool = True,
        away: bool = False,
        sent: bool = True,
    ) -> AttemptVerdict:
        """Decide what follows an attempt that ended; `None`: we cancelled it, the call stays pending.

        `alone` False: the call's other attempt decides what becomes of the call. `away`: the outcome says
        nothing about the lane. `sent` False: of an attempt that was lost, nothing was sent.
        """
        scheduled, lane = lease.scheduled, lease.lane
        member = self._lineup.members[id(lane)]
        if self._full and self.held_since is None:
            self._lineup.expire(now, self._full_since)
        counted_nusd = self._release(lease, member, cost, now)
        lost = outcome if isinstance(outcome, Failure) and outcome.kind is FailureKind.LOST else None
        was_let_in = _was_let_in(outcome, sent=sent)
        if away or lost:
            change = None
            self._end_unheard(lease, now, was_let_in=was_let_in)
        else:
            change = self._tell(lease, member, outcome, now, alone=alone)
        if lost:
            scheduled.lost += was_let_in
            return self._lose(scheduled, lost, counted_nusd, alone=alone)
        state = self._queues[scheduled.call.model].state
        if isinstance(outcome, Reply | Continue | ToolStep) or (
            outcome and outcome.kind is FailureKind.EMPTY
        ):
            self._let_go(self._queues[scheduled.call.model], member)
        if outcome is None or isinstance(outcome, Reply):
            return AttemptVerdict(None, None, change, model_stopped=self._stop_model(state))
        if isinstance(outcome, ToolStep):
            return AttemptVerdict(None, self._park(scheduled, member, outcome) if alone else None, change)
        if isinstance(outcome, Continue):
            decided = self._go_on(scheduled, outcome, now) if alone else None
            return AttemptVerdict(outcome.failure, decided, change)
        failure, decision = self._judge(lease, outcome, now, dice, away=away)
        stopped = isinstance(decision, StopLane) and self.stop_lane(lane, failure)
        if not alone:
            return AttemptVerdict(failure, None, change, stopped)
        decision, shunned = self._redirect(scheduled, member, decision)
        if isinstance(decision, Again):
            self._again(scheduled, decision, failure, now)
        elif isinstance(decision, HoldModel):
            state.put_aside(scheduled, failure)
            self._lineup.note_all(self._alike[id(state)])
        return AttemptVerdict(failure, decision, change, stopped, self._stop_model(state), shunned)

    def _tell(
        self, lease: Lease, member: Member, outcome: AttemptOutcome | None, now: float, *, alone: bool
    ) -> LimitChange | None:
        """Have the lane learn from an attempt; calls that wait need not, if what they wait for is over."""
        lane = lease.lane
        if outcome is None and not alone:
            self._end_unheard(lease, now, was_let_in=True)
            return None
        trusted, down = lane.trusts_retry_after, lane.in_outage
        change = lane.on_end(outcome, lease.started_at, now, lease.start)
        if trusted and not lane.trusts_retry_after:
            self._lineup.wake_early(member.route, now, refused=True)
        if down and not lane.in_outage:
            self._lineup.wake_early(member.route, now, refused=False)
        return change

    def _end_unheard(self, lease: Lease, now: float, *, was_let_in: bool) -> None:
        """Count an attempt that its lane learns nothing from; its provider may have counted it."""
        lease.lane.on_end(None, lease.started_at, now, lease.start)
        if was_let_in and lease.start is not None:
            lease.lane.pacer.take(now, lease.start.need)

    def _judge(
        self, lease: Lease, outcome: Failure, now: float, dice: float, *, away: bool
    ) -> tuple[Failure, Decision]:
        """Return a failure as its lane sees it, and what follows from it."""
        scheduled, lane = lease.scheduled, lease.lane
        queue, member = self._queues[scheduled.call.model], self._lineup.members[id(lane)]
        failure = outcome if away else lane.judge(outcome, now)
        crowded = not away and failure.code == EXHAUSTED_CODE and self._narrow(lease, now)
        decision = self.policy.decide(
            failure,
            counted=scheduled.counted,
            throttles=scheduled.throttles,
            dice=dice,
            empties=scheduled.empties,
            trust_retry_after=lane.trusts_retry_after,
            retry_after_proven=lane.trust.proven,
            model_answered=member.number in queue.state.answered,
            crowded=crowded,
        )
        counts = isinstance(decision, Again) and decision.counted
        if isinstance(decision, GiveUp) and failure.retry and not member.route.is_alone:
            counts = True  # one that fails at once would be the least loaded, and get all the calls
        if counts and not away and failure.kind not in _NOT_THE_PROVIDERS:
            lane.on_error(lease.started_at, now)
        if failure.kind is not FailureKind.LOCAL:
            scheduled.tried |= {member.number}
        return failure, decision

    def _redirect(
        self, scheduled: ScheduledCall, member: Member, decision: Decision
    ) -> tuple[Decision, bool]:
        """Have another lane make a call whose lane takes no more calls, or none of its model, if one is left.

        True if that is new of the lane and the model.
        """
        queue = self._queues[scheduled.call.model]
        if not isinstance(decision, StopLane | HoldModel) or not member.route.others(member, queue.shunned):
            return decision, False
        new = isinstance(decision, HoldModel) and member.number not in queue.shunned
        if new:
            for alike in self._alike[id(queue.state)]:
                alike.shunned.add(member.number)
                alike.rehome()
        return Again(0.0, counted=False), new

    def _narrow(self, lease: Lease, now: float) -> bool:
        """Allow fewer calls in flight. False if there is no room even for one."""
        cap = self._crowding.narrow(self.max_in_flight, self.in_flight, lease.started_at, now)
        self.max_in_flight = cap or 1
        return cap is not None

    def _lose(
        self, scheduled: ScheduledCall, failure: Failure, counted_nusd: int, *, alone: bool
    ) -> AttemptVerdict:
        """Have a call made again, before all others, whose attempt is lost; unless too many of it are.

        Those of which nothing was sent do not count: it was not the call that ended its worker. They end no
        sooner than a worker is silent, and where none is there, `hold` keeps all from starting.
        """
        queue, decision = self._queues[scheduled.call.model], None
        again = queue.state.on_loss()
        if alone:
            decision = self.policy.after_loss(scheduled.lost)
            if isinstance(decision, Again):
                again.insert(0, scheduled)
            else:
                message = f"{failure.message}; {scheduled.lost} attempts of this call were lost so"
                failure = msgspec.structs.replace(failure, message=message, retry=False)
        for each in reversed(again):
            queue = self._queues[each.call.model]
            if not queue.stopped and not self.closed:
                queue.put_first(each)
        self._lineup.note_all(self._alike[id(queue.state)])
        return AttemptVerdict(failure, decision, counted_nusd=counted_nusd)

    def correct_cost(
        self, scheduled: ScheduledCall, counted_nusd: int, said: int | None, cost: int | None
    ) -> None:
        """Count what an attempt cost that was said to be lost, where that is known now."""
        if cost is not None:
            self.cap.correct(counted_nusd, cost)
            scheduled.correct_cost(said, cost)

    def withdraw(self, lease: Lease) -> None:
        """Make a call no more that is not in flight: this attempt of it, which was lost, was answered."""
        self._lineup.withdraw(lease.scheduled)
        self._let_go(self._queues[lease.scheduled.call.model], self._lineup.members[id(lease.lane)])

    def _release(self, lease: Lease, member: Member, cost: int | None, now: float) -> int:
        scheduled = lease.scheduled
        counted = self.cap.settle(scheduled.reserve, lease.held, cost, open_ended=scheduled.open_ended)
        self._count(self._queues[scheduled.call.model], member, scheduled, -1)
        self._full_since = NEVER
        scheduled.end(now, cost)
        return counted

    def _again(self, scheduled: ScheduledCall, decision: Again, failure: Failure, now: float) -> None:
        if decision.counted:
            scheduled.counted += 1
            scheduled.empties += failure.kind is FailureKind.EMPTY
        elif failure.kind is FailureKind.RATE_LIMIT:
            scheduled.throttles += 1
        scheduled.refused = failure.kind is FailureKind.RATE_LIMIT
        self._wait(scheduled, now + decision.delay_s, elsewhere=failure.kind is not FailureKind.LOCAL)

    def _go_on(self, scheduled: ScheduledCall, answered: Continue, now: float) -> Decision:
        """The call's next request follows at once, if it may have one."""
        decision = self.policy.follow_up(answered.failure, scheduled.schema_retries)
        if isinstance(decision, Again):
            scheduled.schema_retries += 1
            scheduled.turns = answered.turns
            scheduled.refused = False
            self._wait(scheduled, now + decision.delay_s)
        return decision

    def _park(self, scheduled: ScheduledCall, member: Member, answered: ToolStep) -> Decision:
        """Keep the call until its tools have been run. A provider takes back what it signed itself."""
        scheduled.turns = answered.turns
        if not member.route.is_alone:
            scheduled.home = member.number
        self._lineup.park(scheduled)
        return Park()

    def park(self, scheduled: ScheduledCall) -> None:
        """Keep a call that is not among the ready ones until `unpark`."""
        self._lineup.park(scheduled)

    def unpark(self, scheduled: ScheduledCall, *, goes_on: bool = True) -> None:
        """Let a parked call go on with its `turns` as they are now, or let go of it."""
        scheduled.begin_step()
        self._lineup.unpark(scheduled, goes_on=goes_on and not self.closed)

    def adopt(self, scheduled: ScheduledCall, served_by: str | None) -> None:
        """Bind a call whose conversation began in an earlier run to its lane; without it, it starts over.

        Where one of several accounts is left, it may be another one. What may not begin anew goes on there.
        """
        route = self._queues[scheduled.call.model].route
        if route.is_alone:
            of_several = (served_by or "").startswith(f"{route.members[0].lane.name}#")
            if of_several and not scheduled.is_bound:
                scheduled.start_over()
        else:
            homes = (member.number for member in route.members if member.lane.name == served_by)
            scheduled.home = next(homes, None)
            if scheduled.home is None:
                scheduled.start_over()

    def _wait(self, scheduled: ScheduledCall, until: float, *, elsewhere: bool = False) -> None:
        queue = self._queues[scheduled.call.model]
        elsewhere = elsewhere and scheduled.home is None
        if not queue.stopped and not self.closed:
            self._lineup.wait(scheduled, until, elsewhere=elsewhere and queue.has_untried(scheduled.tried))

    def stop_lane(self, lane: Lane, failure: Failure) -> bool:
        """The lane takes no more calls. True if it was open until now."""
        if lane.stopped is not None:
            return False
        lane.stop(failure)
        member = self._lineup.members[id(lane)]
        route = member.route
        self._lineup.touch(member)
        route.stopped = not route.others(member, frozenset())
        for queue in route.queues:
            if route.stopped:
                queue.clear()
            elif not route.others(member, queue.shunned):
                queue.shunned.clear()  # what is left is asked once more
            queue.rehome()
            self._lineup.note(queue)
        return True

    def _let_go(self, answered: Queue, member: Member) -> None:
        """A model answered: the calls that it seemed to refuse as a whole go again."""
        state, held = answered.state, answered.state.held
        if member.number in answered.shunned:
            for alike in self._alike[id(state)]:
                alike.shunned.discard(member.number)
        for scheduled in reversed(state.on_answer(member.number)):
            queue = self._queues[scheduled.call.model]
            if not queue.stopped:
                queue.put_first(scheduled)
        if held:
            self._lineup.note_all(self._alike[id(state)])

    def _stop_model(self, state: ModelState) -> bool:
        """Stop a model that was refused, unless others of its calls may still be answered."""
        if not state.stop_if_refused():
            return False
        for queue in self._alike[id(state)]:
            queue.clear()
            self._lineup.note(queue)
        return True

    # --- looking ---------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Nothing in flight and nothing that could still start."""
        return not self.in_flight and (self.closed or not self._lineup.has_work)

    @property
    def lanes(self) -> list[Lane]:
        """The lanes, each once, in the order of their first model."""
        return self._lanes

    def lane(self, model: int) -> Lane:
        """The lane of a model, the first one of several."""
        return self._queues[model].route.members[0].lane

    def stopped_lanes(self) -> list[Lane]:
        """The lanes that take no more calls and left some that no other lane can take."""
        return [
            member.lane
            for member in self._lineup.members.values()
            if member.route.stopped or any(member.number in q.stranded for q in member.route.queues)
        ]

    def stopped_models(self) -> dict[int, Failure]:
        """Why models take no more calls although their lanes do, by the number of each one's first prompt."""
        first = [alike[0] for alike in self._alike.values() if not alike[0].route.stopped]
        return {q.model: q.state.stopped for q in first if q.state.stopped is not None}

    def is_stopped(self, model: int) -> bool:
        """Whether a model takes no more calls, or its lanes do not."""
        return self._queues[model].stopped

    def model_failure(self, model: int) -> Failure | None:
        """Why a model takes no more calls; `None` while it does."""
        return self._queues[model].state.stopped

    def why_stopped(self, lane: Lane) -> Failure | None:
        """Why a lane takes no more calls, itself or each of its models; `None` while it does."""
        queues = self._lineup.members[id(lane)].route.queues
        return lane.stopped or (queues[0].state.stopped if all(q.stopped for q in queues) else None)

    def queued(self, lane: Lane) -> tuple[int, int]:
        """Ready and waiting calls of a lane that are held in memory."""
        queues = self._lineup.members[id(lane)].route.queues
        waiting = sum(q.waiting + q.parked for q in queues)
        return sum(q.held_in_memory for q in queues) - waiting, waiting

    def in_flight_by_model(self, lane: Lane) -> dict[int, int]:
        """The models of a lane, each with its calls in flight over all of their lanes."""
        return {q.model: q.in_flight for q in self._lineup.members[id(lane)].route.queues}

    def parked(self, lane: Lane) -> int:
        """How many calls of a lane have their tools run; they are among the waiting ones."""
        return sum(q.parked for q in self._lineup.members[id(lane)].route.queues)

    def held(self, lane: Lane) -> bool:
        """Whether a model of the lane is held until its calls in flight have ended."""
        return any(q.state.held for q in self._lineup.members[id(lane)].route.queues)

    def wakes_at(self, lane: Lane) -> float | None:
        """When the first of a lane's waiting calls may go again."""
        waiting = self._lineup.members[id(lane)].route.waiting
        return waiting[0][0] if waiting else None


def _was_let_in(outcome: AttemptOutcome | None, *, sent: bool) -> bool:
    """Return whether a provider may have counted a request."""
    if isinstance(outcome, Failure):
        return outcome.kind is FailureKind.LOST and sent
    return outcome is not None
