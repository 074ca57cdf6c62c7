"""Virtual providers: they answer, refuse and fail in virtual time, and keep a ledger of what they saw."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
from collections.abc import Callable

from umwelten.engine.interfaces import AttemptResult
from umwelten.simulate import profile as p
from umwelten.simulate.limiters import Limiter, limiter
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


class VirtualProvider:
    """One account or host. `number` of a call picks its work; see `profile.Provider` for behaviour."""

    def __init__(self, spec: p.Provider, work: Work, dice: random.Random) -> None:
        self.spec, self.work, self.dice = spec, work, dice
        self.limiters: list[Limiter] = [made for one in spec.limits if (made := limiter(one)) is not None]
        slots = [one.k for one in spec.limits if isinstance(one, p.Slots)]
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
        refusal = self._refusal(loop.time(), number)
        outcome: Outcome
        if refusal is None:
            outcome = await self._answer(number, model, network)
        else:
            await asyncio.sleep(network)
            outcome = refusal
        self.last_at = end = loop.time()
        if isinstance(outcome, Reply):
            self.latencies.append(end - start)
        return outcome, end - start

    def _refusal(self, now: float, number: int) -> Failure | None:
        if any(outage.from_s <= now < outage.to_s for outage in self.spec.outages):
            self.failed += 1
            return Failure(kind=FailureKind.SERVER, message="out of order", status=503)
        size = self.work.inputs[number]
        waits = [one.wait(now, size) for one in self.limiters]
        wait = max(waits, default=0.0)
        if wait > 0 or (self.spec.noise and self.dice.random() < self.spec.noise):
            self.refused += 1
            return Failure(
                kind=FailureKind.RATE_LIMIT, message="slow down", status=429, hints=self._hints(now, wait)
            )
        for one in self.limiters:
            one.take(now, size)
        return None

    def _hints(self, now: float, wait: float = 0.0) -> RateLimitHints:
        spec = self.spec
        retry: float | None = None
        if wait > 0:
            if not isinstance(spec.retry_after, str):
                retry = spec.retry_after
            elif spec.retry_after == "exact" and math.isfinite(wait):
                retry = wait
        budgets: tuple[Budget, ...] = ()
        if spec.headers:
            budgets = tuple(b for one in self.limiters if (b := one.budget(now)) is not None)
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
        now = asyncio.get_running_loop().time()
        output = self.work.outputs[number]
        for one in self.limiters:
            one.ended(now, output)
        return Reply(
            text="",
            finish_reason=FinishReason.STOP,
            usage=Usage(input_tokens=self.work.inputs[number], output_tokens=output),
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


def ideal(spec: p.Provider, work: Work, cap: int | None) -> float:
    """The makespan of one who knows every limit: each call starts as soon as it would be let in."""
    limiters = [made for one in spec.limits if (made := limiter(one)) is not None]
    rooms = [one.k for one in spec.limits if isinstance(one, p.Slots)]
    room = min([*rooms, cap or math.inf])
    running: list[tuple[float, int]] = []
    now = end = 0.0

    def finish() -> float:
        at, which = heapq.heappop(running)
        for one in limiters:
            one.ended(at, work.outputs[which])
        return at

    for number, (size, seconds) in enumerate(zip(work.inputs, work.seconds, strict=True)):
        while True:
            while running and running[0][0] <= now:
                finish()
            if len(running) >= room:
                now = max(now, running[0][0])
                continue
            opens = (
                max((o.from_s <= now < o.to_s and o.to_s) or now for o in spec.outages)
                if spec.outages
                else now
            )
            wait = max((one.wait(now, size) for one in limiters), default=0.0)
            if opens <= now and wait <= 0:
                break
            # An answer's tokens may be booked while we wait, so go no further than the next ending.
            at = max(opens, now + wait)
            now = min(at, running[0][0]) if running and running[0][0] > now else at
        for one in limiters:
            one.take(now, size)
        heapq.heappush(running, (now + seconds, number))
        end = max(end, now + seconds)
    return end


class VirtualAsk:
    """The engine's `Ask` over virtual providers. `where` tells provider and work of a call."""

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
