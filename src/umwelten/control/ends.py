"""What follows from an attempt that ended: for its call, for its model, and for its lane."""

from __future__ import annotations

import msgspec

from umwelten.control.lane import Lane
from umwelten.control.limit import LimitChange
from umwelten.control.lineup import Lineup
from umwelten.control.model_state import ModelState
from umwelten.control.queues import Member, Queue
from umwelten.control.retry import Again, Decision, GiveUp, HoldModel, Park, RetryPolicy, StopLane
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.slots import Slots
from umwelten.control.steps import AttemptVerdict, Lease
from umwelten.control.stop import CostCap
from umwelten.types import EXHAUSTED_CODE, AttemptOutcome, Continue, Failure, FailureKind, Reply, ToolStep

_NOT_THE_PROVIDERS = (FailureKind.EMPTY, FailureKind.LOCAL)
"""Failures that are retried and do not mean that a provider is down."""


class Ends:
    """See the module's text; `Pool` has the same methods. `cap` is the lineup's too."""

    def __init__(self, lineup: Lineup, slots: Slots, cap: CostCap, policy: RetryPolicy) -> None:
        self.policy = policy
        self._lineup, self._slots, self._cap = lineup, slots, cap
        self._alike: dict[int, list[Queue]] = {}
        """The queues of a model with several prompts, by its state."""
        for queue in lineup.queues.values():
            self._alike.setdefault(id(queue.state), []).append(queue)

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
        if self._slots.is_full and self._slots.held_since is None:
            self._lineup.expire(now, self._slots.full_since)
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
        state = self._lineup.queues[scheduled.call.model].state
        if isinstance(outcome, Reply | Continue | ToolStep) or (
            outcome and outcome.kind is FailureKind.EMPTY
        ):
            self._let_go(self._lineup.queues[scheduled.call.model], member)
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

    def _release(self, lease: Lease, member: Member, cost: int | None, now: float) -> int:
        scheduled = lease.scheduled
        counted = self._cap.settle(scheduled.reserve, lease.held, cost, open_ended=scheduled.open_ended)
        queue = self._lineup.queues[scheduled.call.model]
        queue.in_flight -= 1
        queue.state.in_flight -= 1
        self._slots.free(scheduled)
        self._lineup.count(queue, member, -1)
        scheduled.end(now, cost)
        return counted

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
        queue, member = self._lineup.queues[scheduled.call.model], self._lineup.members[id(lane)]
        failure = outcome if away else lane.judge(outcome, now)
        crowded = not away and failure.code == EXHAUSTED_CODE and self._slots.narrow(lease.started_at, now)
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
        queue = self._lineup.queues[scheduled.call.model]
        if not isinstance(decision, StopLane | HoldModel) or not member.route.others(member, queue.shunned):
            return decision, False
        new = isinstance(decision, HoldModel) and member.number not in queue.shunned
        if new:
            for alike in self._alike[id(queue.state)]:
                alike.shunned.add(member.number)
                alike.rehome()
        return Again(0.0, counted=False), new

    # --- the call --------------------------------------------------------------------------

    def _lose(
        self, scheduled: ScheduledCall, failure: Failure, counted_nusd: int, *, alone: bool
    ) -> AttemptVerdict:
        """Have a call made again, before all others, whose attempt is lost; unless too many of it are.

        Those of which nothing was sent do not count: it was not the call that ended its worker. They end no
        sooner than a worker is silent, and where none is there, `hold` keeps all from starting.
        """
        queue, decision = self._lineup.queues[scheduled.call.model], None
        again = queue.state.on_loss()
        if alone:
            decision = self.policy.after_loss(scheduled.lost)
            if isinstance(decision, Again):
                again.insert(0, scheduled)
            else:
                message = f"{failure.message}; {scheduled.lost} attempts of this call were lost so"
                failure = msgspec.structs.replace(failure, message=message, retry=False)
        for each in reversed(again):
            queue = self._lineup.queues[each.call.model]
            if not queue.stopped and not self._slots.closed:
                queue.put_first(each)
        self._lineup.note_all(self._alike[id(queue.state)])
        return AttemptVerdict(failure, decision, counted_nusd=counted_nusd)

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

    def _wait(self, scheduled: ScheduledCall, until: float, *, elsewhere: bool = False) -> None:
        queue = self._lineup.queues[scheduled.call.model]
        elsewhere = elsewhere and scheduled.home is None
        if not queue.stopped and not self._slots.closed:
            self._lineup.wait(scheduled, until, elsewhere=elsewhere and queue.has_untried(scheduled.tried))

    def withdraw(self, lease: Lease) -> None:
        """Make a call no more that is not in flight: this attempt of it, which was lost, was answered."""
        self._lineup.withdraw(lease.scheduled)
        self._let_go(self._lineup.queues[lease.scheduled.call.model], self._lineup.members[id(lease.lane)])

    def unpark(self, scheduled: ScheduledCall, *, goes_on: bool = True) -> None:
        """Let a parked call go on with its `turns` as they are now, or let go of it."""
        scheduled.begin_step()
        self._lineup.unpark(scheduled, goes_on=goes_on and not self._slots.closed)

    def adopt(self, scheduled: ScheduledCall, served_by: str | None) -> None:
        """Bind a call whose conversation began in an earlier run to its lane; without it, it starts over.

        Where one of several accounts is left, it may be another one. What may not begin anew goes on there.
        """
        route = self._lineup.queues[scheduled.call.model].route
        if route.is_alone:
            of_several = (served_by or "").startswith(f"{route.members[0].lane.name}#")
            if of_several and not scheduled.is_bound:
                scheduled.start_over()
        else:
            homes = (member.number for member in route.members if member.lane.name == served_by)
            scheduled.home = next(homes, None)
            if scheduled.home is None:
                scheduled.start_over()

    # --- the lane and the model --------------------------------------------------------------

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
            queue = self._lineup.queues[scheduled.call.model]
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

    def stopped_models(self) -> dict[int, Failure]:
        """Why models take no more calls although their lanes do, by the number of each one's first prompt."""
        first = [alike[0] for alike in self._alike.values() if not alike[0].route.stopped]
        return {q.model: q.state.stopped for q in first if q.state.stopped is not None}


def _was_let_in(outcome: AttemptOutcome | None, *, sent: bool) -> bool:
    """Return whether a provider may have counted a request."""
    if isinstance(outcome, Failure):
        return outcome.kind is FailureKind.LOST and sent
    return outcome is not None
