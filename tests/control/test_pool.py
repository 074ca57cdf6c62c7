from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Idle, Job, Lease, Pool, Start, WaitUntil
from umwelten.control.retry import RetryPolicy
from umwelten.types import Call, Failure, FailureKind, Hints, Reply

ANSWER = Reply(text="")
CLOCK = st.floats(0, 200)
KINDS = st.sampled_from([None, FailureKind.RATE_LIMIT, FailureKind.SERVER, FailureKind.BAD_REQUEST])
HINT = st.one_of(st.none(), st.floats(0, 300))


def pool(models: int, calls: int, cap: int, *, retries: int = 2) -> Pool:
    lanes = [Lane(name=f"l{i}", group=f"g{i}", limit=Limit(value=float(cap), ceiling=cap)) for i in range(2)]
    made = Pool(
        {model: lanes[model % 2] for model in range(models)},
        policy=RetryPolicy(retries=retries),
        max_in_flight=cap,
    )
    for model in range(models):
        jobs = [Job(Call(id=model * calls + i, model=model, input=None)) for i in range(calls)]
        made.offer(model, jobs, drained=True)
    return made


def outcome(kind: FailureKind | None, hint: float | None) -> Reply | Failure:
    if kind is None:
        return ANSWER
    return Failure(
        kind=kind, message="no", retry=kind is not FailureKind.BAD_REQUEST, hints=Hints(retry_after_s=hint)
    )


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
            call = step.lease.job.call.id
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
            verdict = made.ended(lease, what, now, 0.5)
            under_way.discard(lease.job.call.id)
            if isinstance(what, Reply) or type(verdict.decision).__name__ == "GiveUp":
                ended.add(lease.job.call.id)
            continue
        if isinstance(step, Idle):
            break
        now = step.at
    assert made.finished
    stopped = [lane for lane in made.lanes if lane.stopped is not None]
    assert stopped or ended == set(range(models * calls))


def test_a_call_that_waits_holds_no_slot() -> None:
    made = pool(1, 3, 1)
    first = made.next(0.0)
    assert isinstance(first, Start)
    made.ended(first.lease, outcome(FailureKind.SERVER, 60.0), 0.1, 0.5)
    assert made.in_flight == 0
    second = made.next(0.1)
    assert isinstance(second, Start)
    assert second.lease.job is not first.lease.job


def test_waiting_for_a_rate_limit_uses_up_no_retries() -> None:
    made = pool(1, 1, 1, retries=0)
    now = 0.0
    for _ in range(20):
        step = made.next(now)
        while isinstance(step, WaitUntil):
            now = step.at
            step = made.next(now)
        assert isinstance(step, Start)
        made.ended(step.lease, outcome(FailureKind.RATE_LIMIT, 0.1), now + 0.05, 0.5)
        now += 0.05
    assert not made.finished


@pytest.mark.parametrize("code", ["credit", "key"])
def test_refused_accounts_pause_the_lane_and_spend_no_attempts(code: str) -> None:
    made = pool(2, 5, 4)
    step = made.next(0.0)
    assert isinstance(step, Start)
    down = Failure(kind=FailureKind.UNAVAILABLE, message=code, retry=False, lane_down=True)
    verdict = made.ended(step.lease, down, 0.1, 0.5)
    assert verdict.lane_stopped
    started = []
    while isinstance(step := made.next(0.2), Start):
        started.append(step.lease)
        made.ended(step.lease, ANSWER, 0.2, 0.5)
    assert {lease.lane.name for lease in started} == {"l1"}
    assert len(started) == 5


def test_in_a_host_one_models_calls_go_before_the_next_models() -> None:
    one = Lane(name="h", group="h", limit=Limit(value=4.0, ceiling=4, slow_start=False), host=True)
    made = Pool({0: one, 1: one}, policy=RetryPolicy())
    for model in (0, 1):
        made.offer(
            model, [Job(Call(id=10 * model + i, model=model, input=None)) for i in range(6)], drained=True
        )
    order = []
    while isinstance(step := made.next(0.0), Start):
        order.append(step.lease.job.call.model)
        made.ended(step.lease, ANSWER, 0.0, 0.5)
    assert order == [0] * 6 + [1] * 6


def test_the_time_of_a_lane_is_split_and_adds_up() -> None:
    made = pool(1, 4, 2)
    now, leases = 0.0, []
    while not made.finished:
        while isinstance(step := made.next(now), Start):
            leases.append(step.lease)
        now += 1.0
        made.ended(leases.pop(0), ANSWER, now, 0.5)
    made.next(now)
    sheet = made.lanes[0].attribution(now)
    assert sheet.concurrency_s + sheet.latency_s == pytest.approx(now)
    assert sum(sheet.parts().values()) == pytest.approx(1.0)
