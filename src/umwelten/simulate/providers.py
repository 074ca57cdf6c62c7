"""Virtual providers: they answer, refuse and fail in virtual time, and keep a ledger of what they saw."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections.abc import Callable, Iterable, Iterator

from umwelten.engine.interfaces import AttemptResult
from umwelten.simulate import profile as p
from umwelten.simulate.limiters import Limiter, Refusal, RequestCost, charge, new_limiters, refusal
from umwelten.types import (
    NO_HINTS,
    Budget,
    Call,
    Failure,
    FailureKind,
    FinishReason,
    Message,
    Outcome,
    RateLimitHints,
    Reply,
    Timing,
    Usage,
)


class Work:
    """What each call of one provider will need, drawn once: seconds, input and output tokens."""

    def __init__(self, spec: p.Provider, calls: int, dice: random.Random) -> None:
        latency, tokens = spec.latency, spec.tokens
        self.inputs = [dice.randint(tokens.input_min, tokens.input_max) for _ in range(calls)]
        self.outputs = [
            max(1, round(tokens.output_median * math.exp(dice.gauss(0.0, tokens.output_sigma))))
            for _ in range(calls)
        ]
        self.seconds = [
            latency.median_s
            * math.exp(dice.gauss(0.0, latency.sigma))
            * (latency.factor if dice.random() < latency.stragglers else 1.0)
            + latency.per_token_s * output
            for output in self.outputs
        ]
        self.costs = [
            RequestCost(input_tokens=size, output_tokens=output)
            for size, output in zip(self.inputs, self.outputs, strict=True)
        ]


class VirtualProvider:
    """One account or host. `number` of a call picks its work; see `profile.Provider` for behaviour."""

    def __init__(self, spec: p.Provider, work: Work, dice: random.Random) -> None:
        self.spec, self.work, self.dice = spec, work, dice
        self.limiters = new_limiters(spec.limits)
        slots = _slots(spec)
        self._free = asyncio.Semaphore(slots[0]) if slots else None
        self.attempts = self.refused = self.failed = self.loads = 0
        self.active = self.peak_active = 0
        self.starts: list[float] = []
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
        network = self.spec.network_s * (0.8 + 0.4 * self.dice.random())
        await asyncio.sleep(network)
        failure = self._failure(loop.time(), number)
        outcome: Outcome
        if failure is None:
            outcome = await self._answer(number, model, network)
        else:
            await asyncio.sleep(network)
            outcome = failure
        self.last_at = end = loop.time()
        if isinstance(outcome, Reply):
            self.latencies.append(end - start)
        return outcome, end - start

    def _failure(self, now: float, number: int) -> Failure | None:
        for outage in self.spec.outages:
            if outage.lasts(now) and isinstance(outage.fault, int):
                self.failed += 1
                return Failure(kind=_kind(outage.fault), message="out of order", status=outage.fault)
        cost = self.work.costs[number]
        refused = refusal(self.limiters, cost, now)
        noise = refused is None and self.spec.noise and self.dice.random() < self.spec.noise
        if refused is None and not noise:
            charge(self.limiters, cost, now)
            return None
        charge(self.limiters, cost, now, refused=True)
        self.refused += 1
        status = 429 if refused is None else refused.limiter.spec.status
        hints = self._hints(now, refused)
        return Failure(kind=_kind(status), message="slow down", status=status, hints=hints)

    def _hints(self, now: float, refused: Refusal | None = None) -> RateLimitHints:
        retry: float | None = None
        if refused is not None and self.spec.retry_after != "none":
            retry = refused.hint_s if self.spec.retry_after == "exact" else float(self.spec.retry_after)
        budgets = tuple(_budgets(self.limiters, now)) if self.spec.headers else ()
        return (
            RateLimitHints(retry_after_s=retry, budgets=budgets) if budgets or retry is not None else NO_HINTS
        )

    async def _answer(self, number: int, model: int, network: float) -> Reply:
        hints = self._hints(asyncio.get_running_loop().time())
        if self._loading is not None:
            async with self._loading:
                await self._load(model)
        if self._free is not None:
            async with self._free:
                await self._serve(number, network)
        else:
            await self._serve(number, network)
        now, cost = asyncio.get_running_loop().time(), self.work.costs[number]
        for limiter in self.limiters:
            limiter.end(now, cost)
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
        await asyncio.sleep(max(0.0, self.work.seconds[number] - network))
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
    return FailureKind.RATE_LIMIT if status == 429 else FailureKind.SERVER


def _slots(spec: p.Provider) -> list[int]:
    return [limit.k for limit in spec.limits if isinstance(limit, p.Slots)]


def _budgets(limiters: Iterable[Limiter], now: float) -> Iterator[Budget]:
    for limiter in limiters:
        if limiter.spec.headers != "none" and (budget := limiter.budget(now)) is not None:
            yield budget


def ideal(spec: p.Provider, work: Work, cap: int | None) -> float:
    """Return the makespan of one who knows every limit: each call starts as soon as it would be admitted."""
    limiters = new_limiters(spec.limits)
    room = min([*_slots(spec), cap or math.inf])
    running: list[tuple[float, int]] = []
    now = end = 0.0
    for number, (cost, seconds) in enumerate(zip(work.costs, work.seconds, strict=True)):
        while True:
            while running and running[0][0] <= now:
                ended_at, ended = heapq.heappop(running)
                for limiter in limiters:
                    limiter.end(ended_at, work.costs[ended])
            if len(running) >= room:
                now = max(now, running[0][0])
                continue
            opens = max([now, *(outage.to_s for outage in spec.outages if outage.lasts(now))])
            refused = refusal(limiters, cost, now)
            wait = 0.0 if refused is None else refused.wait_s
            if opens <= now and wait <= 0:
                break
            # An answer's tokens may be booked while we wait, so go no further than the next ending.
            at = max(opens, now + wait)
            now = min(at, running[0][0]) if running and running[0][0] > now else at
        charge(limiters, cost, now)
        heapq.heappush(running, (now + seconds, number))
        end = max(end, now + seconds)
    return end


class VirtualAsk:
    """Runs attempts at virtual providers. `where` tells provider and work of a call."""

    def __init__(self, where: Callable[[Call], tuple[VirtualProvider, int]]) -> None:
        self._where = where

    async def __call__(
        self, call: Call, turns: tuple[Message, ...], on_text: Callable[[str], None] | None
    ) -> AttemptResult:
        provider, number = self._where(call)
        started = asyncio.get_running_loop().time()
        outcome, took = await provider.ask(number, call.model)
        timing = Timing(started_at=started, latency_s=took)
        return AttemptResult(outcome=outcome, timing=timing, key="", content=b"", cost_nusd=0)
