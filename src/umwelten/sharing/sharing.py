"""All shared lanes of a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from umwelten.sharing.folder import SocketFolder
from umwelten.sharing.lane_share import BEAT_S, LaneShare, RunHooks
from umwelten.sharing.shared_lane import SharedLane

MOST_SHARED = 64
"""Lanes that are shared; each takes a socket. A run with more of them goes to hosts of its own."""

_LATE_S = 0.6
"""A beat that is later than that: this process was stopped, or the machine slept."""


class Sharing:
    """Shares these lanes, by the names of their sockets, from `open` until `close`."""

    def __init__(
        self,
        lanes: Sequence[tuple[str, SharedLane]],
        folder: SocketFolder,
        hooks: RunHooks,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._folder, self._loop = folder, loop
        self.shares = [LaneShare(name, lane, folder, hooks, loop) for name, lane in lanes[:MOST_SHARED]]
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    def open(self) -> None:
        """Find the roles of all lanes."""
        for share in self.shares:
            share.look()
        self._folder.sweep()
        self._wait()

    def close(self) -> None:
        """Share no longer."""
        if self._timer is not None:
            self._timer.cancel()
        for share in self.shares:
            share.leave()
        self._folder.close()

    def _wait(self) -> None:
        self._due = self._loop.time() + BEAT_S
        self._timer = self._loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        now = self._loop.time()
        late = now - self._due > _LATE_S
        self._wait()
        for share in self.shares:
            share.tick(now, late=late)
