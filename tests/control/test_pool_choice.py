"""The pool finds what is next without looking at everything: it must be what looking at everything finds."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.control.attribution import Reason
from umwelten.control.circuit import NEVER
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.model_state import ModelState
from umwelten.control.pool import Pool
from umwelten.control.queues import Queue
from umwelten.control.retry import RetryPolicy
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.starts import Starts
from umwelten.control.steps import IDLE, Idle, Lease, Start, Step, WaitUntil
from umwelten.control.stop import CostCap
from umwelten.types import (
    EXHAUSTED_CODE,
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FailureKind,
    RateLimitHints,
    Reply,
)


class PlainStarts(Starts):
    """Looks at all queues and asks every lane, each time."""

    looked = 0

    def _decide(self, now: float) -> Step:
        self.looked += 1
        if self._slots.closed:
            return IDLE
        self._lineup.wake(now)
        self._lineup.settle()
        if self._slots.is_full:
            return IDLE
        best, opens, cheapest = None, self._lineup.wakes, None
        for queue in self._lineup.queues.values():
            if not self._may_start(queue):
                continue
            head, lane = queue.ready[0], queue.route.members[0].lane
            if not self._cap.admits(head.reserve, alone=head.open_ended and not lane.in_flight):
                if cheapest is None or (head.reserve or 0) < (cheapest.reserve or 0):
                    cheapest = head
                continue
            at = lane.earliest_start(now, head.input_tokens, head.output_tokens)
            if at > now:
                opens = min(opens, at)
            elif best is None or (queue.in_flight, queue.served) < (best.in_flight, best.served):
                best = queue
        if best is not None:
            member = best.route.members[0]
            member.asked_for = None
            member.ask(best.ready[0], now)  # the last question was perhaps about another call
            return self._start(best, member, now)
        if cheapest is not None and not self._slots.in_flight and opens == NEVER:
            self._cap.end(cheapest.reserve, open_ended=cheapest.open_ended)
            self._slots.closed = True
        return WaitUntil(opens) if opens < NEVER else IDLE

    def _may_start(self, queue: Queue) -> bool:
        if not queue.ready or queue.state.held:
            return False
        queues, lane = self._lineup.queues, queue.route.members[0].lane
        if lane.ordered:
            if lane.current is None or not queues[lane.current].ready:
                lane.take_turn(queue.model)
            if lane.current != queue.model:
                return False
        alike = [q for q in queues.values() if q.route.group == lane.group]
        if sum(q.in_flight for q in alike) >= CAPS.get(lane.group, 1000):
            return False
        return not self._slots.bytes or self._slots.bytes + queue.ready[0].size <= MOST_BYTES


CAPS = {"g1": 3, "g2": 2}
MOST_BYTES = 10


@dataclass(slots=True)
class Paced(Lane):
    """A lane that knows its limits: so many tokens a second, so many calls at once."""

    rate: float = 1.0
    at: float = 0.0

    def earliest_start(self, now: float, input_tokens: int = 0, output_tokens: int | None = None) -> float:
        if self.stopped is not None or self.in_flight >= self.limit.slots:
            self.wait_reason = Reason.CONCURRENCY
            return NEVER
        self.wait_reason = Reason.TOKENS
        return max(now, self.at + input_tokens / self.rate)

    def on_start(self, now: float = 0.0, input_tokens: int = 0, output_tokens: int | None = None):  # type: ignore[no-untyped-def]
        self.at = now
        return Lane.on_start(self, now, input_tokens, output_tokens)


def failure(kind: FailureKind, **more: object) -> Failure:
    return Failure(kind=kind, message="no", **{"retry": True, **more})  # type: ignore[arg-type]


def outcomes(hint: float) -> list[AttemptOutcome | None]:
    return [
        None,
        Continue(turns=(), failure=failure(FailureKind.SCHEMA)),
        failure(FailureKind.SERVER),
        failure(FailureKind.EMPTY),
        failure(FailureKind.RATE_LIMIT, hints=RateLimitHints(retry_after_s=hint)),
        failure(FailureKind.BAD_REQUEST, retry=False),
        failure(FailureKind.BAD_REQUEST, retry=False, model_down=True),
        failure(FailureKind.UNAVAILABLE, retry=False, lane_down=True),
        failure(FailureKind.LOCAL, code=EXHAUSTED_CODE),
    ]


@st.composite
def plans(draw: st.DrawFn) -> dict[str, object]:
    lanes = draw(
        st.lists(
            st.tuples(
                st.booleans(),
                st.booleans(),
                st.integers(0, 2),
                st.integers(1, 4),
                st.sampled_from([0.5, 4.0]),
            ),
            min_size=1,
            max_size=5,
        )
    )
    models = draw(st.lists(st.tuples(st.integers(0, len(lanes) - 1), st.booleans()), min_size=1, max_size=8))
    call = st.tuples(st.integers(0, 12), st.integers(0, 6), st.integers(0, 40))
    return {
        "lanes": lanes,
        "models": models,
        "calls": [draw(st.lists(call, max_size=5)) for _ in models],
        "open_ended": draw(st.booleans()),
        "most": draw(st.one_of(st.none(), st.integers(1, 6))),
        "cap": draw(st.one_of(st.none(), st.integers(0, 200))),
    }


def make(plan: dict) -> Pool:  # type: ignore[type-arg]
    lanes = []
    for i, (paced, ordered, group, slots, rate) in enumerate(plan["lanes"]):
        of = Paced if paced else Lane
        lane = of(f"l{i}", f"g{group}", Limit(float(slots), slots, slow_start=False), ordered=ordered)
        if isinstance(lane, Paced):
            lane.rate = rate
        lanes.append(lane)
    states: dict[int, ModelState] = {}
    last = ModelState()
    for model, (_, alike) in enumerate(plan["models"]):
        same = alike and model and plan["models"][model - 1][0] == plan["models"][model][0]
        last = states[model] = last if same else ModelState()
    pool = Pool(
        {model: lanes[lane] for model, (lane, _) in enumerate(plan["models"])},
        policy=RetryPolicy(retries=2),
        max_in_flight=plan["most"],
        group_caps=CAPS,
        max_bytes=MOST_BYTES,
        cap=CostCap(cap=plan["cap"]),
        states=states,
    )
    for model, calls in enumerate(plan["calls"]):
        scheduled = [
            ScheduledCall(
                Call(id=100 * model + i, model=model, input=None),
                size=size,
                input_tokens=tokens,
                reserve=reserve,
                output_tokens=None if plan["open_ended"] else 7,
            )
            for i, (size, tokens, reserve) in enumerate(calls)
        ]
        pool.add_calls(model, scheduled, drained=True)
    return pool


@settings(deadline=None, max_examples=150)
@given(st.data(), plans())
def test_the_next_call_is_the_one_that_looking_at_everything_finds(data: st.DataObject, plan: dict) -> None:  # type: ignore[type-arg]
    quick, plain = make(plan), make(plan)
    plain._starts = looking = PlainStarts(plain._lineup, plain.slots, plain._halts, plain.cap)
    now, running, rude = 0.0, [], data.draw(st.integers(0, 30))
    for _ in range(400):
        step, expected = quick.next(now), plain.next(now)
        if isinstance(expected, Start):
            assert isinstance(step, Start)
            assert step.lease.scheduled.call == expected.lease.scheduled.call
            running.append((step.lease, expected.lease))
            continue
        assert not isinstance(step, Start)
        if isinstance(expected, WaitUntil):
            assert isinstance(step, WaitUntil)
            assert now <= step.at <= expected.at
        if running:
            now += data.draw(st.sampled_from([0.0, 0.1, 1.0, 3.0])) if rude else 0.5
            if isinstance(step, WaitUntil) and step.at <= now:
                now = step.at
                continue
            pair: tuple[Lease, Lease] = running.pop(
                data.draw(st.integers(0, len(running) - 1)) if rude else 0
            )
            what: AttemptOutcome | None = Reply(text="")
            if rude:
                what = data.draw(
                    st.sampled_from([what, what, *outcomes(data.draw(st.sampled_from([0.5, 5.0])))])
                )
            if (
                isinstance(what, Failure)
                and what.kind is FailureKind.RATE_LIMIT
                and type(pair[0].lane) is Lane
            ):
                what = None  # when a lane counts its calls as let in depends on when it is asked
            rude = max(0, rude - 1)
            cost = data.draw(st.sampled_from([None, 0, 5, 60])) if plan["cap"] is not None else 0
            for pool, lease in zip((quick, plain), pair, strict=True):
                pool.on_end(lease, what, now, 0.5, cost)
        elif isinstance(step, Idle):
            break
        else:
            now = step.at
    assert looking.looked
    assert quick.finished == plain.finished
    assert [quick.queued(lane) for lane in quick.lanes] == [plain.queued(lane) for lane in plain.lanes]


def test_no_lane_is_asked_to_which_nothing_happened() -> None:
    asked = []

    class Counting(Lane):
        def earliest_start(
            self, now: float, input_tokens: int = 0, output_tokens: int | None = None
        ) -> float:
            asked.append(self.name)
            return Lane.earliest_start(self, now, input_tokens, output_tokens)

    lanes = {i: Counting(f"l{i}", "g", Limit(2.0, 2, slow_start=False)) for i in range(40)}
    pool = Pool(dict(lanes), policy=RetryPolicy())
    for model in lanes:
        calls = [ScheduledCall(Call(id=10 * model + i, model=model, input=None)) for i in range(4)]
        pool.add_calls(model, calls, drained=True)
    running = []
    while isinstance(step := pool.next(0.0), Start):
        running.append(step.lease)
    assert len(running) == 80
    asked.clear()
    for lease in running[:10]:
        pool.on_end(lease, Reply(text=""), 1.0, 0.5)
        step = pool.next(1.0)
        assert isinstance(step, Start)
        assert isinstance(pool.next(1.0), Idle)
        assert step.lease.lane is lease.lane
    assert len(asked) <= 20
    lanes[7].limit.value = 3.0
    assert isinstance(pool.next(1.0), Idle)
    pool.touch(lanes[7])
    step = pool.next(1.0)
    assert isinstance(step, Start)
    assert step.lease.lane is lanes[7]


def test_a_lane_whose_time_has_come_waits_for_a_slot_if_the_pool_is_full() -> None:
    free, paced = (Paced(n, n, Limit(9.0, 9, slow_start=False), rate=r) for n, r in (("a", 99.0), ("b", 0.5)))
    pool = Pool({0: free, 1: paced}, policy=RetryPolicy(), max_in_flight=2)
    for model in (0, 1):
        calls = [
            ScheduledCall(Call(id=9 * model + i, model=model, input=None), input_tokens=1) for i in range(4)
        ]
        pool.add_calls(model, calls, drained=True)
    first = pool.next(1.0)
    assert isinstance(first, Start)
    assert isinstance(pool.next(1.0), WaitUntil)
    second = pool.next(1.1)
    assert isinstance(second, Start), "the pool is full from now on; from 2.0 on b could start a call"
    assert isinstance(pool.next(1.1), Idle)
    pool.on_end(first.lease, Reply(text=""), 5.0, 0.5)
    pool.account(5.0)
    assert paced.timesheet.seconds == {Reason.TOKENS: 1.0, Reason.CONCURRENCY: 3.0}
