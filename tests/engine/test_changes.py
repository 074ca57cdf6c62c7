"""Changes by chance to runs in virtual time: what is paused or bounded starts nothing, and every run ends."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest

from engine.memory import MemoryStore, Run, at, run
from umwelten.control.lane import Lane
from umwelten.engine.engine import Engine
from umwelten.events import CallFailed, CallStarted, CallSucceeded, Event
from umwelten.types import AttemptOutcome, Call, Failure, FailureKind, RateLimitHints, Reply

WORLDS = 2_000 if os.environ.get("UMWELTEN_TEST_THOROUGH") else 60
BAD = Failure(kind=FailureKind.BAD_REQUEST, message="no", retry=False)
BROKEN = Failure(kind=FailureKind.SERVER, message="HTTP 500", status=500)
LIMITED = Failure(
    kind=FailureKind.RATE_LIMIT, message="HTTP 429", status=429, hints=RateLimitHints(retry_after_s=0.5)
)
LAST_CHANGE_S = 30.0


class World:
    """A run with random calls and changes, and what must hold at every start."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.models = self.dice.randint(1, 3)
        self.store = MemoryStore(self.dice.randint(1, 120), models=self.models)
        self.in_flight = self.dice.choice((1, 2, 5, 20))
        self.most, self.lane_caps, self.group_caps = self.in_flight, dict[str, int](), dict[str, int]()
        self.paused_lanes, self.paused_models = set[str](), set[int]()
        self.failed: dict[int, Call] = {}
        self.ended: Counter[int] = Counter()
        self.requeued: Counter[int] = Counter()
        self.cancelled: set[int] = set()
        self.flying: dict[int, str] = {}
        self.ran: Run
        self.shares = self.dice.choice(((1.0, 0.0, 0.0), (0.8, 0.1, 0.05), (0.5, 0.2, 0.2)))

    def answer(self, call: Call, number: int) -> AttemptOutcome:
        draw = self.dice.random()
        ok, broken, limited = self.shares
        if draw < ok:
            return Reply(text="x")
        return BROKEN if draw < ok + broken else LIMITED if draw < ok + broken + limited else BAD

    def go(self) -> Run:
        self.ran = run(
            self.store,
            self.answer,
            models=self.models,
            in_flight=self.in_flight,
            retries=2,
            latency_s=lambda call, number: self.dice.uniform(0.1, 3.0),
            later=self._plan,
            observer=self._see,
            slow_start=self.dice.random() < 0.3,
        )
        return self.ran

    # --- what must hold --------------------------------------------------------------------

    def _see(self, event: Event) -> None:
        if isinstance(event, CallStarted):
            assert event.lane not in self.paused_lanes, "a paused lane starts a call"
            assert event.call.model not in self.paused_models, "a paused model starts a call"
            lane = self._lane(event.call.model)
            pool = self._pool
            assert pool.in_flight <= self.most, "more in flight than is set"
            assert lane.own_in_flight <= self.lane_caps.get(lane.name, self.in_flight + 1000)
            assert lane.own_in_flight <= self.group_caps.get(lane.group, 1000)
        elif isinstance(event, CallSucceeded | CallFailed):
            self.ended[event.call.id] += 1
            if isinstance(event, CallFailed):
                self.failed[event.call.id] = event.call

    @property
    def _pool(self):  # type: ignore[no-untyped-def]
        assert self.store.engine is not None
        return self.store.engine._pool

    def _lane(self, model: int) -> Lane:
        lane: Lane = self._pool.lane(model)
        return lane

    # --- changes ---------------------------------------------------------------------------

    def _plan(self, engine: Engine) -> None:
        kinds: list[Callable[[Engine], None]] = [
            self._pause_lane,
            self._pause_model,
            self._resume,
            self._bound_all,
            self._bound_lane,
            self._bound_group,
            self._requeue,
            self._cancel,
        ]
        for _ in range(self.dice.randint(1, 25)):
            change = self.dice.choice(kinds)
            at(self.dice.uniform(0.0, LAST_CHANGE_S), lambda change=change: self._change(engine, change))
        at(LAST_CHANGE_S + 1, lambda: self._change(engine, self._free))

    def _change(self, engine: Engine, change: Callable[[Engine], None]) -> None:
        if engine.is_running and not engine.is_closed:
            change(engine)
            engine.look_again()

    def _now(self, engine: Engine) -> float:
        return engine._loop.time()

    def _pause_lane(self, engine: Engine) -> None:
        lanes = self._pool.lanes if self.dice.random() < 0.3 else [self.dice.choice(self._pool.lanes)]
        self._pool.pause(lanes, [], self._now(engine))
        self.paused_lanes |= {lane.name for lane in lanes}

    def _pause_model(self, engine: Engine) -> None:
        model = self.dice.randint(1, self.models)
        self._pool.pause([], [model], self._now(engine))
        self.paused_models.add(model)

    def _resume(self, engine: Engine) -> None:
        lane, model = self.dice.choice(self._pool.lanes), self.dice.randint(1, self.models)
        self._pool.resume([lane], [model], self._now(engine))
        self.paused_lanes.discard(lane.name)
        self.paused_models.discard(model)

    def _bound_all(self, engine: Engine) -> None:
        self.most = self._pool.max_in_flight = self.dice.choice((1, 2, 5, 40))
        for lane in self._pool.lanes:
            lane.retune(self.most, fixed=self.dice.random() < 0.7, start=1)
            self._pool.touch(lane)
        self.lane_caps = {lane.name: self.most for lane in self._pool.lanes}

    def _bound_lane(self, engine: Engine) -> None:
        lane = self.dice.choice(self._pool.lanes)
        self.lane_caps[lane.name] = self.dice.choice((1, 3, 30))
        lane.retune(self.lane_caps[lane.name], fixed=True, start=1)
        self._pool.touch(lane)

    def _bound_group(self, engine: Engine) -> None:
        group = self.dice.choice(self._pool.lanes).group
        cap = self.dice.choice((None, 1, 4))
        self._pool.set_group_cap(group, cap)
        self.group_caps.pop(group, None) if cap is None else self.group_caps.update({group: cap})

    def _requeue(self, engine: Engine) -> None:
        again = [call for call in self.failed.values() if self.dice.random() < 0.7]
        for call in again:
            del self.failed[call.id]
            self.requeued[call.id] += 1
        engine.requeue(again)

    def _cancel(self, engine: Engine) -> None:
        flying = [lease.scheduled.call.id for lease in engine._tasks.values()]
        if flying:
            call = self.dice.choice(flying)
            assert engine.cancel(call)
            self.cancelled.add(call)

    def _free(self, engine: Engine) -> None:
        self._pool.resume(self._pool.lanes, range(1, self.models + 1), self._now(engine))
        self.paused_lanes.clear()
        self.paused_models.clear()


