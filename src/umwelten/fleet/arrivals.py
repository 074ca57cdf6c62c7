"""The inputs that the coordinator sends, at a worker: those that came, and those that are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from umwelten.fleet.interfaces import ONCE
from umwelten.fleet.messages import Supply

SUPPLY_S = 600.0
"""How long an input may take to arrive: a gigabyte at 2 MB a second. One that the carrier lost never does,
and its call would wait without an end."""


class Arrivals:
    """See the module's text; by the keys of the inputs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.waiting: dict[str, asyncio.Future[Supply]] = {}
        """Each input, or what waits for it."""

    def take(self, message: Supply) -> None:
        """Take an input that came."""
        future = self._future(message.key)
        if not future.done():
            future.set_result(message)

    async def get(self, key: str) -> Supply:
        """Return an input once it is there."""
        try:
            async with asyncio.timeout(SUPPLY_S):
                return await asyncio.shield(self._future(key))
        except TimeoutError:
            why = f"its content did not come from the coordinator within {SUPPLY_S:g} s"
            return Supply(key=key, form="missing", data=why.encode())

    def forget(self, keys: Iterable[str]) -> None:
        """Drop inputs that nothing needs any more."""
        for key in keys:
            self.waiting.pop(key, None)

    def forget_once(self, key: str) -> None:
        """Drop the input of an assignment that ended, if it came for that alone."""
        if key.startswith(ONCE):
            self.waiting.pop(key, None)

    def _future(self, key: str) -> asyncio.Future[Supply]:
        future = self.waiting.get(key)
        if future is None:
            future = self.waiting[key] = self._loop.create_future()
        return future
