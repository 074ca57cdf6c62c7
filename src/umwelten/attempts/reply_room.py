"""A bound on the bytes of all replies that are being read, so that many long ones do not fill the memory."""

from __future__ import annotations

import asyncio

from umwelten.attempts.deadlines import Wait

_MOST = 512 << 20
"""Bytes of all large replies together. With what is made of them, about twice as much memory."""

SMALL = 256 << 10
"""A reply of so many bytes is not counted: nearly all are smaller."""


class ReplyRoom:
    """Lets replies be read while there is room. The one that began to be large first may always go on.

    A paused one is not read, so that its server stops sending, and its time-outs stand still.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._sizes: dict[Wait, int] = {}
        self._freed = asyncio.Event()
        self.held = 0

    async def grow(self, wait: Wait, size: int) -> None:
        """Count `size` bytes for the reply that `wait` waits for; return once more of it may be read."""
        if size <= SMALL:
            return
        self.held += size - self._sizes.get(wait, 0)
        self._sizes[wait] = size
        if self.held > self._most and not self._is_first(wait):
            with wait.paused():
                while self.held > self._most and not self._is_first(wait):
                    await self._freed.wait()

    def free(self, wait: Wait) -> None:
        """Count the reply no more; after its end, however it ended."""
        size = self._sizes.pop(wait, 0)
        if size:
            self.held -= size
            self._freed.set()
            self._freed = asyncio.Event()

    def _is_first(self, wait: Wait) -> bool:
        return next(iter(self._sizes)) is wait
