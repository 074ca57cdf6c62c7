"""Random evaluations of calls with tools, as in `tool_worlds`, whose runs are changed while they go on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

from engine.tool_base import Process
from engine.tool_worlds import PRICE, World
from umwelten.control.lane import Lane
from umwelten.store.tables import FAILED
from umwelten.types import Call

LAST_S = 60.0


class ChangedWorld(World):
    """See the module's text: pauses, calls that are cancelled or made again, and caps of costs."""

    def plan(self, process: Process) -> None:
        if self.calm:
            return
        self.process = process
        loop = asyncio.get_running_loop()
        changes = [self.pause, self.pause, self.resume, self.requeue, self.requeue, self.cancel, self.bound]
        for _ in range(self.dice.randint(0, 12)):
            change = self.dice.choice(changes)
            loop.call_at(self.dice.random() ** 2 * LAST_S, self.make, change)
        loop.call_at(LAST_S, self.make, self.free)

    def make(self, change: Callable[[float], None]) -> None:
        if self.engine.is_running and not self.engine.is_closed and self.process.error is None:
            change(asyncio.get_running_loop().time())
            self.engine.look_again()

    def scope(self) -> tuple[list[Lane], list[int]]:
        lanes = [lane for lane in self.pool.lanes if self.dice.random() < 0.5]
        return lanes, [model for model in range(1, self.models + 1) if self.dice.random() < 0.5]

    def pause(self, now: float) -> None:
        self.pool.pause(*self.scope(), now)

    def resume(self, now: float) -> None:
        self.pool.resume(*self.scope(), now)

    def free(self, now: float) -> None:
        self.pool.resume(self.pool.lanes, range(1, self.models + 1), now)

    def requeue(self, now: float) -> None:
        """Make calls again that this run gave up, as the store tells them."""
        query = f"SELECT id FROM calls WHERE status = {FAILED} AND run_id = {self.run_id}"
        failed = {id for (id,) in self.base.rows(query)}
        again: list[Call] = []
        for calls in self.base.calls.values():
            for call in calls:
                under_way = self.process.ended[call.id] <= self.requeued[call.id]
                known = call.id in failed and not self.engine.is_failing(call.id)
                if known and not under_way and not self.pool.is_stopped(call.model):
                    again.append(call)
        self.requeued.update(call.id for call in again)
        self.engine.requeue(again)

    def cancel(self, now: float) -> None:
        flying = [lease.scheduled.call.id for lease in self.engine._tasks.values()]
        if flying:
            self.engine.cancel(self.dice.choice(flying))

    def bound(self, now: float) -> None:
        """Set another cap, or none; what is under way is paid in any case."""
        self.cap = self.dice.choice((None, self.spent, self.spent + self.dice.randint(0, 200)))
        self.allowed = self.spent + PRICE * len(self.engine._tasks)
        self.engine.set_cost_cap(self.cap)


def play(seed: int) -> None:
    """Play one world; name it where it breaks a promise."""
    try:
        ChangedWorld(seed).play()
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        play(number)
