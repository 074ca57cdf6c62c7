"""A request from its arrival to the end of its reply, and the queues in which it may have to wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from umwelten.simulate.faultserver.behaviours import BehaviourState
from umwelten.simulate.faultserver.connection import Connection, Step
from umwelten.simulate.faultserver.ledger import Fate, Ledger, Record
from umwelten.simulate.faultserver.wires import ScriptedAnswer, ServerWire
from umwelten.simulate.limiters import Limiter, RequestCost


class SlotQueue:
    """The slots of a server that lets everyone wait."""

    def __init__(self, k: int) -> None:
        self._free = k
        self._waiting: deque[RequestHandler] = deque()

    def enter(self, handler: RequestHandler) -> bool:
        """Take a slot, or stand in line and be told by `handler.on_slot`."""
        if self._free > 0:
            self._free -= 1
            return True
        self._waiting.append(handler)
        return False

    def leave(self) -> None:
        """Give a slot back; the next in line that is still there gets it."""
        while self._waiting:
            handler = self._waiting.popleft()
            if not handler.gone:
                handler.on_slot(self)
                return
        self._free += 1


class RequestHandler:
    """The state of one request. Counts itself in the ledger when made, and out when finished."""

    def __init__(
        self,
        connection: Connection,
        ledger: Ledger,
        wire: ServerWire,
        answer: ScriptedAnswer,
        drawn: BehaviourState,
        latency_s: float,
    ) -> None:
        self.wire, self.answer, self.drawn, self.latency_s = wire, answer, drawn, latency_s
        self.record: Record | None = None
        self.admitted: Sequence[Limiter] = ()
        self.cost = RequestCost()
        self.gone = False
        self._connection, self._ledger = connection, ledger
        self._sums = ledger.begin(answer.ask.model)
        self._queues: Sequence[SlotQueue] = ()
        self._held: list[SlotQueue] = []
        self._fate: Fate = "answered"
        connection.player = self

    def line_up(self, queues: Sequence[SlotQueue], perform: Callable[[RequestHandler], None]) -> None:
        """Take a slot of each queue, one after the other, then `perform`."""
        self._queues, self._perform = queues, perform
        self._proceed()

    def on_slot(self, queue: SlotQueue) -> None:
        """Take a slot that was waited for."""
        self._held.append(queue)
        self._proceed()

    def play(self, steps: Iterator[Step], fate: Fate, status: int, fault: str | int) -> None:
        """Send these steps. `fate`, `status` and `fault` are for the record."""
        self._fate = fate
        if self.record is not None:
            self.record.status, self.record.fault = status, fault
        self._connection.play(steps)

    def on_end(self, complete: bool) -> None:
        """See `connection.Player`."""
        self.gone = True
        fate: Fate = "abandoned" if self._fate == "answered" and not complete else self._fate
        self._ledger.end(self._sums, fate, self.answer.input_tokens, self.answer.output_tokens)
        if self.record is not None:
            self.record.fate = fate
            self.record.done_s = self._ledger.age_s()
        now = self._ledger.age_s()
        for limiter in self.admitted:
            limiter.end(now, self.cost)
        for queue in self._held:
            queue.leave()

    def _proceed(self) -> None:
        for queue in self._queues[len(self._held) :]:
            if not queue.enter(self):
                return
            self._held.append(queue)
        self._perform(self)
