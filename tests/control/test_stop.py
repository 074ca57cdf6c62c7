"""The cap on spending, in virtual time: calls cost up to their bound, or what they like."""

from __future__ import annotations

import heapq

from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.cli.flag_names import as_flag
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.steps import Idle, Start, WaitUntil
from umwelten.control.stop import OPEN_ENDED, CostCap, ErrorCap
from umwelten.events import StopCode
from umwelten.phrases import spell
from umwelten.types import Call, Failure, FailureKind, Reply

ANSWER = Reply(text="")
BROKEN = Failure(kind=FailureKind.SERVER, message="no")
LANES = 3


def _pool(bounds: list[int], cap: CostCap, *, in_flight: int, longest: int | None) -> Pool:
    lanes = [
        Lane(name=f"l{n}", group=f"g{n}", limit=Limit(float(in_flight), in_flight, slow_start=False))
        for n in range(LANES)
    ]
    made = Pool(dict(enumerate(lanes)), policy=RetryPolicy(retries=3), max_in_flight=in_flight, cap=cap)
    for model in range(LANES):
        scheduled = [
            ScheduledCall(Call(id=n, model=model, input=None), reserve=bound, output_tokens=longest)
            for n, bound in enumerate(bounds)
            if n % LANES == model
        ]
        made.add_calls(model, scheduled, drained=True)
    return made


def _spend(pool: Pool, data: st.DataObject, cost) -> tuple[int, list[int]]:
    """Run to the end; what was spent by the attempts' bills, and each attempt's cost in its order."""
    rng = data.draw(st.randoms(use_true_random=False))
    under_way: list[tuple[float, int, object, int]] = []
    now, number, bills = 0.0, 0, []
    while True:
        step = pool.next(now)
        if isinstance(step, Start):
            number += 1
            heapq.heappush(
                under_way, (now + rng.uniform(0.1, 5), number, step.lease, cost(step.lease.scheduled, rng))
            )
            continue
        if isinstance(step, WaitUntil) and (not under_way or step.at < under_way[0][0]):
            now = step.at
            continue
        if under_way:
            now, _, lease, paid = heapq.heappop(under_way)
            bills.append(paid)
            outcome = BROKEN if rng.random() < 0.1 else ANSWER
            pool.on_end(lease, outcome, now, rng.random(), paid)
            continue
        assert isinstance(step, Idle)
        return sum(bills), bills


def _all_that_start(pool: Pool) -> int:
    """How many start before any ends."""
    now, started = 0.0, 0
    while not isinstance(step := pool.next(now), Idle):
        now, started = (step.at, started) if isinstance(step, WaitUntil) else (now, started + 1)
    return started


@settings(deadline=None, max_examples=25)
@given(st.data(), st.integers(1, 2_000_000), st.lists(st.integers(1, 50_000), min_size=200, max_size=600))
def test_with_a_known_maximum_the_cap_is_never_passed_at_200_in_flight(
    data: st.DataObject, cap: int, bounds: list[int]
) -> None:
    pool = _pool(bounds, CostCap(cap=cap), in_flight=200, longest=100)
    spent, _ = _spend(
        pool, data, lambda scheduled, rng: rng.choice([scheduled.reserve, rng.randint(0, scheduled.reserve)])
    )
    assert spent <= cap
    assert spent == pool.cap.spent
    assert pool.cap.reserved == 0
    if pool.cap.reason is not None:
        assert pool.cap.reason.code is StopCode.MAX_COST


@settings(deadline=None, max_examples=25)
@given(st.data(), st.integers(1_000, 3_000_000), st.integers(100, 400))
def test_without_one_it_is_passed_by_at_most_a_call_a_lane(data: st.DataObject, cap: int, calls: int) -> None:
    bound = 32_000
    pool = _pool([bound] * calls, CostCap(cap=cap), in_flight=200, longest=None)
    heavy = lambda scheduled, rng: int(min(200 * rng.paretovariate(0.8), bound))  # noqa: E731
    spent, bills = _spend(pool, data, heavy)
    assert spent <= cap + sum(sorted(bills)[-LANES:])


def test_it_would_be_passed_by_far_if_only_the_expected_cost_were_reserved() -> None:
    """The bound is what keeps the promise: 100 calls at 16 times what is expected of them."""
    cap = CostCap(cap=16_000)
    pool = _pool([16_000] * 300, cap, in_flight=200, longest=None)
    started = _all_that_start(pool)
    # One with its whole bound, or one alone in each lane: never the 16 whose expected cost would fit.
    assert 1 <= started <= LANES


def test_a_cap_far_away_does_not_slow_anything() -> None:
    pool = _pool([16_000] * 300, CostCap(cap=10**9), in_flight=200, longest=None)
    started = _all_that_start(pool)
    assert started == 200


def test_a_bill_above_its_bound_raises_all_later_bounds() -> None:
    cap = CostCap(cap=1000)
    held = cap.reserve(100)
    cap.settle(100, held, 300)
    assert cap.admits(233)
    assert not cap.admits(234)


def test_an_attempt_whose_cost_is_not_known_counts_as_much_as_it_could_have_cost() -> None:
    cap = CostCap(cap=1000)
    cap.settle(400, cap.reserve(400), None)
    assert cap.spent == 400
    open_ended = CostCap(cap=100_000)
    open_ended.settle(1600, open_ended.reserve(1600), None, open_ended=True)
    assert open_ended.spent == 1600 // OPEN_ENDED


def test_what_is_free_runs_on_when_the_cap_is_reached() -> None:
    cap = CostCap(cap=10, spent=10)
    assert cap.admits(0)
    assert not cap.admits(1)


def test_the_reason_says_what_the_next_call_could_cost() -> None:
    cap = CostCap(cap=2_000_000, spent=1_200_000)
    cap.end(2_100_000)
    assert _words(cap) == (
        "$0.0012 is spent and the next call could cost up to $0.0021, which would pass --max-cost $0.002; "
        "lower --max-tokens or raise the cap"
    )
    cap.end(32_000_000, open_ended=True)
    assert _words(cap) == (
        "$0.0012 is spent and the next call is expected to cost about $0.002, which would pass "
        "--max-cost $0.002; set --max-tokens or raise the cap"
    )
    cap.spent = 2_000_000
    cap.end(1)
    assert _words(cap) == "$0.002 is spent, which --max-cost $0.002 allows at most"


def test_a_cap_on_errors_is_reached_by_the_last_that_it_allows() -> None:
    cap = ErrorCap(2, failed=1)
    assert cap.reason is None
    cap.failed = 2
    assert cap.reason is not None
    assert cap.reason.code is StopCode.MAX_ERRORS
    assert spell(cap.reason.wording, as_flag) == "2 calls failed (--max-errors)"
    assert ErrorCap(None, failed=9).reason is None


def _words(cap: CostCap) -> str:
    assert cap.reason is not None
    return spell(cap.reason.wording, as_flag)
