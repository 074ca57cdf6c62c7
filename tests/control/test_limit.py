from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from umwelten.control.limit import Limit

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["answer", "throttle", "edge", "step", "restore", "shrunk"]),
        st.floats(0, 30),
        st.floats(0, 5),
        st.integers(0, 300),
    ),
    max_size=80,
)


def apply(limit: Limit, kind: str, started_at: float, now: float, level: int) -> None:
    match kind:
        case "answer":
            limit.on_answer(level, now)
        case "throttle":
            limit.halve(started_at, now)
        case "shrunk":
            limit.halve_edge(started_at, now)
        case "edge":
            limit.cut_to_edge(level, max(0, level - 1), started_at, now)
        case "step":
            if limit.next_step(now) <= now:
                limit.step(now)
        case "restore":
            limit.restore()


@given(EVENTS, st.integers(1, 300), st.booleans())
def test_the_limit_stays_within_its_bounds(events: list, ceiling: int, slow: bool) -> None:
    limit = Limit(value=1.0 if slow else float(ceiling), ceiling=ceiling, slow_start=slow)
    now = 0.0
    for kind, wait, took, level in events:
        now += wait
        apply(limit, kind, now - took, now, level)
        assert 1.0 <= limit.value <= ceiling


@given(EVENTS)
def test_one_episode_is_cut_at_most_once(events: list) -> None:
    limit = Limit(value=200.0, ceiling=200)
    now = 0.0
    for kind, wait, took, level in events:
        now += wait
        cuts, cut_at = limit.cuts, limit.cut_at
        apply(limit, kind, now - took, now, level)
        if now - took <= cut_at:
            assert limit.cuts == cuts, "a call from before the cut cut again"
        assert limit.cuts <= cuts + 1


@given(EVENTS, st.floats(0, 100), st.integers(1, 200))
def test_the_next_step_is_never_in_the_past(events: list, later: float, ceiling: int) -> None:
    limit = Limit(value=float(ceiling), ceiling=ceiling)
    now = 0.0
    for kind, wait, took, level in events:
        now += wait
        apply(limit, kind, now - took, now, level)
        assert limit.next_step(now + later) >= now + later


def test_a_lane_that_is_not_full_does_not_raise_its_limit() -> None:
    limit = Limit(value=10.0, ceiling=100)
    assert not limit.on_answer(peak=7, now=1.0)
    assert limit.value == 10.0
    assert limit.on_answer(peak=8, now=1.0)


def test_throttles_every_two_seconds_reach_the_floor_and_silence_brings_it_back() -> None:
    limit = Limit(value=200.0, ceiling=200, slow_start=False)
    now = floor_at = 0.0
    while now < 60:
        now += 2.0
        limit.halve(now - 0.05, now)
        if limit.value == limit.floor and not floor_at:
            floor_at = now
        for _ in range(limit.slots):
            limit.on_answer(limit.slots, now)
    assert 0 < floor_at <= 60
    last = now
    while limit.value < 180 and now < last + 120:
        now += 0.5
        for _ in range(limit.slots):
            limit.on_answer(limit.slots, now)
    assert now - last <= 60


def test_an_edge_costs_no_more_than_what_was_refused() -> None:
    limit = Limit(value=200.0, ceiling=200)
    in_flight = 62
    for level in range(41, 63):
        in_flight -= 1
        limit.cut_to_edge(level, in_flight, started_at=0.1, now=0.15 + level / 1000)
    assert limit.slots == 40
    assert limit.cuts == 1
