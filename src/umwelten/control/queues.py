"""The calls of models that are held in memory, and the lanes that they go through, as the pool keeps them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.lane import Lane
from umwelten.control.model_state import ModelState
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.stop import UNBOUNDED, CostCap
from umwelten.control.tournament import NOBODY, Key, Needs, Node, gate, join

WINDOW = 256
"""Ready calls of a model that are held in memory: enough for a thousand in flight, small for a million."""

NOTHING_NEEDED: Needs = (0, 0, 0)

MOST_PARKED = 16 * WINDOW
"""While the tools of that many calls of a model are run, no further calls are fetched. That bounds what they
hold in memory, and tools that take four times as long as the model still keep a thousand slots busy."""

TURN_HELD_S = 2.0
"""So long a server keeps a model whose calls wait for their tools before it loads another: that takes
seconds."""

MOST_WAITING = 4 * WINDOW
"""While that many calls of a model wait, no further ones are fetched: they would wait as well."""


class Queue:
    """The calls of one model. Its `leaf` takes part in the tournament while a call could start, but for the
    lanes.

    `apart` are those of its waiting calls that may go to a lane at once, by the lanes that they have tried,
    and `pulled` the turns of those that did. `homed` are ready calls that only one of the lanes may make, by
    its number; `parked` counts those whose tools are run, and `converses` says that some were. `shunned` are
    lanes that do not have the model, and `stranded` those that take no more calls although some can only go
    on there. `paused`: none starts until it is resumed. `standing_by` of its calls are on standby.
    """

    __slots__ = (
        "apart",
        "changed",
        "converses",
        "drained",
        "homed",
        "in_flight",
        "leaf",
        "model",
        "number",
        "parked",
        "paused",
        "pulled",
        "ready",
        "route",
        "served",
        "shunned",
        "standing_by",
        "state",
        "stranded",
        "waiting",
    )

    def __init__(self, model: int, number: int, route: Route, state: ModelState) -> None:
        self.model, self.number, self.route, self.state = model, number, route, state
        self.ready: deque[ScheduledCall] = deque()
        self.stranded: set[int] = set()
        self.apart: dict[frozenset[int], dict[int, ScheduledCall]] = {}
        self.pulled: set[int] = set()
        self.shunned: set[int] = set()
        self.homed: dict[int, deque[ScheduledCall]] = {}
        self.drained = self.changed = self.converses = self.paused = False
        self.in_flight = self.waiting = self.parked = self.standing_by = self.served = 0
        self.leaf = Node()

    @property
    def stopped(self) -> bool:
        """Return whether the model takes no more calls."""
        return self.route.stopped or self.state.stopped is not None

    @property
    def runs_low(self) -> bool:
        """Return whether more calls of it are to be fetched."""
        return (
            not self.drained
            and len(self.ready) < WINDOW // 4
            and self.waiting < MOST_WAITING
            and self.parked < MOST_PARKED
            and not self.stopped
        )

    @property
    def has_work(self) -> bool:
        """Return whether a call of it that is not under way could still start."""
        held = self.ready or self.waiting or self.parked or self.homed or self.standing_by
        return bool(held or not self.drained) and not self.stopped

    @property
    def has_ready(self) -> bool:
        """Return whether a call of it need not wait but for its lane."""
        return bool(self.ready or self.homed)

    @property
    def may_start(self) -> bool:
        """Return whether one of these may start as far as the model is concerned."""
        return self.has_ready and not self.state.held and not self.paused

    @property
    def held_in_memory(self) -> int:
        """Return how many calls of it are neither under way nor in the store."""
        ready = len(self.ready) + sum(map(len, self.homed.values())) + self.standing_by
        return ready + self.waiting + self.parked

    def put_first(self, scheduled: ScheduledCall) -> None:
        """Have a call ready before all others."""
        if (line := self._line_of(scheduled)) is not None:
            line.appendleft(scheduled)

    def put_last(self, several: Iterable[ScheduledCall]) -> None:
        """Have calls ready after all others."""
        for scheduled in several:
            if scheduled.home is None:
                self.ready.append(scheduled)
            elif (line := self._line_of(scheduled)) is not None:
                line.append(scheduled)

    def _line_of(self, scheduled: ScheduledCall) -> deque[ScheduledCall] | None:
        """Return the ready calls that one belongs to. If its lane takes no more, it starts over at another.

        `None`: it may not, and stays pending.
        """
        home = scheduled.home
        if home is not None and not self._is_open(home):
            if scheduled.is_bound:
                self.stranded.add(home)
                return None
            scheduled.start_over()
            home = None
        return self.ready if home is None else self.homed.setdefault(home, deque())

    def withdraw(self, scheduled: ScheduledCall) -> None:
        """Take a call out of those that are ready or put aside."""
        self.ready = deque(call for call in self.ready if call is not scheduled)
        self.state.aside[:] = [call for call in self.state.aside if call is not scheduled]
        if scheduled.home is not None:
            line = self.homed.pop(scheduled.home, deque())
            if left := deque(call for call in line if call is not scheduled):
                self.homed[scheduled.home] = left

    def rehome(self) -> None:
        """Have the calls start over whose lane takes no more calls."""
        for home in [home for home in self.homed if not self._is_open(home)]:
            for scheduled in reversed(self.homed.pop(home)):
                self.put_first(scheduled)

    def _is_open(self, lane: int) -> bool:
        return self.route.members[lane].lane.stopped is None and lane not in self.shunned

    def clear(self) -> None:
        """Take no more calls."""
        self.ready.clear()
        self.homed.clear()
        self.apart.clear()
        self.drained = True

    def in_memory(self) -> Iterator[ScheduledCall]:
        """Yield its calls that are neither under way, nor parked, nor in the store."""
        yield from self.ready
        for calls in self.homed.values():
            yield from calls
        yield from (call for _, _, call in self.route.waiting if call.call.model == self.model)
        yield from (call for call in self.state.aside if call.call.model == self.model)

    def head(self) -> ScheduledCall | None:
        """Return the call that is next; where none is ready, one that need not wait for another lane."""
        if self.homed:
            return next(calls[0] for calls in self.homed.values())
        if self.ready:
            return self.ready[0]
        return next((call for calls in self.apart.values() for call in calls.values()), None)

    def enter(self) -> None:
        """Take part in the tournament with the next call, or not, if there is none that could start."""
        route, head = self.route, self.head()
        if head is None or self.state.held or self.paused or (route.ordered and route.turn is not self):
            self.leaf.leave()
            return
        key: Key = (self.in_flight, self.served, self.number)
        charge = route.cap.least(head.reserve, alone=head.open_ended and route.busy < len(route.members))
        self.leaf.enter(key, (head.size, charge, head.input_tokens))

    def has_untried(self, tried: Set[int]) -> bool:
        """Return whether a lane takes its calls that is none of these."""
        return not self.route.is_alone and any(
            member.lane.stopped is None and member.number not in tried and member.number not in self.shunned
            for member in self.route.members
        )

    def keep_apart(self, turn: int, scheduled: ScheduledCall) -> None:
        """Let a call that waits go to a lane that it has not tried, once no other call is ready."""
        self.apart.setdefault(scheduled.tried, {})[turn] = scheduled

    def rejoin(self, turn: int, scheduled: ScheduledCall) -> bool:
        """Return whether a call whose time has come is still waiting; it may go to any lane now."""
        if turn in self.pulled:
            self.pulled.discard(turn)
            return False
        self._take_apart(turn, scheduled)
        scheduled.tried = frozenset()
        self.waiting -= 1
        return True

    def pull(self, member: Member) -> ScheduledCall:
        """Take the next call for a lane."""
        if (calls_of_lane := self.homed.get(member.number)) is not None:
            scheduled = calls_of_lane.popleft()
            if not calls_of_lane:
                del self.homed[member.number]
            return scheduled
        if self.ready:
            return self.ready.popleft()
        calls = next(calls for tried, calls in self.apart.items() if member.number not in tried)
        turn, scheduled = next(iter(calls.items()))
        self._take_apart(turn, scheduled)
        self.pulled.add(turn)
        self.waiting -= 1
        return scheduled

    def next_for(self, member: Member) -> ScheduledCall | None:
        """Return the call that `pull` would take for a lane."""
        if member.number in self.shunned:
            return None
        if member.number in self.homed:
            return self.homed[member.number][0]
        if self.ready:
            return self.ready[0]
        calls = next((calls for tried, calls in self.apart.items() if member.number not in tried), None)
        return None if calls is None else next(iter(calls.values()))

    def _take_apart(self, turn: int, scheduled: ScheduledCall) -> None:
        calls = self.apart.get(scheduled.tried)
        if calls is not None and calls.pop(turn, None) is not None and not calls:
            del self.apart[scheduled.tried]


@dataclass(slots=True, eq=False)
class Member:
    """A lane that serves a route's queues, and what it said when it was asked last.

    Its `leaf` is among the route's free lanes while it lets calls start, else it `opens` later. `number` is
    its place in the route. `paused_at`: since when it starts none because somebody said so; `halted_at`:
    since when that, or a pause of all of its models, keeps it from its work.
    """

    lane: Lane
    route: Route
    number: int
    served: int = 0
    opens: float = NEVER
    asked_for: ScheduledCall | None = None
    asked_at: float = -NEVER
    said: float = NEVER
    paused_at: float | None = None
    halted_at: float | None = None
    leaf: Node = field(default_factory=Node)

    def ask(self, scheduled: ScheduledCall, now: float) -> float:
        """Return when the lane lets that call start."""
        if self.paused_at is not None:
            return NEVER
        if self.asked_for is not scheduled or self.asked_at != now:
            self.said = self.lane.earliest_start(now, scheduled.input_tokens, scheduled.output_tokens)
            self.asked_for, self.asked_at = scheduled, now
        return self.said

    def open(self) -> None:
        """Take part in the choice of the least loaded lane."""
        self.opens = NEVER
        if not self.route.is_alone:
            # One that failed last counts as busier: of idle ones, one that answers is better.
            load = self.lane.in_flight + (self.lane.last_failure is not None)
            self.leaf.enter((load, self.served, self.number), NOTHING_NEEDED)
        self.route.gate.set_shut(False)

    def shut(self) -> None:
        """Take no part."""
        self.leaf.leave()
        self.route.gate.set_shut(self.route.is_alone or self.route.free.key is NOBODY)

    @property
    def is_halted(self) -> bool:
        """Return whether it starts nothing because it, or each of its models with work, is paused."""
        if self.paused_at is not None:
            return True
        paused = [queue.paused for queue in self.route.queues if queue.has_work]
        return bool(paused) and all(paused)

    def idle_reason(self) -> Reason:
        """Why the lane starts nothing although nothing forbids it."""
        route = self.route
        if self.lane.stopped is not None:
            return Reason.NO_WORK
        if self.paused_at is not None and any(queue.has_work for queue in route.queues):
            return Reason.PAUSED
        ready = [queue for queue in route.queues if queue.has_ready]
        if route.best.key is not NOBODY or any(not queue.paused for queue in ready):
            return Reason.CONCURRENCY
        if ready:
            return Reason.PAUSED
        if route.waiting:
            return Reason.BACKOFF
        if any(queue.parked for queue in route.queues):
            return Reason.TOOLS
        return Reason.LATENCY if self.lane.own_in_flight else Reason.NO_WORK


@dataclass(slots=True, eq=False)
class Route:
    """The lanes that serve the same models, and the queues of those models.

    Its `gate` is shut while no lane lets a call start; `best` is behind it and knows the best queue, `free`
    the least loaded lane; `busy` lanes have calls under way. `waiting` is a heap of the calls that wait for
    their next attempt, the first one until `wakes`. `turn` is the queue whose turn it is where servers swap
    models, and `held_until` when that passes on although tools of its calls are being run. `is_alone`: there
    is one lane only. `stopped`: none takes calls any more.
    """

    cap: CostCap
    members: list[Member] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    ordered: bool = False
    is_alone: bool = False
    stopped: bool = False
    busy: int = 0
    turn: Queue | None = None
    held_until: float = NEVER
    wakes: float = NEVER
    waiting: list[tuple[float, int, ScheduledCall]] = field(default_factory=list)
    best: Node = field(default_factory=Node)
    free: Node = field(default_factory=Node)
    gate: Node = field(default_factory=Node)

    def build(self) -> Node:
        """Return the gate before its queues, once they are all known."""
        self.is_alone = len(self.members) == 1
        self.ordered = any(member.lane.ordered for member in self.members)
        self.best = join([queue.leaf for queue in self.queues])
        self.gate = gate(self.best)
        self.free = join([member.leaf for member in self.members])
        for member in self.members:
            member.open()
        return self.gate

    @property
    def group(self) -> str:
        """The provider of its lanes."""
        return self.members[0].lane.group

    def count(self, more: int) -> None:
        """Count a lane that has a call under way, or with -1 one that is about to have none."""
        self.busy += more
        if self.cap.cap is not None:
            # What must fit for a call to start depends on whether it would be alone in its lane.
            for queue in self.queues:
                queue.enter()

    def others(self, member: Member, without: Set[int]) -> bool:
        """Return whether another lane is left that takes calls."""
        return any(
            other is not member and other.lane.stopped is None and other.number not in without
            for other in self.members
        )

    def pass_turn(self, now: float) -> float:
        """Where servers swap models, give the turn to the next one if that which has it has no ready call.

        One whose calls call tools keeps it while they are in flight, and for a moment while tools are run.
        Return when that is over, if so.
        """
        had = self.turn
        held_until, self.held_until = self.held_until, NEVER
        if had is not None and had.has_ready and not had.paused:
            return NEVER
        has = next((queue for queue in self.queues if queue.may_start), None)
        if has is None or has is had:
            return NEVER
        if had is not None and had.in_flight and had.converses:
            return NEVER  # some of these may be parked next
        if had is not None and had.parked and not had.stopped:
            self.held_until = now + TURN_HELD_S if held_until == NEVER else held_until
            if now < self.held_until:
                return self.held_until
            self.held_until = NEVER
        for member in self.members:
            member.lane.take_turn(has.model)
        self.turn = has
        for queue in (had, has):
            if queue is not None:
                queue.enter()
        return NEVER


def routes_of(
    lanes: Mapping[int, Sequence[Lane]], states: Mapping[int, ModelState], cap: CostCap
) -> list[Route]:
    """Return the lanes with the queues of their models, in the order of their first model.

    Models have all of their lanes in common, or none.
    """
    routes: dict[tuple[int, ...], Route] = {}
    for number, (model, serving) in enumerate(lanes.items()):
        route = routes.setdefault(tuple(map(id, serving)), Route(cap))
        if not route.members:
            route.members = [Member(lane, route, i) for i, lane in enumerate(serving)]
        route.queues.append(Queue(model, number, route, states.get(model) or ModelState()))
    return list(routes.values())


class Groups:
    """How many calls of each provider are in flight, beside its cap; the gate of one that is full is shut."""

    def __init__(self, routes: Iterable[Route], caps: Mapping[str, int]) -> None:
        self._caps = dict(caps)
        self._in_flight: dict[str, int] = {}
        apart: dict[str, list[Node]] = {}
        for route in routes:
            apart.setdefault(route.group, []).append(route.build())
        self._gates = {group: gate(join(nodes)) for group, nodes in apart.items()}
        for group in caps:
            self.set_cap(group, caps[group], 0)
        self.root = join([*self._gates.values()])

    @property
    def capped(self) -> bool:
        """Return whether calls have to be counted."""
        return bool(self._caps)

    def cap(self, group: str) -> int | None:
        """Return how many calls of a provider may be in flight, `None` where that is not limited."""
        return self._caps.get(group)

    def set_cap(self, group: str, cap: int | None, in_flight: int) -> None:
        """Let so many calls of a provider be in flight from now on, of which there are that many now."""
        if cap is None:
            self._caps.pop(group, None)
            self._in_flight.pop(group, None)
        else:
            self._caps[group], self._in_flight[group] = cap, in_flight
        if group in self._gates:
            self._gates[group].set_shut(cap is not None and in_flight >= cap)

    def room(self, group: str) -> int:
        """Return how many more calls of a provider its cap lets start."""
        return self._caps[group] - self._in_flight[group] if group in self._caps else UNBOUNDED

    def is_full(self, group: str) -> bool:
        """Return whether no further call of the provider may be in flight."""
        return self.room(group) <= 0

    def count(self, group: str, more: int) -> None:
        """Count calls that start, or end."""
        if group in self._in_flight:
            self._in_flight[group] += more
            self._gates[group].set_shut(self._in_flight[group] >= self._caps[group])
