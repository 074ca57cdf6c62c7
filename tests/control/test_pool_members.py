"""Models that have several lanes: accounts, or addresses of one server."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.model_state import ModelState
from umwelten.control.pool import Pool
from umwelten.control.retry import Again, GiveUp, RetryPolicy
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import Idle, Lease, Start, WaitUntil
from umwelten.tool_calls import ModelTurn
from umwelten.types import AttemptOutcome, Call, Failure, FailureKind, RateLimitHints, Reply, ToolStep

ANSWER = Reply(text="")
DOWN = Failure(kind=FailureKind.UNAVAILABLE, message="key", retry=False, lane_down=True)
NO_MODEL = Failure(kind=FailureKind.BAD_REQUEST, message="no such model", retry=False, model_down=True)
BROKEN = Failure(kind=FailureKind.SERVER, message="500", retry=True)
BAD = Failure(kind=FailureKind.BAD_REQUEST, message="400", retry=False)


def refused(after: float | None) -> Failure:
    return Failure(
        kind=FailureKind.RATE_LIMIT, message="429", retry=True, hints=RateLimitHints(retry_after_s=after)
    )


def pool(lanes: int, models: int, calls: int, slots: int = 2, **more: object) -> Pool:
    serving = [Lane(f"p#{i}", "p", Limit(float(slots), slots, slow_start=False)) for i in range(lanes)]
    made = Pool(dict.fromkeys(range(models), serving), policy=RetryPolicy(retries=2), **more)  # type: ignore[arg-type]
    for model in range(models):
        scheduled = [ScheduledCall(Call(id=100 * model + i, model=model, input=None)) for i in range(calls)]
        made.add_calls(model, scheduled, drained=True)
    return made


def starts(made: Pool, now: float) -> list[Lease]:
    leases = []
    while isinstance(step := made.next(now), Start):
        leases.append(step.lease)
    return leases


def test_calls_go_to_the_least_loaded_lane() -> None:
    made = pool(3, 1, 9, slots=3)
    leases = starts(made, 0.0)
    assert [lease.lane.name for lease in leases] == ["p#0", "p#1", "p#2"] * 3
    for lease in leases:
        if lease.lane.name == "p#1":
            made.on_end(lease, ANSWER, 1.0, 0.5)
    made.add_calls(0, [ScheduledCall(Call(id=50 + i, model=0, input=None)) for i in range(9)], drained=True)
    assert [lease.lane.name for lease in starts(made, 1.0)] == ["p#1"] * 3


def test_models_share_the_lanes_evenly() -> None:
    leases = starts(pool(2, 2, 9, slots=4), 0.0)
    assert [lease.scheduled.call.model for lease in leases] == [0, 1] * 4
    assert {name: sum(x.lane.name == name for x in leases) for name in ("p#0", "p#1")} == {"p#0": 4, "p#1": 4}


@pytest.mark.parametrize("failure", [refused(60.0), refused(None), BROKEN])
def test_a_failed_call_goes_to_another_lane_at_once_and_waits_once_all_have_failed(failure: Failure) -> None:
    made = pool(2, 1, 1)
    first = starts(made, 0.0)[0]
    made.on_end(first, failure, 0.1, 0.5)
    second = starts(made, 0.1)[0]
    assert (first.lane.name, second.lane.name) == ("p#0", "p#1")
    made.on_end(second, failure, 0.2, 0.5)
    assert starts(made, 0.2) == []
    step = made.next(0.2)
    assert isinstance(step, WaitUntil)
    assert step.at > 0.2
    assert not made.finished


def test_of_idle_lanes_one_that_did_not_fail_last_is_next() -> None:
    made, now, order = pool(2, 1, 9, max_in_flight=1), 0.0, []
    while isinstance(step := made.next(now), Start):
        now += 1.0
        order.append(step.lease.lane.name)
        made.on_end(step.lease, BROKEN if order[-1] == "p#1" else ANSWER, now, 0.5)
    assert order.count("p#1") == 1
    assert order.count("p#0") == 9


def test_a_lane_that_fails_at_once_does_not_get_all_calls_that_may_fail_only_once() -> None:
    made, now, failed = pool(2, 1, 300, slots=4), 0.0, 0
    made.policy = RetryPolicy(retries=0)
    running: list[tuple[float, Lease]] = []
    for _ in range(2000):
        running += [(now + (1.0 if lease.lane.name == "p#0" else 0.01), lease) for lease in starts(made, now)]
        if not running:
            break
        running.sort(key=lambda pair: pair[0])
        now, lease = running.pop(0)
        failed += lease.lane.name == "p#1"
        made.on_end(lease, ANSWER if lease.lane.name == "p#0" else BROKEN, now, 0.5)
    assert made.finished
    assert failed < 60


def test_calls_that_are_ready_go_before_those_that_failed_elsewhere() -> None:
    made = pool(2, 1, 6, slots=1)
    first, second = starts(made, 0.0)
    made.on_end(first, refused(60.0), 0.1, 0.5)
    running, order, now = [second], [], 0.1
    while running:
        now += 0.01
        made.on_end(running.pop(0), ANSWER, now, 0.5)
        running += starts(made, now)
        order += [(lease.lane.name, lease.scheduled.call.id) for lease in running]
    assert order == [("p#1", i) for i in (2, 3, 4, 5, 0)]


def test_trouble_of_this_machine_is_no_reason_to_try_another_lane() -> None:
    made = pool(2, 1, 1)
    made.on_end(starts(made, 0.0)[0], Failure(kind=FailureKind.LOCAL, message="io", retry=True), 0.1, 0.5)
    assert starts(made, 0.1) == []


def test_a_lane_that_stops_stops_alone_and_its_calls_go_on() -> None:
    made = pool(2, 2, 8)
    leases = starts(made, 0.0)
    gone = [lease for lease in leases if lease.lane.name == "p#0"]
    verdicts = [made.on_end(lease, DOWN, 0.1, 0.5) for lease in gone]
    assert [verdict.lane_stopped for verdict in verdicts] == [True, False]
    assert all(verdict.decision == Again(0.0, counted=False) for verdict in verdicts)
    ended: set[int] = set()
    running = [lease for lease in leases if lease not in gone]
    now = 0.2
    while running:
        lease = running.pop(0)
        assert lease.lane.name == "p#1"
        made.on_end(lease, ANSWER, now, 0.5)
        ended.add(lease.scheduled.call.id)
        running += starts(made, now)
        now += 0.1
    assert len(ended) == 16
    assert made.finished
    assert made.stopped_models() == {}


def test_once_all_lanes_have_stopped_the_calls_stay_pending() -> None:
    made = pool(2, 1, 5, slots=1)
    for lease in starts(made, 0.0):
        made.on_end(lease, DOWN, 0.1, 0.5)
    assert made.finished
    assert isinstance(made.next(0.1), Idle)
    assert [lane.stopped for lane in made.lanes] == [DOWN, DOWN]


def test_a_lane_without_the_model_is_left_out_for_that_model_only() -> None:
    made = pool(2, 2, 6)
    where: dict[int, set[str]] = {0: set(), 1: set()}
    running, ended, now, lacking = starts(made, 0.0), set(), 0.0, 0
    while running:
        lease, now = running.pop(0), now + 0.1
        model, lane = lease.scheduled.call.model, lease.lane.name
        lacks = model == 0 and lane == "p#1"
        lacking += lacks
        made.on_end(lease, NO_MODEL if lacks else ANSWER, now, 0.5)
        if not lacks:
            where[model].add(lane)
            ended.add(lease.scheduled.call.id)
        running += starts(made, now)
    assert len(ended) == 12
    assert where[0] == {"p#0"}
    assert "p#1" in where[1]
    assert lacking <= 2
    assert made.finished
    assert made.stopped_models() == {}


def test_a_lane_without_a_model_fails_no_call_that_another_lane_makes() -> None:
    """The other has answered before the refusal is in."""
    made, now, failed = pool(2, 1, 8), 0.0, []
    running = starts(made, now)
    while running:
        running.sort(key=lambda lease: lease.lane.name)
        lease, now = running.pop(0), now + 0.1
        verdict = made.on_end(lease, ANSWER if lease.lane.name == "p#0" else NO_MODEL, now, 0.5)
        failed += [verdict] if isinstance(verdict.decision, GiveUp) else []
        running += starts(made, now)
    assert made.finished
    assert failed == []
    assert made.stopped_models() == {}


def test_a_model_that_no_lane_has_is_stopped() -> None:
    made = pool(3, 1, 4, slots=1, states={0: ModelState()})
    running = starts(made, 0.0)
    while running:
        made.on_end(running.pop(0), NO_MODEL, 1.0, 0.5)
        running += starts(made, 1.0)
    assert made.finished
    assert list(made.stopped_models()) == [0]
    assert all(lane.stopped is None for lane in made.lanes)


def step_after(scheduled: ScheduledCall) -> ToolStep:
    """The step of a call whose model called a tool."""
    return ToolStep(turns=(*scheduled.turns, ModelTurn(raw=b"{}")), reply=ANSWER)


def test_a_call_with_tools_stays_with_the_lane_that_answered_it_first() -> None:
    made = pool(2, 1, 2, slots=1)
    first, second = starts(made, 0.0)
    made.on_end(first, step_after(first.scheduled), 1.0, 0.5)
    made.on_end(second, ANSWER, 1.0, 0.5)
    assert isinstance(made.next(1.0), Idle) and not made.finished
    made.unpark(first.scheduled)
    (again,) = starts(made, 2.0)
    assert (again.lane, again.scheduled) == (first.lane, first.scheduled)
    # A failure of its lane is waited for: another one could not read the turns.
    made.on_end(again, BROKEN, 3.0, 0.5)
    step = made.next(3.0)
    assert isinstance(step, WaitUntil)
    assert starts(made, step.at)[0].lane is first.lane


@pytest.mark.parametrize("bound", [False, True])
def test_where_that_lane_is_down_the_call_begins_anew_at_another_if_it_may(bound: bool) -> None:
    made = pool(2, 1, 2, slots=1)
    first, second = starts(made, 0.0)
    made.on_end(first, step_after(first.scheduled), 1.0, 0.5)
    made.on_end(second, ANSWER, 1.0, 0.5)
    first.scheduled.is_bound = bound
    made.stop_lane(first.lane, DOWN)
    made.unpark(first.scheduled)
    again = starts(made, 2.0)
    assert [(lease.lane, lease.scheduled.turns) for lease in again] == ([] if bound else [(second.lane, ())])
    assert made.finished is bound


@pytest.mark.parametrize("bound", [False, True])
def test_a_call_that_an_earlier_run_began_goes_on_at_the_lane_that_answered_it(bound: bool) -> None:
    made = pool(2, 1, 0, slots=1)
    begun = [ScheduledCall(Call(id=i, model=0, input=None), turns=(ModelTurn(raw=b"{}"),)) for i in range(3)]
    for scheduled in begun:
        made.adopt(scheduled, "p#1")
        scheduled.is_bound = bound
    made.add_calls(0, begun, drained=True)
    (first,) = starts(made, 0.0)
    assert (first.lane.name, first.scheduled) == ("p#1", begun[0])
    made.stop_lane(first.lane, DOWN)
    assert [lease.lane.name for lease in starts(made, 0.0)] == ([] if bound else ["p#0"])
    made.on_end(first, ANSWER, 1.0, 0.5)
    assert [lane.name for lane in made.stopped_lanes()] == (["p#1"] if bound else [])


@pytest.mark.parametrize(
    ("served_by", "bound", "goes_on"), [("p", False, True), ("p#B", False, False), ("p#B", True, True)]
)
def test_where_one_account_is_left_conversations_of_the_others_begin_anew_if_they_may(
    served_by: str, bound: bool, goes_on: bool
) -> None:
    lane = Lane("p", "p", Limit(1.0, 1, slow_start=False))
    made = Pool({0: lane}, policy=RetryPolicy())
    begun = ScheduledCall(Call(id=1, model=0, input=None), turns=(ModelTurn(raw=b"{}"),), is_bound=bound)
    made.adopt(begun, served_by)
    assert bool(begun.turns) is goes_on


def test_a_call_that_starts_over_takes_what_its_first_request_took() -> None:
    made = pool(2, 1, 0, slots=1)
    grown = ScheduledCall(
        Call(id=1, model=0, input=None), 5000, 900, input_tokens=800, at_first=(10, 9, 8), home=1
    )
    made.stop_lane(made.lanes[1], DOWN)
    made.add_calls(0, [grown], drained=True)
    assert (grown.size, grown.reserve, grown.input_tokens) == (10, 9, 8)


def test_a_server_keeps_a_model_for_a_moment_while_the_tools_of_its_calls_are_run() -> None:
    one = Lane(name="h", group="h", limit=Limit(value=1.0, ceiling=1, slow_start=False), ordered=True)
    made = Pool({0: one, 1: one}, policy=RetryPolicy())
    for model in (0, 1):
        call = Call(id=model, model=model, input=None)
        made.add_calls(model, [ScheduledCall(call)], drained=True)
    step = made.next(0.0)
    assert isinstance(step, Start)
    scheduled = step.lease.scheduled
    made.on_end(step.lease, step_after(scheduled), 1.0, 0.5)
    step = made.next(1.0)
    assert isinstance(step, WaitUntil) and step.at == pytest.approx(3.0)
    made.unpark(scheduled)
    (again,) = starts(made, 2.0)
    assert again.scheduled is scheduled
    made.on_end(again, step_after(scheduled), 2.5, 0.5)
    assert isinstance(made.next(2.5), WaitUntil)
    assert starts(made, 4.4) == []
    (other,) = starts(made, 4.6)
    assert other.scheduled.call.model == 1


@settings(deadline=None, max_examples=150)
@given(st.data(), st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.integers(1, 3), st.booleans())
def test_whatever_the_lanes_say_no_call_is_lost_or_made_twice(  # noqa: C901 - one walk through all that may happen
    data: st.DataObject, lanes: int, models: int, calls: int, slots: int, ordered: bool
) -> None:
    made = pool(lanes, models, calls, slots, max_in_flight=data.draw(st.one_of(st.none(), st.integers(1, 4))))
    for lane in made.lanes:
        lane.ordered = ordered
    for route in made._lineup.routes:
        route.ordered = ordered
    outcomes: list[AttemptOutcome | None] = [refused(None), refused(40.0), BROKEN, BAD, DOWN, NO_MODEL]
    now, rude = 0.0, data.draw(st.integers(0, 25))
    running: list[Lease] = []
    parked: list[tuple[float, ScheduledCall]] = []
    homes: dict[int, str] = {}
    under_way: set[int] = set()
    ended: set[int] = set()
    for _ in range(2000):
        step = made.next(now)
        if isinstance(step, Start):
            call = step.lease.scheduled.call.id
            if step.lease.scheduled.turns:
                assert homes[call] == step.lease.lane.name  # its turns are valid there alone
            assert call not in under_way
            assert call not in ended
            assert step.lease.lane.stopped is None
            under_way.add(call)
            running.append(step.lease)
            assert step.lease.lane.in_flight <= slots
            continue
        wakes = step.at if isinstance(step, WaitUntil) else math.inf
        if parked and parked[0][0] <= min(wakes, now + 0.3):
            at, scheduled = parked.pop(0)
            now = max(now, at)
            under_way.discard(scheduled.call.id)
            made.unpark(scheduled)
            continue
        if running and wakes > now + 0.3:
            lease = running.pop(data.draw(st.integers(0, len(running) - 1)) if rude else 0)
            now += 0.3
            scheduled = lease.scheduled
            tools = step_after(scheduled)
            what = data.draw(st.sampled_from([ANSWER, tools, tools, *outcomes])) if rude else ANSWER
            rude = max(0, rude - 1)
            verdict = made.on_end(lease, what, now, 0.5)
            if isinstance(what, ToolStep):
                homes[scheduled.call.id] = lease.lane.name
                parked.append((now + data.draw(st.sampled_from([0.0, 0.5, 5.0])), scheduled))
                parked.sort(key=lambda one: one[0])
                continue
            under_way.discard(lease.scheduled.call.id)
            if isinstance(what, Reply) or type(verdict.decision).__name__ == "GiveUp":
                ended.add(lease.scheduled.call.id)
        elif isinstance(step, WaitUntil) and not (parked and parked[0][0] < step.at):
            assert step.at > now
            now = step.at
        elif parked:
            now = max(now, parked[0][0])
        else:
            break
    assert made.finished
    assert not running
    assert not parked
    if any(lane.stopped is None for lane in made.lanes):
        gone = set(made.stopped_models())
        assert {100 * m + i for m in range(models) if m not in gone for i in range(calls)} <= ended
