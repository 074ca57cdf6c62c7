"""How soon an untried lane is full, and how much of that a limit refuses."""

from __future__ import annotations

import pytest

from umwelten.control.ramp import LOST, Ramp


def starts(room: int, round_trip_s: float | None, until: float = 10.0) -> list[float]:
    ramp, now, log = Ramp(), 0.0, []
    told = round_trip_s is None
    while len(log) < room and now < until:
        at = ramp.earliest_start(now)
        if not told and round_trip_s is not None and at > round_trip_s:
            told, now = True, round_trip_s
            ramp.on_connected(now, round_trip_s)
            continue
        now = at
        ramp.on_start(now, room)
        log.append(now)
    return log


@pytest.mark.parametrize(("room", "seconds"), [(200, 0.3), (1000, 1.0)])
def test_slots_are_full_soon_where_a_round_trip_is_short(room: int, seconds: float) -> None:
    log = starts(room, 0.005)
    assert len(log) == room
    assert log[-1] <= seconds


@pytest.mark.parametrize("round_trip_s", [0.005, 0.02, 0.05, 0.08])
def test_few_calls_leave_within_a_round_trip(round_trip_s: float) -> None:
    log = starts(1000, round_trip_s)
    late = [at for at in log if at > 3 * round_trip_s]
    assert max(sum(at <= other < at + round_trip_s for other in late) for at in late) <= LOST + 1


def test_without_a_round_trip_the_lane_fills_all_the_same() -> None:
    assert len(starts(200, None)) == 200


def test_only_the_first_connection_counts() -> None:
    ramp = Ramp()
    ramp.on_start(0.0, 200)
    ramp.on_connected(0.01, 0.01)
    pace = ramp.pace
    ramp.on_connected(0.5, 0.4)
    assert ramp.pace == pace
