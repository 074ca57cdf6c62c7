"""What a worker has to say to its coordinator, gathered into frames."""

from __future__ import annotations

import asyncio
import contextlib
import math

from umwelten.fleet.gathering import PIECES_S
from umwelten.fleet.messages import LARGEST_FRAME, Pieces, encode_message, frame_of


class WorkerOutbox:
    """Messages that wait for the next frame. How long counts from the frame before: after a pause, one goes
    at once.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._messages: list[bytes] = []
        self._texts: dict[int, list[str]] = {}
        self._size, self._due, self._said_at = 0, math.inf, -math.inf
        self._more = asyncio.Event()

    def add(self, message: bytes, wait_s: float) -> None:
        """Say something within `wait_s` of the frame before."""
        self._messages.append(message)
        self._size += len(message)
        self._hurry(wait_s)

    def add_text(self, n: int, text: str) -> None:
        """Say a piece of an answer."""
        self._texts.setdefault(n, []).append(text)
        self._hurry(PIECES_S)

    def drop_text(self, n: int) -> None:
        """Say no more of an answer."""
        self._texts.pop(n, None)

    async def frame(self, wait_s: float) -> bytes:
        """Return the next frame once it is due, or b"" after `wait_s`."""
        until = self._loop.time() + wait_s
        while True:
            now = self._loop.time()
            if self._size >= LARGEST_FRAME or self._due <= now:
                return self._frame(now)
            if now >= until:
                return b""
            self._more.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(until, self._due)):
                    await self._more.wait()

    def _hurry(self, wait_s: float) -> None:
        due = max(self._loop.time(), self._said_at + wait_s)
        if due < self._due or self._size >= LARGEST_FRAME:
            self._due = min(due, self._due)
            self._more.set()

    def _frame(self, now: float) -> bytes:
        # Texts go before what ends their attempts.
        texts = [encode_message(Pieces(n=n, text="".join(them))) for n, them in self._texts.items()]
        self._texts.clear()
        size, count = sum(map(len, texts)), 0
        for message in self._messages:
            if size and size + len(message) > LARGEST_FRAME:
                break
            size += len(message)
            count += 1
        messages = [*texts, *self._messages[:count]]
        del self._messages[:count]
        self._size = sum(map(len, self._messages)) if self._messages else 0
        self._due = now if self._messages else math.inf
        self._said_at = now
        return frame_of(messages)
