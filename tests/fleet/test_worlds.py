"""Random runs over workers that die, fall silent and come back: see `worlds`."""

from __future__ import annotations

import asyncio
import os

from fleet import rough_worlds
from fleet.worlds import World, is_lost, message, play
from umwelten.events import RunStatus
from umwelten.fleet.hearing import DEAF_S
from umwelten.simulate.clock import run_virtual
from umwelten.simulate.profile import Concurrency, Latency, Provider
from umwelten.simulate.providers import VirtualProvider, Work
from umwelten.types import Reply

SEEDS = range(2_000 if "UMWELTEN_TEST_THOROUGH" in os.environ else 12)


def test_whatever_happens_to_workers_every_call_is_answered_once_and_the_ledger_agrees() -> None:
    for seed in SEEDS:
        play(seed)


def test_nothing_is_left_of_calls_that_are_cancelled_inputs_that_are_sent_and_runs_that_are_stopped() -> None:
    for seed in SEEDS[: max(6, len(SEEDS) // 4)]:
        rough_worlds.play(seed)


class _Quiet(World):
    """Workers near by, and nothing that happens to them but what a test says."""

    def __init__(self, seed: int = 1, *, calls: int = 400, workers: int = 4) -> None:
        super().__init__(seed, calls=calls, workers=workers)
        self.way_s = 0.01

    def plan(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(2.0, self.happen)

    def happen(self) -> None:
        raise NotImplementedError


def _play(world: World) -> World:
    world.check(run_virtual(world.main()))
    return world


class _Short(_Quiet):
    """Answers within 50 ms, over workers that a message reaches after 10 ms at most."""

    def __init__(self) -> None:
        super().__init__(calls=1_500)
        self.slots, self.way_s = 60, 0.01
        latency = Latency(median_s=0.05, sigma=0.1)
        spec = Provider(name="world", limits=(Concurrency(n=20),), round_trip_s=0.002, latency=latency)
        self.provider = VirtualProvider(spec, Work(spec, self.calls, self.dice), self.dice)

    def delay(self) -> float:
        return self.way_s * self.dice.random()

    def prepare_s(self) -> float:
        return 0.0

    def plan(self) -> None:
        pass


def test_slots_of_short_calls_are_not_idle_while_messages_are_under_way() -> None:
    world = _play(_Short())
    starts = world.provider.starts
    ideal_s = world.calls * 0.05 / 20
    # Without standby it takes 1.3 times as long.
    assert max(starts) - min(starts) < 1.2 * ideal_s
    assert len(starts) < 1.05 * world.calls


class _Stopped(_Quiet):
    for_s = 8.0

    def happen(self) -> None:
        self.carrier.cut(1, self.for_s)


def test_a_worker_that_stands_still_for_eight_seconds_loses_nothing() -> None:
    world = _play(_Stopped())
    assert not [each for each in world.attempts if is_lost(each) and each.cost_nusd is None]
    assert world.paid_twice == 0


class _StoppedLong(_Stopped):
    for_s = 30.0


def test_late_answers_of_a_worker_that_was_given_up_are_kept() -> None:
    world = _StoppedLong(calls=2_000)
    world.slots = 20
    _play(world)
    late = [each for each in world.attempts if each.late]
    assert late
    assert all(isinstance(each.outcome, Reply) or each.cost_nusd == 0 for each in late if is_lost(each))
    # It works on after that.
    after = [each for each in world.attempts if each.worker == 1 and not each.late]
    assert max(each.timing.started_at for each in after) >= max(each.timing.started_at for each in late)


class _Alone(_Quiet):
    def happen(self) -> None:
        self.kill_all()


def test_while_no_worker_is_there_nothing_starts_and_a_new_one_goes_on() -> None:
    world = _play(_Alone(workers=2))
    assert world.held == [True, False]
    assert {record.why for record in world.records.values()} == {"its process ended", "the run ended"}
    assert len(world.records) == 4


class _Orphaned(_Quiet):
    """The workers do not hear of the coordinator any more."""

    restart_s = None

    def prepare_s(self) -> float:
        return self.dice.random() * 10

    def happen(self) -> None:
        loop = asyncio.get_running_loop()
        self.silent_at = loop.time()
        for worker in self.carrier.workers.values():
            worker.to.is_broken = True
        loop.call_later(100.0, self.engine.stop, "enough")


def test_workers_of_a_coordinator_that_is_gone_send_nothing_after_five_seconds() -> None:
    world = _Orphaned(calls=1_000)
    assert run_virtual(world.main()) is RunStatus.STOPPED
    assert world.silent_at < max(world.provider.starts) <= world.silent_at + DEAF_S
    assert world.held == [True]
    given_up = {message(each) for each in world.attempts if is_lost(each) and each.cost_nusd is None}
    assert given_up
    assert all("was silent for 1" in text for text in given_up), given_up
