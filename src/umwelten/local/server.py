"""The embedded servers of one run: at most one model in memory, started on first use."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from umwelten.errors import LocalModelError
from umwelten.local.process import START_TIMEOUT_S, Child, Loading
from umwelten.local.weights import find_weights
from umwelten.types import Secret

SLOTS = 4
CONTEXT = 2048
"""Tokens of context per slot, prompt and answer together."""

RESTARTS = 3
_STEADY_S = 60.0
"""A child that lived this long and then died does not count against the restarts."""


class LocalServers:
    """Starts, shares and stops llama.cpp children. An async context manager, for use in one loop.

    `slots` calls are answered at a time and the rest queue, so more in flight gain nothing. `threads`
    defaults to one fewer than the cores. A child gets a new address and key with every start, so every
    attempt must ask for both.
    """

    def __init__(
        self,
        *,
        slots: int = SLOTS,
        threads: int | None = None,
        context: int = CONTEXT,
        env: Mapping[str, str] = os.environ,
    ) -> None:
        self.slots = slots
        self._threads = threads or spare_cores()
        self._context = context
        self._env = env
        self._model: str | None = None
        self._start: asyncio.Task[Child] | None = None
        self._started_at = 0.0
        self._starts: set[asyncio.Task[Child]] = set()
        self._users = 0
        self._idle = asyncio.Event()
        self._children: list[Child] = []
        self._deaths: dict[str, int] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def address(self, model: str) -> tuple[str, Secret]:
        """Return base URL (ending in `/v1`) and key of the model's server, started if necessary.

        The server may be stopped for another model right afterwards; `using` keeps it.
        """
        async with self.using(model) as address_and_key:
            return address_and_key

    @property
    def loading(self) -> tuple[float, float] | None:
        """Return since when a model is being loaded and when that is given up, in the loop's time."""
        if self._start is None or self._start.done():
            return None
        return self._started_at, self._started_at + START_TIMEOUT_S

    @contextlib.asynccontextmanager
    async def using(self, model: str) -> AsyncIterator[tuple[str, Secret]]:
        """Yield base URL and key of the model's server, which stays in memory inside the block.

        Waits while another model has calls in flight. Raises `LocalModelError` if it can't be started.
        """
        child = await self._acquire(model)
        try:
            yield child.base_url, child.key
        finally:
            self._release()

    async def close(self) -> None:
        """Stop every child, also one that is starting, within 0.3 s. Later calls are refused."""
        self._closed = True
        self._idle.set()
        await self._cancel(set(self._starts))
        await asyncio.gather(*(child.stop() for child in self._children))
        self._children.clear()

    async def _acquire(self, model: str) -> Child:
        while not self._closed and self._users and self._model != model:
            await self._idle.wait()
        if self._closed:
            raise LocalModelError("the local servers are closed")
        # No await between the check and the claim, so no other task can switch models in between.
        self._users += 1
        self._idle.clear()
        try:
            start = self._start_task(model)
            # Not `await start`: a cancelled caller must not cancel what others wait for.
            await asyncio.wait({start})
            if start.cancelled():
                raise LocalModelError("the local servers were closed")
            return start.result()
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        self._users -= 1
        if not self._users:
            self._idle.set()

    def _start_task(self, model: str) -> asyncio.Task[Child]:
        """Return the task whose result is the model's running child; a new one if there is none."""
        start = self._start
        if start is None or self._model != model or _is_over(start):
            superseded = set(self._starts)
            self._started_at = asyncio.get_running_loop().time()
            start = self._start = asyncio.create_task(self._start_child(model, superseded))
            self._starts.add(start)
            start.add_done_callback(self._forget_start)
            self._model = model
        return start

    def _forget_start(self, start: asyncio.Task[Child]) -> None:
        self._starts.discard(start)
        if not start.cancelled():
            start.exception()  # retrieved, because all who waited may be cancelled; asyncio would log it

    async def _start_child(self, model: str, superseded: set[asyncio.Task[Child]]) -> Child:
        """Stop the other children, then start one. `superseded`: earlier starts that nothing waits for."""
        await self._cancel(superseded)
        await self._stop_children()
        if self._deaths.get(model, 0) > RESTARTS:
            raise LocalModelError(
                f"the server of local:{model} died {RESTARTS + 1} times and is not started again",
                "try fewer calls in flight or a smaller model",
            )
        weights = await asyncio.to_thread(find_weights, model, env=self._env)
        _check_memory(weights)
        loading = Loading(
            model=model, weights=weights, slots=self.slots, threads=self._threads, context=self._context
        )
        try:
            child = await Child.start(loading, env=self._env)
        except LocalModelError:
            self._deaths[model] = self._deaths.get(model, 0) + 1
            raise
        self._children.append(child)
        return child

    async def _cancel(self, starts: set[asyncio.Task[Child]]) -> None:
        for start in starts:
            start.cancel()
        if starts:
            await asyncio.wait(starts)

    async def _stop_children(self) -> None:
        """Stop the children, and count those that had ended by themselves."""
        for child in list(self._children):
            if not child.alive:
                before = 0 if child.age_s > _STEADY_S else self._deaths.get(child.model, 0)
                self._deaths[child.model] = before + 1
            await child.stop()
            self._children.remove(child)


def spare_cores() -> int:
    """Return one fewer than the cores this process may use, at least 1: threads that spin must leave one."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cores - 1)


def available_memory() -> int | None:
    """Return the bytes of memory available without swapping; `None` where the system does not report it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
    size = next(sizes, None)
    return int(size) * 1024 if size else None


def _check_memory(weights: Path) -> None:
    size, free = weights.stat().st_size, available_memory()
    if free is not None and size > free:
        raise LocalModelError(
            f"{weights.name} needs {size / 1e9:.1f} GB of memory, but only {free / 1e9:.1f} GB are free",
            "use a smaller model",
        )


def _is_over(start: asyncio.Task[Child]) -> bool:
    """Return whether a start has failed, or its child has ended since."""
    return start.done() and (start.cancelled() or start.exception() is not None or not start.result().alive)
