"""Time-outs of all waits by one timer: a timer for each is a twentieth of what a call costs."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_CHECKS = 50
"""Checks during a usual wait. A wait ends at most one check late, a silence two: two and four per cent."""

_LONGEST_S = 1.0
"""Between two checks, however long the usual wait: no wait ends more than a second late."""


class Wait:
    """A context manager, used once: it raises `TimeoutError` in place of what its task was waiting for."""

    __slots__ = ("_cancelling", "_expired", "_of", "_task", "_usual", "heard", "idle_s", "since", "until")

    def __init__(self, of: Deadlines, until: float, idle_s: float | None) -> None:
        self._of, self.until, self.idle_s = of, until, idle_s
        self.since, self.heard, self._expired = 0.0, True, False
        self._usual: tuple[float, float | None] | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task(self._of.loop)
        assert task is not None, "a Wait belongs to a task"
        self._task, self._cancelling = task, task.cancelling()
        self._of.open(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._of.close(self)
        # Someone else's cancelling of the same task comes first.
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def hasten(self, total_s: float, idle_s: float) -> None:
        """End in so many seconds at most, and after so many without a sign; `relax` takes that back."""
        if self._usual is None:
            self._usual = self.until, self.idle_s
            self.until = min(self.until, self._of.loop.time() + total_s)
            self.idle_s = idle_s if self.idle_s is None else min(self.idle_s, idle_s)

    def relax(self) -> None:
        """Wait as long again as before `hasten`."""
        if self._usual is not None:
            (self.until, self.idle_s), self._usual = self._usual, None

    def settle(self) -> None:
        """Note that the result is there: this wait ends no more, whatever still arrives."""
        self.until, self.idle_s = math.inf, None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no time pass for this wait meanwhile."""
        began, until, idle_s = self._of.loop.time(), self.until, self.idle_s
        self.until, self.idle_s = math.inf, None
        try:
            yield
        finally:
            passed_s = self._of.loop.time() - began
            self.until, self.idle_s, self.heard = until + passed_s, idle_s, True
            if self._usual is not None:
                self._usual = self._usual[0] + passed_s, self._usual[1]

    def expire(self) -> None:
        """End the wait: its time is up."""
        self._expired = True
        self._of.close(self)
        self._task.cancel()


class Deadlines:
    """The open waits of one event loop. Waits last about `usual_s`; what is shorter ends a little late."""

    def __init__(self, usual_s: float) -> None:
        self.usual_s = usual_s
        self.loop = asyncio.get_running_loop()
        self._open: set[Wait] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0

    @property
    def _every_s(self) -> float:
        return min(self.usual_s / _CHECKS, _LONGEST_S)

    def within(self, total_s: float, idle_s: float | None = None) -> Wait:
        """Return a wait of so many seconds at most, and so many without setting its `heard`."""
        return Wait(self, self.loop.time() + total_s, idle_s)

    def open(self, wait: Wait) -> None:
        """Check this wait from now on."""
        self._open.add(wait)
        if self._timer is None:
            self._due = self.loop.time() + self._every_s
            self._timer = self.loop.call_at(self._due, self._check)

    def close(self, wait: Wait) -> None:
        """Check it no more."""
        self._open.discard(wait)

    def _check(self) -> None:
        now = self.loop.time()
        # After a stall of the loop, bytes that came meanwhile are not read yet.
        late_s, self._due = now - self._due, now + self._every_s
        for wait in tuple(self._open):
            if wait.heard:
                wait.heard, wait.since = False, now
            elif late_s > self._every_s:
                # No more than the stall: what floods us with bytes that say nothing stalls us all the time.
                wait.since += late_s
            if now >= wait.until or (wait.idle_s is not None and now - wait.since >= wait.idle_s):
                wait.expire()
        self._timer = self.loop.call_at(self._due, self._check) if self._open else None
