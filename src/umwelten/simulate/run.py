"""The real engine, pool and lanes against virtual providers, in virtual time."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

from umwelten.control.attribution import Attribution
from umwelten.control.knee import Watch
from umwelten.control.lane import Lane
from umwelten.control.limit import AUTO_CEILING, Limit
from umwelten.control.memory import LaneMemory, begin_from, learnt
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptRunner, CallInfo
from umwelten.events import RunStatus
from umwelten.records import CallRecord, Record
from umwelten.simulate.clock import run_virtual
from umwelten.simulate.figures import most_in_a_second, seconds_to_pace
from umwelten.simulate.profile import Provider, SimulationProfile, WindowSpec
from umwelten.simulate.providers import VirtualAsk, VirtualProvider, Work, ideal
from umwelten.types import Call, FrozenStruct, ModelRef, Reply, Turn

_POINTS = 2000


class LaneSample(FrozenStruct):
    """A lane at one moment."""

    at_s: float
    limit: float
    in_flight: int


class LaneReport(FrozenStruct):
    """How one provider's part of the run went.

    `efficiency` is the ideal makespan by the makespan, times the share of the possible calls that succeeded;
    0 where calls were left that could have been let in.
    `refused_per_call` counts refusals, whatever their status. `s_to_90`: seconds until calls were let in at
    nine tenths of the possible pace, `None` if they never were. `longest_standstill_s`: with nothing under
    way although calls were left; `longest_closure_s`: for which the provider let nothing in, as far as time
    opens it again. `started_at`, `let_in_at` and `refused_at` are the times of attempts. `p95_s` is the
    time of one answer as the client saw it, `unloaded_p95_s` that of a server without a queue.
    """

    name: str
    calls: int
    succeeded: int
    attempts: int
    refused: int
    failed: int
    wall_s: float
    ideal_s: float
    p50_s: float
    p95_s: float
    unloaded_p95_s: float
    loads: int
    busy: float
    kind: str
    samples: tuple[LaneSample, ...]
    started_at: tuple[float, ...]
    attribution: Attribution
    efficiency: float
    refused_per_call: float
    most_refused_in_a_second: int
    s_to_90: float | None
    longest_standstill_s: float
    longest_closure_s: float
    let_in_at: tuple[float, ...]
    refused_at: tuple[float, ...]
    ideal_let_in_at: tuple[float, ...]


class Report(FrozenStruct):
    """A simulated run. `cpu_s`: real seconds of computing. `lost` calls neither ended nor stayed pending.

    The figures of `LaneReport` are those of the lane that is the worst in each.
    """

    title: str
    seed: int
    calls: int
    status: RunStatus
    wall_s: float
    cpu_s: float
    peak_in_flight: int
    lanes: tuple[LaneReport, ...]
    twice: int
    lost: int
    efficiency: float
    refused_per_call: float
    most_refused_in_a_second: int
    s_to_90: float | None
    longest_standstill_s: float


class _CallLog:
    """Source and sink of a simulated run: calls by model, and how often each ended."""

    error: BaseException | None = None
    complete, problem = True, None

    def __init__(self, counts: dict[int, int]) -> None:
        self._next = dict.fromkeys(counts, 0)
        self._counts = counts
        self.first = {}
        total = 0
        for model, count in counts.items():
            self.first[model] = total
            total += count
        self.total = total
        self.ended = bytearray(total)
        self.succeeded: dict[int, int] = dict.fromkeys(counts, 0)
        self.engine: Engine | None = None

    def lease(self, model: int, n: int) -> list[Call]:
        done = self._next[model]
        upto = self._next[model] = min(self._counts[model], done + n)
        first = self.first[model]
        return [Call(id=first + i, model=model, input=None) for i in range(done, upto)]

    def submit(self, record: Record) -> None:
        if isinstance(record, CallRecord):
            self.ended[record.call.id] += 1
            self.succeeded[record.call.model] += isinstance(record.outcome, Reply)
            assert self.engine is not None
            asyncio.get_running_loop().call_soon(self.engine.acknowledge, [record])

    def count_ended(self, model: int) -> int:
        first = self.first[model]
        return sum(n > 0 for n in self.ended[first : first + self._counts[model]])

    def flush_soon(self) -> None:
        """Records are safe at once."""


class _Setup:
    """The providers, lanes and calls of one simulated run."""

    def __init__(self, profile: SimulationProfile, calls: int, seed: int) -> None:
        self.profile = profile
        self.dice = random.Random(seed)
        shares = sum(p.share for p in profile.providers)
        self.providers: list[VirtualProvider] = []
        self.models: dict[int, tuple[VirtualProvider, int]] = {}
        counts: dict[int, int] = {}
        for spec in profile.providers:
            part = round(calls * spec.share / shares)
            work = Work(spec, part, self.dice)
            provider = VirtualProvider(spec, work, self.dice)
            self.providers.append(provider)
            for i in range(spec.models):
                number = len(self.models)
                counts[number] = part * (i + 1) // spec.models - part * i // spec.models
                self.models[number] = (provider, part * i // spec.models)
        self.attempts = 0
        self.call_log = _CallLog(counts)
        self.lanes = {id(p): self._lane(p.spec) for p in self.providers}

    def _lane(self, spec: Provider) -> Lane:
        cap = self.profile.cap
        auto = cap == "auto"
        ceiling = AUTO_CEILING if isinstance(cap, str) else cap
        limit = Limit(value=float(spec.recommended if auto else ceiling), ceiling=ceiling, slow_start=auto)
        watch = Watch.ALWAYS if spec.host else Watch.NO
        return Lane(name=spec.name, group=spec.name, limit=limit, watch=watch, ordered=spec.host)

    def recall(self, memory: Mapping[str, LaneMemory]) -> None:
        for lane in self.lanes.values():
            if lane.name in memory:
                begin_from(lane, memory[lane.name], 0.0)

    def learnt(self) -> dict[str, LaneMemory]:
        found = {lane.name: learnt(lane) for lane in self.lanes.values()}
        return {name: memory for name, memory in found.items() if memory is not None}

    def end_storms(self, engine: Engine, most_attempts: int) -> None:
        """Have the run stopped once the providers counted that many attempts."""

        def count() -> None:
            self.attempts += 1
            if self.attempts == most_attempts:
                engine.stop("too many attempts", grace_s=0.0)

        for provider in self.providers:
            provider.on_attempt = count

    def where(self, call: Call) -> tuple[VirtualProvider, int]:
        provider, first = self.models[call.model]
        return provider, first + call.id - self.call_log.first[call.model]

    def tokens(self, call: Call, turns: tuple[Turn, ...]) -> tuple[int, int | None]:
        provider, number = self.where(call)
        return provider.work.inputs[number], None

    def pool(self) -> Pool:
        lanes = {model: self.lanes[id(provider)] for model, (provider, _) in self.models.items()}
        cap = self.profile.cap
        return Pool(
            lanes,
            policy=RetryPolicy(retries=self.profile.retries),
            max_in_flight=None if isinstance(cap, str) else cap,
        )

    def tell_of_connections(self, tell: TellConnection) -> None:
        for provider in self.providers:
            provider.on_connected = partial(tell, provider.spec.name)


class _Sampler:
    """Takes a sample of every lane now and then; when it has too many, it drops every other one."""

    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = lanes
        self.step = 0.25
        self.taken: dict[str, list[LaneSample]] = {lane.name: [] for lane in lanes}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            for lane in self._lanes:
                sample = LaneSample(at_s=now, limit=lane.limit.value, in_flight=lane.in_flight)
                self.taken[lane.name].append(sample)
            if any(len(samples) > _POINTS for samples in self.taken.values()):
                self.step *= 2
                self.taken = {name: samples[::2] for name, samples in self.taken.items()}
            await asyncio.sleep(self.step)


TellConnection = Callable[[str, float], None]
"""Tells a lane, by its name, how many seconds a connection took."""


class Between(Protocol):
    """What stands between the engine and the providers of a simulated run, such as a network."""

    async def open(self, runner: AttemptRunner, tell: TellConnection) -> AttemptRunner:
        """Return the runner for the engine, whose attempts `runner` makes; lanes hear by `tell`."""

    def on_connected(self, lane: str, took_s: float) -> None:
        """Have a lane told of a connection to its provider, as late and as long as it is from here."""

    def begin(self, engine: Engine) -> None:
        """Take note of the engine, which is about to run."""

    async def close(self) -> None:
        """The run has ended."""


def simulate(
    profile: SimulationProfile,
    calls: int,
    seed: int = 0,
    *,
    most_attempts: int | None = None,
    memory: dict[str, LaneMemory] | None = None,
    between: Between | None = None,
) -> Report:
    """Run `calls` calls of a profile; the same seed gives the same run.

    Past `most_attempts` the run is stopped: a storm of requests would not end otherwise. Lanes begin from
    what is in the `memory`, by their names, and what they learnt is put there. `between` carries the attempts
    to the providers.
    """
    began = time.perf_counter()
    setup = _Setup(profile, calls, seed)
    setup.recall(memory or {})
    pool = setup.pool()
    sampler = _Sampler(pool.lanes)

    async def main() -> tuple[RunStatus, float]:
        runner: AttemptRunner = VirtualAsk(setup.where)
        loop, lanes = asyncio.get_running_loop(), {lane.name: lane for lane in pool.lanes}

        def tell(lane: str, took_s: float) -> None:
            pool.on_connected(lanes[lane], loop.time(), took_s)

        if between is not None:
            runner = await between.open(runner, tell)
        setup.tell_of_connections(tell if between is None else between.on_connected)
        engine = Engine(
            pool=pool,
            source=setup.call_log,
            sink=setup.call_log,
            runner=runner,
            calls=CallInfo(
                models={n: ModelRef(p.spec.name, f"model{n}") for n, (p, _) in setup.models.items()},
                tokens=setup.tokens,
            ),
            dice=setup.dice.random,
            hedge=profile.hedge,
        )
        setup.call_log.engine = engine
        if most_attempts is not None:
            setup.end_storms(engine, most_attempts)
        sampling = asyncio.create_task(sampler.run())
        if between is not None:
            between.begin(engine)
        result = await engine.run()
        sampling.cancel()
        if between is not None:
            await between.close()
        return result.status, result.wall_s

    status, wall = run_virtual(main())
    if memory is not None:
        memory.update(setup.learnt())
    lanes = tuple(_lanes(setup, sampler, wall))
    return Report(
        title=profile.title,
        seed=seed,
        calls=calls,
        status=status,
        wall_s=wall,
        cpu_s=time.perf_counter() - began,
        peak_in_flight=pool.peak_in_flight,
        lanes=lanes,
        twice=sum(n > 1 for n in setup.call_log.ended),
        lost=sum(n == 0 for n in setup.call_log.ended)
        if status in (RunStatus.COMPLETE, RunStatus.FAILED)
        else 0,
        efficiency=min((lane.efficiency for lane in lanes), default=1.0),
        refused_per_call=max((lane.refused_per_call for lane in lanes), default=0.0),
        most_refused_in_a_second=max((lane.most_refused_in_a_second for lane in lanes), default=0),
        s_to_90=_worst([lane.s_to_90 for lane in lanes]),
        longest_standstill_s=max((lane.longest_standstill_s for lane in lanes), default=0.0),
    )


def _worst(times: list[float | None]) -> float | None:
    known = [time_s for time_s in times if time_s is not None]
    return max(known) if known and len(known) == len(times) else None


def _lanes(setup: _Setup, sampler: _Sampler, wall: float) -> Iterator[LaneReport]:
    cap = setup.profile.cap
    for provider in setup.providers:
        lane = setup.lanes[id(provider)]
        spec, work = provider.spec, provider.work
        models = [number for number, (owner, _) in setup.models.items() if owner is provider]
        last = provider.last_answer_at or provider.last_at
        took = last - provider.first_at if provider.attempts else 0.0
        latencies = sorted(provider.latencies)
        busy = sum(work.seconds)
        best = ideal(spec, work, AUTO_CEILING if isinstance(cap, str) else cap)
        succeeded = sum(setup.call_log.succeeded[model] for model in models)
        ended = sum(setup.call_log.count_ended(model) for model in models)
        left = ended < len(work.inputs) and succeeded < len(best.let_in_at)
        share = min(1.0, succeeded / len(best.let_in_at)) if best.let_in_at else 1.0
        yield LaneReport(
            name=spec.name,
            calls=len(work.inputs),
            succeeded=succeeded,
            attempts=provider.attempts,
            refused=provider.refused,
            failed=provider.failed,
            wall_s=took,
            ideal_s=best.end_s,
            p50_s=quantile(latencies, 0.5),
            p95_s=quantile(latencies, 0.95),
            unloaded_p95_s=quantile(sorted(work.seconds), 0.95),
            loads=provider.loads,
            busy=busy / took / max(1, provider.peak_active) if took else 0.0,
            kind=str(lane.kind),
            samples=tuple(sampler.taken[spec.name]),
            started_at=tuple(provider.starts),
            attribution=lane.attribution(wall),
            efficiency=0.0 if left else share * best.end_s / took if took else share,
            refused_per_call=provider.refused / len(work.inputs) if work.inputs else 0.0,
            most_refused_in_a_second=most_in_a_second(provider.refused_at),
            s_to_90=seconds_to_pace(provider.let_in_at, best.let_in_at, _window_s(spec)),
            longest_standstill_s=provider.still_s,
            longest_closure_s=best.longest_closure_s,
            let_in_at=tuple(provider.let_in_at),
            refused_at=tuple(provider.refused_at),
            ideal_let_in_at=best.let_in_at,
        )


def _window_s(spec: Provider) -> float:
    """The longest window among a provider's limits."""
    return max((limit.window_s for limit in spec.limits if isinstance(limit, WindowSpec)), default=0.0)


def quantile(ordered: list[float], q: float) -> float:
    """The q-quantile of sorted figures; 0 of none."""
    return ordered[min(len(ordered) - 1, math.ceil(q * len(ordered)) - 1)] if ordered else 0.0
