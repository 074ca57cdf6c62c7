"""What a lane learnt, how the next one begins from it, and that it costs little when it is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from umwelten.control.knee import Watch
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.limit_kind import LimitKind
from umwelten.control.memory import LaneMemory, Rate, Window, begin_from, is_refuted, learnt
from umwelten.simulate import profile as p
from umwelten.simulate.run import LaneReport, simulate
from umwelten.types import Failure, FailureKind, FinishReason, Reply

ANSWER = Reply(text="", finish_reason=FinishReason.STOP)
REFUSED = Failure(kind=FailureKind.RATE_LIMIT, message="too many", status=429, retry=True)


def profile(*limits: p.AnyLimit, **more: Any) -> p.SimulationProfile:
    provider = p.Provider(name="a", limits=limits, latency=p.Latency(median_s=0.5, sigma=0.3), **more)
    return p.SimulationProfile(providers=(provider,), cap=200)


def run(
    world: p.SimulationProfile, memory: dict[str, LaneMemory] | None = None, calls: int = 400, seed: int = 1
) -> LaneReport:
    return simulate(world, calls, seed, memory=memory).lanes[0]


WORLDS: dict[str, p.SimulationProfile] = {
    "bucket": profile(p.Bucket(rate=20.0, burst=20.0)),
    "sliding": profile(p.Sliding(n=60, window_s=5.0)),
    "cap": profile(p.Concurrency(n=40)),
    "headers": profile(p.Bucket(rate=20.0, burst=20.0), headers="until-full"),
}


@pytest.mark.parametrize("name", WORLDS)
def test_the_second_run_is_refused_less_and_is_as_fast(name: str) -> None:
    memory: dict[str, LaneMemory] = {}
    first = run(WORLDS[name], memory)
    assert memory["a"] == msgspec.json.decode(msgspec.json.encode(memory["a"]), type=LaneMemory)
    second = run(WORLDS[name], dict(memory), seed=2)
    assert second.refused_per_call <= max(0.03, 0.8 * first.refused_per_call)
    assert second.efficiency >= first.efficiency - 0.03


@pytest.mark.parametrize("factor", [0.1, 10.0])
@pytest.mark.parametrize("kind", ["bucket", "cap"])
def test_a_limit_that_changed_meanwhile_is_found_as_without_memory(kind: str, factor: float) -> None:
    memory: dict[str, LaneMemory] = {}
    run(WORLDS[kind], memory)
    bucket = p.Bucket(rate=20 * factor, burst=20 * factor)
    world = profile(bucket if kind == "bucket" else p.Concurrency(n=round(40 * factor)))
    calls = 300 if factor < 1 else 1000
    cold, warm = run(world, calls=calls), run(world, dict(memory), calls=calls)
    assert warm.refused <= cold.refused + 20 and warm.most_refused_in_a_second <= 130
    assert warm.wall_s <= 1.1 * cold.wall_s + 5.0


def test_nothing_is_remembered_where_nothing_is_known() -> None:
    for world in (
        profile(),
        profile(p.Quota(n=100)),
        profile(overload=p.Overload(status=429, share=0.2)),
    ):
        memory: dict[str, LaneMemory] = {}
        run(world, memory, 600)
        assert memory == {}


ALL = (
    LaneMemory(rate=Rate(a_second=100.0, burst=20.0)),
    LaneMemory(window=Window(size=100, period_s=60.0)),
    LaneMemory(cap=50),
)


@pytest.mark.parametrize("memory", ALL)
def test_what_was_remembered_and_not_tried_is_neither_learnt_again_nor_refuted(memory: LaneMemory) -> None:
    one = lane()
    begin_from(one, memory, 5.0)
    for _ in range(3):
        one.on_end(ANSWER, 5.0, 5.5, one.on_start(5.0))
    assert learnt(one) is None and not is_refuted(one)


def starts_at_once(one: Lane, most: int = 60) -> int:
    """How many calls start before time passes."""
    for n in range(most):
        if one.earliest_start(0.0) > 0.0:
            return n
        one.on_start(0.0)
    return most


def test_an_old_memory_is_believed_less() -> None:
    def burst(belief: float) -> int:
        one = lane()
        begin_from(one, LaneMemory(rate=Rate(a_second=1.0, burst=10.0)), 0.0, belief)
        return starts_at_once(one)

    assert 10 >= burst(1.0) > burst(0.5) > burst(0.0) >= 5


def test_what_the_last_run_used_up_is_not_reckoned_with() -> None:
    def burst(since_s: float) -> int:
        one = lane()
        begin_from(one, LaneMemory(rate=Rate(a_second=1.0, burst=10.0)), 0.0, since_s=since_s)
        return starts_at_once(one)

    assert burst(1e6) > burst(5.0) > burst(0.0) == 1
    one = lane()
    begin_from(one, LaneMemory(window=Window(size=10, period_s=60.0)), 0.0, since_s=30.0)
    assert one.recalled is None


def test_a_lane_does_not_stand_still_for_what_nothing_has_borne_out() -> None:
    one = lane()
    begin_from(one, LaneMemory(rate=Rate(a_second=1e-6)), 0.0)
    one.on_start(0.0)
    assert one.earliest_start(0.0) > 0.0
    assert one.earliest_start(2.0) == 2.0


def test_a_first_refusal_much_too_soon_refutes_it() -> None:
    for memory, kind in (
        (Rate(a_second=1.0, burst=10.0), LimitKind.BUCKET),
        (Rate(a_second=9.0, burst=90.0), None),
    ):
        one = lane()
        begin_from(one, LaneMemory(rate=memory), 0.0)
        for _ in range(9):
            one.on_end(ANSWER, 0.0, 0.1, one.on_start(0.0))
        one.on_end(REFUSED, 0.2, 0.3, one.on_start(0.2))
        assert (one.kind is kind) == (kind is not None)
        assert (one.recalled is None) == (kind is None)


def test_a_server_that_queues_has_no_limit_to_begin_from() -> None:
    one = lane(watch=Watch.ALWAYS)
    begin_from(one, LaneMemory(cap=5), 0.0)
    assert one.knee is not None and one.recalled is None
    other = lane(watch=Watch.UNTIL_REFUSED)
    begin_from(other, LaneMemory(cap=5), 0.0)
    assert other.knee is None and other.recalled is not None


def lane(watch: Watch = Watch.NO) -> Lane:
    return Lane(name="a", group="a", limit=Limit(value=200.0, ceiling=200), watch=watch)


RATES = st.builds(
    Rate,
    a_second=st.floats(1e-6, 1e9),
    by=st.integers(0, 3),
    size=st.floats(1e-3, 1e9),
    burst=st.floats(0, 1e9),
    output=st.none() | st.floats(0, 1e9),
)
MEMORIES = st.builds(
    LaneMemory,
    rate=st.none() | RATES,
    window=st.none() | st.builds(Window, size=st.integers(1, 10**6), period_s=st.floats(0.01, 1e6)),
    cap=st.none() | st.integers(1, 10**6),
)


@settings(max_examples=10, deadline=None)
@example(LaneMemory(rate=Rate(a_second=2.5, by=2, size=11114.0)), "none")  # a call in 74 minutes
@given(MEMORIES, st.sampled_from(["none", "until-full"]))
def test_whatever_is_remembered_a_run_ends_and_is_spared_a_storm(memory: LaneMemory, headers: Any) -> None:
    world = profile(p.Bucket(rate=20.0, burst=20.0), headers=headers)
    report = run(world, {"a": memory}, 60)
    assert report.succeeded == 60
    assert report.refused <= 80 and report.longest_standstill_s <= 60.0
