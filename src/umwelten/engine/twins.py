"""Calls with two attempts under way: their tasks, and the text of those that are streamed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import NamedTuple

from umwelten.control.hedging import Hedging
from umwelten.control.steps import Lease
from umwelten.engine.interfaces import AttemptResult

OnText = Callable[[str], None]


class Attempt(NamedTuple):
    """An attempt under way, or one that has just ended."""

    lease: Lease
    task: asyncio.Task[AttemptResult]

    @property
    def result(self) -> AttemptResult | None:
        """Return what it came to, if it has ended and was not broken off."""
        task = self.task
        return task.result() if task.done() and not task.cancelled() and task.exception() is None else None


class Twins:
    """The attempts under way by call, for `hedging`, which says which calls are to be sent once more.

    While a call has two attempts, the text of both is held back: which of them counts is not known. A call of
    which text was shown is sent once only.
    """

    def __init__(self, hedging: Hedging) -> None:
        self.hedging = hedging
        self._under_way: dict[int, list[Attempt]] = {}
        self._shown: set[int] = set()
        self._texts: dict[tuple[int, int], list[str]] = {}
        self._listeners: dict[tuple[int, int], OnText] = {}

    def due(self, now: float) -> Iterator[Lease]:
        """Yield the attempts whose calls are to be sent once more; see `Hedging.due`."""
        return (lease for lease in self.hedging.due(now) if lease.scheduled.call.id not in self._shown)

    def on_start(self, lease: Lease, task: asyncio.Task[AttemptResult]) -> None:
        """Note an attempt that starts."""
        self._under_way.setdefault(lease.scheduled.call.id, []).append(Attempt(lease, task))
        if lease.hedge:
            self.hedging.on_hedge(lease)
        else:
            self.hedging.on_start(lease)

    def on_end(
        self, lease: Lease, now: float, cost_nusd: int | None, *, answered: bool, timed: bool = True
    ) -> None:
        """Note an attempt that ended. `answered`: it counts. `timed`: so does how long it took."""
        call = lease.scheduled.call.id
        attempts = self._under_way[call]
        rest = [attempt for attempt in attempts if attempt.lease.number != lease.number]
        self.hedging.on_end(lease, now, cost_nusd, answered=answered, timed=timed)
        if answered:
            self._release(call, lease.number)
        self._texts.pop((call, lease.number), None)
        self._listeners.pop((call, lease.number), None)
        if rest:
            self._under_way[call] = rest
        else:
            del self._under_way[call]
            self._shown.discard(call)

    def other(self, lease: Lease) -> Attempt | None:
        """Return the call's other attempt that is under way."""
        attempts = self._under_way.get(lease.scheduled.call.id, ())
        return next((each for each in attempts if each.lease.number != lease.number), None)

    def listener(self, lease: Lease, on_text: OnText) -> OnText:
        """Return what takes the text of an attempt, and passes it on once it is known to count."""
        call, number = lease.scheduled.call.id, lease.number
        self._listeners[call, number] = on_text

        def take(text: str) -> None:
            if (call, number) not in self._listeners:
                return
            self._texts.setdefault((call, number), []).append(text)
            if len(self._under_way.get(call, ())) < 2:
                self._release(call, number)

        return take

    def _release(self, call: int, number: int) -> None:
        text = "".join(self._texts.pop((call, number), ()))
        if text:
            self._shown.add(call)
            self._listeners[call, number](text)
