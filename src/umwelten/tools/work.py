"""One tool at work: in a thread of its own if it blocks, else as a task of the loop that all others share.

That loop is not the one that makes calls: a coroutine that blocks or does not let itself be cancelled would
stop them all, and keep the process from ending.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial

from umwelten.frozen import FrozenStruct
from umwelten.tools.tool import StopCall, Tool, ToolContext, ToolError

_PAUSE_S = 0.25
"""Before the second try; twice as long before each further one."""


class Ended(FrozenStruct):
    """What a tool came to: its result, or what it raised."""

    text: str = ""
    error: BaseException | None = None


class Work(FrozenStruct):
    """A tool at work. `ended` is settled by its end alone; `give_up` asks it to end."""

    ended: asyncio.Future[Ended]
    give_up: Callable[[], object]


def start_work(tool: Tool, arguments: str, context: ToolContext) -> Work:
    """Start a tool; one that raises is tried again as often as it says."""
    return _thread(tool, arguments, context) if tool.blocking else _task(tool, arguments, context)


def _is_final(error: BaseException) -> bool:
    return isinstance(error, ToolError | StopCall) or not isinstance(error, Exception)


def _task(tool: Tool, arguments: str, context: ToolContext) -> Work:
    async def work() -> Ended:
        for left in range(tool.retries, -1, -1):
            try:
                return Ended(text=await tool.call(arguments, context))
            except BaseException as error:  # noqa: BLE001  SystemExit and the like concern this tool alone
                if _is_final(error) or not left:
                    return Ended(error=error)
            await asyncio.sleep(_PAUSE_S * 2 ** (tool.retries - left))
        raise AssertionError("unreachable")

    ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
    settle, tools, tasks = _settler(ended), _tool_loop(os.getpid()), list[asyncio.Task[Ended]]()

    def done(task: asyncio.Task[Ended]) -> None:
        settle(Ended(error=asyncio.CancelledError()) if task.cancelled() else task.result())

    def begin() -> None:
        tasks.append(tools.create_task(work()))
        tasks[0].add_done_callback(done)

    def cancel() -> None:
        tasks[0].cancel()

    tools.call_soon_threadsafe(begin)
    return Work(ended=ended, give_up=partial(tools.call_soon_threadsafe, cancel))


@cache
def _tool_loop(pid: int) -> asyncio.AbstractEventLoop:
    """Return a process's loop for tools that are coroutines, in a thread that nothing waits for at the end.

    A process that is forked has the loop of the one before it, but not its thread.
    """
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="tools", daemon=True).start()
    return loop


def _settler(ended: asyncio.Future[Ended]) -> Callable[[Ended], None]:
    """Return what settles a future of the running loop, from any thread."""
    loop = asyncio.get_running_loop()

    def settle(value: Ended) -> None:
        if not ended.done():
            ended.set_result(value)

    def from_any_thread(value: Ended) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, value)

    return from_any_thread


def _thread(tool: Tool, arguments: str, context: ToolContext) -> Work:
    """Start a thread for one call.

    Not `asyncio.to_thread`: its threads are few, shared with all else, and waited for when Python ends.
    """
    ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
    settle = _settler(ended)
    given_up = threading.Event()

    def work() -> Ended:
        for left in range(tool.retries, -1, -1):
            try:
                return Ended(text=tool.run(arguments, context))
            except BaseException as error:  # noqa: BLE001  SystemExit and the like concern this tool alone
                if _is_final(error) or not left or given_up.wait(_PAUSE_S * 2 ** (tool.retries - left)):
                    return Ended(error=error)
        raise AssertionError("unreachable")

    threading.Thread(target=lambda: settle(work()), name=f"tool {tool.name}"[:64], daemon=True).start()
    return Work(ended=ended, give_up=given_up.set)
