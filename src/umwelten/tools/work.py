"""One tool at work: in a thread if it blocks, else as a task of the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress

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

    task = asyncio.ensure_future(work())
    return Work(ended=task, give_up=task.cancel)


def _thread(tool: Tool, arguments: str, context: ToolContext) -> Work:
    """Start a thread for one call.

    Not `asyncio.to_thread`: its threads are few, shared with all else, and waited for when Python ends.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Ended] = loop.create_future()
    given_up = threading.Event()

    def work() -> Ended:
        for left in range(tool.retries, -1, -1):
            try:
                return Ended(text=tool.run(arguments, context))
            except BaseException as error:  # noqa: BLE001  SystemExit and the like concern this tool alone
                if _is_final(error) or not left or given_up.wait(_PAUSE_S * 2 ** (tool.retries - left)):
                    return Ended(error=error)
        raise AssertionError("unreachable")

    def settle(ended: Ended) -> None:
        if not future.done():
            future.set_result(ended)

    def target() -> None:
        ended = work()
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, ended)

    threading.Thread(target=target, name=f"tool {tool.name}"[:64], daemon=True).start()
    return Work(ended=future, give_up=given_up.set)
