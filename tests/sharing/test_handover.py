"""What a lane has learnt arrives whole at another run's lane, and nothing waits for who is gone."""

from __future__ import annotations

import heapq
import random
import zlib
from collections.abc import Callable

import msgspec
import pytest

from umwelten.control.circuit import FEWEST, NEVER
from umwelten.control.heights import Heights
from umwelten.control.knee import Watch
from umwelten.control.limit import Limit
from umwelten.control.memory import LaneMemory, begin_from
from umwelten.control.pool import Pool
from umwelten.control.refusals import StartSnapshot
from umwelten.control.retry import RetryPolicy
from umwelten.sharing.guest import GuestDesk
from umwelten.sharing.handover import adopt, learnt
from umwelten.sharing.messages import End, FromGuest, Grant, Return, Want
from umwelten.sharing.shared_lane import GrantedStart, SharedLane
from umwelten.types import (
    AttemptOutcome,
    Budget,
    Failure,
    FailureKind,
    FinishReason,
    RateLimitHints,
    Reply,
    Resource,
    Usage,
)

Provider = Callable[[float, int], AttemptOutcome]


def lane(ceiling: int = 100, **how: object) -> SharedLane:
    return SharedLane("x", "x", Limit(10.0, ceiling), **how)  # type: ignore[arg-type]


def refused(hint: float | None = None, budgets: tuple[Budget, ...] = ()) -> Failure:
    hints = RateLimitHints(retry_after_s=hint, budgets=budgets)
    return Failure(kind=FailureKind.RATE_LIMIT, message="", status=429, hints=hints)


def answer(*budgets: Budget) -> Reply:
    usage = Usage(input_tokens=90, output_tokens=30)
    return Reply(text="", finish_reason=FinishReason.STOP, usage=usage, hints=RateLimitHints(budgets=budgets))


class Bucket:
    """Refills at `rate`; `hint` tells when there is one again, `states` what is left."""

    def __init__(self, rate: float, *, hint: bool = False, states: bool = False) -> None:
        self.rate, self.hint, self.states = rate, hint, states
        self.level, self.at = rate, 0.0

    def __call__(self, now: float, in_flight: int) -> AttemptOutcome:
        self.level = min(self.rate, self.level + self.rate * max(0.0, now - self.at))
        self.at = max(self.at, now)
        left = Budget(
            resource=Resource.REQUESTS, limit=int(self.rate), remaining=int(self.level), reset_s=1.0
        )
        budgets = (left,) if self.states else ()
        if self.level < 1.0:
            return refused((1.0 - self.level) / self.rate if self.hint else None, budgets)
        self.level -= 1.0
        return answer(*budgets)


PROVIDERS: dict[str, Callable[[], Provider]] = {
    "rate": lambda: Bucket(20.0),
    "rate with hints": lambda: Bucket(20.0, hint=True),
    "rate with headers": lambda: Bucket(20.0, states=True),
    "cap": lambda: lambda now, in_flight: refused() if in_flight > 7 else answer(),
    "window": lambda: lambda now, in_flight: refused() if now % 5.0 > 3.0 else answer(),
    "outage": lambda: (
        lambda now, in_flight: (
            Failure(kind=FailureKind.SERVER, message="", status=500) if 3.0 < now < 8.0 else answer()
        )
    ),
    "no limit": lambda: lambda now, in_flight: answer(),
}


def drive(one: SharedLane, provider: Provider, begin: float, until: float) -> list[tuple[float, int]]:
    """Start whatever may start; return when, with how many in flight."""
    pending: list[tuple[float, int, float, StartSnapshot, AttemptOutcome]] = []
    now, log, dice = begin, [], random.Random(1)
    while now < until:
        while (at := one.earliest_start(now, 100, 50)) <= now:
            mark = one.on_start(now, 100, 50)
            log.append((now, one.in_flight))
            outcome = provider(now, one.in_flight)
            took = 0.3 if isinstance(outcome, Reply) else 0.02
            heapq.heappush(pending, (now + took * dice.uniform(0.9, 1.1), len(log), now, mark, outcome))
        now = min(at, pending[0][0] if pending else NEVER, until)
        while pending and pending[0][0] <= now:
            end(one, *heapq.heappop(pending))
    while pending:
        end(one, *heapq.heappop(pending))
    return log


def end(
    one: SharedLane, now: float, _: int, started_at: float, mark: StartSnapshot, outcome: AttemptOutcome
) -> None:
    one.on_end(outcome, started_at, now, mark)
    if isinstance(outcome, Failure) and outcome.kind is FailureKind.SERVER:
        one.on_error(started_at, now)


