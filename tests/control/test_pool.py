from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.control.knee import Watch
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.model_state import ModelState
from umwelten.control.pool import Pool
from umwelten.control.retry import Again, GiveUp, HoldModel, RetryPolicy, StopLane
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import AttemptVerdict, Idle, Lease, Start, WaitUntil
from umwelten.control.stop import CostCap
from umwelten.types import (
    EXHAUSTED_CODE,
    AttemptOutcome,
    Budget,
    Call,
    Continue,
    Failure,
    FailureKind,
    Message,
    RateLimitHints,
    Reply,
    Resource,
    Role,
    Text,
    Usage,
)

ANSWER = Reply(text="")
CLOCK = st.floats(0, 200)
KINDS = st.sampled_from(
    [None, FailureKind.RATE_LIMIT, FailureKind.SERVER, FailureKind.BAD_REQUEST, FailureKind.SCHEMA, "model"]
)
NO_MODEL = Failure(kind=FailureKind.BAD_REQUEST, message="no such model", retry=False, model_down=True)
TURNS = (
    Message(role=Role.ASSISTANT, parts=(Text(text="{}"),)),
    Message(role=Role.USER, parts=(Text(text="No."),)),
)
HINT = st.one_of(st.none(), st.floats(0, 300))


def pool(models: int, calls: int, cap: int, *, retries: int = 2) -> Pool:
    lanes = [Lane(name=f"l{i}", group=f"g{i}", limit=Limit(value=float(cap), ceiling=cap)) for i in range(2)]
    made = Pool(
        {model: lanes[model % 2] for model in range(models)},
        policy=RetryPolicy(retries=retries),
        max_in_flight=cap,
    )
    for model in range(models):
        scheduled = [ScheduledCall(Call(id=model * calls + i, model=model, input=None)) for i in range(calls)]
        made.add_calls(model, scheduled, drained=True)
    return made


def outcome(kind: FailureKind | str | None, hint: float | None) -> AttemptOutcome:
    if kind is None:
        return ANSWER
    if not isinstance(kind, FailureKind):
        return NO_MODEL
    failure = Failure(
        kind=kind,
        message="no",
        retry=kind is not FailureKind.BAD_REQUEST,
        hints=RateLimitHints(retry_after_s=hint),
    )
    return Continue(turns=TURNS, failure=failure) if kind is FailureKind.SCHEMA else failure


