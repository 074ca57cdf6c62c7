"""The inputs that are sent to workers: each once per worker, as long as calls need it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import msgspec

from umwelten.fleet.carrier import Carrier
from umwelten.fleet.interfaces import ONCE, Supplies
from umwelten.fleet.messages import Forget, Supply, encode, encode_message
from umwelten.fleet.outboxes import Outboxes
from umwelten.types import Call

KEPT_S = 60.0
"""How long a worker keeps an input that no call under way needs: calls of the same file by other models
and repeats mostly follow soon."""

KEPT_BYTES = 64_000_000
"""Bytes of such inputs that a worker keeps; beyond, those go first that were unused for longest. Fifty
pictures of a megabyte a second would be 3 GB within a minute."""


class _Shipment:
    """An input at a worker: its name there, the calls under way that need it, when the last one ended.

    `size` in bytes is 0 until it was read.
    """

    __slots__ = ("arranged", "idle_since", "name", "size", "uses")

    def __init__(self, name: str, arranged: asyncio.Task[None]) -> None:
        self.name, self.arranged, self.uses, self.idle_since = name, arranged, 0, 0.0
        self.size = 0


class Shipments:
    """Sends inputs over a carrier, and has workers forget those that are not used any more.

    What is sent again after that has another name: a large frame may overtake the message that says to
    forget the one before.
    """

    def __init__(self, carrier: Carrier, supplies: Supplies, outboxes: Outboxes) -> None:
        self._carrier, self._supplies, self._outboxes = carrier, supplies, outboxes
        self._at: dict[int, dict[str, _Shipment]] = {}
        self._loading: dict[str, asyncio.Task[Supply]] = {}
        self._names: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def key(self, call: Call, node: str) -> str:
        """Return the key of what is sent with a call to a worker on a node, "" for nothing."""
        return self._supplies.key(call, node)

    async def bring(self, worker: int, key: str, call: Call, ended: asyncio.Future[Any]) -> str:
        """Send a call's input to a worker unless it has it; returns its name there.

        "" if the attempt has `ended` meanwhile. Else each needs a `release`, except if cancelled.
        """
        if key.startswith(ONCE):
            supply = await self._load(key, call)
            if ended.done():
                return ""
            self._outboxes.add(worker, encode_message(supply))
            return key
        shipment = self._use(worker, key, call)
        is_brought = False
        try:
            if not shipment.arranged.done():
                await asyncio.wait((shipment.arranged, ended), return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                shipment.arranged.result()
                is_brought = True
        finally:
            if not is_brought:
                self.release(worker, shipment.name)
        return shipment.name if is_brought else ""

    def want(self, worker: int, node: str, call: Call) -> str:
        """Send the input of a call that a worker could not read; returns its name. Needs a `release`."""
        return self._use(worker, self._supplies.want(call, worker, node), call).name

    def release(self, worker: int, name: str) -> None:
        """Note that a call which needed an input has ended."""
        shipment = self._at.get(worker, {}).get(name.rpartition("~")[0])
        if shipment is not None:
            shipment.uses -= 1
            shipment.idle_since = asyncio.get_running_loop().time()

    def forget(self, now: float) -> None:
        """Have workers forget what was long unused, or is too much."""
        for worker, shipments in self._at.items():
            unused = _too_long_unused(shipments, now)
            if not unused:
                continue
            names = tuple(shipments.pop(key).name for key in unused)
            self._outboxes.add(worker, encode_message(Forget(keys=names)))
            for key, name in zip(unused, names, strict=True):
                if self._names.get(key) == name:
                    del self._names[key]
                if not self._is_held(key, name):
                    self._carrier.forget(name)

    def drop(self, worker: int) -> None:
        """A worker is gone."""
        for key, shipment in self._at.pop(worker, {}).items():
            if not self._is_held(key, shipment.name):
                if self._names.get(key) == shipment.name:
                    del self._names[key]
                self._carrier.forget(shipment.name)

    def close(self) -> None:
        """Load nothing more: the run has ended."""
        for task in self._loading.values():
            task.cancel()

    def _is_held(self, key: str, name: str) -> bool:
        return any(key in held and held[key].name == name for held in self._at.values())

    def _use(self, worker: int, key: str, call: Call) -> _Shipment:
        shipments = self._at.setdefault(worker, {})
        shipment = shipments.get(key)
        if shipment is None:
            if (name := self._names.get(key)) is None:
                name = self._names[key] = f"{key}~{next(self._numbers)}"
            task = asyncio.get_running_loop().create_task(self._ship(worker, key, name, call))
            shipment = shipments[key] = _Shipment(name, task)
        shipment.uses += 1
        return shipment

    async def _ship(self, worker: int, key: str, name: str, call: Call) -> None:
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.get_running_loop().create_task(self._load(key, call))
            loading.add_done_callback(lambda task: self._loading.pop(key, None))
        supply = await asyncio.shield(loading)
        shipment = self._at.get(worker, {}).get(key)
        if shipment is None or shipment.name != name:
            return  # it was dropped
        shipment.size = len(supply.data)
        self._carrier.ship(worker, name, encode([msgspec.structs.replace(supply, key=name)]))

    async def _load(self, key: str, call: Call) -> Supply:
        try:
            return await self._supplies.load(call, key)
        except Exception as error:  # noqa: BLE001 - the attempt says so; nobody else would hear of it
            return Supply(key=key, form="missing", data=f"umwelten failed on this input: {error!r}".encode())


def _too_long_unused(shipments: dict[str, _Shipment], now: float) -> list[str]:
    """Return the keys of what a worker is to forget."""
    unused = [(shipment.idle_since, key) for key, shipment in shipments.items() if not shipment.uses]
    size = sum(shipments[key].size for _, key in unused)
    found = []
    for idle_since, key in sorted(unused):
        if size <= KEPT_BYTES and now - idle_since <= KEPT_S:
            break
        size -= shipments[key].size
        found.append(key)
    return found
