"""What the coordinator has to say to its workers, gathered into frames."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from umwelten.fleet.messages import LARGEST_FRAME, Ping, encode_message, frame_of

Send = Callable[[int, bytes], None]


class _Outbox:
    __slots__ = ("due", "messages", "sent_at", "size")

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.size, self.due, self.sent_at = 0, math.inf, -math.inf


class Outboxes:
    """Frames for each worker, sent once the first of their messages waited long enough.

    How long counts from the frame before: after a pause, a message goes at once.
    """

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._send, self._loop = send, loop
        self._boxes: dict[int, _Outbox] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    def join(self, worker: int) -> None:
        """A worker is there."""
        self._boxes[worker] = _Outbox()

    def add(self, worker: int, message: bytes, wait_s: float = 0.0) -> None:
        """Send a message within `wait_s` seconds, in the order of these calls for each worker.

        To one that is gone, nothing is sent.
        """
        box = self._boxes.get(worker)
        if box is None:
            return
        if box.messages and box.size + len(message) > LARGEST_FRAME:
            self._flush(worker, box)
        box.messages.append(message)
        box.size += len(message)
        if box.size >= LARGEST_FRAME:
            self._flush(worker, box)
            return
        now = self._loop.time()
        due = max(now, box.sent_at + wait_s)
        if due < box.due:
            box.due = due
            if due < self._timer_at:
                self._arm(due)

    def ping(self, after_s: float) -> None:
        """Give each worker that got no frame for so long a sign of life."""
        before = self._loop.time() - after_s
        for worker, box in self._boxes.items():
            if box.sent_at <= before:
                self._flush(worker, box)

    def ping_now(self, worker: int) -> None:
        """Give a worker a sign of life, with what there is to say to it."""
        if (box := self._boxes.get(worker)) is not None:
            self._flush(worker, box)

    def flush(self) -> None:
        """Send all there is."""
        for worker, box in self._boxes.items():
            if box.messages:
                self._flush(worker, box)

    def drop(self, worker: int) -> None:
        """A worker is gone."""
        self._boxes.pop(worker, None)

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._boxes.clear()

    def _flush(self, worker: int, box: _Outbox) -> None:
        now = self._loop.time()
        messages = [encode_message(Ping(sent_at=now)), *box.messages]
        box.messages, box.size, box.due, box.sent_at = [], 0, math.inf, now
        self._send(worker, frame_of(messages))

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._on_time)

    def _on_time(self) -> None:
        self._timer, self._timer_at = None, math.inf
        now, following = self._loop.time(), math.inf
        for worker, box in self._boxes.items():
            if box.due <= now:
                self._flush(worker, box)
            elif box.due < following:
                following = box.due
        if following < math.inf:
            self._arm(following)
