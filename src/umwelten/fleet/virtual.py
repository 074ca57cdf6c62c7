"""A carrier without a network: workers in one event loop, whose frames take as long as is wished.

In virtual time (`simulate.clock`) it shows hours of delays, deaths and cut networks within seconds.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from umwelten.fleet.carrier import Listener, WorkerPlace
from umwelten.fleet.interfaces import Build
from umwelten.fleet.worker import Worker

POLL_S = 0.5
"""How often a worker gives a sign of life at least."""

Delay = Callable[[], float]
"""Returns how long the next frame takes, in seconds."""


class _Way:
    """Carries the frames of one direction in their order; none while it is `closed_until`."""

    def __init__(self, delay: Delay, take: Callable[[bytes], None]) -> None:
        self._delay, self._take = delay, take
        self._loop = asyncio.get_running_loop()
        self._last_at = self.closed_until = 0.0
        self.is_broken = False
        self._under_way: deque[tuple[float, bytes]] = deque()
        self.latest = 0.0
        """When the latest frame that has arrived was sent."""

    def carry(self, frame: bytes) -> None:
        now = self._loop.time()
        self._last_at = at = max(now + self._delay(), self.closed_until, self._last_at)
        # Timers of the same time come in any order; frames do not.
        self._under_way.append((now, frame))
        self._loop.call_at(at, self._arrive)

    def _arrive(self) -> None:
        if self.is_broken:
            return
        if self._loop.time() < self.closed_until:  # closed while it was on its way
            self._last_at = max(self._last_at, self.closed_until)
            self._loop.call_at(self.closed_until, self._arrive)
        else:
            self.latest, frame = self._under_way.popleft()
            self._take(frame)


class _VirtualWorker:
    def __init__(self, carrier: VirtualCarrier, number: int) -> None:
        self.number, self._carrier = number, carrier
        self.worker = Worker(carrier.build, place=carrier.place(number), cpu_s=lambda: 0.0)
        self.to = _Way(carrier.delay_out, self.worker.take)
        self.back = _Way(carrier.delay_back, self._deliver)
        self.saying = asyncio.get_running_loop().create_task(self._say())

    async def _say(self) -> None:
        while True:
            self.back.carry(await self.worker.frames(POLL_S))

    def _deliver(self, frame: bytes) -> None:
        self._carrier.deliver(self.number, frame)

    def die(self) -> None:
        self.to.is_broken = self.back.is_broken = True
        self.saying.cancel()
        self.worker.die()


class VirtualCarrier:
    """A `carrier.Carrier` whose workers are made by `build` and live in the event loop that is running.

    `delay_out` and `delay_back` say how long frames take each way. A worker that dies is noticed after
    `notice_s` and followed by a new one after `restart_s`, if that is given.
    """

    def __init__(
        self,
        build: Build,
        *,
        workers: int,
        delay_out: Delay = lambda: 0.0,
        delay_back: Delay = lambda: 0.0,
        notice_s: float = 1.7,
        restart_s: float | None = 3.0,
    ) -> None:
        self.build, self._count = build, workers
        self.delay_out, self.delay_back = delay_out, delay_back
        self._notice_s, self._restart_s = notice_s, restart_s
        self._listener: Listener | None = None
        self.workers: dict[int, _VirtualWorker] = {}
        """Those that live, by number."""
        self._last = 0
        self.frames_out = self.frames_back = self.bytes_out = self.bytes_back = 0
        self._is_closed = False

    def place(self, number: int) -> WorkerPlace:
        """Return where a worker is said to be."""
        return WorkerPlace(node=f"node{number % 2}", address="127.0.0.1", pid=1_000 + number)

    async def open(self, listener: Listener) -> None:
        """Start the workers."""
        self._listener = listener
        for _ in range(self._count):
            self.add()

    def add(self) -> int:
        """Start one more worker; returns its number."""
        self._last += 1
        self.workers[self._last] = _VirtualWorker(self, self._last)
        assert self._listener is not None
        self._listener.on_join(self._last, self.place(self._last))
        return self._last

    def send(self, worker: int, frame: bytes) -> None:
        """Send a frame; to a worker that is gone it goes nowhere."""
        self.frames_out += 1
        self.bytes_out += len(frame)
        if (found := self.workers.get(worker)) is not None:
            found.to.carry(frame)

    def ship(self, worker: int, key: str, frame: bytes) -> None:
        """Send a large frame."""
        self.send(worker, frame)

    def forget(self, key: str) -> None:
        """Nothing is kept."""

    def deliver(self, worker: int, frame: bytes) -> None:
        """Tell the listener of a frame."""
        self.frames_back += 1
        self.bytes_back += len(frame)
        if self._listener is not None and not self._is_closed:
            self._listener.on_frame(worker, frame)

    async def close(self, grace_s: float) -> None:
        """Let the workers end, then end them."""
        ending = [asyncio.ensure_future(each.worker.ended.wait()) for each in self.workers.values()]
        if ending:
            _, late = await asyncio.wait(ending, timeout=grace_s)
            for each in late:
                each.cancel()
        self._is_closed = True
        for worker in tuple(self.workers):
            self.workers.pop(worker).die()

    # --- what happens to workers -----------------------------------------------------------

    def kill(self, worker: int, why: str = "its process ended") -> None:
        """End a worker's process; what it sent before still arrives."""
        found = self.workers.pop(worker)
        found.to.is_broken = True
        found.saying.cancel()
        found.worker.die()
        loop = asyncio.get_running_loop()
        loop.call_later(self._notice_s, self._leave, worker, why)
        if self._restart_s is not None:
            loop.call_later(self._notice_s + self._restart_s, self._restart)

    def cut(self, worker: int, for_s: float) -> None:
        """Carry no frames to and from a worker for so long; they arrive afterwards."""
        until = asyncio.get_running_loop().time() + for_s
        for way in (self.workers[worker].to, self.workers[worker].back):
            way.closed_until = max(way.closed_until, until)

    def _leave(self, worker: int, why: str) -> None:
        if not self._is_closed and self._listener is not None:
            self._listener.on_leave(worker, why)

    def _restart(self) -> None:
        if not self._is_closed:
            self.add()
