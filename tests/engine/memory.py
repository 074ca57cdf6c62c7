"""A store in memory and scripted attempts, for the real engine, pool and lanes in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.control.stop import CostCap
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, CallInfo, RunResult
from umwelten.errors import UmweltenError
from umwelten.events import Event
from umwelten.records import (
    AttemptRecord,
    CallRecord,
    Committable,
    LimitRecord,
    Record,
    StepRecord,
    ToolCallsRecord,
)
from umwelten.simulate.clock import run_virtual
from umwelten.types import AttemptOutcome, Call, ModelRef, Reply, Timing, Turn

Turns = tuple[Turn, ...]
Answer = Callable[[Call, int], AttemptOutcome]
"""What an attempt comes to, by its call and its number, from 1."""

Latency = Callable[[Call, int], float]
"""How long an attempt takes, by its call and its number."""

Price = Callable[[Call], int | None]
"""What an attempt costs, by its call."""

COMMIT_S = 0.02
PRICE = 7


def model_name(number: int) -> ModelRef:
    return ModelRef(f"p{number}", "m")


class MemoryStore:
    """Source and sink: `n` calls of each model; it commits what is submitted after `COMMIT_S`.

    `commits` False: it commits nothing until `commit_all`.
    """

    def __init__(self, n: int, *, models: int = 1, complete: bool = True, commits: bool = True) -> None:
        self.n, self.complete, self.commits = n, complete, commits
        self.problem: UmweltenError | None = None
        self.error: BaseException | None = None
        self.engine: Engine | None = None
        self.records: list[Record] = []
        self.leases = self.flushes = 0
        self._leased = dict.fromkeys(range(1, models + 1), 0)
        self._waiting: list[Committable] = []

    def lease(self, model: int, n: int) -> list[Call]:
        self.leases += 1
        first, self._leased[model] = self._leased[model], min(self.n, self._leased[model] + n)
        return [
            Call(id=1000 * (model - 1) + i, model=model, input=None)
            for i in range(first, self._leased[model])
        ]

    def submit(self, record: Record) -> None:
        self.records.append(record)
        is_start = isinstance(record, ToolCallsRecord) and record.is_start
        if isinstance(record, CallRecord | StepRecord) or is_start:
            self._waiting.append(record)
            if self.commits:
                asyncio.get_running_loop().call_later(COMMIT_S, self.commit_all)

    def flush_soon(self) -> None:
        self.flushes += 1

    def commit_all(self) -> None:
        group, self._waiting = self._waiting, []
        self.acknowledge(group)

    def grow(self, n: int = 0, *, complete: bool = False, problem: UmweltenError | None = None) -> None:
        self.n, self.complete, self.problem = self.n + n, complete, problem
        self.acknowledge([])

    def break_down(self, error: BaseException) -> None:
        self.error = error
        self.acknowledge([])

    def acknowledge(self, records: list[Committable]) -> None:
        assert self.engine is not None
        self.engine.acknowledge(records)

    def calls(self) -> list[CallRecord]:
        return [record for record in self.records if isinstance(record, CallRecord)]

    def attempts(self) -> list[AttemptRecord]:
        return [record for record in self.records if isinstance(record, AttemptRecord)]

    def steps(self) -> list[StepRecord]:
        return [record for record in self.records if isinstance(record, StepRecord)]

    def tool_calls(self) -> list[ToolCallsRecord]:
        return [record for record in self.records if isinstance(record, ToolCallsRecord)]

    def limits(self) -> list[LimitRecord]:
        return [record for record in self.records if isinstance(record, LimitRecord)]


class Attempts:
    """The runner: each attempt takes `latency_s` and costs `price`. `seen`: calls and turns, as they came."""

    def __init__(self, answer: Answer, latency_s: float | Latency, price: Price = lambda call: PRICE) -> None:
        self._answer, self._latency_s, self._price = answer, latency_s, price
        self._numbers: dict[int, int] = {}
        self.seen: list[tuple[int, Turns]] = []
        self.in_flight = self.peak = self.cancelled = 0

    async def __call__(
        self, call: Call, turns: Turns, on_text: Callable[[str], None] | None, lane: str
    ) -> AttemptResult:
        number = self._numbers[call.id] = self._numbers.get(call.id, 0) + 1
        self.seen.append((call.id, turns))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        started_at = asyncio.get_running_loop().time()
        latency_s = (
            self._latency_s if isinstance(self._latency_s, float | int) else self._latency_s(call, number)
        )
        try:
            await asyncio.sleep(latency_s / 2)
            if on_text is not None:
                on_text("so far ")
            await asyncio.sleep(latency_s / 2)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1
        outcome = self._answer(call, number)
        timing = Timing(started_at=started_at, latency_s=latency_s)
        return AttemptResult(
            outcome=outcome, timing=timing, key=f"k{call.id}", content=b"", cost_nusd=self._price(call)
        )


def answer_all(call: Call, number: int) -> AttemptOutcome:
    return Reply(text=f"{call.id}")


class Run:
    """What a run came to, and how long it took in virtual seconds."""

    result: RunResult
    took: float
    pool: Pool
    attempts: Attempts
    engine: Engine

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def reason(self) -> tuple[str, str] | None:
        """Why it ended early: the code, and the words of no front end."""
        reason = self.result.reason
        return None if reason is None else (str(reason.code), str(reason.wording))

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def run(
    store: MemoryStore,
    answer: Answer = answer_all,
    *,
    models: int = 1,
    in_flight: int = 4,
    retries: int = 0,
    latency_s: float | Latency = 1.0,
    price: Price = lambda call: PRICE,
    later: Callable[[Engine], None] = lambda engine: None,
    observer: Callable[[Event], None] = lambda event: None,
    slow_start: bool = False,
    cap: int | None = None,
    max_bytes: int | None = None,
    info: CallInfo | None = None,
    members: int = 1,
    runner: type[Attempts] = Attempts,
    **options: Any,
) -> Run:
    """Run the engine to its end, a lane a model, or several `members`. `later` may set timers.

    `options` are the engine's.
    """
    run = Run()

    def observe(event: Event) -> None:
        run.events.append(event)
        observer(event)

    async def main() -> None:
        numbers = range(1, models + 1)
        start = 1.0 if slow_start else float(in_flight)
        lanes = {
            number: [
                Lane(
                    name=f"lane {number}" + (f"#{member}" if member else ""),
                    group=f"p{number}",
                    limit=Limit(value=start, ceiling=in_flight, slow_start=slow_start),
                )
                for member in range(members)
            ]
            for number in numbers
        }
        run.pool = Pool(
            lanes,
            policy=RetryPolicy(retries=retries),
            max_in_flight=in_flight,
            cap=CostCap(cap=cap),
            max_bytes=max_bytes,
        )
        run.attempts = runner(answer, latency_s, price)
        run.engine = store.engine = Engine(
            pool=run.pool,
            source=store,
            sink=store,
            runner=run.attempts,
            calls=info or CallInfo({number: model_name(number) for number in numbers}),
            observer=observe,
            dice=lambda: 0.5,
            **options,
        )
        later(run.engine)
        run.result = await asyncio.wait_for(run.engine.run(), 100_000)
        run.took = asyncio.get_running_loop().time()

    run_virtual(main())
    return run


def at(when: float, act: Callable[[], object]) -> None:
    """Do something at that second of the run."""
    asyncio.get_running_loop().call_at(when, act)
