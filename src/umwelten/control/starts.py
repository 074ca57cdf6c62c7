"""Which call starts now: the next one, one that is sent once more, or one that a worker has on standby."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.halts import Halts
from umwelten.control.hedging import member_for_hedge
from umwelten.control.lane import Lane
from umwelten.control.lineup import Lineup
from umwelten.control.queues import Member, Queue
from umwelten.control.refusals import StartSnapshot
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.slots import Slots
from umwelten.control.steps import IDLE, Lease, Start, Step, WaitUntil
from umwelten.control.stop import CostCap
from umwelten.control.tournament import NOBODY
from umwelten.types import Call


class Starts:
    """See the module's text; `Pool` has the same methods. `cap` is the lineup's too."""

    def __init__(self, lineup: Lineup, slots: Slots, halts: Halts, cap: CostCap) -> None:
        self._lineup, self._slots, self._halts, self._cap = lineup, slots, halts, cap
        self._told_closed = False

    def next(self, now: float) -> Step:
        """What to do at `now`. Never names a time that has passed."""
        step = self._decide(now)
        if not isinstance(step, Start):
            if self._slots.closed and not self._told_closed:
                self._told_closed = True
                self._lineup.label_all()
            self._lineup.label(now, self._idle_reason)
        return step

    def _decide(self, now: float) -> Step:
        lineup = self._lineup
        lineup.wake(now)
        lineup.expire(now, NEVER if self._slots.held_since is not None else self._slots.full_since)
        lineup.settle()
        if self._slots.is_shut or self._slots.is_full:
            return IDLE  # where all slots are taken, time alone opens nothing
        lineup.ask_changed(now)
        chosen = lineup.choose(now, self._slots.bytes_left, self._cap.room)
        if chosen is not None:
            return self._start(*chosen, now)
        at = min(lineup.opens, lineup.wakes)
        if at == NEVER and not (self._slots.in_flight or self._slots.standing_by or lineup.parked):
            self._end_if_capped()
        return WaitUntil(at) if at < NEVER else IDLE

    def startable(self, lane: Lane, most: int) -> list[tuple[int, int | None]]:
        """Return the tokens of up to so many calls that would start now if their lane let them."""
        self._lineup.settle()
        slots = self._slots
        room = most if slots.max_in_flight is None else min(most, slots.max_in_flight - slots.in_flight)
        room, size, cost = min(room, self._lineup.groups.room(lane.group)), slots.bytes_left, self._cap.room
        found: list[tuple[int, int | None]] = []
        member = self._lineup.members[id(lane)]
        shut = self._slots.is_shut or member.paused_at is not None
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

    def _end_if_capped(self) -> None:
        """End the run if calls are left that the cap does not admit, and nothing under way costs less."""
        if self._cap.cap is None or any(map(self._may_go_on, self._lineup.queues.values())):
            return
        entered = [q for q in self._lineup.queues.values() if q.leaf.key is not NOBODY]
        ready = [(q, q.head()) for q in entered if q.has_ready]
        left = [head for q, head in ready if head is not None and not self._cap.fits(q.leaf.needs[1])]
        if left:
            cheapest = min(left, key=lambda scheduled: scheduled.reserve or 0)
            self._cap.end(cheapest.reserve, open_ended=cheapest.open_ended)
            self._slots.closed = True

    def _may_go_on(self, queue: Queue) -> bool:
        """Return whether the cap admits the next call of a model that is paused, with nothing under way."""
        if not self._halts.is_paused(queue.model) or queue.stopped or not queue.has_ready:
            return False
        head = queue.head()
        return head is not None and self._cap.admits(head.reserve, alone=head.open_ended)

    def _idle_reason(self, member: Member) -> Reason:
        """Why a lane starts nothing although it would let a call start."""
        if self._slots.closed:
            if self._cap.reason:
                return Reason.COST
            return Reason.LATENCY if member.lane.own_in_flight else Reason.NO_WORK
        best, reason = member.route.best, member.idle_reason()
        if self._slots.held_since is not None:
            return Reason.WORKERS if reason is Reason.CONCURRENCY else reason
        return Reason.COST if best.key is not NOBODY and not self._cap.fits(best.needs[1]) else reason

    def hedge(self, lease: Lease, now: float) -> Lease | None:
        """Start a second attempt of a call that is under way, if one more call could start now."""
        scheduled = lease.scheduled
        queue = self._lineup.queues[scheduled.call.model]
        full = self._slots.is_full or self._lineup.groups.is_full(queue.route.group)
        if (
            self._slots.is_shut
            or full
            or queue.paused
            or scheduled.size > self._slots.bytes_left
            or not self._cap.admits(scheduled.reserve)
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
        held = self._cap.reserve(scheduled.reserve)
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
        queue.in_flight += 1
        queue.state.in_flight += 1
        self._slots.take(scheduled, now)
        self._lineup.count(queue, member, 1)
        return Lease(scheduled, lane, now, start, scheduled.attempts, held, hedge)

    # --- standby ---------------------------------------------------------------------------

    def may_stand_by(self, lane: Lane, now: float) -> bool:
        """Return whether calls of a lane may be on standby: it starts none only because of its own limit.

        Such a call starts unseen in place of one of the lane's that is answered.
        """
        member = self._lineup.members[id(lane)]
        route = member.route
        if (
            self._slots.is_shut
            or member.paused_at is not None
            or lane.stopped is not None
            or not route.is_alone
            or route.ordered
            or (self._slots.max_in_flight is not None and self._slots.in_flight > self._slots.max_in_flight)
            or self._lineup.groups.room(route.group) < 0
            or any(q.standing_by and (q.stopped or q.paused or q.state.held) for q in route.queues)
        ):
            return False
        queue = self._lineup.first(route)
        head = None if queue is None else queue.head()
        if head is None or not self._cap.admits(head.reserve):
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
        if few or head.attempts or head.turns or head.size > self._slots.bytes_left:
            return None
        if not self._cap.admits(head.reserve) or not wanted(head.call):
            return None
        scheduled = self._lineup.pull(queue, member)
        queue.served = member.served = self._lineup.take_turn()
        self._count_standby(queue, scheduled, 1)
        return Lease(scheduled, lane, now, held=self._cap.reserve(scheduled.reserve))

    def begin_standby(self, lease: Lease, now: float) -> Lease:
        """Count a call that went out in place of one that was answered; returns its lease."""
        scheduled, lane = lease.scheduled, lease.lane
        queue, member = self._lineup.queues[scheduled.call.model], self._lineup.members[id(lane)]
        self._count_standby(queue, scheduled, -1)
        start = lane.on_follow(now, scheduled.input_tokens, scheduled.output_tokens)
        return self._begin(queue, member, scheduled, now, start, lease.held)

    def drop_standby(self, lease: Lease) -> None:
        """Have a call ready again, before all others, that nothing was sent for."""
        scheduled = lease.scheduled
        queue = self._lineup.queues[scheduled.call.model]
        self._count_standby(queue, scheduled, -1)
        self._cap.settle(scheduled.reserve, lease.held, 0)
        if not queue.stopped and not self._slots.closed:
            queue.put_first(scheduled)

    def _count_standby(self, queue: Queue, scheduled: ScheduledCall, more: int) -> None:
        queue.standing_by += more
        self._slots.stand_by(scheduled, more)
        self._lineup.note(queue)