@pytest.mark.parametrize("kind", PROVIDERS)
@pytest.mark.parametrize("watch", [Watch.NO, Watch.UNTIL_REFUSED])
def test_a_lane_goes_on_as_the_one_before_would_have(kind: str, watch: Watch) -> None:
    first, second = lane(watch=watch), lane(watch=watch)
    provider, same = PROVIDERS[kind](), PROVIDERS[kind]()
    drive(first, provider, 0.0, 7.0)
    drive(lane(watch=watch), same, 0.0, 7.0)
    begin_from(second, LaneMemory(cap=5), 0.0)  # as it would have begun alone
    adopt(second, learnt(first))
    there = drive(first, provider, 9.0, 14.0)
    assert len(there) > 5
    assert drive(second, same, 9.0, 14.0) == there


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"nonsense",
        zlib.compress(b"nonsense"),
        zlib.compress(msgspec.msgpack.encode({"a": 1})),
        zlib.compress(msgspec.msgpack.encode(["l", 1, 2])),
        zlib.compress(msgspec.msgpack.encode(["o", "os:system", "true"])),
        zlib.compress(msgspec.msgpack.encode(["o", "umwelten.control.nowhere:X"])),
        zlib.compress(b"\x91" * 100_000),
        zlib.compress(bytes(64 << 20)),
    ],
)
def test_what_is_no_state_changes_nothing(state: bytes) -> None:
    one = lane()
    before = learnt(one)
    with pytest.raises(ValueError, match="no state of a lane"):
        adopt(one, state)
    assert learnt(one) == before


@pytest.mark.parametrize("granted", [True, False])
def test_answers_of_calls_that_another_owner_let_go_do_not_upset_what_is_stated(granted: bool) -> None:
    first, second = lane(), lane()
    provider = Bucket(20.0, states=True)
    drive(first, provider, 0.0, 20.0)
    assert first.pacer.stated
    adopt(second, learnt(first))
    second.adopted_at = 21.0
    second.in_flight = 20
    own = second.on_start(21.2, 100, 50)
    left = Budget(resource=Resource.REQUESTS, limit=20, remaining=3, reset_s=0.85)
    for n in range(20):
        start = GrantedStart(grant=n) if granted else StartSnapshot(number=n, level=n)
        second.on_end(answer(left), 20.9 if not granted else 21.5, 22.0, start)
    second.on_end(answer(), 21.2, 22.0, own)
    assert second.in_flight == 0
    assert second.earliest_start(22.0, 100, 50) < 22.5


def test_nobody_waits_for_the_probe_of_a_run_that_is_gone() -> None:
    first, second = lane(), lane()
    for n in range(FEWEST):
        first.on_error(float(n), n + 0.5)
    now = 30.0
    assert first.in_outage
    assert first.earliest_start(now) <= now
    first.on_start(now)
    assert first.earliest_start(now + 9.0) == NEVER
    adopt(second, learnt(first))
    second.lose_calls(now + 1.0)
    assert second.earliest_start(now + 9.0) <= now + 9.0


def test_calls_that_end_before_a_new_owner_answers_are_told_it() -> None:
    one = lane()
    sent: list[FromGuest] = []
    desk = GuestDesk(one, poke=lambda wake: None, changed=lambda refused: None)
    starts = [one.on_start(0.0) for _ in range(3)]
    one.desk = desk
    one.on_end(answer(), 0.0, 1.0, starts[0])
    desk.greet()
    assert one.in_flight == 2  # so it is told
    one.on_end(answer(), 0.0, 2.0, starts[1])
    desk.begin(sent.append)
    assert [type(message) for message in sent] == [End]
    one.on_end(answer(), 0.0, 3.0, starts[2])
    assert len(sent) == 2


def test_a_second_attempt_of_a_call_is_asked_for_although_no_call_is_ready() -> None:
    sent: list[FromGuest] = []
    desk = GuestDesk(lane(), poke=lambda wake: None, changed=lambda refused: None)
    desk.begin(sent.append)
    desk.ask((), 0.0)
    assert sent == []
    assert desk.earliest_start(0.0, 7, None) > 0.0
    desk.ask((), 0.0)
    assert sent == [Want(seen=0, sizes=((7, None),))]
    desk.take(Grant(number=9, at=0.0))
    assert desk.earliest_start(0.0, 7, None) == 0.0
    desk.ask((), 0.0)
    assert sent[1:] == [Return(number=9)]


def test_a_guest_that_is_paused_gives_back_what_it_was_granted() -> None:
    """Its owner counts that as under way: others would have to do without for as long as the pause takes."""
    sent: list[FromGuest] = []
    one = lane()
    desk = one.desk = GuestDesk(one, poke=lambda wake: None, changed=lambda refused: None)
    one.on_halt = lambda: desk.give_back(0.0)
    pool = Pool({1: one}, policy=RetryPolicy(retries=0))
    desk.begin(sent.append)
    desk.ask(((7, None), (7, None), (7, None)), 0.0)
    desk.take(Grant(number=9, at=0.0))
    desk.take(Grant(number=10, at=0.0))
    desk._wish = (7, None)
    pool.pause([one], [], 0.0)
    assert sent[1:] == [Return(number=10), Return(number=9), Want(seen=2, sizes=())]


def test_a_refused_call_may_have_been_overtaken_by_a_later_one() -> None:
    heights = Heights()
    for now, level in ((1.0, 40), (1.001, 41), (1.002, 39), (1.3, 40)):
        heights.note(now, level)
    assert [heights.since(at) for at in (1.0, 1.001, 1.002, 1.1, 1.4)] == [41, 41, 40, 40, 0]
    heights.note(2.2, 5)
    assert [heights.since(at) for at in (1.0, 2.0)] == [40, 5]