@settings(deadline=None)
@given(st.data(), st.integers(1, 3), st.integers(1, 8), st.integers(1, 6))
def test_no_call_is_lost_or_started_twice_or_starved_whatever_the_provider_says(
    data: st.DataObject, models: int, calls: int, cap: int
) -> None:
    made = pool(models, calls, cap)
    now, running, under_way, ended = 0.0, [], set(), set()
    rude = data.draw(st.integers(0, 40))
    for _ in range(5000):
        step = made.next(now)
        if isinstance(step, Start):
            call = step.lease.scheduled.call.id
            assert call not in under_way, "started twice"
            assert call not in ended, "started after its end"
            under_way.add(call)
            running.append(step.lease)
            assert len(running) <= cap
            continue
        if isinstance(step, WaitUntil):
            assert step.at >= now
        if running:
            lease: Lease = running.pop(data.draw(st.integers(0, len(running) - 1)) if rude else 0)
            now += data.draw(CLOCK) if rude else 0.5
            what = outcome(data.draw(KINDS), data.draw(HINT)) if rude else ANSWER
            rude = max(0, rude - 1)
            verdict = made.on_end(lease, what, now, 0.5)
            under_way.discard(lease.scheduled.call.id)
            if isinstance(what, Reply) or type(verdict.decision).__name__ == "GiveUp":
                ended.add(lease.scheduled.call.id)
            continue
        if isinstance(step, Idle):
            break
        now = step.at
    assert made.finished
    stopped = [lane for lane in made.lanes if lane.stopped is not None]
    refused = set(made.stopped_models())
    assert stopped or {id for id in range(models * calls) if id // calls not in refused} <= ended


def test_a_call_that_waits_holds_no_slot() -> None:
    made = pool(1, 3, 1)
    first = made.next(0.0)
    assert isinstance(first, Start)
    made.on_end(first.lease, outcome(FailureKind.SERVER, 60.0), 0.1, 0.5)
    assert made.in_flight == 0
    second = made.next(0.1)
    assert isinstance(second, Start)
    assert second.lease.scheduled is not first.lease.scheduled


def test_waiting_for_a_rate_limit_uses_up_no_retries() -> None:
    made = pool(1, 1, 1, retries=0)
    now = 0.0
    for _ in range(20):
        step = made.next(now)
        while isinstance(step, WaitUntil):
            now = step.at
            step = made.next(now)
        assert isinstance(step, Start)
        made.on_end(step.lease, outcome(FailureKind.RATE_LIMIT, 0.1), now + 0.05, 0.5)
        now += 0.05
    assert not made.finished


@pytest.mark.parametrize("code", ["credit", "key"])
def test_refused_accounts_pause_the_lane_and_spend_no_attempts(code: str) -> None:
    made = pool(2, 5, 4)
    step = made.next(0.0)
    assert isinstance(step, Start)
    down = Failure(kind=FailureKind.UNAVAILABLE, message=code, retry=False, lane_down=True)
    verdict = made.on_end(step.lease, down, 0.1, 0.5)
    assert verdict.lane_stopped
    started = []
    while isinstance(step := made.next(0.2), Start):
        started.append(step.lease)
        made.on_end(step.lease, ANSWER, 0.2, 0.5)
    assert {lease.lane.name for lease in started} == {"l1"}
    assert len(started) == 5


def leases(made: Pool, now: float) -> list[Lease]:
    found = []
    while isinstance(step := made.next(now), Start):
        found.append(step.lease)
    return found


def test_a_model_that_refuses_all_its_first_calls_is_stopped_and_the_others_of_its_lane_go_on() -> None:
    made = pool(4, 20, 8)
    # Models 0 and 2 share a lane; 0 is refused.
    refused: list[Lease] = []
    answered: list[int] = []
    verdicts: list[AttemptVerdict] = []
    while started := leases(made, 0.0):
        for lease in started:
            model = lease.scheduled.call.model
            (refused if model == 0 else answered).append(lease if model == 0 else model)  # type: ignore[arg-type]
            verdicts.append(made.on_end(lease, NO_MODEL if model == 0 else ANSWER, 0.0, 0.5))
    assert made.finished
    assert len(refused) <= 8
    assert sorted(answered) == [1] * 20 + [2] * 20 + [3] * 20
    assert [verdict.model_stopped for verdict in verdicts].count(True) == 1
    assert made.stopped_models() == {0: NO_MODEL}
    assert made.why_stopped(made.lane(0)) is None, "another model of the lane is well"
    assert not any(isinstance(verdict.decision, GiveUp) for verdict in verdicts), "its calls stay pending"


@pytest.mark.parametrize("kind", [None, FailureKind.SCHEMA, FailureKind.EMPTY])
def test_a_refusal_beside_an_answer_is_one_calls_own(kind: FailureKind | None) -> None:
    made = pool(1, 6, 3)
    first, *others = leases(made, 0.0)
    held = made.on_end(first, NO_MODEL, 0.0, 0.5)
    assert isinstance(held.decision, HoldModel)
    assert leases(made, 0.0) == [], "no further call starts while it is open what the refusal means"
    for lease in others:
        made.on_end(lease, outcome(kind, None), 0.1, 0.5)
    again = leases(made, 0.1)
    assert first.scheduled in [lease.scheduled for lease in again]
    for lease in again:
        of_first = lease.scheduled is first.scheduled
        verdict = made.on_end(lease, NO_MODEL if of_first else ANSWER, 0.2, 0.5)
        assert isinstance(verdict.decision, GiveUp) is of_first
    assert made.stopped_models() == {}


def test_a_model_that_has_answered_is_not_stopped_by_any_refusal() -> None:
    made = pool(1, 12, 4)
    (first, *others) = leases(made, 0.0)
    made.on_end(first, ANSWER, 0.0, 0.5)
    while others:
        for lease in others:
            assert isinstance(made.on_end(lease, NO_MODEL, 0.1, 0.5).decision, GiveUp)
        others = leases(made, 0.1)
    assert made.finished
    assert made.stopped_models() == {}


def test_the_prompts_of_a_model_are_stopped_together() -> None:
    lane = Lane(name="l", group="g", limit=Limit(value=2.0, ceiling=2, slow_start=False))
    state = ModelState()
    made = Pool({0: lane, 1: lane}, policy=RetryPolicy(), states={0: state, 1: state})
    for model in (0, 1):
        calls = [ScheduledCall(Call(id=10 * model + i, model=model, input=None)) for i in range(5)]
        made.add_calls(model, calls, drained=True)
    started = leases(made, 0.0)
    for lease in started:
        made.on_end(lease, NO_MODEL, 0.0, 0.5)
    assert len(started) == 2
    assert made.finished
    assert (made.stopped_models(), made.why_stopped(lane)) == ({0: NO_MODEL}, NO_MODEL)


def test_in_an_ordered_lane_one_models_calls_go_before_the_next_models() -> None:
    one = Lane(name="h", group="h", limit=Limit(value=4.0, ceiling=4, slow_start=False), ordered=True)
    made = Pool({0: one, 1: one}, policy=RetryPolicy())
    for model in (0, 1):
        made.add_calls(
            model,
            [ScheduledCall(Call(id=10 * model + i, model=model, input=None)) for i in range(6)],
            drained=True,
        )
    order = []
    while isinstance(step := made.next(0.0), Start):
        order.append(step.lease.scheduled.call.model)
        made.on_end(step.lease, ANSWER, 0.0, 0.5)
    assert order == [0] * 6 + [1] * 6


def test_the_time_of_a_lane_is_split_and_adds_up() -> None:
    made = pool(1, 4, 2)
    now, leases = 0.0, []
    while not made.finished:
        while isinstance(step := made.next(now), Start):
            leases.append(step.lease)
        now += 1.0
        made.on_end(leases.pop(0), ANSWER, now, 0.5)
    made.next(now)
    sheet = made.lanes[0].attribution(now)
    assert sheet.concurrency_s + sheet.latency_s == pytest.approx(now)
    assert sum(sheet.parts().values()) == pytest.approx(1.0)


UNFIT = Failure(kind=FailureKind.SCHEMA, message="title: is missing", code="title", partial="{}")
WRONG = Continue(turns=TURNS, failure=UNFIT)


def ask(made: Pool, outcome: AttemptOutcome, now: float, cost: int = 0) -> tuple[Lease, AttemptVerdict]:
    step = made.next(now)
    assert isinstance(step, Start)
    return step.lease, made.on_end(step.lease, outcome, now + 0.1, 0.5, cost)


@pytest.mark.parametrize("retries", [0, 6])
def test_an_answer_in_the_wrong_shape_is_asked_for_again_at_once_and_at_most_twice(retries: int) -> None:
    made = pool(1, 1, 1, retries=retries)
    verdicts = []
    for attempt in range(3):
        lease, verdict = ask(made, WRONG, 0.1 * attempt)
        verdicts.append(verdict)
    assert [verdict.decision for verdict in verdicts] == [Again(0.0, counted=False)] * 2 + [GiveUp()]
    assert all(verdict.failure == UNFIT and not verdict.lane_stopped for verdict in verdicts)
    assert (lease.scheduled.attempts, lease.scheduled.counted, lease.scheduled.throttles) == (3, 0, 0)
    assert lease.scheduled.schema_retries == 2
    assert made.finished


def test_a_call_keeps_its_conversation_until_it_ends_and_another_has_none_of_it() -> None:
    made = pool(1, 2, 1)
    broken = Failure(kind=FailureKind.SERVER, message="no")
    longer = Continue(turns=TURNS + TURNS, failure=UNFIT)
    now, seen = 0.0, []
    for outcome in (WRONG, broken, longer, ANSWER, ANSWER):
        step = made.next(now)
        while isinstance(step, WaitUntil):
            now = step.at
            step = made.next(now)
        assert isinstance(step, Start)
        seen.append((step.lease.scheduled.call.id, step.lease.scheduled.turns))
        made.on_end(step.lease, outcome, now, 0.0)
    assert seen == [(0, ()), (0, TURNS), (0, TURNS), (0, TURNS + TURNS), (1, ())]


def test_each_call_is_asked_twice_more_and_errors_between_count_for_themselves() -> None:
    made = pool(1, 2, 1, retries=1)
    broken = Failure(kind=FailureKind.SERVER, message="no")
    now, seen = 0.0, []
    for outcome in (WRONG, broken, WRONG, WRONG, WRONG, WRONG, ANSWER):
        step = made.next(now)
        while isinstance(step, WaitUntil):
            now = step.at
            step = made.next(now)
        assert isinstance(step, Start)
        verdict = made.on_end(step.lease, outcome, now + 0.1, 0.0)
        now += 0.1
        seen.append((step.lease.scheduled.call.id, type(verdict.decision).__name__))
    assert seen == [
        (0, "Again"),
        (0, "Again"),
        (0, "Again"),
        (0, "GiveUp"),
        (1, "Again"),
        (1, "Again"),
        (1, "NoneType"),
    ]
    assert made.finished


def test_one_that_cannot_be_asked_another_way_is_given_up() -> None:
    final = Failure(kind=FailureKind.SCHEMA, message="no record at all", retry=False)
    wrong = Continue(turns=TURNS, failure=final)
    assert ask(pool(1, 1, 1), wrong, 0.0)[1].decision == GiveUp()


def test_to_everything_that_is_counted_an_answer_in_the_wrong_shape_is_an_answer() -> None:
    usage = Usage(input_tokens=50, output_tokens=20)
    hints = RateLimitHints(budgets=(Budget(resource=Resource.REQUESTS, limit=60, remaining=3, reset_s=30),))
    right = Reply(text="", usage=usage, hints=hints)
    unfit = Failure(kind=FailureKind.SCHEMA, message="no", usage=usage, hints=hints)
    wrong = Continue(turns=TURNS, failure=unfit)
    empty = Failure(kind=FailureKind.EMPTY, message="no", usage=usage, hints=hints)
    lanes = []
    for outcome in (right, wrong, empty):
        made = Pool(
            {0: Lane(name="l", group="g", limit=Limit(value=2.0, ceiling=50, slow_start=True))},
            policy=RetryPolicy(),
            cap=CostCap(cap=10_000),
        )
        made.add_calls(
            0, [ScheduledCall(Call(id=i, model=0, input=None), reserve=10) for i in range(9)], drained=True
        )
        for i in range(3):
            ask(made, outcome, i * 1.0, cost=7)
        lanes.append(made.lanes[0])
        assert (made.cap.spent, made.cap.reserved) == (21, 0)
    first, *others = lanes
    assert all(lane.answered for lane in others)
    for name in ("limit", "pacer", "gate", "circuit", "refusals", "trust", "throttled_since"):
        assert all(getattr(first, name) == getattr(lane, name) for lane in others), name


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (2, 3), (6, 3)])
def test_a_call_whose_answers_are_empty_is_made_at_most_twice_more(retries: int, attempts: int) -> None:
    made = pool(1, 1, 1, retries=retries)
    now, count, verdict = 0.0, 0, None
    while not made.finished:
        step = made.next(now)
        if isinstance(step, WaitUntil):
            now = step.at
            continue
        assert isinstance(step, Start)
        count += 1
        now += 1.0
        verdict = made.on_end(step.lease, outcome(FailureKind.EMPTY, None), now, 0.5)
    assert count == attempts
    assert verdict is not None and isinstance(verdict.decision, GiveUp)
    assert made.lanes[0].circuit.failures == 0


