"""What is left of attempts, inputs and workers that end at an awkward moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from fleet.base import Fleet, TestRunner, play
from fleet.worlds import World, is_lost
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.tool_use import ToolUse
from umwelten.engine.interfaces import AttemptResult
from umwelten.fleet.check_here import CheckHere
from umwelten.fleet.interfaces import ONCE, AssignedCall
from umwelten.fleet.messages import Supply
from umwelten.simulate.clock import VirtualLoop, run_virtual
from umwelten.tool_calls import OfferedTool, ToolCall, ToolDefinition, ToolSettings
from umwelten.types import Call, Failure, FailureKind, Reply, Timing, ToolStep

OnText = Callable[[str], None] | None
STALL_S = 20.0


class Slow:
    """Inputs that take a while to be read here."""

    def __init__(self, key: str, load_s: float = 5.0) -> None:
        self._key, self._load_s = key, load_s
        self.loaded = self.broken_off = 0

    def key(self, call: Call, node: str) -> str:
        return self._key

    def want(self, call: Call, worker: int, node: str) -> str:
        raise AssertionError

    async def load(self, call: Call, key: str) -> Supply:
        try:
            await asyncio.sleep(self._load_s)
        except asyncio.CancelledError:
            self.broken_off += 1
            raise
        self.loaded += 1
        return Supply(key=key, form="content", data=b"x" * 100)


async def _read(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
    supply = await assigned.supply()
    assert supply is not None
    return supply.form


def _failure(outcome: object) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


def test_an_attempt_that_is_cancelled_before_it_began_leaves_nothing_at_its_worker() -> None:
    async def main() -> None:
        fleet = Fleet(_read, workers=1, supplies=Slow(f"{ONCE}1", 0.0))
        await fleet.remote.open()
        worker = fleet.carrier.workers[1].worker
        for turns in range(20):
            first = fleet.start(1)
            await asyncio.sleep(0.0005)
            attempt = fleet.start(2)  # it is gathered, with what cancels it
            for _ in range(turns):
                await asyncio.sleep(0)
            attempt.cancel()
            await first
            await asyncio.sleep(1.0)
        assert (worker._attempts, worker._arrivals.waiting) == ({}, {})
        assert fleet.remote._under_way.attempts == {}
        await fleet.remote.close()

    play(main)


@pytest.mark.parametrize("key", ["shared", f"{ONCE}1"])
@pytest.mark.parametrize("dies", [True, False])
def test_a_worker_that_is_lost_while_an_input_is_read_for_it_gets_none(key: str, *, dies: bool) -> None:
    async def main() -> None:
        supplies = Slow(key, 30.0)
        fleet = Fleet(_read, workers=2, supplies=supplies)
        await fleet.remote.open()
        attempt, began = fleet.start(1), asyncio.get_running_loop().time()
        await asyncio.sleep(0.1)
        if dies:
            fleet.carrier.kill(1)
        else:
            fleet.carrier.cut(1, 20.0)
        result = await attempt
        assert (_failure(result.outcome).kind, result.cost_nusd) == (FailureKind.LOST, 0)
        if key == "shared":
            assert asyncio.get_running_loop().time() - began < 20.0, "it does not wait for the input"
        await asyncio.sleep(200.0)
        assert fleet.remote._shipments._at.get(1, {}) == {}
        assert set(fleet.remote._outboxes._boxes) == ({2, 3} if dies else {1, 2})
        if not dies:
            assert fleet.carrier.workers[1].worker._arrivals.waiting == {}
        assert not fleet.remote._late.given_up, "nothing will be heard of it"
        await fleet.remote.close()

    play(main)


def test_a_worker_that_wants_an_input_of_an_attempt_that_was_given_up_waits_for_nothing() -> None:
    """Nothing was sent, then: its cost is known."""

    async def wait_and_want(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
        await asyncio.sleep(5.0)
        await assigned.wanted()
        raise AssertionError

    async def main() -> None:
        fleet = Fleet(wait_and_want, workers=2)
        await fleet.remote.open()
        attempt = fleet.start(1)
        await asyncio.sleep(0.1)
        fleet.carrier.cut(1, 25.0)
        assert (await attempt).cost_nusd is None
        await asyncio.sleep(20.0)
        assert [(n, result.cost_nusd) for n, result in fleet.late] == [(1, 0)]
        assert fleet.carrier.workers[1].worker._attempts == fleet.remote._late.given_up == {}
        assert fleet.warnings == []
        await fleet.remote.close()

    play(main)


def test_an_answer_that_comes_late_says_nothing_about_a_conversation_that_went_on() -> None:
    """With `about`, workers see that the input is still the one that the conversation is about."""
    definition = ToolDefinition(name="look", description="", parameters={"type": "object"})
    tool = OfferedTool(name="look", definition=definition, fingerprint="1")
    check = CheckHere(OutcomeCheck(tool_use=ToolUse(ToolSettings(tools=(tool,)))))
    step = Reply(text="", turn=b"{}", calls=(ToolCall(id="c", name="look"),))
    call = Call(id=1, model=0, input=None)

    def result(outcome: Reply, content: bytes) -> AttemptResult:
        timing = Timing(started_at=0.0, latency_s=1.0)
        return AttemptResult(outcome=outcome, timing=timing, key="k", content=content)

    async def main() -> None:
        parked = (await check(call, (), result(step, b"new"))).outcome
        assert isinstance(parked, ToolStep)
        for late in (Reply(text="answer"), step):
            await check(call, (), result(late, b"old"), late=True)
            assert check.about(call, parked.turns) == b"new"

    asyncio.run(main())


def test_an_input_that_does_not_arrive_ends_its_attempt() -> None:
    async def main() -> None:
        fleet = Fleet(_read, workers=1, supplies=Slow("shared", 0.0))
        await fleet.remote.open()
        fleet.carrier.ship = lambda worker, key, frame: None  # type: ignore[method-assign]
        assert "missing" in str((await fleet.start(1)).outcome)
        await fleet.remote.close()

    play(main)


def test_nothing_is_read_after_the_end_and_who_joins_then_is_told_nothing() -> None:
    async def main() -> None:
        supplies = Slow("shared")
        fleet = Fleet(_read, workers=1, supplies=supplies)
        await fleet.remote.open()
        attempt = fleet.start(1)
        await asyncio.sleep(0.1)
        attempt.cancel()
        fleet.carrier.workers[1].to.is_broken = True  # it never answers
        began = asyncio.get_running_loop().time()
        closing = asyncio.ensure_future(fleet.remote.close(3.0))
        await asyncio.sleep(1.0)
        late = fleet.carrier.add()
        await closing
        assert asyncio.get_running_loop().time() - began == pytest.approx(3.0)
        assert (supplies.loaded, supplies.broken_off) == (0, 1)
        assert fleet.remote._membership.get(late) is None
        assert fleet.remote._outboxes._boxes == {}

    play(main)


def test_whatever_a_look_at_the_workers_comes_to_there_is_another() -> None:
    async def main() -> None:
        fleet = Fleet(workers=2, keep=lambda contents: None)
        await fleet.remote.open()
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        forget = fleet.remote._shipments.forget

        def fail(now: float) -> None:
            fleet.remote._shipments.forget = forget  # type: ignore[method-assign]
            raise ZeroDivisionError

        fleet.remote._shipments.forget = fail  # type: ignore[method-assign]
        await asyncio.sleep(3.0)
        fleet.carrier.cut(1, 60.0)
        fleet.carrier.cut(2, 60.0)
        await asyncio.sleep(30.0)
        assert fleet.held == [True]
        await fleet.remote.close()

    play(main)


class Stalled(World):
    """Nothing happens but that the coordinator stands still, while what is said to it waits."""

    stalls = 1

    def delay(self) -> float:
        return 0.4

    def plan(self) -> None:
        loop = asyncio.get_running_loop()
        for n in range(self.stalls):
            loop.call_later(2.0 + n * (STALL_S + 3.0), self.stall)

    def stall(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        until = loop.time() + STALL_S
        for worker in self.carrier.workers.values():
            for way in (worker.to, worker.back):
                way.closed_until = until
        remote, engine = self.remote, self.engine
        assert remote._timer is not None
        remote._timer.cancel()
        engine._pool.hold(loop.time())
        # In any order: what is read first after the stall is not known.
        for act in self.dice.sample([remote._look, engine.release], 2):
            loop.call_at(until, act)


def test_a_coordinator_that_stood_still_takes_nobody_for_lost() -> None:
    for seed in range(3):
        world = Stalled(seed, calls=300, workers=3)
        world.stalls = 1 + seed
        world.check(run_virtual(world.main()))
        assert not any(is_lost(each) and each.cost_nusd is None for each in world.attempts)
        assert not world.held, "a worker is silent for our own stall"
        assert world.ended_lost == 0


def test_a_run_whose_workers_are_all_silent_ends_after_its_grace() -> None:
    class Silent(World):
        after_s = 0.0

        def plan(self) -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(2.0, self.cut_all)
            loop.call_later(2.0 + self.after_s, self.stop)

        def cut_all(self) -> None:
            for worker in self.carrier.workers:
                self.carrier.cut(worker, 10_000.0)

        def stop(self) -> None:
            self.stopped_at = asyncio.get_running_loop().time()
            self.engine.stop("enough", grace_s=4.0)

        async def main(self):  # type: ignore[no-untyped-def]
            status = await super().main()
            self.took_s = asyncio.get_running_loop().time() - self.stopped_at
            return status

    for after_s in (0.0, 2.0, 5.0, 14.0, 60.0):  # heard, away, suspect, about to be lost, lost
        world = Silent(3, calls=1_000, workers=3)
        world.after_s = after_s
        run_virtual(world.main())
        assert world.took_s <= 4.0 + 5.0 + 0.1, after_s  # the grace, and that of `close`


def test_where_no_worker_is_there_an_attempt_holds_the_engine() -> None:
    """Whatever released it: it would start the same calls over and over."""

    class Released(World):
        def plan(self) -> None:
            asyncio.get_running_loop().call_later(2.0, self.happen)

        def happen(self) -> None:
            self.kill_all()
            asyncio.get_running_loop().call_later(2.0, self.engine.release)

    world = Released(1, calls=300, workers=2)
    world.check(run_virtual(world.main()))
    assert sum(is_lost(each) and each.cost_nusd == 0 for each in world.attempts) <= 2 * world.slots
