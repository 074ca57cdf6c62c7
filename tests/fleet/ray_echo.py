"""A worker for actors of Ray that sends back what it is sent; it runs in their processes."""

import asyncio
import os
import sys

from umwelten.fleet.carrier import WorkerPlace


class Echo:
    """A worker: `take`, `frames` and `ended`."""

    def __init__(self, place: WorkerPlace) -> None:
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.ended = asyncio.Event()

    def take(self, frame: bytes) -> None:
        if frame == b"end":
            os._exit(1)
        if frame == b"leave":
            self.ended.set()
            return
        if frame.startswith(b"env "):
            frame = os.environ.get(frame[4:].decode(), "").encode() or b"not set"
        if frame == b"path":
            frame = " ".join(sys.path).encode()
        self._frames.put_nowait(frame)

    async def frames(self, wait_s: float) -> bytes:
        try:
            frame = await asyncio.wait_for(self._frames.get(), wait_s)
        except TimeoutError:
            return b""
        while not self._frames.empty():
            frame += b" " + self._frames.get_nowait()
        return frame
