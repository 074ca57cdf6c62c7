"""Random runs over workers that die, fall silent and come back, in virtual time.

The engine, its lanes and both ends of the messages are the real ones. `python -m fleet.worlds FROM TO` in
`tests` plays as many as you like.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping

from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import LOST_MOST, RetryPolicy
from umwelten.control.stop import CostCap
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, CallInfo
from umwelten.events import Event, Note, NoteLevel, RunStatus
from umwelten.fleet.hearing import DEAF_S
from umwelten.fleet.interfaces import AssignedCall, NoSupplies, NothingSent, Supplies, WorkerHost
from umwelten.fleet.remote import RemoteRunner
from umwelten.fleet.virtual import VirtualCarrier
from umwelten.records import AttemptRecord, CallRecord, Record, WorkerRecord
from umwelten.simulate import profile as p
from umwelten.simulate.clock import run_virtual
from umwelten.simulate.providers import VirtualAsk, VirtualProvider, Work
from umwelten.types import Call, Failure, FailureKind, Input, ModelRef, Reply, Turn

LIMITS: list[p.AnyLimit | None] = [None, p.Concurrency(n=20), p.Bucket(rate=50.0, burst=20.0)]


class WorldRunner:
    """Makes the attempts of a worker; says whenever something is sent."""

    room, missing = 1_000, ()

    def __init__(
        self, ask: VirtualAsk, on_send: Callable[[Call], None], prepare_s: Callable[[], float]
    ) -> None:
        self._ask, self._on_send, self._prepare_s = ask, on_send, prepare_s

    async def __call__(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        assigned: AssignedCall,
    ) -> AttemptResult:
        if prepare_s := self._prepare_s():
            await asyncio.sleep(prepare_s)  # as a large file takes to be read
            if not assigned.may_send():
                raise NothingSent
        self._on_send(call)
        return await self._ask(call, turns, on_text, lane)

    def set_keys(self, keys: Mapping[str, str]) -> None:
        pass

    def set_timeout(self, timeout_s: float) -> None:
        pass

    def refuse(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        pass

    async def close(self) -> None:
        pass


class World:
    """A run. `plan` says what happens to its workers; by default much does."""

    restart_s: float | None = 3.0

    def __init__(self, seed: int, *, calls: int | None = None, workers: int | None = None) -> None:
        self.dice = dice = random.Random(seed)
        self.calls = calls or dice.randint(50, 400)
        self.workers = workers or dice.randint(1, 6)
        limit = dice.choice(LIMITS)
        spec = p.Provider(
            name="world",
            limits=() if limit is None else (limit,),
            latency=p.Latency(median_s=dice.choice([0.05, 0.5, 3.0]), sigma=0.3),
        )
        self.provider = VirtualProvider(spec, Work(spec, self.calls, dice), dice)
        self.slots = dice.choice([4, 20, 60])
        self.way_s = dice.choice([0.0, 0.001, 0.02, 0.2])
        self.left = list(range(self.calls))
        self.attempts: list[AttemptRecord] = []
        self.answered: Counter[int] = Counter()
        self.sent: Counter[int] = Counter()
        self.records: dict[int, WorkerRecord] = {}
        self.warnings: list[str] = []
        self.held: list[bool] = []
        self.ended_lost = 0

    # --- source and sink -------------------------------------------------------------------

    error: BaseException | None = None
    complete, problem = True, None

    def lease(self, model: int, n: int) -> list[Call]:
        taken, self.left = self.left[:n], self.left[n:]
        return [
            Call(id=i, model=0, input=Input(id=1, name=f"{i}", path=f"/{i}", size=self.size(i)))
            for i in taken
        ]

    def size(self, call: int) -> int:
        return 5_000_000 if call % 50 == 7 else 1_000

    def submit(self, record: Record) -> None:
        if isinstance(record, AttemptRecord):
            self.attempts.append(record)
        elif isinstance(record, CallRecord):
            if not isinstance(record.outcome, Reply):
                assert record.outcome.kind is FailureKind.LOST, record.outcome
                self.ended_lost += 1
                own = [each for each in self.attempts if each.call.id == record.call.id]
                assert sum(is_lost(each) and each.cost_nusd is None for each in own) >= LOST_MOST
            self.answered[record.call.id] += 1
            asyncio.get_running_loop().call_soon(self.engine.acknowledge, [record])

    def flush_soon(self) -> None:
        pass

    def observe(self, event: Event) -> None:
        if isinstance(event, Note) and event.level is NoteLevel.WARNING:
            self.warnings.append(event.text)

    # --- the run ---------------------------------------------------------------------------

    def supplies(self) -> Supplies:
        return NoSupplies()

    def prepare_s(self) -> float:
        return self.dice.random() * 10 if self.dice.random() < 0.03 else 0.0

    def delay(self) -> float:
        late = 40.0 if self.dice.random() < 0.01 else 1.0
        return self.way_s * late * self.dice.random()

    async def build(self, payload: bytes, host: WorkerHost) -> WorldRunner:
        ask = VirtualAsk(lambda call: (self.provider, call.id))
        await asyncio.sleep(self.dice.random() * 3)

        def on_send(call: Call) -> None:
            self.sent[call.id] += 1
            for worker in self.carrier.workers.values():
                if worker.worker is host:
                    deaf_s = asyncio.get_running_loop().time() - worker.to.latest
                    # A frame that takes long and is the fastest of all looks as if it took no time.
                    assert deaf_s <= DEAF_S + 40 * self.way_s, f"sent {deaf_s:.1f} s after the last word"

        return WorldRunner(ask, on_send, self.prepare_s)

    async def main(self) -> RunStatus:
        lane = Lane(name="world", group="world", limit=Limit(value=float(self.slots), ceiling=self.slots))
        lane.ramp.began_at = -1_000.0  # nothing was refused for so long: calls may be on standby
        self.pool = Pool({0: lane}, policy=RetryPolicy(), cap=CostCap(cap=10**12))
        self.carrier = VirtualCarrier(
            self.build,
            workers=self.workers,
            delay_out=self.delay,
            delay_back=self.delay,
            restart_s=self.restart_s,
        )
        self.remote = RemoteRunner(
            self.carrier,
            setup=b"setup",
            supplies=self.supplies(),
            observer=self.observe,
            on_workers=lambda record: self.records.update({record.number: record}),
            hold=self.hold,
            on_late=self.late,
        )
        await self.remote.open()
        self.engine = Engine(
            pool=self.pool,
            source=self,
            sink=self,
            runner=self.remote,
            calls=CallInfo(models={0: ModelRef("world", "model")}, estimate=lambda call, turns: 1_000),
            dice=self.dice.random,
            observer=self.observe,
        )
        self.plan()
        try:
            async with asyncio.timeout(50_000):
                result = await self.engine.run()
        finally:
            await self.remote.close()
        return result.status

    def hold(self, held: bool) -> None:
        self.held.append(held)
        if held:
            self.engine.hold()
        else:
            self.engine.release()

    def late(self, assignment: int, result: AttemptResult) -> None:
        self.engine.late(assignment, result)

    # --- what happens ----------------------------------------------------------------------

    def plan(self) -> None:
        loop = asyncio.get_running_loop()
        about_s = self.calls * self.provider.spec.latency.median_s / self.slots
        for _ in range(self.dice.randint(0, 6)):
            what = self.dice.choice([self.kill, self.kill, self.cut, self.cut_long, self.kill_all])
            loop.call_at(loop.time() + self.dice.random() * (about_s + self.dice.choice([0, 30])), what)

        for _ in range(self.dice.choice([0, 0, 1, 5])):
            loop.call_at(loop.time() + self.dice.random() * about_s, self.change)

    def change(self) -> None:
        """Do what a user may do while the run goes on; it is undone soon after."""
        loop, lane, soon_s = asyncio.get_running_loop(), self.pool.lanes[0], self.dice.random() * 3
        what = self.dice.choice(["pause", "ceiling", "cost"])
        if what == "pause":
            self.pool.pause([lane], [], loop.time())
        elif what == "ceiling":
            lane.retune(self.dice.randint(1, self.slots), fixed=True, start=1)
        else:
            self.engine.set_cost_cap(10**12 + self.dice.randint(0, 9))
        self.look_again()
        loop.call_later(soon_s, self.undo)

    def undo(self) -> None:
        lane = self.pool.lanes[0]
        self.pool.resume([lane], [], asyncio.get_running_loop().time())
        lane.retune(self.slots, fixed=True, start=1)
        self.look_again()

    def look_again(self) -> None:
        self.pool.touch_all()
        self.engine.look_again()

    def some(self) -> int | None:
        there = list(self.carrier.workers)
        return self.dice.choice(there) if there else None

    def kill(self) -> None:
        if (worker := self.some()) is not None:
            self.carrier.kill(worker)

    def kill_all(self) -> None:
        for worker in tuple(self.carrier.workers):
            self.carrier.kill(worker)

    def cut(self) -> None:
        if (worker := self.some()) is not None:
            self.carrier.cut(worker, self.dice.random() * 14)

    def cut_long(self) -> None:
        if (worker := self.some()) is not None:
            self.carrier.cut(worker, 14 + self.dice.random() * 30)

    # --- what holds ------------------------------------------------------------------------

    def check(self, status: RunStatus) -> None:
        assert status is (RunStatus.FAILED if self.ended_lost else RunStatus.COMPLETE)
        assert self.answered == Counter(range(self.calls)), "every call is answered once"
        final = {(each.call.id, each.number): each for each in self.attempts}
        unsent = [each for each in final.values() if is_lost(each) and each.cost_nusd == 0]
        made = len(final) - len(unsent)
        unknown = [each for each in final.values() if is_unknown(each)]
        ledger = self.provider.attempts
        assert made - len(unknown) <= ledger <= made, (made, len(unknown), ledger)
        assert not self.warnings, self.warnings
        assert all(record.left_at is not None for record in self.records.values())
        self.check_nothing_is_held()

    def check_nothing_is_held(self) -> None:
        assert (self.pool.in_flight, self.pool.standing_by, self.pool.cap.reserved) == (0, 0, 0)
        assert self.pool.lanes[0].in_flight == 0

    @property
    def paid_twice(self) -> int:
        """Answers that the provider gave beyond one a call."""
        return len(self.provider.latencies) - self.calls + self.ended_lost


def is_lost(record: AttemptRecord) -> bool:
    return isinstance(record.outcome, Failure) and record.outcome.kind is FailureKind.LOST


def is_unknown(record: AttemptRecord) -> bool:
    """Return whether an attempt may have been sent: it was lost, or broken off for a late answer."""
    superseded = isinstance(record.outcome, Failure) and record.outcome.kind is FailureKind.SUPERSEDED
    return superseded or (is_lost(record) and record.cost_nusd is None)


def message(record: AttemptRecord) -> str:
    assert isinstance(record.outcome, Failure)
    return record.outcome.message


def play(seed: int) -> World:
    """Play a random run."""
    world = World(seed)
    try:
        world.check(run_virtual(world.main()))
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise
    return world


if __name__ == "__main__":
    for number in range(int(sys.argv[1]), int(sys.argv[2])):
        played = play(number)
        print(number, played.calls, played.workers, played.paid_twice, played.held, flush=True)
