"""Calls that block, one at a time in threads, and none after the last."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class BlockingCalls:
    """Calls of a library that ends the whole process if it is used after it was shut down, as Ray does.

    A thread cannot be cancelled: what awaits a call may be gone while the call is still to come.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._is_over = False

    async def run(self, work: Callable[[], T], timeout_s: float | None = None) -> T:
        """Return what `work` returns. Raises TimeoutError; its thread then goes on, but delays no exit."""
        return await _in_daemon_thread(lambda: self._alone(work, is_last=False), timeout_s)

    async def run_last(self, work: Callable[[], T], timeout_s: float) -> T:
        """Return what `work` returns once calls under way have ended; those that still wait are not made."""
        return await _in_daemon_thread(lambda: self._alone(work, is_last=True), timeout_s)

    def _alone(self, work: Callable[[], T], *, is_last: bool) -> T:
        self._is_over |= is_last
        with self._turn:
            if self._is_over and not is_last:
                raise RuntimeError("this call came after the last")
            return work()


async def _in_daemon_thread(work: Callable[[], T], timeout_s: float | None) -> T:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        try:
            outcome: tuple[T | None, BaseException | None] = work(), None
        except BaseException as error:  # noqa: BLE001 - it is raised in the other thread
            outcome = None, error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="ray", daemon=True).start()
    return await asyncio.wait_for(done, timeout_s)
