"""Random evaluations of calls with tools, as in `tool_worlds`, whose runs are changed while they go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from engine.seeds import named, play_range
from engine.tool_base import Process
from engine.tool_worlds import PRICE, Turns, World
from umwelten.control.lane import Lane
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult
from umwelten.store.tables import FAILED
from umwelten.tool_calls import ModelTurn
from umwelten.types import Call, Failure, FailureKind, Timing, Usage

LAST_S = 60.0


LOST = Failure(kind=FailureKind.LOST, message="the worker was lost")


class ChangedWorld(World):
    """See the module's text: pauses, calls that are cancelled or made again, and caps of costs; attempts that
    are lost, and may end late; times without workers.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.losing = self.dice.choice((0.0, 0.1, 0.4))
        self.assignments = 0

    async def answer(self, call: Call, turns: Turns, lane: str) -> AttemptResult:
        if self.calm or self.dice.random() >= self.losing:
            return await super().answer(call, turns, lane)
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.check_request(call, turns)
        self.flying += 1
        try:
            await asyncio.sleep(self.until())
        finally:
            self.flying -= 1
        counted = 0 if self.cap is None else PRICE  # without a cap nobody estimates what it may have cost
        self.spent += counted
        self.assignments += 1
        lost = AttemptResult(
            outcome=LOST,
            timing=Timing(started_at=began, latency_s=loop.time() - began),
            key=f"k{call.id}",
            content=b"c",
            step=1 + sum(isinstance(turn, ModelTurn) for turn in turns),
            assignment=self.assignments,
        )
        if self.dice.random() < 0.5:
            loop.call_later(self.until(), self.hear, self.engine, lost, counted, call, turns, lane)
        return lost

    def hear(
        self, engine: Engine, lost: AttemptResult, counted: int, call: Call, turns: Turns, lane: str
    ) -> None:
        """A lost attempt ends after all."""
        if engine.is_running:
            outcome = self.outcome(call, turns, lane)
            paid = 0 if isinstance(outcome, Failure) and outcome.usage == Usage() else PRICE
            self.spent += paid - counted
            engine.late(lost.assignment, replace(lost, outcome=outcome, cost_nusd=paid))

    def plan(self, process: Process) -> None:
        if self.calm:
            return
        self.process = process
        loop = asyncio.get_running_loop()
        changes = [self.pause, self.pause, self.resume, self.requeue, self.requeue, self.cancel, self.bound]
        changes += [self.hold, self.release]
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

    def hold(self, now: float) -> None:
        self.engine.hold()

    def release(self, now: float) -> None:
        self.engine.release()

    def free(self, now: float) -> None:
        self.engine.release()
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
    """Play one world."""
    with named(seed):
        ChangedWorld(seed).play()


if __name__ == "__main__":
    play_range(play)
