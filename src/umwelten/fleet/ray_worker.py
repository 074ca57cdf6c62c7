"""What runs in a Ray actor: a worker behind methods that Ray calls. It knows nothing of Ray itself.

Ray pickles the class by value, so its methods use no names of this module, and import what they need.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from umwelten.fleet.carrier import WorkerPlace


class WorkerActor:
    """A worker, and the order of what goes to it and comes from it.

    Ray may run calls in another order than they were made, and loses some when a connection breaks. So frames
    of a channel are numbered from 1, and sent again until `poll` says that they were taken.
    """

    def __init__(self, maker: str) -> None:
        import asyncio

        self._maker = maker
        self._worker: Any = None
        self._taken: dict[int, int] = {0: 0, 1: 0}
        self._early: dict[tuple[int, int], bytes] = {}
        self._said = 0
        self._unheard: list[tuple[int, bytes]] = []
        self._saying = asyncio.Lock()

    async def join(self, here: Callable[[], WorkerPlace]) -> WorkerPlace:
        """Make the worker; returns where it is."""
        import importlib

        place = here()
        module, _, name = self._maker.partition(":")
        self._worker = getattr(importlib.import_module(module), name)(place)
        return place

    async def take(self, channel: int, number: int, frame: bytes) -> None:
        """Hand the worker the frames of a channel in their order, each once."""
        if number <= self._taken[channel]:
            return
        self._early[channel, number] = frame
        while (following := (channel, self._taken[channel] + 1)) in self._early:
            self._taken[channel] += 1
            self._worker.take(self._early.pop(following))

    async def poll(self, heard: int, wait_s: float) -> tuple[tuple[int, int], tuple[tuple[int, bytes], ...]]:
        """Return how much was taken of each channel, and what the worker said after number `heard`.

        Nothing if it has nothing to say for so long.
        """
        async with self._saying:
            self._unheard = [said for said in self._unheard if said[0] > heard]
            if not self._unheard and (frame := await self._worker.frames(wait_s)):
                self._said += 1
                self._unheard.append((self._said, frame))
            return (self._taken[0], self._taken[1]), tuple(self._unheard)

    async def close(self) -> None:
        """Return when the worker has released what it holds at providers, which it does after `Leave`."""
        if self._worker is not None:
            await self._worker.ended.wait()
