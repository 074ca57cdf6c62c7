"""Changes by chance to runs in virtual time: what is paused or bounded starts nothing, and every run ends."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

import pytest

from engine.changed_worlds import play
from engine.memory import PRICE, MemoryStore, Run, at, model_name, run
from engine.test_tool_steps import Tools, begun, conversation
from umwelten.control.lane import Lane
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import CallInfo
from umwelten.events import AttemptFailed, CallFailed, CallStarted, CallSucceeded, Event
from umwelten.records import BegunCall
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
            latency_s=lambda call, number: self.dice.uniform(0.1, 3.0) * self.dice.choice((1, 1, 1, 10)),
            later=self._plan,
            observer=self._see,
            slow_start=self.dice.random() < 0.3,
            hedge=self.dice.choice((0.0, 0.0, 0.3)),
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


def pausing(lanes: bool, models: list[int], begins: float, ends: float) -> Callable[[Engine], None]:
    """Pause all lanes, or these models, and let them go on."""

    def later(engine: Engine) -> None:
        def scope() -> tuple[list[Lane], list[int]]:
            return (engine._pool.lanes if lanes else []), models

        at(begins, lambda: (engine._pool.pause(*scope(), begins), engine.look_again()))
        at(ends, lambda: (engine._pool.resume(*scope(), ends), engine.look_again()))

    return later


@pytest.mark.parametrize(("lanes", "models"), [(True, []), (False, [1]), (True, [1])])
def test_a_pause_by_any_name_is_no_time_without_answers(lanes: bool, models: list[int]) -> None:
    """All is refused until an hour's pause is over, and for less than the lane's 900 s beside."""
    clock: list[Engine] = []

    def answer(call: Call, number: int) -> AttemptOutcome:
        return LIMITED if clock[0]._loop.time() < 3700.0 else Reply(text="x")

    def later(engine: Engine) -> None:
        clock.append(engine)
        pausing(lanes, models, 5.0, 3605.0)(engine)

    ran = run(MemoryStore(3), answer, later=later)
    assert ran.result.status == "complete"
    assert ran.pool.lanes[0].throttled_since is None


def test_two_pauses_at_a_time_count_once() -> None:
    """A lane that is refused for 900 s of its own ends, whatever was paused meanwhile."""

    def later(engine: Engine) -> None:
        pausing(True, [], 5.0, 3605.0)(engine)
        pausing(False, [1], 100.0, 3600.0)(engine)

    ran = run(MemoryStore(3), lambda call, number: LIMITED, later=later)
    assert ran.result.status == "stopped"
    assert 3600.0 + 900.0 <= ran.took < 3600.0 + 1000.0


def test_what_is_refused_in_a_pause_counts_from_its_end() -> None:
    ran = run(MemoryStore(3), lambda call, number: LIMITED, later=pausing(True, [], 0.5, 3600.0))
    assert 3600.0 + 890.0 <= ran.took < 3600.0 + 1000.0


def test_a_cap_of_costs_counts_what_is_in_flight() -> None:
    """None held anything for those under way when there was no cap: they would be paid above it."""
    prices = {"cap": None}
    info = CallInfo(
        {1: model_name(1)},
        lambda call, turns: None if prices["cap"] is None else PRICE,
        tokens=lambda call, turns: (0, 10),
    )

    def bound(engine: Engine) -> None:
        prices["cap"] = 14 * PRICE  # type: ignore[assignment]
        engine.set_cost_cap(14 * PRICE)
        engine.look_again()

    ran = run(
        MemoryStore(100),
        in_flight=10,
        info=info,
        latency_s=lambda call, number: 1.0 + call.id % 10,
        later=lambda engine: at(2.5, lambda: bound(engine)),
    )
    assert ran.reason is not None and ran.reason[0] == "max_cost"
    assert (ran.pool.cap.spent, ran.pool.cap.reserved) == (14 * PRICE, 0)


def test_a_cap_of_costs_does_not_end_a_run_whose_cheap_calls_are_paused() -> None:
    info = CallInfo(
        {1: model_name(1), 2: model_name(2)},
        lambda call, turns: 1000 if call.model == 1 else PRICE,
        tokens=lambda call, turns: (0, 10),
    )
    for lanes in (False, True):

        def later(engine: Engine, lanes: bool = lanes) -> None:
            scope = ([engine._pool.lane(2)], []) if lanes else ([], [2])
            engine._pool.pause(*scope, 0.0)
            at(50.0, lambda: (engine._pool.resume(*scope, 50.0), engine.look_again()))

        store = MemoryStore(5, models=2)
        ran = run(store, models=2, cap=500, info=info, later=later)
        assert sum(record.call.model == 2 for record in store.calls()) == 5
        assert ran.reason is not None and ran.reason[0] == "max_cost" and ran.took > 50.0


def test_a_call_that_has_ended_is_not_cancelled() -> None:
    """Both end at the same moment: when the first is handled, the other is no longer in flight."""
    said: list[bool] = []

    def observe(event: Event) -> None:
        if isinstance(event, AttemptFailed) and not said:
            other = next(lease.scheduled.call.id for lease in store.engine._tasks.values())  # type: ignore[union-attr]
            said.append(store.engine.cancel(other))  # type: ignore[union-attr]

    store = MemoryStore(2)
    ran = run(store, lambda call, n: BROKEN if n == 1 else Reply(text="x"), retries=1, observer=observe)
    assert said == [False]
    assert ran.result.status == "complete" and len(store.calls()) == 2


def test_both_attempts_of_a_call_are_cancelled() -> None:
    def cancel(engine: Engine) -> None:
        (call,) = {lease.scheduled.call.id for lease in engine._tasks.values()}
        assert len(engine._tasks) == 2 and engine.cancel(call) and engine.cancel(call)

    ran = run(
        MemoryStore(200),
        latency_s=lambda call, number: 500.0 if call.id == 150 else 1.0,
        hedge=0.05,
        later=lambda engine: at(400.0, lambda: cancel(engine)),
    )
    assert ran.reason == ("caller", "1 call was cancelled")
    assert ran.attempts.cancelled == 2 and ran.pool.in_flight == 0


def test_a_conversation_that_failed_goes_on_where_it_ended() -> None:
    """It does not begin anew: what its tools did would be done twice."""
    known: list[BegunCall | None] = [None, begun(*conversation(1))]
    store = MemoryStore(1)
    ran = run(
        store,
        lambda call, number: BAD if number == 1 else Reply(text="x"),
        tools=Tools(),
        begun=lambda call: known.pop(0),
        later=lambda engine: (
            at(1.01, lambda: engine.requeue([Call(id=0, model=1, input=None)])),
            engine._pool.add_calls(1, [], drained=False),
        ),
    )
    assert ran.attempts.seen == [(0, ()), (0, conversation(1))]
    assert (ran.result.status, ran.result.failed) == ("complete", 0)


@pytest.mark.parametrize("part", range(3))
def test_no_change_breaks_what_tools_and_caps_promise(part: int) -> None:
    for seed in range(part, 600 if os.environ.get("UMWELTEN_TEST_THOROUGH") else 18, 3):
        play(seed)


def test_an_observer_may_change_the_run_at_every_start() -> None:
    """One start is not made within another: a thousand of them would go deeper than Python can."""
    inside: list[Event] = []

    def observe(event: Event) -> None:
        if isinstance(event, CallStarted):
            assert not inside
            inside.append(event)
            store.engine.look_again()  # type: ignore[union-attr]
            inside.clear()

    store = MemoryStore(60)
    ran = run(store, in_flight=20, observer=observe)
    assert (ran.result.status, len(store.calls())) == ("complete", 60)
