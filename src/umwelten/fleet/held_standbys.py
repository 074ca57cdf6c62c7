"""The attempts on standby that a worker holds: it begins one when another of its lane is answered there."""

from __future__ import annotations

from collections.abc import Callable

from umwelten.fleet.messages import Assignment
from umwelten.fleet.standby import EXPIRES_S


class HeldStandbys:
    """See the module's text. `dropped` is told of each that will not begin."""

    def __init__(self, dropped: Callable[[Assignment], None]) -> None:
        self._dropped = dropped
        self._lanes: dict[str, dict[int, tuple[Assignment, float]]] = {}

    def add(self, message: Assignment, now: float) -> None:
        """Hold one."""
        self._lanes.setdefault(message.lane, {})[message.n] = message, now

    def of(self, lane: str) -> tuple[int, ...]:
        """Return the numbers of a lane's, in the order in which they came."""
        return tuple(self._lanes.get(lane, ()))

    def pop(self, lane: str) -> Assignment | None:
        """Return the one of a lane that is to begin next, and hold it no longer; `None` if there is none."""
        held = self._lanes.get(lane)
        return held.pop(next(iter(held)))[0] if held else None

    def drop(self, n: int) -> bool:
        """Have one not begin; returns whether it was held."""
        for held in self._lanes.values():
            if (found := held.pop(n, None)) is not None:
                self._dropped(found[0])
                return True
        return False

    def late(self, now: float) -> tuple[int, ...]:
        """Return the numbers of those that were held for too long."""
        return tuple(
            n
            for held in self._lanes.values()
            for n, (_, taken_at) in held.items()
            if now - taken_at > EXPIRES_S
        )

    def clear(self) -> None:
        """Have none of them begin."""
        for held in self._lanes.values():
            for message, _ in held.values():
                self._dropped(message)
            held.clear()
