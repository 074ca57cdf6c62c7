"""The inputs that are sent to workers: each once per worker, as long as calls need it."""

from __future__ import annotations

import asyncio

from umwelten.fleet.carrier import Carrier
from umwelten.fleet.interfaces import ONCE, Supplies
from umwelten.fleet.messages import Forget, Supply, encode, encode_message
from umwelten.fleet.outboxes import Outboxes
from umwelten.types import Call

KEPT_S = 60.0
"""How long a worker keeps an input that no call under way needs: calls of the same file by other models
and repeats mostly follow soon."""


class _Shipment:
    """An input at a worker: the calls under way that need it, and when the last one ended."""

    __slots__ = ("arranged", "idle_since", "uses")

    def __init__(self, arranged: asyncio.Task[None]) -> None:
        self.arranged, self.uses, self.idle_since = arranged, 0, 0.0


class Shipments:
    """Sends inputs over a carrier, and has workers forget those that are not used any more."""

    def __init__(self, carrier: Carrier, supplies: Supplies, outboxes: Outboxes) -> None:
        self._carrier, self._supplies, self._outboxes = carrier, supplies, outboxes
        self._at: dict[int, dict[str, _Shipment]] = {}
        self._loading: dict[str, asyncio.Task[Supply]] = {}

    def key(self, call: Call, node: str) -> str:
        """Return the key of what is sent with a call to a worker on a node, "" for nothing."""
        return self._supplies.key(call, node)

    async def bring(self, worker: int, key: str, call: Call) -> None:
        """Send a call's input to a worker unless it has it. Each needs a `release`, except if cancelled."""
        if key.startswith(ONCE):
            self._outboxes.add(worker, encode_message(await self._load(key, call)))
            return
        shipment = self._use(worker, key, call)
        try:
            await asyncio.shield(shipment.arranged)
        except BaseException:
            self.release(worker, key)
            raise

    def want(self, worker: int, node: str, call: Call) -> str:
        """Send the input of a call that a worker could not read; returns its key. Needs a `release`."""
        key = self._supplies.want(call, worker, node)
        self._use(worker, key, call)
        return key

    def release(self, worker: int, key: str) -> None:
        """Note that a call which needed an input has ended."""
        shipment = self._at.get(worker, {}).get(key)
        if shipment is not None:
            shipment.uses -= 1
            shipment.idle_since = asyncio.get_running_loop().time()

    def forget(self, now: float) -> None:
        """Have workers forget what was long unused."""
        for worker, shipments in self._at.items():
            unused = [key for key, s in shipments.items() if not s.uses and now - s.idle_since > KEPT_S]
            if not unused:
                continue
            for key in unused:
                del shipments[key]
            self._outboxes.add(worker, encode_message(Forget(keys=tuple(unused))))
            for key in unused:
                if not any(key in others for others in self._at.values()):
                    self._carrier.forget(key)

    def drop(self, worker: int) -> None:
        """A worker is gone."""
        self._at.pop(worker, None)

    def _use(self, worker: int, key: str, call: Call) -> _Shipment:
        shipments = self._at.setdefault(worker, {})
        shipment = shipments.get(key)
        if shipment is None:
            task = asyncio.get_running_loop().create_task(self._ship(worker, key, call))
            shipment = shipments[key] = _Shipment(task)
        shipment.uses += 1
        return shipment

    async def _ship(self, worker: int, key: str, call: Call) -> None:
        loading = self._loading.get(key)
        if loading is None:
            loading = self._loading[key] = asyncio.get_running_loop().create_task(self._load(key, call))
            loading.add_done_callback(lambda task: self._loading.pop(key, None))
        supply = await asyncio.shield(loading)
        self._carrier.ship(worker, key, encode([supply]))

    async def _load(self, key: str, call: Call) -> Supply:
        try:
            return await self._supplies.load(call, key)
        except Exception as error:  # noqa: BLE001 - the attempt says so; nobody else would hear of it
            return Supply(key=key, form="missing", data=f"umwelten failed on this input: {error!r}".encode())
