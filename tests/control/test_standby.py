"""Calls on standby: which lanes may have some, and what is counted when they begin or are taken back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from umwelten.control.knee import Watch
from umwelten.control.known_rate import KnownRate, KnownRates
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import Lease, Start
from umwelten.control.stop import CostCap
from umwelten.types import Call, Failure, FailureKind, Reply, Resource

NOW = 100.0
"""Nothing was refused for so long."""

ANSWER = Reply(text="")
DOWN = Failure(kind=FailureKind.UNAVAILABLE, message="no", retry=False)


def pool(*, slots: int = 4, calls: int = 20, cap: int | None = None, models: int = 1) -> Pool:
    lane = Lane(name="lane", group="group", limit=Limit(value=float(slots), ceiling=slots, slow_start=False))
    lane.ramp.began_at = 0.0
    made = Pool(dict.fromkeys(range(models), lane), policy=RetryPolicy(), cap=CostCap(cap=cap))
    for model in range(models):
        numbers = range(model * calls, (model + 1) * calls)
        ready = [ScheduledCall(Call(id=i, model=model, input=None), reserve=10) for i in numbers]
        made.add_calls(model, ready, drained=True)
    return made


def start(made: Pool, now: float = NOW) -> list[Lease]:
    started = []
    while isinstance(step := made.next(now), Start):
        started.append(step.lease)
    return started


def stand_by(made: Pool, now: float = NOW) -> Lease | None:
    lane = made.lanes[0]
    return made.standby(lane, now, lambda call: True) if made.may_stand_by(lane, now) else None


def test_a_full_lane_has_its_next_call_on_standby_which_takes_the_place_of_one_that_ended() -> None:
    made = pool(cap=1_000)
    lane, running = made.lanes[0], start(made)
    standby = stand_by(made)
    assert standby is not None
    assert (standby.scheduled.call.id, standby.scheduled.attempts, standby.held) == (4, 0, 10)
    assert (lane.in_flight, made.in_flight, made.standing_by, made.cap.reserved) == (4, 4, 1, 50)
    assert made.queued(lane) == (16, 0)
    made.on_end(running[0], ANSWER, NOW + 1, 0.0, 10)
    lease = made.begin_standby(standby, NOW + 1)
    assert (lease.number, lease.started_at, lease.held) == (1, NOW + 1, 10)
    assert (lane.in_flight, made.standing_by) == (4, 0)
    assert lease.start is not None
    assert lease.start.level == 4
    assert lane.limit.slots == 4
    assert not start(made, NOW + 1)
    made.on_end(lease, ANSWER, NOW + 2, 0.0, 10)
    assert (made.cap.spent, made.cap.reserved) == (20, 30)


def test_one_that_is_taken_back_is_next_and_nothing_was_counted() -> None:
    made = pool(cap=1_000)
    running = start(made)
    standby = stand_by(made)
    assert standby is not None
    made.drop_standby(standby)
    assert (made.cap.spent, made.cap.reserved, made.standing_by) == (0, 40, 0)
    made.on_end(running[0], ANSWER, NOW + 1, 0.0, 10)
    (lease,) = start(made, NOW + 1)
    assert (lease.scheduled.call.id, lease.number) == (4, 1)


def test_one_that_begins_after_the_limit_was_cut_does_not_raise_it() -> None:
    made = pool()
    lane, running = made.lanes[0], start(made)
    standby = stand_by(made)
    assert standby is not None
    lane.limit.cut_to_edge(4, 3, NOW, NOW + 1)
    made.on_end(running[0], ANSWER, NOW + 1, 0.0)
    made.begin_standby(standby, NOW + 1)
    assert (lane.in_flight, lane.limit.slots) == (4, 3)
    assert not made.may_stand_by(lane, NOW + 1)


HINDRANCES: dict[str, Callable[[Pool, Lane], object]] = {
    "closed": lambda made, lane: setattr(made, "closed", True),
    "held": lambda made, lane: made.hold(NOW),
    "paused": lambda made, lane: made.pause([lane], [], NOW),
    "the model is paused": lambda made, lane: made.pause([], [0], NOW),
    "stopped": lambda made, lane: made.stop_lane(lane, DOWN),
    "a lower ceiling": lambda made, lane: lane.retune(3, fixed=True, start=1),
    "a higher ceiling": lambda made, lane: lane.retune(5, fixed=True, start=1),
    "a limit that grows": lambda made, lane: lane.retune(50, fixed=False, start=4),
    "a lower group cap": lambda made, lane: made.set_group_cap("group", 3),
    "fewer in all": lambda made, lane: setattr(made, "max_in_flight", 3),
    "a cost cap": lambda made, lane: setattr(made.cap, "cap", 45),
    "refused for what is not known": lambda made, lane: setattr(lane.safety, "refused", 1),
    "not tried for long": lambda made, lane: setattr(lane.ramp, "began_at", NOW - 1),
    "others in the lane": lambda made, lane: setattr(lane, "others", 1),
    "a known rate": lambda made, lane: setattr(
        lane.pacer, "known", KnownRates.of([KnownRate(resource=Resource.REQUESTS, amount=60, period_s=60.0)])
    ),
    "an outage": lambda made, lane: setattr(lane.circuit, "open_since", NOW),
}


@pytest.mark.parametrize("what", HINDRANCES)
def test_whatever_else_may_keep_a_call_from_starting_has_none_on_standby(what: str) -> None:
    made = pool()
    lane, _ = made.lanes[0], start(made)
    assert stand_by(made) is not None
    HINDRANCES[what](made, lane)
    assert not made.may_stand_by(lane, NOW)


def test_the_last_calls_go_wherever_there_is_room() -> None:
    made = pool(calls=9)
    start(made)
    handed = [standby for _ in range(9) if (standby := stand_by(made)) is not None]
    assert len(handed) == 2  # 3 of 9 are left, and 4 in flight
    assert not made.finished


def test_a_call_that_is_made_again_is_never_on_standby() -> None:
    made = pool(slots=1)
    (lease,) = start(made)
    error = Failure(kind=FailureKind.LOST, message="lost")
    made.on_end(lease, error, NOW + 1, 0.0, None)
    (again,) = start(made, NOW + 1)
    assert again.scheduled is lease.scheduled
    made.park(again.scheduled)
    made.unpark(again.scheduled)
    assert stand_by(made, NOW + 1) is None


def test_the_models_of_a_lane_take_turns() -> None:
    made = pool(models=2)
    start(made)
    handed = [stand_by(made) for _ in range(4)]
    assert [each.scheduled.call.model for each in handed if each is not None] == [0, 1, 0, 1]


def test_a_server_that_swaps_models_has_none() -> None:
    lane = Lane(
        name="l",
        group="g",
        limit=Limit(value=2.0, ceiling=2, slow_start=False),
        watch=Watch.ALWAYS,
        ordered=True,
    )
    made = Pool({0: lane}, policy=RetryPolicy())
    made.add_calls(0, [ScheduledCall(Call(id=i, model=0, input=None)) for i in range(9)], drained=True)
    start(made)
    assert not made.may_stand_by(lane, NOW)
