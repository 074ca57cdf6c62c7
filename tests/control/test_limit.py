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


def at_an_edge(level: int = 40) -> Limit:
    """A limit cut at 10 s below a call that was refused as one more than `level`."""
    limit = Limit(value=100.0, ceiling=100)
    assert limit.cut_to_edge(level + 1, level, started_at=9.9, now=10.0)
    assert (limit.slots, limit.edge, limit.cuts) == (level, level + 1, 1)
    return limit


def test_a_limit_grows_by_one_an_answer_at_first_and_by_one_a_round_after_a_cut() -> None:
    limit = Limit(value=10.0, ceiling=100)
    assert limit.on_answer(peak=10, now=0.0)
    assert limit.value == 11.0
    assert limit.halve(started_at=1.0, now=1.1)
    assert (limit.value, limit.slow_start) == (5.5, False)
    # No growth in the five seconds after a cut, then by one an answer again.
    assert not limit.on_answer(peak=5, now=6.0)
    assert limit.on_answer(peak=5, now=6.2)
    assert limit.value == 6.5
    # Where no time is told, by one a round.
    assert limit.on_answer(peak=6)
    assert limit.value == 6.5 + 1 / 6.5


def test_a_limit_at_its_ceiling_or_under_an_edge_does_not_grow() -> None:
    assert not Limit(value=10.0, ceiling=10).on_answer(peak=10, now=0.0)
    assert Limit(value=9.5, ceiling=10).on_answer(peak=9, now=0.0)
    assert not at_an_edge().on_answer(peak=40, now=100.0)


def test_steps_above_an_edge_begin_after_a_quarter_of_a_second_and_double_when_they_are_let_in() -> None:
    limit = at_an_edge()
    assert limit.next_step(10.1) == 10.25
    assert limit.next_step(11.0) == 11.0
    sizes = []
    now = 10.25
    for _ in range(5):
        before = limit.slots
        limit.step(now)
        sizes.append(limit.slots - before)
        now = limit.next_step(now)
    assert sizes == [1, 2, 4, 8, 16]
    assert now == 10.25 + 5 * 0.25
    assert limit.edge is not None


def test_a_step_is_no_more_than_half_of_what_is_known_and_ends_at_the_ceiling() -> None:
    limit = Limit(value=100.0, ceiling=8)
    limit.cut_to_edge(4, 3, started_at=9.9, now=10.0)
    for _ in range(3):
        limit.step(11.0)
    assert limit.value == 3 + 1 + 2 + 2
    assert (limit.edge, limit.next_step(12.0)) == (None, float("inf"))


def test_slow_refusals_delay_the_steps() -> None:
    limit = Limit(value=100.0, ceiling=100)
    limit.allow_for(0.05)
    assert limit.first_step_s == 0.25
    limit.allow_for(0.5)
    limit.cut_to_edge(41, 40, started_at=9.9, now=10.0)
    assert limit.next_step(10.0) == 11.5


def test_a_step_that_is_refused_is_taken_back_and_the_next_comes_later() -> None:
    limit = at_an_edge()
    now, waits = 10.25, []
    for _ in range(6):
        limit.step(now)
        assert limit.slots == 41
        assert not limit.cut_to_edge(41, 40, started_at=now, now=now)
        assert (limit.slots, limit.edge, limit.cuts) == (40, 41, 1)
        for _ in range(64):
            limit.on_answer(40, now)
        waits.append(limit.next_step(now) - now)
        now = limit.next_step(now)
    assert waits == [0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


def test_after_several_failures_a_step_waits_for_64_answers() -> None:
    limit = at_an_edge()
    for failure in range(4):
        limit.step(11.0 + failure)
        limit.cut_to_edge(41, 40, started_at=11.0, now=11.0 + failure)
    for _ in range(63):
        limit.on_answer(40, 20.0)
    assert limit.next_step(30.0) == float("inf")
    limit.on_answer(40, 20.0)
    assert limit.next_step(30.0) == 30.0


def test_half_of_a_step_that_was_let_in_is_kept() -> None:
    limit = at_an_edge()
    for now in (10.25, 10.5, 10.75):
        limit.step(now)
    assert limit.slots == 47
    assert not limit.cut_to_edge(46, 45, started_at=10.8, now=10.85)
    assert (limit.slots, limit.edge) == (45, 46)


def test_refusals_of_one_episode_lower_the_edge_one_by_one_for_a_second() -> None:
    limit = at_an_edge()
    assert not limit.cut_to_edge(45, 44, started_at=9.95, now=10.9)
    assert (limit.slots, limit.cuts) == (39, 1)
    assert not limit.cut_to_edge(45, 44, started_at=9.95, now=11.1)
    assert limit.slots == 39
    assert not limit.cut_to_edge(20, 19, started_at=10.4, now=10.5, grace_s=0.5)
    assert limit.slots == 38
    assert not limit.cut_to_edge(60, 38, started_at=12.0, now=12.1), "nothing lower is known"
    assert limit.cut_to_edge(38, 37, started_at=12.0, now=12.1)
    assert (limit.slots, limit.cuts) == (37, 2)


def test_cuts_are_undone_when_they_were_about_something_else() -> None:
    limit = Limit(value=80.0, ceiling=100)
    assert not limit.restore()
    limit.halve(1.0, 1.1)
    limit.halve(2.0, 2.1)
    assert limit.value == 20.0
    assert limit.restore()
    assert (limit.value, limit.edge) == (80.0, None)
    assert not limit.restore()


def test_an_edge_that_moved_down_is_felt_for_from_half() -> None:
    limit = at_an_edge()
    assert not limit.halve_edge(started_at=9.0, now=11.0)
    assert limit.halve_edge(started_at=11.0, now=11.1)
    assert (limit.slots, limit.edge, limit.cuts) == (20, 21, 2)
    assert limit.next_step(11.1) == 11.1 + 0.25
    limit.step(11.4)
    assert limit.slots == 21
    limit.step(11.7)
    assert limit.slots == 23
