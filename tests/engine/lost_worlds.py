"""Random runs in virtual time whose attempts are lost, end late, and meet pauses, hedges and cost caps."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from functools import partial

import msgspec

from engine.memory import PRICE, Attempts, MemoryStore, Run, Turns, at, model_name, run
from engine.seeds import named, play_range
from umwelten.control.lane import Lane
from umwelten.control.retry import LOST_MOST
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, CallInfo
from umwelten.events import AttemptDropped, AttemptFailed, CallFailed, CallStarted, CallSucceeded, Event
from umwelten.records import AttemptRecord, CostRecord
from umwelten.types import AttemptOutcome, Call, Failure, FailureKind, Reply, Timing

LOST = Failure(kind=FailureKind.LOST, message="the worker was lost")
BROKEN = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)
BOUND = 10
LAST_S = 60.0


class LossyAttempts(Attempts):
    """Attempts of which some are lost: they end without a word, and may be heard of later.

    `fate` says of an attempt when it is given up, and when it ends after all; both may be `None`. `late`
    takes such an end. `away` says whether an attempt's worker was silent for a while.
    """

    fate: Callable[[Call], tuple[float | None, float | None]] = staticmethod(lambda call: (None, None))
    late: Callable[[int, AttemptResult], None] = staticmethod(lambda assignment, result: None)
    away: Callable[[], bool] = staticmethod(lambda: False)
    assignments = 0

    async def __call__(
        self, call: Call, turns: Turns, on_text: Callable[[str], None] | None, lane: str
    ) -> AttemptResult:
        self.assignments += 1
        assignment, loop = self.assignments, asyncio.get_running_loop()
        lost_s, late_s = self.fate(call)
        if lost_s is None:
            result = await super().__call__(call, turns, on_text, lane)
            return msgspec.structs.replace(result, assignment=assignment, worker=1, away=self.away())
        started_at = loop.time()
        await asyncio.sleep(lost_s)
        timing = Timing(started_at=started_at, latency_s=lost_s)
        result = AttemptResult(
            outcome=LOST, timing=timing, key="", content=b"", worker=2, assignment=assignment
        )
        if late_s is not None:
            outcome = self._answer(call, 0)
            heard = msgspec.structs.replace(
                result, outcome=outcome, key=f"k{call.id}", cost_nusd=self._price(call), away=True
            )
            loop.call_later(late_s, self.late, assignment, heard)
        return result


class LostWorld:
    """A run with random losses and changes, and what must hold all the time and at its end."""

    def __init__(self, seed: int) -> None:
        dice = self.dice = random.Random(seed)
        self.models, self.members = dice.randint(1, 3), dice.choice((1, 1, 2, 3))
        self.store = MemoryStore(dice.randint(1, 60), models=self.models)
        self.in_flight = dice.choice((1, 2, 5, 20))
        self.cap = dice.choice((None, None, None, dice.randint(0, 400)))
        self.lost, self.late, self.away = dice.choice((0.02, 0.2, 0.7)), dice.random(), dice.random() < 0.3
        self.broken = dice.choice((0.0, 0.0, 0.1))
        self.is_held = False
        self.paused = set[str]()
        self.started, self.ended = Counter[int](), Counter[int]()
        self.cancelled = set[int]()
        self.first_in_line: dict[int, set[int]] = {model: set() for model in range(1, self.models + 1)}
        self.ran: Run

    def play(self) -> None:
        world = self

        class Runner(LossyAttempts):
            fate = staticmethod(world.fate)
            late = staticmethod(world.hear)
            away = staticmethod(lambda: world.away and world.dice.random() < 0.3)

        self.ran = run(
            self.store,
            self.answer,
            models=self.models,
            members=self.members,
            in_flight=self.in_flight,
            retries=1,
            latency_s=lambda call, number: self.dice.uniform(0.1, 3.0) * self.dice.choice((1, 1, 1, 10)),
            later=self.plan,
            observer=self.see,
            cap=self.cap,
            info=CallInfo(
                {number: model_name(number) for number in range(1, self.models + 1)},
                estimate=lambda call, turns: BOUND,
                tokens=lambda call, turns: (1, 1),
            ),
            runner=Runner,
            hedge=self.dice.choice((0.0, 0.0, 0.5)),
        )
        self.check()

    # --- what happens ----------------------------------------------------------------------

    def fate(self, call: Call) -> tuple[float | None, float | None]:
        if self.dice.random() >= self.lost:
            return None, None
        late_s = self.dice.choice((0.0, 0.5, 5.0, 40.0)) * self.dice.random()
        return self.dice.uniform(0.0, 5.0), late_s if self.dice.random() < self.late else None

    def answer(self, call: Call, number: int) -> AttemptOutcome:
        return BROKEN if self.dice.random() < self.broken else Reply(text=f"{call.id}")

    def hear(self, assignment: int, result: AttemptResult) -> None:
        if isinstance(result.outcome, Reply):
            for line in self.first_in_line.values():
                line.discard(int(result.key[1:]))
        self.ran_engine.late(assignment, result)

    def plan(self, engine: Engine) -> None:
        self.ran_engine = engine
        changes = [self.hold, self.hold, self.release, self.pause, self.resume, self.cancel, self.bound]
        for _ in range(self.dice.randint(0, 15)):
            at(self.dice.random() * LAST_S, partial(self.make, self.dice.choice(changes)))
        at(LAST_S, lambda: self.make(self.free))

    def make(self, change: Callable[[Engine], None]) -> None:
        engine = self.ran_engine
        if engine.is_running and not engine.is_closed:
            change(engine)
            engine.look_again()

    def hold(self, engine: Engine) -> None:
        self.is_held = True
        engine.hold()

    def release(self, engine: Engine) -> None:
        self.is_held = False
        engine.release()

    def pause(self, engine: Engine) -> None:
        lane = self.dice.choice(engine._pool.lanes)
        self.paused.add(lane.name)
        engine._pool.pause([lane], [], engine._loop.time())

    def resume(self, engine: Engine) -> None:
        lane = self.dice.choice(engine._pool.lanes)
        self.paused.discard(lane.name)
        engine._pool.resume([lane], [], engine._loop.time())

    def free(self, engine: Engine) -> None:
        self.paused.clear()
        engine._pool.resume(engine._pool.lanes, [], engine._loop.time())
        self.release(engine)

    def cancel(self, engine: Engine) -> None:
        flying = [lease.scheduled.call.id for lease in engine._tasks.values()]
        if flying and engine.cancel(call := self.dice.choice(flying)):
            self.cancelled.add(call)

    def bound(self, engine: Engine) -> None:
        spent = engine._pool.cap.spent
        engine.set_cost_cap(self.dice.choice((None, spent, spent + self.dice.randint(0, 200))))

    # --- what must hold --------------------------------------------------------------------

    def see(self, event: Event) -> None:
        match event:
            case CallStarted():
                assert not self.is_held, "an attempt starts although no worker is there"
                assert event.lane not in self.paused, "an attempt starts in a lane that is paused"
                assert not self.ended[event.call.id], "an attempt of a call starts that has ended"
                line = self.first_in_line[event.call.model]
                line.discard(event.call.id)
                assert event.attempt > 1 or not line, f"{line} are lost, and go first"
                self.started[event.call.id] += 1
            case AttemptFailed():
                if event.failure.kind is FailureKind.LOST:
                    assert (event.retry_in_s, event.counted) == (0.0, False)
                    self.first_in_line[event.call.model].add(event.call.id)
            case AttemptDropped():
                assert event.failure.kind in (FailureKind.LOST, FailureKind.SUPERSEDED, FailureKind.SERVER)
            case CallSucceeded() | CallFailed():
                self.first_in_line[event.call.model].discard(event.call.id)
                self.ended[event.call.id] += 1

    def check(self) -> None:
        pool, result = self.ran.pool, self.ran.result
        assert (pool.in_flight, pool.slots.bytes, pool.cap.reserved) == (0, 0, 0)
        for lane in pool.lanes:
            self.check_lane(lane)
        attribution = self.ran.engine.attributions()
        for sheet in attribution:
            assert abs(sum(sheet.seconds().values()) - result.wall_s) < 1e-6, sheet
        assert set(self.ended.values()) <= {1}
        all_calls = {
            1000 * (model - 1) + n for model in range(1, self.models + 1) for n in range(self.store.n)
        }
        missing = all_calls - set(self.ended)
        if pool.cap.reason is None:
            assert missing <= self.cancelled, "a call neither ended nor was cancelled"
        self.check_records()

    def check_lane(self, lane: Lane) -> None:
        assert (lane.in_flight, lane.stopped) == (0, None)
        if not self.broken:
            assert (lane.circuit.failures, lane.circuit.open_since) == (0, None)
            assert (lane.limit.value, lane.limit.cuts, lane.failures) == (self.in_flight, 0, 0)

    def check_records(self) -> None:
        lost, attempts = dict[tuple[int, int], AttemptRecord](), dict[tuple[int, int], AttemptRecord]()
        for record in self.store.attempts():
            key = (record.call.id, record.number)
            if record.late:
                assert key in lost, "a late end of an attempt that was not lost"
                del lost[key]
            else:
                assert key not in attempts, "an attempt is recorded twice"
                if isinstance(record.outcome, Failure) and record.outcome.kind is FailureKind.LOST:
                    lost[key] = record
            attempts[key] = record
        rows = Counter(call for call, _ in attempts)
        for call, started in self.started.items():
            left_out = started - rows[call]
            assert left_out == 0 or call in self.cancelled, "an attempt is not recorded"
        corrected = {r.call.id: r.cost_nusd for r in self.store.records if isinstance(r, CostRecord)}
        for record in self.store.calls():
            call = record.call.id
            own = [each for (of, _), each in attempts.items() if of == call]
            if isinstance(record.outcome, Failure) and record.outcome.kind is FailureKind.LOST:
                assert len(own) >= LOST_MOST
            known = all(each.cost_nusd is not None for each in own)
            cost = corrected.get(call, record.cost_nusd)
            assert cost == (sum(each.cost_nusd or 0 for each in own) if known else None), (record, own)
        spent = sum(BOUND if each.cost_nusd is None else each.cost_nusd for each in attempts.values())
        assert self.ran.pool.cap.spent == spent
        assert all(each.cost_nusd in (None, PRICE) for each in attempts.values())


def play(seed: int) -> None:
    """Play one world."""
    with named(seed):
        LostWorld(seed).play()


if __name__ == "__main__":
    play_range(play)
