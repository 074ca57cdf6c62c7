"""Which queue is next, of all whose lane may start a call now, without looking at all of them.

Theory of operation. What is known of queues and lanes is kept: a queue takes part in a tournament while it
has a call that could start but for its lane, and the gate before a lane's queues is shut while the lane lets
none start. A lane is asked again only when a call of it started or ended, when its queues changed, or when
the time has come that it named. So a decision costs the lanes that something happened to, and the way from
one leaf of the tournament to the root.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.lane import Lane
from umwelten.control.model_state import ModelState
from umwelten.control.queues import Groups, Member, Queue, Route, routes_of
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.stop import UNBOUNDED, CostCap
from umwelten.control.tournament import NOBODY, Node


class Lineup:
    """See the module's text."""

    def __init__(
        self,
        lanes: Mapping[int, Sequence[Lane]],
        states: Mapping[int, ModelState],
        cap: CostCap,
        group_caps: Mapping[str, int],
    ) -> None:
        self.routes = routes_of(lanes, states, cap)
        self.members = {id(member.lane): member for route in self.routes for member in route.members}
        made = [queue for route in self.routes for queue in route.queues]
        self.queues = {queue.model: queue for queue in sorted(made, key=attrgetter("number"))}
        self.groups = Groups(self.routes, group_caps)
        self._numbered = list(self.queues.values())
        self._changed: list[Queue] = []
        self._low: dict[int, None] = {}
        self._live: set[int] = set()
        self._settled: dict[Route, None] = {}
        self._unasked = dict.fromkeys(self.members.values())
        self._unlabelled = dict.fromkeys(self.members.values())
        self._opening: list[tuple[float, int, Member]] = []
        self._waking: list[tuple[float, int, Route]] = []
        self._held: dict[Route, float] = {}
        self._bytes = self._charge = UNBOUNDED
        self._later = NEVER
        self._turn = 0
        for queue in self._numbered:
            self.note(queue)

    # --- what changed ----------------------------------------------------------------------

    def note(self, queue: Queue) -> None:
        """A queue changed: what is known of it is put right before the next decision."""
        if not queue.changed:
            queue.changed = True
            self._changed.append(queue)

    def note_all(self, queues: Iterable[Queue]) -> None:
        """Several changed."""
        for queue in queues:
            self.note(queue)

    def count(self, queue: Queue, member: Member, more: int) -> None:
        """Count a call of a queue that started at a lane, or with -1 one that is about to end."""
        if self.groups.capped:
            self.groups.count(member.lane.group, more)
        if member.lane.own_in_flight == 1:
            queue.route.count(more)
        if not queue.route.is_alone:
            self.touch(member)
        self.note(queue)

    def touch(self, member: Member) -> None:
        """Something happened to a lane: it is asked again."""
        self._unasked[member] = self._unlabelled[member] = None

    def touch_all(self, route: Route) -> None:
        """Ask all lanes of a route again."""
        for member in route.members:
            self.touch(member)

    def touch_members(self) -> None:
        """Ask all lanes again."""
        for member in self.members.values():
            self.touch(member)

    def take_turn(self) -> int:
        """Return a number greater than all before."""
        self._turn += 1
        return self._turn

    def set_pause(self, member: Member, at: float | None) -> None:
        """Have a lane start nothing since then, or with `None` go on."""
        member.paused_at = at
        member.asked_for = None
        self.touch(member)
        self.note_all(member.route.queues)

    def settle(self) -> None:
        """Put right what is known of the queues that changed."""
        for queue in self._changed:
            queue.changed = False
            route = queue.route
            if route.is_alone or route.best.key is NOBODY:
                for member in route.members:
                    self._unasked[member] = self._unlabelled[member] = None
            if route.ordered or not route.is_alone:
                self._settled[route] = None
            # The gate is seen to next: until then it need not tell what is new behind it.
            route.gate.pending = True
            queue.enter()
            if queue.runs_low:
                self._low[queue.model] = None
            elif self._low:
                self._low.pop(queue.model, None)
            if not queue.has_work:
                self._live.discard(queue.model)
            elif queue.model not in self._live:
                self._live.add(queue.model)
        self._changed.clear()

    @property
    def running_low(self) -> list[int]:
        """Models of which more calls are to be fetched."""
        self.settle()
        return list(self._low)

    @property
    def has_work(self) -> bool:
        """Whether a call that is not under way could still start."""
        self.settle()
        return bool(self._live)

    # --- waiting ---------------------------------------------------------------------------

    def wait(self, scheduled: ScheduledCall, until: float, *, elsewhere: bool) -> None:
        """Keep a call until its next attempt; `elsewhere`: a lane not tried yet may make it before."""
        queue = self.queues[scheduled.call.model]
        queue.waiting += 1
        turn = self.take_turn()
        heapq.heappush(queue.route.waiting, (until, turn, scheduled))
        if elsewhere:
            queue.keep_apart(turn, scheduled)
        self._announce(queue.route)
        self.note(queue)

    def wake_early(self, route: Route, now: float, *, refused: bool) -> None:
        """What a route's calls wait for is over: those that were refused, or the others."""
        route.waiting = [
            (min(at, now) if scheduled.refused is refused else at, turn, scheduled)
            for at, turn, scheduled in route.waiting
        ]
        heapq.heapify(route.waiting)
        self._announce(route)

    def wake(self, now: float) -> None:
        """Have the calls ready that have waited long enough."""
        for route in [route for route, at in self._held.items() if at <= now]:
            del self._held[route]
            self._settled[route] = None
        while self._waking and self._waking[0][0] <= now:
            route = heapq.heappop(self._waking)[2]
            route.wakes = NEVER
            while route.waiting and route.waiting[0][0] <= now:
                self._wake(*heapq.heappop(route.waiting)[1:])
            self._announce(route)

    def _wake(self, turn: int, scheduled: ScheduledCall) -> None:
        queue = self.queues[scheduled.call.model]
        if not queue.rejoin(turn, scheduled):
            return
        self.note(queue)
        if queue.stopped:
            return
        if scheduled.home is None and all(member.lane.in_outage for member in queue.route.members):
            # In an outage the probes go round, so that no call spends all its retries on them.
            queue.ready.append(scheduled)
        else:
            queue.put_first(scheduled)

    def withdraw(self, scheduled: ScheduledCall) -> None:
        """Take a call out that is ready, waits or was put aside."""
        queue, kept = self.queues[scheduled.call.model], []
        queue.withdraw(scheduled)
        for at, turn, call in queue.route.waiting:
            if call is scheduled:
                queue.rejoin(turn, call)
            else:
                kept.append((at, turn, call))
        heapq.heapify(kept)
        queue.route.waiting = kept
        self._announce(queue.route)
        self.note(queue)

    def park(self, scheduled: ScheduledCall) -> None:
        """Keep a call, which holds no slot, until `unpark`."""
        queue = self.queues[scheduled.call.model]
        queue.parked += 1
        queue.converses = True
        self.note(queue)

    def unpark(self, scheduled: ScheduledCall, *, goes_on: bool) -> None:
        """Have a call ready that was parked, before those that have not begun; or let go of it."""
        queue = self.queues[scheduled.call.model]
        queue.parked -= 1
        if goes_on and not queue.stopped:
            queue.put_first(scheduled)
        self.note(queue)

    @property
    def parked(self) -> int:
        """How many calls are parked."""
        return sum(queue.parked for queue in self._numbered)

    def _announce(self, route: Route) -> None:
        """Note when the first of a route's waiting calls may go again."""
        at = route.waiting[0][0] if route.waiting else NEVER
        if at < route.wakes:
            route.wakes = at
            heapq.heappush(self._waking, (at, self.take_turn(), route))

    @property
    def wakes(self) -> float:
        """When the first call that waits may go again, or a turn that is held is passed on."""
        return min(self._next_wake(), min(self._held.values(), default=NEVER))

    def _next_wake(self) -> float:
        while self._waking:
            at, _, route = self._waking[0]
            if route.waiting and route.waiting[0][0] == at:
                return at
            heapq.heappop(self._waking)
            if route.wakes == at:
                route.wakes = NEVER
                self._announce(route)
        return NEVER

    def first(self, route: Route) -> Queue | None:
        """Return the queue of a route that is next once its lane lets a call start."""
        self.settle()
        return None if route.best.key is NOBODY else self._number(route.best)

    def pull(self, queue: Queue, member: Member) -> ScheduledCall:
        """Take a queue's next call for a lane."""
        scheduled, waiting = queue.pull(member), queue.route.waiting
        while waiting and waiting[0][1] in (pulled := self.queues[waiting[0][2].call.model].pulled):
            pulled.discard(heapq.heappop(waiting)[1])
        return scheduled

    # --- asking lanes ----------------------------------------------------------------------

    @property
    def opens(self) -> float:
        """When the first lane that lets no call start may let one start, if nothing happens before."""
        opening = self._opening
        while opening and opening[0][2].opens != opening[0][0]:
            heapq.heappop(opening)
        return min(self._later, opening[0][0] if opening else NEVER)

    def expire(self, now: float, full_since: float) -> None:
        """Have the lanes asked again whose time has come; since `full_since` they could start nothing."""
        while self._opening and self._opening[0][0] <= now:
            at, _, member = heapq.heappop(self._opening)
            if member.opens == at:
                member.opens = NEVER
                self.touch(member)
                if full_since <= now:
                    member.lane.timesheet.turn(max(at, full_since), Reason.CONCURRENCY)

    def ask_changed(self, now: float) -> None:
        """Ask the lanes to which something happened whether they let a call start."""
        for route in self._settled:
            if route.ordered and (at := route.pass_turn(now)) < NEVER:
                self._held[route] = at
        for member in self._unasked:
            member.asked_for = None
            at, why = self._ask(member, now)
            if at > now:
                self._shut(member, at, why, now)
            else:
                member.open()
        for route in self._settled:
            if not route.is_alone:
                route.gate.set_shut(route.free.key is NOBODY)
        self._settled.clear()
        self._unasked.clear()

    def _ask(self, member: Member, now: float) -> tuple[float, Reason]:
        """Ask for the next call of the best queue."""
        lane, best = member.lane, member.route.best
        if lane.stopped is not None:
            return NEVER, Reason.NO_WORK
        if member.paused_at is not None and any(queue.has_work for queue in member.route.queues):
            return NEVER, Reason.PAUSED
        head = None
        if best.key is not NOBODY:
            queue = self._number(best)
            head = queue.head() if member.route.is_alone else queue.next_for(member)
        if head is None:
            return now, Reason.NO_WORK
        at, why = member.ask(head, now), lane.wait_reason
        if at > now and why is Reason.TOKENS and len(member.route.queues) > 1:
            # A smaller call may fit (all ask for as long answers); if the smallest doesn't, none does.
            smallest = self._number(best.with_fewest_tokens()).head()
            assert smallest is not None
            at = min(at, member.ask(smallest, now))
        return at, why

    def _shut(self, member: Member, at: float, why: Reason, now: float) -> None:
        if at != member.opens and at < NEVER:
            heapq.heappush(self._opening, (at, self.take_turn(), member))
        member.opens = at
        member.shut()
        self._unlabelled.pop(member, None)
        member.lane.timesheet.turn(now, why, at)

    # --- choosing --------------------------------------------------------------------------

    def choose(self, now: float, size: int, charge: int) -> tuple[Queue, Member] | None:
        """Return the queue that is next and its lane: of those that may start a call, the least served.

        The call may have that many bytes at most, and need that much of the cost cap.
        """
        self._later, self._bytes, self._charge = NEVER, size, charge
        root = self.groups.root
        if root.key is NOBODY:
            return None
        first = self._number(root)
        member = self._lane_for(first, now)
        return (first, member) if member is not None else self._search(root, None, now)

    def _number(self, node: Node) -> Queue:
        return self._numbered[int(node.key[2])]

    def _search(
        self, node: Node, best: tuple[Queue, Member] | None, now: float
    ) -> tuple[Queue, Member] | None:
        """Return the first queue below a node that may start a call, or `best`, whichever is less served."""
        if node.key is NOBODY or (best is not None and node.key > best[0].leaf.key):
            return best
        if node.needs[0] > self._bytes or node.needs[1] > self._charge:
            return best
        left, right = node.left, node.right
        if left is None:
            queue = self._number(node)
            member = self._lane_for(queue, now)
            return best if member is None else (queue, member)
        if right is None:
            return self._search(left, best, now)
        if right.key < left.key:
            left, right = right, left
        return self._search(right, self._search(left, best, now), now)

    def _lane_for(self, queue: Queue, now: float) -> Member | None:
        """Return the least loaded lane that lets a queue's next call start."""
        size, charge, _ = queue.leaf.needs
        if size > self._bytes or charge > self._charge:
            return None
        route = queue.route
        if route.is_alone:
            member = route.members[0]
            head = queue.head()
            return member if head is not None and self._lets_start(member, head, now) else None
        return self._least_loaded(route.free, queue, now)

    def _least_loaded(self, node: Node, queue: Queue, now: float) -> Member | None:
        if node.key is NOBODY:
            return None
        left, right = node.left, node.right
        if left is None:
            member = queue.route.members[int(node.key[2])]
            head = queue.next_for(member)
            return member if head is not None and self._lets_start(member, head, now) else None
        assert right is not None
        if right.key < left.key:
            left, right = right, left
        return self._least_loaded(left, queue, now) or self._least_loaded(right, queue, now)

    def _lets_start(self, member: Member, head: ScheduledCall, now: float) -> bool:
        cap, lane = member.route.cap, member.lane
        if head.size > self._bytes:
            return False
        if cap.least(head.reserve, alone=head.open_ended and not lane.own_in_flight) > self._charge:
            return False
        at = member.ask(head, now)
        if at <= now:
            return True
        if lane.wait_reason is Reason.TOKENS and len(member.route.queues) > 1:
            self._later = min(self._later, at)
        else:
            self._shut(member, at, lane.wait_reason, now)
        return False

    # --- accounting ------------------------------------------------------------------------

    def label(self, now: float, reason: Callable[[Member], Reason]) -> None:
        """Note what the lanes wait for to which something happened, and which start nothing."""
        for member in self._unlabelled:
            member.lane.timesheet.turn(now, reason(member))
        self._unlabelled.clear()

    def label_all(self) -> None:
        """What all lanes wait for has changed."""
        self._unlabelled = dict.fromkeys(self.members.values())

    def account(self, now: float) -> None:
        """Count the time of every lane up to now."""
        for member in self.members.values():
            sheet = member.lane.timesheet
            sheet.turn(now, sheet.reason, sheet.until)
