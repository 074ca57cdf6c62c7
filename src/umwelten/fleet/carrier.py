"""What carries messages between the coordinator and its workers: Ray, or in tests a virtual network."""

from __future__ import annotations

from typing import Protocol

from umwelten.types import FrozenStruct


class WorkerPlace(FrozenStruct):
    """Where a worker is: what its cluster calls the machine, that machine's address, and its process."""

    node: str
    address: str
    pid: int


class Listener(Protocol):
    """Whom a carrier tells what it hears. Called in the thread of the event loop.

    `worker` numbers the workers of a run from 1; a worker that was started anew has a new number.
    """

    def on_join(self, worker: int, place: WorkerPlace) -> None:
        """A worker is ready for messages."""

    def on_frame(self, worker: int, frame: bytes) -> None:
        """Messages arrived, or, as an empty frame, a sign of life."""

    def on_leave(self, worker: int, why: str) -> None:
        """A worker is certainly gone, `why` in words. Frames of it may still arrive."""


class Carrier(Protocol):
    """Starts workers and carries frames (`messages`) to them and back, in order for each direction.

    A frame arrives once or never. Nothing here says how long that takes.
    """

    async def open(self, listener: Listener) -> None:
        """Start the workers; return once all have joined. Raises `UmweltenError` where that fails."""

    def send(self, worker: int, frame: bytes) -> None:
        """Send a frame. To a worker that is gone it goes nowhere."""

    def ship(self, worker: int, key: str, frame: bytes) -> None:
        """Send a large frame, a `Supply` by its key; it crosses the net once for all workers of a node."""

    def forget(self, key: str) -> None:
        """No worker needs what was shipped by this key any more."""

    async def close(self, grace_s: float) -> None:
        """Let the workers end (`Worker.ended`), for so long; then end them, and all that was started."""
