"""Runs the tool calls of models' turns: how many at a time, for how long, and what the model is told."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

import msgspec

from umwelten.errors import UmweltenError
from umwelten.text.formatting import count
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.tool_calls import RunEnds, ToolCall, ToolCallState, ToolOutcome
from umwelten.tools.names import unique_tools
from umwelten.tools.results import sendable
from umwelten.tools.tool import StopCall, Tool, ToolContext, ToolError
from umwelten.tools.work import Ended, start_work

MOST_CALLS = 32
"""Calls of one turn that are run. A model that asks for more is in a loop."""

_CANCEL_S = 1.0
"""How long a coroutine that ran out of time may take to end when it is cancelled."""

OnStart = Callable[[int, ToolCall, Tool], Awaitable[None]]
"""Awaited before a tool starts, with the call's place in its turn: what must be stored before is stored."""
OnEnd = Callable[[int, ToolOutcome], None]


class ToolsStuck(UmweltenError):
    """As many tools as may be at work at a time do not come back: no further one could be started."""


class ToolRunner:
    """Runs tools, at most `concurrency` at a time over all calls of all models.

    `timeout_s` is for a tool that has no limit of its own. `denied` returns why a tool is not to be run,
    `None` where it may be. `clock` gives Unix seconds. `masked` takes secrets out of results,
    `masked_error` out of tracebacks, which nobody but the user reads.
    A tool that does not come back in time keeps its place until it does; it cannot be killed.
    """

    def __init__(
        self,
        tools: Iterable[Tool],
        *,
        timeout_s: float,
        concurrency: int,
        denied: Callable[[Tool], str | None] = lambda tool: None,
        clock: Callable[[], float] = time.time,
        masked: Callable[[str], str],
        masked_error: Callable[[str], str],
    ) -> None:
        self.tools = unique_tools(tools)
        self._by_name = {tool.definition.name: tool for tool in self.tools}
        self._timeout_s, self._concurrency = timeout_s, concurrency
        self._denied, self._clock = denied, clock
        self._masked, self._masked_error = masked, masked_error
        self._free = asyncio.Semaphore(concurrency)
        self._waiting = 0
        self._held: Counter[str] = Counter()
        self._places = {
            tool.source: asyncio.Semaphore(tool.at_once) for tool in self.tools if tool.at_once is not None
        }
        self._locks = {tool.name: asyncio.Lock() for tool in self.tools if tool.sequential}

    @property
    def given_up(self) -> dict[str, int]:
        """How many calls of which tools ran out of time and are still at work."""
        return {name: number for name, number in self._held.items() if number}

    def find(self, name: str) -> Tool | None:
        """Return the tool that a model calls so."""
        return self._by_name.get(name)

    async def run(
        self,
        calls: tuple[ToolCall, ...],
        context: ToolContext,
        *,
        on_start: OnStart | None = None,
        on_end: OnEnd | None = None,
        known: Mapping[int, ToolOutcome] | None = None,
    ) -> tuple[ToolOutcome, ...]:
        """Return what came of each call of a turn, in their order; they are at work together.

        `known` are outcomes by place that are there already; these calls are not run again. A call that is
        not run at all (no such tool, denied, one too many) has no `on_start`.

        Raises `ToolsStuck`, and what `on_start` and `on_end` raise; the other calls are cancelled then. Where
        `on_start` raises `RunEnds`, those that are at work end first.
        """

        async def one(place: int, call: ToolCall) -> ToolOutcome:
            if known and place in known:
                return known[place]
            outcome = await self._one(place, call, msgspec.structs.replace(context, place=place), on_start)
            if on_end is not None:
                on_end(place, outcome)
            return outcome

        tasks = [asyncio.ensure_future(one(place, call)) for place, call in enumerate(calls)]
        try:
            try:
                return tuple(await asyncio.gather(*tasks))
            except RunEnds:
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _one(
        self, place: int, call: ToolCall, context: ToolContext, on_start: OnStart | None
    ) -> ToolOutcome:
        tool = self._by_name.get(call.name)
        if place >= MOST_CALLS:
            text = f"too many calls in one turn: at most {MOST_CALLS} are run"
            return _not_run(call, tool, ToolCallState.ERROR, text)
        if tool is None:
            return _not_run(call, None, ToolCallState.UNKNOWN, self._no_such(call.name))
        if (why := self._denied(tool)) is not None:
            return _not_run(call, tool, ToolCallState.DENIED, why)
        async with AsyncExitStack() as stack:
            if (lock := self._locks.get(tool.name)) is not None:
                await stack.enter_async_context(lock)
                if self._held[tool.name]:
                    text = f"{call.name} is still at work on an earlier call, which ran out of time"
                    return _not_run(call, tool, ToolCallState.ERROR, text)
            if (places := self._places.get(tool.source)) is not None:
                await stack.enter_async_context(places)
            return await self._started(place, call, tool, context, on_start)

    async def _started(
        self, place: int, call: ToolCall, tool: Tool, context: ToolContext, on_start: OnStart | None
    ) -> ToolOutcome:
        await self._take()
        started = False
        try:
            if on_start is not None:
                await on_start(place, call, tool)
            limit = self._timeout_s if tool.timeout_s is None else tool.timeout_s
            started_at, began = self._clock(), time.monotonic()
            work = start_work(tool, call.arguments, context)
            started = True
            work.ended.add_done_callback(lambda _: self._free.release())
        finally:
            if not started:
                self._free.release()
        try:
            await asyncio.wait((work.ended,), timeout=limit)
            if not work.ended.done():
                work.give_up()
                await asyncio.wait((work.ended,), timeout=0 if tool.blocking else _CANCEL_S)
                state, text, error = ToolCallState.TIMEOUT, f"no result after {limit:g} s", None
                if not work.ended.done():
                    self._hold(tool, work.ended)
            else:
                state, text, error = _outcome(work.ended.result())
        except asyncio.CancelledError:
            work.give_up()
            raise
        return ToolOutcome(
            call=call,
            tool=tool.name,
            state=state,
            text=sendable(self._masked(text)),
            error=None if error is None else self._masked_error(error),
            started_at=started_at,
            took_s=time.monotonic() - began,
        )

    async def _take(self) -> None:
        """Wait until a tool may start. Raises `ToolsStuck` where none ever may."""
        self._check_stuck()
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        self._check_stuck()  # then this place was not free: it was only made to wake those who wait

    def _hold(self, tool: Tool, ended: asyncio.Future[Ended]) -> None:
        """Count a tool that does not come back, until it does."""
        self._held[tool.name] += 1

        def back(_: object) -> None:
            self._held[tool.name] -= 1

        ended.add_done_callback(back)
        if self._is_stuck:
            for _ in range(self._waiting):  # wake them, so that they learn of it
                self._free.release()

    @property
    def _is_stuck(self) -> bool:
        return self._held.total() >= self._concurrency

    def _check_stuck(self) -> None:
        if self._is_stuck:
            names = ", ".join(sorted(self.given_up))
            raise ToolsStuck(
                f"{count(self._concurrency, 'tool call')} ran out of time and did not return: {names}",
                "Nothing else can be run beside them. Give these functions limits of time of their own.",
            )

    def _no_such(self, name: str) -> str:
        shown = f"{name[:80]}…" if len(name) > 80 else name
        near = did_you_mean(closest(name[:80], self._by_name))
        there = ", ".join(self._by_name)
        return f"there is no tool {shown!r}. {near}{' ' if near else ''}The tools are: {there}"


def _not_run(call: ToolCall, tool: Tool | None, state: ToolCallState, text: str) -> ToolOutcome:
    name = tool.name if tool is not None else sendable(call.name[:200])
    return ToolOutcome(call=call, tool=name, state=state, text=sendable(text))


_HERE = str(Path(__file__).parent)


def _outcome(ended: Ended) -> tuple[ToolCallState, str, str | None]:
    """Return the state, what the model is told, and what is kept for the user."""
    error = ended.error
    if error is None:
        return ToolCallState.DONE, ended.text, None
    kind, text = type(error).__name__, _text(error)
    said = text or kind
    if isinstance(error, ToolError):
        return ToolCallState.ERROR, said, None
    if isinstance(error, StopCall):
        return ToolCallState.STOPPED, said, said
    return ToolCallState.ERROR, f"{kind}: {text}" if text else kind, _traceback(error)


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  a class of a user's may fail even in that
        return ""


def _traceback(error: BaseException) -> str:
    """Return the traceback from where the tool's own code begins."""
    at: TracebackType | None = error.__traceback__
    while at is not None and at.tb_frame.f_code.co_filename.startswith(_HERE):
        at = at.tb_next
    return "".join(traceback.format_exception(type(error), error, at, limit=20))[-10_000:]
