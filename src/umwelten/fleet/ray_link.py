"""A worker's actor at the coordinator, and what goes to it."""

from __future__ import annotations

from collections import deque
from typing import Any

from umwelten.fleet.carrier import WorkerPlace


class Channel:
    """What was sent to a worker, until it is known to have arrived."""

    def __init__(self, take: Any, number: int) -> None:
        self._take, self._channel = take, number
        self._sent = 0
        self._untaken: deque[tuple[int, Any]] = deque()

    def send(self, frame: Any) -> None:
        """Send bytes, or the reference of what is in shared memory."""
        self._sent += 1
        self._untaken.append((self._sent, frame))
        self._take.remote(self._channel, self._sent, frame)

    def taken(self, number: int) -> None:
        """Note that everything up to this number arrived."""
        while self._untaken and self._untaken[0][0] <= number:
            self._untaken.popleft()

    def send_again(self) -> None:
        """Send again what may be lost; what is not is not taken twice."""
        for number, frame in self._untaken:
            self._take.remote(self._channel, number, frame)


class Link:
    """A worker's actor, and what goes there and back."""

    def __init__(self, number: int, actor: Any, place: WorkerPlace) -> None:
        self.number, self.actor, self.place = number, actor, place
        take = actor.take.options(num_returns=0)
        self.frames, self.supplies = Channel(take, 0), Channel(take, 1)
        self.heard = 0
        """Frames that arrived from it."""
