"""Virtual providers: they answer, refuse and fail in virtual time, and keep a ledger of what they saw."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections.abc import Callable, Sequence

from umwelten.engine.interfaces import AttemptResult
from umwelten.providers.common.errors import REFUSALS
from umwelten.simulate import profile as p
from umwelten.simulate.limiters import Limiter, RequestCost, charge, new_limiters, refusal
from umwelten.simulate.loads import edges_after
from umwelten.simulate.other_users import OtherUsers
from umwelten.simulate.statements import Statements
from umwelten.types import (
    Call,
    Failure,
    FailureKind,
    FinishReason,
    FrozenStruct,
    Outcome,
    Reply,
    Timing,
    Turn,
    Usage,
)

_LATE = 0.01
"""Share of all ways over a network of a stated round trip that take three times as long."""


class Work:
    """What each call of one provider will need, drawn once: seconds, input and output tokens."""

    def __init__(self, spec: p.Provider, calls: int, dice: random.Random) -> None:
        latency, tokens = spec.latency, spec.tokens
        self.inputs = [dice.randint(tokens.input_min, tokens.input_max) for _ in range(calls)]
        self.outputs = [
            max(1, round(tokens.output_median * math.exp(dice.gauss(0.0, tokens.output_sigma))))
            for _ in range(calls)
        ]
        self._latency, self._slow = latency, set[int]()
        self.seconds = [
            latency.median_s * math.exp(dice.gauss(0.0, latency.sigma)) * self._factor(number, dice)
            + latency.per_token_s * output
            for number, output in enumerate(self.outputs)
        ]
        self.costs = [
            RequestCost(input_tokens=size, output_tokens=output)
            for size, output in zip(self.inputs, self.outputs, strict=True)
        ]

    def _factor(self, number: int, dice: random.Random) -> float:
        if dice.random() >= self._latency.stragglers:
            return 1.0
        self._slow.add(number)
        return self._latency.factor

    def seconds_again(self, number: int, dice: random.Random) -> float:
        """Return how long another attempt takes: a call is no straggler by nature."""
        tokens_s = self._latency.per_token_s * self.outputs[number]
        usual = self.seconds[number] - tokens_s
        if number in self._slow:
            usual /= self._latency.factor
        straggles = dice.random() < self._latency.stragglers
        return usual * (self._latency.factor if straggles else 1.0) + tokens_s


class VirtualProvider:
    """One account or host. `number` of a call picks its work; see `profile.Provider` for behaviour."""

    def __init__(self, spec: p.Provider, work: Work, dice: random.Random) -> None:
        self.spec, self.work, self.dice = spec, work, dice
        self.limiters = new_limiters(spec.limits)
        self.statements = Statements(spec, self.limiters)
        self.others = _others(spec, self.limiters, work)
        slots = _slots(spec)
        self._free = asyncio.Semaphore(slots[0]) if slots else None
        self.attempts = self.refused = self.failed = self.loads = 0
        self.active = self.peak_active = 0
        self.starts: list[float] = []
        self.let_in_at: list[float] = []
        self._served: set[int] = set()
        self.refused_at: list[float] = []
        self.still_s = self._still_since = 0.0
        self._under_way = 0
        self.last_answer_at: float | None = None
        self.on_attempt: Callable[[], object] = int
        self.on_connected: Callable[[float], object] | None = None
        self.latencies: list[float] = []
        self.first_at, self.last_at = math.inf, 0.0
        self._loaded: int | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._loading: asyncio.Lock | None = asyncio.Lock() if spec.host and spec.swap_s else None

    async def ask(self, number: int, model: int) -> tuple[Outcome, float]:
        """One attempt: its outcome and how long it took."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        self.first_at = min(self.first_at, start)
        self.attempts += 1
        self.starts.append(start)
        self._depart(start)
        self.on_attempt()
        network = self._one_way()
        if self.attempts == 1 and self.on_connected is not None:
            # The request itself goes at once: that a connection takes a round trip changes nothing here.
            loop.call_later(2 * network, self.on_connected, 2 * network)
        try:
            await asyncio.sleep(network)
            failure = self._failure(loop.time(), number)
            outcome: Outcome
            if failure is None:
                outcome = await self._answer(number, model, network)
            else:
                await asyncio.sleep(network)
                outcome = failure
        finally:
            self.last_at = end = loop.time()
            self._under_way -= 1
            self._still_since = end
        if isinstance(outcome, Reply):
            self.latencies.append(end - start)
            self.last_answer_at = end
        return outcome, end - start

    def _depart(self, now: float) -> None:
        """Note how long nothing was under way before this request."""
        if not self._under_way and self.attempts > 1:
            self.still_s = max(self.still_s, now - self._still_since)
        self._under_way += 1

    def _one_way(self) -> float:
        jitter = self.spec.round_trip_jitter
        way_s = self.spec.one_way_s * (1.0 - jitter + 2 * jitter * self.dice.random())
        if self.spec.round_trip_s is not None and self.dice.random() < _LATE:
            way_s *= 3  # so that requests and refusals overtake each other
        return way_s

    def _failure(self, now: float, number: int) -> Failure | None:
        for outage in self.spec.outages:
            if outage.lasts(now) and isinstance(outage.fault, int):
                self.failed += 1
                return Failure(kind=_kind(outage.fault), message="out of order", status=outage.fault)
        if self.others is not None:
            self.others.catch_up(now)
        cost = self.work.costs[number]
        refused = refusal(self.limiters, cost, now)
        status = self._noise() if refused is None else refused.limiter.spec.status
        if status is None:
            charge(self.limiters, cost, now)
            self.let_in_at.append(now)
            return None
        charge(self.limiters, cost, now, refused=True)
        self.refused += 1
        self.refused_at.append(now)
        hints = self.statements.hints(now, refused)
        return Failure(kind=_kind(status), message="slow down", status=status, hints=hints)

    def _noise(self) -> int | None:
        """The status of a refusal that has nothing to do with limits, if this is to be one."""
        if self.spec.noise and self.dice.random() < self.spec.noise:
            return 429
        overload = self.spec.overload
        return overload.status if overload is not None and self.dice.random() < overload.share else None

    async def _answer(self, number: int, model: int, network: float) -> Reply:
        hints = self.statements.hints(asyncio.get_running_loop().time())
        cost = self.work.costs[number]
        try:
            if self._loading is not None:
                async with self._loading:
                    await self._load(model)
            if self._free is not None:
                async with self._free:
                    await self._serve(number, network)
            else:
                await self._serve(number, network)
        finally:
            for limiter in self.limiters:
                limiter.end(asyncio.get_running_loop().time(), cost)
        return Reply(
            text="",
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=cost.input_tokens, output_tokens=cost.output_tokens),
            hints=hints,
        )

    async def _serve(self, number: int, network: float) -> None:
        self.active += 1
        self._idle.clear()
        self.peak_active = max(self.peak_active, self.active)
        again = number in self._served
        seconds = self.work.seconds_again(number, self.dice) if again else self.work.seconds[number]
        self._served.add(number)
        try:
            await asyncio.sleep(max(0.0, seconds - network))
        finally:
            self.active -= 1
            if not self.active:
                self._idle.set()

    async def _load(self, model: int) -> None:
        if self._loaded == model:
            return
        await self._idle.wait()
        self._loaded = model
        self.loads += 1
        await asyncio.sleep(self.spec.swap_s)


