"""The workers of a run: started when a file needs one, reused, replaced, and ended with the run."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

from umwelten.errors import MachineError
from umwelten.inputs.content import Conversion, Converted
from umwelten.inputs.workers.worker import Killed, Worker

LEAST, MOST = 2, 4
"""Workers. With one, a file that takes all its time would keep the others waiting; more than the cores gain
nothing, and each may take 1 GB."""

_CLOSE_S = 1.0
"""For threads to clean up after workers that were killed, which takes milliseconds."""


class ConversionPool:
    """Converts files in worker processes. Belongs to one event loop and, on Linux, to its thread.

    `timeout_s`: a conversion has at most so long, and never longer than `worker.TIME_S`. The wait for a free
    worker does not count. `ahead`: as many files of these MIME types will come first, so that workers for
    them are started at once, with the converters loaded.
    """

    def __init__(self, timeout_s: float, ahead: Mapping[str, int] = MappingProxyType({})) -> None:
        self._timeout_s = timeout_s
        self._size = min(max(LEAST, _cores()), MOST)
        self._room = asyncio.Semaphore(self._size)
        self._again = asyncio.Lock()
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._asking: set[asyncio.Future[Converted]] = set()
        self._threads: ThreadPoolExecutor | None = None
        for _ in range(min(self._size, sum(ahead.values()))):
            # What is wrong is told by the conversion that will need the worker.
            with contextlib.suppress(MachineError):
                self._idle.append(Worker(load=tuple(ahead)))

    @property
    def pids(self) -> list[int]:
        """The processes as they are now."""
        return [worker.pid for worker in (*self._idle, *self._busy)]

    async def convert(self, conversion: Conversion) -> Converted:
        """Return what is sent of a file. Cancelled, it ends the worker that it waits for.

        Raises `InputError`: `MachineError` if no process can be started for want of room, else the file's.
        """
        async with self._room:
            try:
                return await self._convert(self._take(), conversion)
            except Killed:
                # One at a time: the memory that there is may not be enough for several.
                async with self._again:
                    return await self._convert(Worker(), conversion)

    async def close(self) -> None:
        """End all workers. Nothing can be converted after it."""
        for worker in self._busy:
            worker.kill()
        for worker in self._idle:
            worker.close()
        self._idle.clear()
        if self._asking:
            await asyncio.wait(self._asking, timeout=_CLOSE_S)
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _convert(self, worker: Worker, conversion: Conversion) -> Converted:
        self._busy.add(worker)
        try:
            return await self._in_thread(worker, conversion)
        except asyncio.CancelledError:
            worker.kill()
            raise
        finally:
            self._busy.discard(worker)
            if worker.is_usable:
                self._idle.append(worker)

    def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_usable:
                return worker
            worker.close()
        return Worker()

    async def _in_thread(self, worker: Worker, conversion: Conversion) -> Converted:
        if self._threads is None:
            # Twice as many as workers: one that was killed is still being cleaned up after.
            self._threads = ThreadPoolExecutor(2 * self._size, thread_name_prefix="conversion")
        try:
            asked = self._threads.submit(worker.convert, conversion, self._timeout_s)
        except RuntimeError as error:  # the interpreter ends, or the machine has no room for a thread
            worker.close()
            raise MachineError(f"a file cannot be converted: {error}", exhausted=True) from error
        done = asyncio.wrap_future(asked)
        # Shielded: if the call is cancelled, the thread still cleans up after its worker.
        self._asking.add(done)
        done.add_done_callback(self._asked)
        return await asyncio.shield(done)

    def _asked(self, done: asyncio.Future[Converted]) -> None:
        self._asking.discard(done)
        if not done.cancelled():
            done.exception()  # nobody may be left to look at it


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