def test_wrong_shapes_neither_open_a_circuit_nor_stop_a_lane_and_close_one_that_is_open() -> None:
    made = pool(1, 400, 1, retries=10)
    now = 0.0
    for _ in range(200):
        ask(made, WRONG, now)
        now += 600.0
    lane = made.lanes[0]
    assert (lane.circuit.open_since, lane.stopped, lane.circuit.failures) == (None, None, 0)
    broken = Failure(kind=FailureKind.SERVER, message="no")
    while lane.circuit.open_since is None:
        step = made.next(now)
        if isinstance(step, WaitUntil):
            now = step.at
            continue
        assert isinstance(step, Start)
        made.on_end(step.lease, broken, now + 0.1, 0.0)
        now += 0.2
    while not isinstance(step := made.next(now), Start):
        assert isinstance(step, WaitUntil)
        now = step.at
    # Longer than a lane may have nothing but errors: this is no error.
    verdict = made.on_end(step.lease, WRONG, now + 400.0, 0.0)
    assert not verdict.lane_stopped
    assert lane.circuit.open_since is None


def test_a_host_learns_its_level_from_answers_of_any_shape() -> None:
    levels = []
    for outcome in (Reply(text="", usage=Usage(output_tokens=10)), WRONG):
        lane = Lane(name="h", group="h", limit=Limit(value=1.0, ceiling=64), watch=Watch.ALWAYS)
        made = Pool({0: lane}, policy=RetryPolicy())
        made.add_calls(0, [ScheduledCall(Call(id=i, model=0, input=None)) for i in range(2000)], drained=True)
        now, running = 0.0, []
        for _ in range(300):
            while isinstance(step := made.next(now), Start):
                running.append(step.lease)
            now += 0.5
            for lease in running:
                made.on_end(lease, outcome, now, 0.5)
            running.clear()
        levels.append(lane.limit.value)
    assert min(levels) > 1.0


