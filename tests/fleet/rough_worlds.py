"""Random runs as in `worlds` whose inputs are sent, and whose calls are cancelled and run is stopped.

What must hold is that nothing is left of anything, at either end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fleet.worlds import World, WorldRunner
from umwelten.engine.interfaces import AttemptResult
from umwelten.events import RunStatus
from umwelten.fleet.arrivals import SUPPLY_S
from umwelten.fleet.interfaces import ONCE, AssignedCall, NothingSent, Supplies, WorkerHost
from umwelten.fleet.membership import Standing
from umwelten.fleet.messages import Supply
from umwelten.simulate.clock import run_virtual
from umwelten.types import Call, Turn


class _Inputs:
    """Of five calls, one has an input that others have too, one its own, and one that its worker wants."""

    def __init__(self, world: World) -> None:
        self._dice, self._once = world.dice, 0

    def key(self, call: Call, node: str) -> str:
        if call.id % 5 == 1:
            self._once += 1
            return f"{ONCE}{self._once}"
        return f"shared{call.id % 7}" if call.id % 5 == 0 else ""

    def want(self, call: Call, worker: int, node: str) -> str:
        return f"wanted{call.id % 9}"

    async def load(self, call: Call, key: str) -> Supply:
        await asyncio.sleep(self._dice.choice([0.0, 0.1, 3.0, 20.0]) * self._dice.random())
        if self._dice.random() < 0.02:
            raise OSError("it is gone")
        return Supply(key=key, form="content", data=b"x" * self._dice.choice([10, 1_000, 200_000]))


class _Reader(WorldRunner):
    async def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        assigned: AssignedCall,
    ) -> AttemptResult:
        if call.id % 5 < 2:
            assert await assigned.supply() is not None
        elif call.id % 5 == 2:
            await assigned.wanted()
        if not assigned.may_send():
            raise NothingSent
        return await super().__call__(call, turns, on_text, lane, assigned)


class RoughWorld(World):
    """See the module's text."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.cancelled: set[int] = set()
        self.is_stopped = False
        self.faults: list[dict[str, Any]] = []

    def supplies(self) -> Supplies:
        return _Inputs(self)

    async def build(self, payload: bytes, host: WorkerHost) -> WorldRunner:
        made = await super().build(payload, host)
        return _Reader(made._ask, made._on_send, made._prepare_s)

    async def main(self) -> RunStatus:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: self.faults.append(context))
        return await super().main()

    def plan(self) -> None:
        super().plan()
        loop = asyncio.get_running_loop()
        about_s = self.calls * self.provider.spec.latency.median_s / self.slots + 10
        for _ in range(self.dice.randint(0, 20)):
            loop.call_later(self.dice.random() * about_s, self.cancel)
        if self.dice.random() < 0.3:
            loop.call_later(self.dice.random() * about_s, self.stop)
        close = self.remote.close

        async def look_and_close(grace_s: float = 5.0) -> None:
            await asyncio.sleep(SUPPLY_S / 2)  # those that wait for what never comes would wait on
            self.look()
            await close(grace_s)

        self.remote.close = look_and_close  # type: ignore[method-assign]

    def cancel(self) -> None:
        flying = [lease.scheduled.call.id for lease in self.engine._tasks.values()]
        if self.engine.is_running and flying and self.engine.cancel(call := self.dice.choice(flying)):
            self.cancelled.add(call)

    def stop(self) -> None:
        if self.engine.is_running:
            self.is_stopped = True
            self.engine.stop("enough", grace_s=self.dice.choice([0.0, 3.0, 30.0]))

    def look(self) -> None:
        remote = self.remote
        assert not remote._under_way.attempts
        for member in remote._membership:
            assert (member.held, round(member.weight, 6)) == (0, 0.0)
            if member.standing is Standing.USABLE:
                worker = self.carrier.workers[member.number].worker
                assert (worker._attempts, worker._arrivals.waiting) == ({}, {}), f"worker {member.number}"
                assert not remote._shipments._at.get(member.number)
        assert set(remote._outboxes._boxes) == set(self.carrier.workers)

    def check(self, status: RunStatus) -> None:
        assert not self.faults, self.faults
        assert not self.warnings, self.warnings
        assert max(self.answered.values(), default=0) <= 1
        missing = set(range(self.calls)) - set(self.answered)
        assert self.is_stopped or missing <= self.cancelled
        assert self.engine._pool.in_flight == 0


def play(seed: int) -> None:
    """Play a random run."""
    world = RoughWorld(seed)
    try:
        world.check(run_virtual(world.main()))
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
