"""The calls of models that are held in memory, and the lanes that they go through, as the pool keeps them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.lane import Lane
from umwelten.control.model_state import ModelState
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.stop import CostCap
from umwelten.control.tournament import NOBODY, Key, Node, gate, join

WINDOW = 256
"""Ready calls of a model that are held in memory: enough for a thousand in flight, small for a million."""

MOST_WAITING = 4 * WINDOW
"""While that many calls of a model wait, no further ones are fetched: they would wait as well."""


class Queue:
    """The calls of one model. Its `leaf` takes part in the tournament while a call could start, but for the
    lane."""

    __slots__ = (
        "changed",
        "drained",
        "in_flight",
        "leaf",
        "model",
        "number",
        "ready",
        "route",
        "served",
        "state",
        "waiting",
    )

    def __init__(self, model: int, number: int, route: Route, state: ModelState) -> None:
        self.model, self.number, self.route, self.state = model, number, route, state
        self.ready: deque[ScheduledCall] = deque()
        self.drained = self.changed = False
        self.in_flight = self.waiting = self.served = 0
        self.leaf = Node()

    @property
    def stopped(self) -> bool:
        """Return whether the model takes no more calls."""
        return self.route.lane.stopped is not None or self.state.stopped is not None

    @property
    def runs_low(self) -> bool:
        """Return whether more calls of it are to be fetched."""
        return (
            not self.drained
            and len(self.ready) < WINDOW // 4
            and self.waiting < MOST_WAITING
            and not self.stopped
        )

    @property
    def has_work(self) -> bool:
        """Return whether a call of it that is not under way could still start."""
        return bool(self.ready or self.waiting or not self.drained) and not self.stopped

    def clear(self) -> None:
        """Take no more calls."""
        self.ready.clear()
        self.drained = True

    def enter(self) -> None:
        """Take part in the tournament with the next call, or not, if there is none that could start."""
        route = self.route
        if not self.ready or self.state.held or (route.lane.ordered and route.turn is not self):
            self.leaf.leave()
            return
        head = self.ready[0]
        key: Key = (self.in_flight, self.served, self.number)
        charge = route.cap.least(head.reserve, alone=head.open_ended and not route.lane.in_flight)
        self.leaf.enter(key, (head.size, charge, head.input_tokens))


@dataclass(slots=True, eq=False)
class Route:
    """A lane with the queues whose calls go through it, and what it said when it was asked last.

    Its `gate` is shut while none may start, until `opens`; `best` is behind it. `waiting` is a heap of the
    calls that wait for their next attempt, the first one until `wakes`. `turn` is the queue whose turn it is
    in an ordered lane.
    """

    lane: Lane
    cap: CostCap
    queues: list[Queue] = field(default_factory=list)
    turn: Queue | None = None
    opens: float = NEVER
    wakes: float = NEVER
    asked_for: Queue | None = None
    asked_at: float = -NEVER
    said: float = NEVER
    waiting: list[tuple[float, int, ScheduledCall]] = field(default_factory=list)
    best: Node = field(default_factory=Node)
    gate: Node = field(default_factory=Node)

    def build(self) -> Node:
        """Return the gate before its queues, once they are all known."""
        self.best = join([queue.leaf for queue in self.queues])
        self.gate = gate(self.best)
        return self.gate

    @property
    def ready(self) -> int:
        """Calls that could start now."""
        return sum(len(queue.ready) for queue in self.queues)

    def ask(self, queue: Queue, now: float) -> float:
        """Return when the lane lets the queue's next call start."""
        head = queue.ready[0]
        self.asked_for, self.asked_at = queue, now
        self.said = self.lane.earliest_start(now, head.input_tokens, head.output_tokens)
        return self.said

    def pass_turn(self) -> None:
        """In an ordered lane, give the turn to the next model if the one that has it has no ready call."""
        had = self.turn
        if had is not None and had.ready:
            return
        has = next((queue for queue in self.queues if queue.ready and not queue.state.held), None)
        if has is None or has is had:
            return
        self.lane.take_turn(has.model)
        self.turn = has
        for queue in (had, has):
            if queue is not None:
                queue.enter()

    def idle_reason(self) -> Reason:
        """Why the lane starts nothing although nothing forbids it."""
        if self.best.key is not NOBODY or any(queue.ready for queue in self.queues):
            return Reason.CONCURRENCY
        if self.waiting:
            return Reason.BACKOFF
        return Reason.LATENCY if self.lane.in_flight else Reason.NO_WORK


def routes_of(lanes: Mapping[int, Lane], states: Mapping[int, ModelState], cap: CostCap) -> list[Route]:
    """Return the lanes with the queues of their models, each once, in the order of their first model."""
    routes: dict[int, Route] = {}
    for number, (model, lane) in enumerate(lanes.items()):
        route = routes.setdefault(id(lane), Route(lane, cap))
        route.queues.append(Queue(model, number, route, states.get(model) or ModelState()))
    return list(routes.values())


class Groups:
    """How many calls of each provider are in flight, beside its cap; the gate of one that is full is shut."""

    def __init__(self, routes: Iterable[Route], caps: Mapping[str, int]) -> None:
        self._caps = caps
        self._in_flight = dict.fromkeys(caps, 0)
        self._gates: dict[str, Node] = {}
        apart: dict[str, list[Node]] = {group: [] for group in caps}
        free: list[Node] = []
        for route in routes:
            apart.get(route.lane.group, free).append(route.build())
        for group, nodes in apart.items():
            self._gates[group] = gate(join(nodes))
            self._gates[group].set_shut(caps[group] <= 0)
        self.root = join([*free, *self._gates.values()])

    def count(self, group: str, more: int) -> None:
        """Count calls that start, or end."""
        if group in self._in_flight:
            self._in_flight[group] += more
            self._gates[group].set_shut(self._in_flight[group] >= self._caps[group])
