"""Which queue is next, of all whose lane may start a call now, without looking at all of them.

Theory of operation. What is known of queues and lanes is kept: a queue takes part in a tournament while it
has a call that could start but for its lane, and the gate before a lane's queues is shut while the lane lets
none start. A lane is asked again only when a call of it started or ended, when its queues changed, or when
the time has come that it named. So a decision costs the lanes that something happened to, and the way from
one leaf of the tournament to the root.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.lane import Lane
from umwelten.control.model_state import ModelState
from umwelten.control.queues import Groups, Queue, Route, routes_of
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.stop import UNBOUNDED, CostCap
from umwelten.control.tournament import NOBODY, Node


class Lineup:
    """See the module's text."""

    def __init__(
        self,
        lanes: Mapping[int, Lane],
        states: Mapping[int, ModelState],
        cap: CostCap,
        group_caps: Mapping[str, int],
    ) -> None:
        self.routes = {id(route.lane): route for route in routes_of(lanes, states, cap)}
        made = [queue for route in self.routes.values() for queue in route.queues]
        self.queues = {queue.model: queue for queue in sorted(made, key=attrgetter("number"))}
        self.groups = Groups(self.routes.values(), group_caps)
        self._numbered = list(self.queues.values())
        self._capped = cap.cap is not None
        self._changed: list[Queue] = []
        self._low: dict[int, None] = {}
        self._live: set[int] = set()
        self._unasked = dict.fromkeys(self.routes.values())
        self._unlabelled = dict.fromkeys(self.routes.values())
        self._opening: list[tuple[float, int, Route]] = []
        self._waking: list[tuple[float, int, Route]] = []
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

    def count(self, queue: Queue, more: int) -> None:
        """Count a call of a queue that started, or with -1 one that ended."""
        route = queue.route
        self.groups.count(route.lane.group, more)
        self.note(queue)
        if self._capped and route.lane.in_flight <= 1:
            # What must fit for a call to start depends on whether it would be alone in its lane.
            self.note_all(route.queues)

    def touch(self, route: Route) -> None:
        """Something happened to a lane: it is asked again."""
        self._unasked[route] = self._unlabelled[route] = None

    def take_turn(self) -> int:
        """Return a number greater than all before."""
        self._turn += 1
        return self._turn

    def settle(self) -> None:
        """Put right what is known of the queues that changed."""
        for queue in self._changed:
            queue.changed = False
            route = queue.route
            self._unasked[route] = self._unlabelled[route] = None
            # The lane is asked next: until then the gate need not tell what is new behind it.
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

    def wait(self, scheduled: ScheduledCall, until: float) -> None:
        """Keep a call until its next attempt."""
        queue = self.queues[scheduled.call.model]
        queue.waiting += 1
        heapq.heappush(queue.route.waiting, (until, self.take_turn(), scheduled))
        self._announce(queue.route)
        self.note(queue)

    def wake_early(self, lane: Lane, now: float, *, refused: bool) -> None:
        """What a lane's calls wait for is over: those that were refused, or the others."""
        route = self.routes[id(lane)]
        route.waiting = [
            (min(at, now) if scheduled.refused is refused else at, turn, scheduled)
            for at, turn, scheduled in route.waiting
        ]
        heapq.heapify(route.waiting)
        self._announce(route)

    def wake(self, now: float) -> None:
        """Have the calls ready that have waited long enough."""
        while self._waking and self._waking[0][0] <= now:
            route = heapq.heappop(self._waking)[2]
            route.wakes = NEVER
            while route.waiting and route.waiting[0][0] <= now:
                self._wake(heapq.heappop(route.waiting)[2])
            self._announce(route)

    def _wake(self, scheduled: ScheduledCall) -> None:
        queue = self.queues[scheduled.call.model]
        queue.waiting -= 1
        self.note(queue)
        if queue.stopped:
            return
        if queue.route.lane.in_outage:
            # In an outage the probes go round, so that no call spends all its retries on them.
            queue.ready.append(scheduled)
        else:
            queue.ready.appendleft(scheduled)

    def _announce(self, route: Route) -> None:
        """Note when the first of a lane's waiting calls may go again."""
        at = route.waiting[0][0] if route.waiting else NEVER
        if at < route.wakes:
            route.wakes = at
            heapq.heappush(self._waking, (at, self.take_turn(), route))

    @property
    def wakes(self) -> float:
        """When the first call that waits may go again."""
        return self._waking[0][0] if self._waking else NEVER

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
            at, _, route = heapq.heappop(self._opening)
            if route.opens == at:
                route.opens = NEVER
                self.touch(route)
                if full_since <= now:
                    route.lane.timesheet.turn(max(at, full_since), Reason.CONCURRENCY)

    def ask_changed(self, now: float) -> None:
        """Ask the lanes to which something happened whether they let a call start."""
        for route in self._unasked:
            if route.lane.ordered:
                route.pass_turn()
            at, why = self._ask_route(route, now)
            if at > now:
                self._shut(route, at, why, now)
            else:
                route.opens = NEVER
                route.gate.set_shut(False)
        self._unasked.clear()

    def _ask_route(self, route: Route, now: float) -> tuple[float, Reason]:
        best = route.best
        if best.key is NOBODY:
            return now, Reason.NO_WORK
        queue = self._number(best)
        at, why = route.ask(queue, now), route.lane.wait_reason
        if at > now and why is Reason.TOKENS and len(route.queues) > 1:
            # A smaller call may fit (all ask for as long answers); if the smallest doesn't, none does.
            smallest = self._number(best.with_fewest_tokens())
            at = at if smallest is queue else min(at, route.ask(smallest, now))
        return at, why

    def _shut(self, route: Route, at: float, why: Reason, now: float) -> None:
        route.gate.set_shut(True)
        if at != route.opens and at < NEVER:
            heapq.heappush(self._opening, (at, self.take_turn(), route))
        route.opens = at
        self._unlabelled.pop(route, None)
        route.lane.timesheet.turn(now, why, at)

    # --- choosing --------------------------------------------------------------------------

    def choose(self, now: float, size: int, charge: int) -> Queue | None:
        """Return the queue that is next: of those that may start a call, the least served.

        The call may have that many bytes at most, and need that much of the cost cap.
        """
        self._later, self._bytes, self._charge = NEVER, size, charge
        root = self.groups.root
        if root.key is NOBODY:
            return None
        first = self._number(root)
        return first if self._admits(first, now) else self._search(root, None, now)

    def _number(self, node: Node) -> Queue:
        return self._numbered[int(node.key[2])]

    def _search(self, node: Node, best: Queue | None, now: float) -> Queue | None:
        """Return the first queue below a node that may start a call, or `best`, whichever is less served."""
        if node.key is NOBODY or (best is not None and node.key > best.leaf.key):
            return best
        if node.needs[0] > self._bytes or node.needs[1] > self._charge:
            return best
        left, right = node.left, node.right
        if left is None:
            queue = self._number(node)
            return queue if self._admits(queue, now) else best
        if right is None:
            return self._search(left, best, now)
        if right.key < left.key:
            left, right = right, left
        return self._search(right, self._search(left, best, now), now)

    def _admits(self, queue: Queue, now: float) -> bool:
        size, charge, _ = queue.leaf.needs
        if size > self._bytes or charge > self._charge:
            return False
        route = queue.route
        known = route.asked_for is queue and route.asked_at == now
        at = route.said if known else route.ask(queue, now)
        if at <= now:
            return True
        if len(route.queues) > 1 and route.lane.wait_reason is Reason.TOKENS:
            self._later = min(self._later, at)
        else:
            self._shut(route, at, route.lane.wait_reason, now)
        return False

    # --- accounting ------------------------------------------------------------------------

    def label(self, now: float, reason: Callable[[Route], Reason]) -> None:
        """Note what the lanes wait for to which something happened, and which start nothing."""
        for route in self._unlabelled:
            route.lane.timesheet.turn(now, reason(route))
        self._unlabelled.clear()

    def label_all(self) -> None:
        """What all lanes wait for has changed."""
        self._unlabelled = dict.fromkeys(self.routes.values())

    def account(self, now: float) -> None:
        """Count the time of every lane up to now."""
        for route in self.routes.values():
            sheet = route.lane.timesheet
            sheet.turn(now, sheet.reason, sheet.until)
