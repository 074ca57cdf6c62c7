"""Runs that share a lane, without calls to anybody: in this loop, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from umwelten.control.limit import Limit
from umwelten.sharing.folder import SocketFolder
from umwelten.sharing.lane_share import RunHooks
from umwelten.sharing.messages import Size
from umwelten.sharing.shared_lane import SharedLane
from umwelten.sharing.sharing import Sharing
from umwelten.types import AttemptOutcome, Failure, FailureKind, Reply

NAME = "0123456789abcdef01234567"
ANSWER: AttemptOutcome = Reply(text="")
REFUSED: AttemptOutcome = Failure(kind=FailureKind.RATE_LIMIT, message="", status=429)


class Provider:
    """Lets so many calls in at a time, of all runs; each takes `latency_s`."""

    def __init__(self, cap: int = 1000, latency_s: float = 0.02) -> None:
        self.cap, self.latency_s = cap, latency_s
        self.in_flight = self.peak = self.refused = 0


class Run:
    """A run with `left` calls; `most` at a time where its user named a number."""

    def __init__(
        self, folder: Path, provider: Provider, left: int = 0, most: int | None = 50, name: str = NAME
    ) -> None:
        self.provider, self.left = provider, left
        limit = Limit(float(most or 10), most or 1000, slow_start=most is None)
        self.lane = SharedLane("x", "x", limit)
        self.in_flight = self.peak = self.started = self.answered = 0
        self.notes: list[tuple[str, str]] = []
        self.loop = asyncio.get_running_loop()
        hooks = RunHooks(
            wake=lambda lane: self.pump(),
            touch=lambda lane: None,
            ready=self._ready,
            wake_early=lambda lane, refused: None,
            note=lambda why, detail: self.notes.append((why, detail)),
        )
        self.sharing = Sharing([(name, self.lane)], SocketFolder(folder), hooks, self.loop)
        self.share = self.sharing.shares[0]
        self._timer: asyncio.TimerHandle | None = None

    def _ready(self, lane: SharedLane, most: int) -> list[Size]:
        return [(1, None)] * min(most, self.left)

    def pump(self) -> None:
        """Start what may start."""
        if self._timer is not None:
            self._timer.cancel()
        while self.left:
            now = self.loop.time()
            at = self.lane.earliest_start(now, 1)
            if at > now:
                self._timer = self.loop.call_at(min(at, now + 1), self.pump)
                return
            self._start(now)

    def _start(self, now: float) -> None:
        self.left -= 1
        self.started += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        start, provider = self.lane.on_start(now, 1), self.provider
        refused = provider.in_flight >= provider.cap
        provider.refused += refused
        provider.in_flight += 1
        provider.peak = max(provider.peak, provider.in_flight)

        def end() -> None:
            provider.in_flight -= 1
            self.in_flight -= 1
            self.left += refused
            self.answered += not refused
            self.lane.on_end(REFUSED if refused else ANSWER, now, self.loop.time(), start)
            self.pump()

        self.loop.call_later(0.002 if refused else provider.latency_s, end)

    @property
    def role(self) -> str:
        """Its part in the lane."""
        return self.share.role


async def until(met: Callable[[], bool], within_s: float = 15.0) -> float:
    """Wait for something; return after how many seconds it was so."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not met():
        assert loop.time() < began + within_s, "not in time"
        await asyncio.sleep(0.002)
    return loop.time() - began


@asynccontextmanager
async def opened(*runs: Run) -> AsyncIterator[None]:
    """Runs that share, in this order; all are closed at the end."""
    for run in runs:
        run.sharing.open()
        await until(lambda run=run: run.role != "looking")  # type: ignore[misc]
    try:
        yield
    finally:
        for run in runs:
            run.sharing.close()