def _kind(status: int) -> FailureKind:
    return FailureKind.RATE_LIMIT if status in REFUSALS else FailureKind.SERVER


def _slots(spec: p.Provider) -> list[int]:
    return [limit.k for limit in spec.limits if isinstance(limit, p.Slots)]


def _others(spec: p.Provider, limiters: Sequence[Limiter], work: Work) -> OtherUsers | None:
    if spec.others is None:
        return None
    calls = max(1, len(work.inputs))
    mean = RequestCost(input_tokens=sum(work.inputs) // calls, output_tokens=sum(work.outputs) // calls)
    return OtherUsers(spec.others, limiters, mean)


class Ideal(FrozenStruct):
    """The run of one who knows every limit: when calls are let in and when the last one ends, in seconds."""

    let_in_at: tuple[float, ...]
    end_s: float
    longest_closure_s: float = 0.0


def ideal(spec: p.Provider, work: Work, cap: int | None) -> Ideal:
    """Start each call as soon as it would be admitted. What no waiting admits (a used-up quota) is left."""
    limiters = new_limiters(spec.limits)
    others = _others(spec, limiters, work)
    room = min([*_slots(spec), cap or math.inf])
    running: list[tuple[float, int]] = []
    now = end = closure = 0.0
    let_in: list[float] = []
    for number, (cost, seconds) in enumerate(zip(work.costs, work.seconds, strict=True)):
        while True:
            while running and running[0][0] <= now:
                ended_at, ended = heapq.heappop(running)
                for limiter in limiters:
                    limiter.end(ended_at, work.costs[ended])
            if len(running) >= room:
                now = max(now, running[0][0])
                continue
            if others is not None:
                others.catch_up(now)
            opens = max([now, *(outage.to_s for outage in spec.outages if outage.lasts(now))])
            refused = refusal(limiters, cost, now)
            wait = 0.0 if refused is None else refused.wait_s
            if wait < math.inf:
                closure = max(closure, wait, opens - now)
            if opens <= now and wait <= 0:
                break
            # Go no further than the next event that may make room: a limit that changes, an ending, others.
            events = [edge for limit in spec.limits for edge in edges_after(_change_of(limit), now)]
            events += [now + LOOK_S] if others is not None and others.holds_slots else []
            events += [running[0][0]] if running and running[0][0] > now else []
            at = min([max(opens, now + wait), *events])
            if at == math.inf:
                return Ideal(let_in_at=tuple(let_in), end_s=end, longest_closure_s=closure)
            now = at
        charge(limiters, cost, now)
        let_in.append(now)
        heapq.heappush(running, (now + seconds, number))
        end = max(end, now + seconds)
    return Ideal(let_in_at=tuple(let_in), end_s=end, longest_closure_s=closure)


def _change_of(limit: p.AnyLimit) -> p.Change | None:
    return getattr(limit, "change", None)


LOOK_S = 0.05
"""How often the clairvoyant looks whether others have left room in flight."""


class VirtualAsk:
    """Runs attempts at virtual providers. `where` tells provider and work of a call."""

    def __init__(self, where: Callable[[Call], tuple[VirtualProvider, int]]) -> None:
        self._where = where

    async def __call__(
        self, call: Call, turns: tuple[Turn, ...], on_text: Callable[[str], None] | None, lane: str
    ) -> AttemptResult:
        provider, number = self._where(call)
        started = asyncio.get_running_loop().time()
        outcome, took = await provider.ask(number, call.model)
        timing = Timing(started_at=started, latency_s=took)
        return AttemptResult(outcome=outcome, timing=timing, key="", content=b"", cost_nusd=0)