# --- this machine ------------------------------------------------------------------------------

NO_ROOM = Failure(kind=FailureKind.LOCAL, message="Too many open files", code=EXHAUSTED_CODE)


def started(pool: Pool, now: float) -> list[Lease]:
    leases = []
    while isinstance(step := pool.next(now), Start):
        leases.append(step.lease)
    return leases


def test_calls_for_which_there_was_no_room_go_again_with_fewer_in_flight_and_use_up_no_retry() -> None:
    p = pool(2, 200, 40, retries=0)
    p.lane(0).ramp.on = p.lane(1).ramp.on = False
    now, levels = 0.0, [40]
    for _ in range(3):
        leases = started(p, now)
        assert len(leases) == levels[-1]
        for lease in leases[10:]:  # there is room for 10
            verdict = p.on_end(lease, NO_ROOM, now + 1, 0.5)
            assert isinstance(verdict.decision, Again)
            assert not verdict.decision.counted
        for lease in leases[:10]:
            p.on_end(lease, ANSWER, now + 1, 0.5)
        assert p.max_in_flight is not None
        levels.append(p.max_in_flight)
        now += 10
    assert levels == [40, 30, 22, 16]


def test_where_there_is_no_room_for_a_single_call_its_lane_stops_after_the_retries() -> None:
    p = pool(1, 5, 4, retries=2)
    now, decisions = 0.0, []
    while leases := started(p, now):
        decisions += [p.on_end(lease, NO_ROOM, now + 0.1, 0.5).decision for lease in leases]
        now += 60
        assert len(decisions) < 50
    assert isinstance(decisions[-1], StopLane)
    assert p.finished


