"""Random evaluations of calls with tools in virtual time, which are broken off and resumed.

Providers, tools, engine and pool are scripted from a seed; what a run committed is in a database in memory,
written and read by the store's own statements. `play` runs one world to its end and checks what is promised.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import pytest

from engine.seeds import named, play_range
from engine.tool_base import (
    BAD,
    BROKEN,
    DOWN,
    EMPTY,
    MISSHAPED,
    NO_MODEL,
    SETTINGS,
    TIMEOUT,
    USED,
    Base,
    Process,
)
from umwelten.attempts.tool_use import ToolUse
from umwelten.control.lane import Lane
from umwelten.control.limit import Limit
from umwelten.control.model_state import ModelState
from umwelten.control.pool import Pool
from umwelten.control.retry import RetryPolicy
from umwelten.control.stop import CostCap
from umwelten.engine.engine import Engine
from umwelten.engine.interfaces import AttemptResult, CallInfo, RunResult
from umwelten.events import RunStatus
from umwelten.records import CallRecord
from umwelten.simulate.clock import run_virtual
from umwelten.store.tables import FAILED
from umwelten.tool_calls import (
    ModelTurn,
    ToolCall,
    ToolCallState,
    ToolOutcome,
    ToolResults,
)
from umwelten.types import (
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FailureKind,
    FinishReason,
    Message,
    ModelRef,
    RateLimitHints,
    Reply,
    Role,
    Text,
    Timing,
    Turn,
    Usage,
)

Turns = tuple[Turn, ...]
PRICE, SLOTS = 10, 3


class Killed(Exception):
    """The process ended here."""


class World:
    """See the module's text."""

    def __init__(self, seed: int) -> None:
        self.seed, self.dice = seed, random.Random(seed)
        dice = self.dice
        self.models = dice.randint(1, 2)
        self.lanes = dice.choice((1, 1, 2, 3))
        self.base = Base(self.models, dice.randint(1, 8))
        self.nasty = dice.choice((0.0, 0.1, 0.3))
        self.rude = dice.choice((0.0, 0.0, 0.05))
        self.cap = dice.choice((None, None, None, dice.randint(20, 1500)))
        self.max_errors = dice.choice((None, None, None, 1, 2))
        self.once = dice.random() < 0.5
        self.tool_s = dice.choice((0.0, 0.1, 1.0, 10.0))
        self.latency_s = dice.choice((0.0, 0.5, 2.0))
        self.apart, self.ordered = dice.random() < 0.3, dice.random() < 0.3
        self.spent = 0
        self.faults: list[AssertionError] = []
        self.run_id = 0
        self.requeued: Counter[int] = Counter()  # in this run, by call
        self.calm = False
        self.allowed = 0  # was spent, or was under way, when the cap was set
        self.ran: Counter[tuple[int, int, int]] = (
            Counter()
        )  # tools that may run once, by call, step and place

    # --- the provider ---

    def outcome(self, call: Call, turns: Turns, lane: str) -> AttemptOutcome:
        dice = self.dice
        for turn in turns:
            if isinstance(turn, ModelTurn):
                assert lane in turn.raw.decode(), f"{turn.raw!r} went to {lane}"
        if dice.random() < self.rude:
            return dice.choice((DOWN, NO_MODEL, BAD))
        if dice.random() < self.nasty:
            hints = RateLimitHints(retry_after_s=dice.choice((None, 0.5, 20.0)))
            limited = Failure(kind=FailureKind.RATE_LIMIT, message="429", retry=True, status=429, hints=hints)
            return dice.choice((limited, BROKEN, BROKEN, TIMEOUT))
        number = sum(isinstance(turn, ModelTurn) for turn in turns) + 1
        use = ToolUse(SETTINGS)
        wanted = call.id % 6  # steps that it takes; 5: more than it may
        if number > wanted or (wanted < 5 and dice.random() < 0.05):
            if dice.random() < 0.1:
                return use.follow_empty(EMPTY, turns)
            if dice.random() < 0.1:
                words = (
                    Message(role=Role.ASSISTANT, parts=(Text(text="x"),)),
                    Message(role=Role.USER, parts=()),
                )
                return Continue(turns=(*turns, *words), failure=MISSHAPED)
            return use.follow(Reply(text="done", usage=USED, finish_reason=FinishReason.STOP), turns)
        names = [
            dice.choice(("look", "look", "book" if self.once else "look", "nothing"))
            for _ in range(dice.randint(1, 3))
        ]
        if dice.random() < 0.03:
            names[-1] = "end"
        cut = dice.random() < 0.03
        calls = tuple(
            ToolCall(id=f"{number}.{i}", name=name, arguments='{"a":' if cut else "{}")
            for i, name in enumerate(names)
        )
        reply = Reply(
            text="",
            usage=USED,
            calls=() if dice.random() < 0.03 else calls,
            turn=f'"{lane} {call.id} {number} {dice.random()}"'.encode(),
            finish_reason=FinishReason.LENGTH if cut else FinishReason.TOOL,
        )
        if not reply.calls:
            reply = Reply(text="", usage=USED, paused=True, turn=reply.turn)
        return use.follow(reply, turns)

    async def attempt(self, call: Call, turns: Turns, on_text: Any, lane: str) -> AttemptResult:
        try:
            return await self.answer(call, turns, lane)
        except AssertionError as error:
            self.faults.append(error)
            raise

    async def answer(self, call: Call, turns: Turns, lane: str) -> AttemptResult:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.check_request(call, turns)
        self.flying += 1
        try:
            await asyncio.sleep(self.dice.choice((0.0, 1.0, 1.0, 3.0)) * self.latency_s)
        finally:
            self.flying -= 1
        outcome = self.outcome(call, turns, lane)
        paid = 0 if isinstance(outcome, Failure) and outcome.usage == Usage() else PRICE
        self.spent += paid
        return AttemptResult(
            outcome=outcome,
            timing=Timing(started_at=began, latency_s=loop.time() - began),
            key=f"k{call.id}",
            content=b"c",
            cost_nusd=paid,
            step=1 + sum(isinstance(turn, ModelTurn) for turn in turns),
        )

    def check_request(self, call: Call, turns: Turns) -> None:
        """A request goes on with the last step that is stored, unless the call had to start over."""
        steps = [turn for turn in turns if isinstance(turn, ModelTurn)]
        stored = [
            raw
            for (raw,) in self.base.rows(f"SELECT turn FROM steps WHERE call_id = {call.id} ORDER BY number")
        ]
        assert [turn.raw for turn in steps] == stored or self.may_start_over(call, steps, stored), (
            call.id,
            steps,
            stored,
        )
        for place, turn in enumerate(turns):
            if isinstance(turn, ModelTurn) and turn.calls:
                results = turns[place + 1]
                assert isinstance(results, ToolResults)
                assert [one.call for one in results.results] == list(turn.calls)

    def may_start_over(self, call: Call, steps: list[ModelTurn], stored: list[bytes]) -> bool:
        if steps:
            return False
        ended = self.base.rows(
            f"SELECT c.error_kind FROM calls c WHERE c.id = {call.id} AND c.status = {FAILED} AND c.run_id >="
            f" (SELECT max(run_id) FROM steps WHERE call_id = {call.id})"
        )
        if ended == [("tools",)]:
            return True
        home = next(lane for lane in self.pool.lanes if lane.name in stored[0].decode())
        return home.stopped is not None or any(
            "does not serve" in getattr(one, "text", "") for one in self.told
        )

    # --- the tools ---

    def name(self, asked: ToolCall) -> str:
        return asked.name

    def is_once(self, name: str) -> bool:
        return name == "book"

    async def run(
        self,
        call: Call,
        asked: tuple[ToolCall, ...],
        *,
        step: int,
        key: str,
        started_at: float,
        known: Mapping[int, ToolOutcome],
        on_start: Callable[[int], Awaitable[None]],
        on_end: Callable[[int, ToolOutcome], None],
    ) -> tuple[ToolOutcome, ...]:
        async def one(place: int) -> ToolOutcome:
            if place in known:
                return known[place]
            name, state, took_s = asked[place].name, ToolCallState.DONE, None
            if name == "nothing":
                state = ToolCallState.UNKNOWN
            else:
                await on_start(place)
                if name == "book":
                    self.ran[call.id, step, place] += 1
                took_s = self.dice.choice((0.0, 1.0, 1.0, 2.0)) * self.tool_s
                await asyncio.sleep(took_s)
                if name == "end":
                    state = ToolCallState.STOPPED
            outcome = ToolOutcome(
                call=asked[place],
                tool=name,
                state=state,
                text=f"{step}.{place}",
                took_s=took_s,
                started_at=None if took_s is None else 1.0,
            )
            on_end(place, outcome)
            return outcome

        tasks = [asyncio.ensure_future(one(place)) for place in range(len(asked))]
        try:
            return tuple(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    # --- runs ---

    def play(self) -> None:
        """Run it again and again, broken off in some way or another, then whole; check it after each run."""
        for _ in range(self.dice.randint(0, 4)):
            self.one_run(self.dice.choice(("kill", "kill", "stop", "now", "full", "whole")))
        self.nasty = self.rude = 0.0
        self.calm = True
        self.cap = self.max_errors = None
        for _ in range(4):
            self.one_run("whole")
        self.check_end()

    def one_run(self, how: str) -> None:
        self.run_id += 1
        self.how = how
        process = Process(self.base, self.run_id, self.dice)
        if how == "full":
            process.full_at = self.dice.randint(0, 30)
        with suppress(Killed):
            result = run_virtual(self.main(process))
            process.finish()
            self.check(process, result)
        if self.faults:
            raise self.faults[0]

    def estimate(self, call: Call, turns: Turns) -> int | None:
        return None if self.cap is None else PRICE

    def until(self) -> float:
        return self.dice.choice((0.0, 0.5, 2.0, 5.0, 15.0, 40.0)) * self.dice.random()

    async def main(self, process: Process) -> RunResult:
        self.flying = 0
        self.before, self.told = self.spent, []
        self.requeued.clear()
        self.allowed = 0
        dice, ordered = self.dice, self.ordered
        apart = self.models if self.apart else 1
        pools = [
            [
                Lane(
                    name=f"lane {i} of {route}",
                    group="p",
                    limit=Limit(value=SLOTS, ceiling=SLOTS, slow_start=False),
                    ordered=ordered,
                )
                for i in range(self.lanes)
            ]
            for route in range(apart)
        ]
        self.pool = Pool(
            {model: pools[model % apart] for model in range(1, self.models + 1)},
            group_caps=dice.choice(({}, {}, {"p": 2})),
            policy=RetryPolicy(retries=2),
            max_in_flight=self.dice.choice((None, 2)),
            cap=CostCap(cap=self.cap, spent=self.spent),
            states={model: ModelState() for model in range(1, self.models + 1)},
            max_bytes=self.dice.choice((None, 100)),
        )
        names = {model: ModelRef("p", str(model)) for model in range(1, self.models + 1)}
        self.engine = process.engine = Engine(
            pool=self.pool,
            source=process,  # type: ignore[arg-type]
            sink=process,  # type: ignore[arg-type]
            runner=self.attempt,
            calls=CallInfo(names, self.estimate, tokens=lambda call, turns: (0, 100)),
            observer=self.told.append,
            dice=self.dice.random,
            max_errors=self.max_errors,
            tools=self,
            begun=self.base.begun,
        )
        loop, engine = asyncio.get_running_loop(), self.engine
        self.plan(process)
        run = asyncio.ensure_future(engine.run())
        if self.how in ("stop", "now"):
            grace = 3.0 if self.how == "stop" else 0.0
            loop.call_later(self.until(), lambda: engine.stop("enough", interrupted=True, grace_s=grace))
        if self.how == "kill":
            done, _ = await asyncio.wait([run], timeout=self.until())
            if not done:
                if process._timer is not None:
                    process._timer.cancel()
                process._waiting.clear()
                process.base = Base(self.models, 1)  # nothing is written any more
                raise Killed
        result = await asyncio.wait_for(run, 100_000)
        if process._timer is not None:
            process._timer.cancel()
        assert len(asyncio.all_tasks()) == 1
        return result

    def plan(self, process: Process) -> None:
        """Plan what is changed while the run goes on: nothing."""

    def check(self, process: Process, result: RunResult) -> None:
        """What is promised of a run that ended."""
        if self.faults:
            raise self.faults[0]
        assert all(n <= 1 + self.requeued[call] for call, n in process.ended.items())
        assert self.flying == self.pool.in_flight == self.pool.cap.reserved == self.pool.slots.bytes == 0
        tools = self.engine._tools
        assert tools is not None and not tools.tasks
        pending = sum(len(self.base.pending(model)) for model in self.base.calls)
        failed = sum(
            isinstance(one, CallRecord) and isinstance(one.outcome, Failure) for one in process.records
        )
        failed -= sum(self.requeued.values())
        assert failed == result.failed or process.error is not None
        if not self.pool.closed:
            assert not self.engine._ledger.uncommitted
            assert not tools._parked
        if pending > failed and process.error is None:
            assert result.status in (RunStatus.STOPPED, RunStatus.INTERRUPTED), result
            assert result.reason is not None
        elif process.error is None and not self.pool.closed:
            assert (
                result.status is (RunStatus.FAILED if failed else RunStatus.COMPLETE)
                or self.pool.stopped_lanes()
                or self.pool.stopped_models()
            ), result
        if self.cap is not None:
            over = self.spent - max(self.cap, self.allowed)
            assert over <= PRICE * len(self.pool.lanes) or self.before > self.cap, over
        assert not {key: n for key, n in self.ran.items() if n > 1}, self.ran
        for record in process.records:
            if isinstance(record, CallRecord) and process.error is None and not self.requeued[record.call.id]:
                self.check_sums(record)

    def check_sums(self, record: CallRecord) -> None:
        """The sums of a call are those of its records."""
        steps = self.base.rows(f"SELECT number FROM steps WHERE call_id = {record.call.id}")
        tools = record.tools
        assert tools is not None
        answers = len(steps) + isinstance(record.outcome, Reply)
        if isinstance(record.outcome, Reply):
            assert tools.steps == answers, (tools, steps)
            assert record.outcome.usage.input_tokens == 10 * answers, (record, steps)
            told = self.base.rows(
                "SELECT count(*), coalesce(sum(state <> 'done'), 0), coalesce(sum(took_s), 0)"
                f" FROM tool_calls WHERE call_id = {record.call.id}"
            )
            assert told[0] == (tools.calls, tools.errors, pytest.approx(tools.seconds)), (told, tools)

    def check_end(self) -> None:
        """After runs that nothing disturbed, every call has ended, and those that failed did so for good."""
        failed = self.base.rows(f"SELECT id, error_kind, error_message FROM calls WHERE status = {FAILED}")
        for _, kind, _ in failed:
            assert kind == "tools", failed
        ended = self.base.rows("SELECT count(*) FROM calls")[0][0]
        assert ended == sum(map(len, self.base.calls.values()))


def play(seed: int) -> None:
    """Play one world."""
    with named(seed):
        World(seed).play()


if __name__ == "__main__":
    play_range(play)
