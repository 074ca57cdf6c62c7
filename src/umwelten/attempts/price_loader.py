"""Load the price list in a thread: it takes 0.1 s or more, which would block the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from contextlib import suppress

from umwelten.pricing import PriceBook, price_of
from umwelten.threads import run_in_thread
from umwelten.types import ModelRef, Usage

_AFTER_S = 0.03
"""Time enough for the first attempts to send their requests: importing the list would delay them."""

_NOTHING_COUNTED = Usage()


class PriceLoader:
    """What these models' prices need, loaded once in a run. `done`: prices can be asked for at once."""

    def __init__(self, models: Iterable[ModelRef], prices: PriceBook) -> None:
        self._models, self._prices = models, prices
        self._task: asyncio.Task[None] | None = None
        self.done = False

    def load_soon(self) -> None:
        """Begin in a moment, when the requests that just started are on their way."""
        asyncio.get_running_loop().call_later(_AFTER_S, self._begin)

    def is_needed(self, usage: Usage, model: ModelRef) -> bool:
        """Whether the list is what tells the cost: neither the provider, the user nor the place does."""
        is_billed = usage.cost_nusd is not None
        return not is_billed and self._prices.needs_list(model) and usage != _NOTHING_COUNTED

    async def wait(self) -> None:
        """Wait until it is done. Loading continues for the others if one that waits is cancelled."""
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._load())
        return self._task

    async def _load(self) -> None:
        # Where that fails, each call finds so itself when it asks for its price.
        with suppress(Exception):
            await run_in_thread(self._look_up)
        self.done = True

    def _look_up(self) -> None:
        for model in self._models:
            price_of(model, self._prices, at=time.time())