def test_a_disk_that_fails_uses_up_retries_and_is_no_error_of_the_provider() -> None:
    p = pool(1, 1, 4, retries=2)
    failure = Failure(kind=FailureKind.LOCAL, message="Input/output error", code="io")
    now, decisions = 0.0, []
    while leases := started(p, now):
        decisions += [p.on_end(lease, failure, now + 0.1, 0.5).decision for lease in leases]
        now += 60
    assert [type(decision) for decision in decisions] == [Again, Again, GiveUp]
    assert p.max_in_flight == 4
    assert not p.lane(0).in_outage


def test_the_bytes_in_flight_stay_below_their_limit_and_one_call_alone_may_be_larger() -> None:
    lane = Lane(name="l", group="g", limit=Limit(value=10.0, ceiling=10))
    p = Pool({0: lane}, policy=RetryPolicy(retries=0), max_bytes=100)
    sizes = [60, 40, 1, 250, 99]
    calls = [ScheduledCall(Call(id=n, model=0, input=None), size) for n, size in enumerate(sizes)]
    p.add_calls(0, calls, drained=True)
    together = []
    while leases := started(p, 0.0):
        together.append([lease.scheduled.size for lease in leases])
        for lease in leases:
            p.on_end(lease, ANSWER, 0.0, 0.0)
    assert together == [[60, 40], [1], [250], [99]]
    assert p.finished