@pytest.mark.parametrize("part", range(4))
def test_runs_end_whatever_is_changed_and_keep_to_it(part: int) -> None:
    for seed in range(part, WORLDS, 4):
        world = World(seed)
        ran = world.go()
        wanted = {call for call in range(1000 * world.models) if call % 1000 < world.store.n}
        given_up = {call for call in wanted if ran.pool.is_stopped(call // 1000 + 1)}
        wanted -= given_up  # a lane that was refused for a quarter of an hour leaves its calls pending
        lost = wanted - set(world.ended)
        assert lost <= world.cancelled, f"seed {seed}: calls without an end"
        for call in wanted - world.cancelled:
            assert world.ended[call] == 1 + world.requeued[call], f"seed {seed}: call {call}"
        assert ran.result.failed == len(world.failed), f"seed {seed}"
        for sheet in ran.engine.attributions():
            assert sum(sheet.seconds().values()) == pytest.approx(ran.result.wall_s, abs=1e-6), f"seed {seed}"


def test_a_paused_run_ends_when_it_is_stopped() -> None:
    def later(engine: Engine) -> None:
        at(2.5, lambda: (engine._pool.pause(engine._pool.lanes, [], 2.5), engine.look_again()))
        at(50.0, lambda: engine.stop("enough"))

    ran = run(MemoryStore(100), in_flight=4, later=later)
    assert (ran.result.status, ran.took) == ("stopped", pytest.approx(50.0))
    (sheet,) = ran.engine.attributions()
    assert sheet.seconds()["paused"] == pytest.approx(47.0, abs=0.6)


def test_a_pause_is_no_time_without_answers() -> None:
    """The lane gives up 900 s after its first refusal; a pause of an hour in between does not count."""
    when: list[float] = []

    def answer(call: Call, number: int) -> AttemptOutcome:
        return LIMITED if when[0] < 3700.0 else Reply(text="x")

    def later(engine: Engine) -> None:
        def note() -> None:
            when[:] = [engine._loop.time()]
            engine._loop.call_later(1.0, note)

        note()
        at(5.0, lambda: (engine._pool.pause(engine._pool.lanes, [], 5.0), engine.look_again()))
        at(3605.0, lambda: (engine._pool.resume(engine._pool.lanes, [], 3605.0), engine.look_again()))

    ran = run(MemoryStore(3), answer, later=later)
    assert ran.result.status == "complete"
