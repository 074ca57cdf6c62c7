"""Attempts on standby: workers begin them unseen, each in place of one that they were answered.

Without them a slot is idle from the moment when a worker has an answer until the next assignment arrives
there, which is a large part of a short call. Only lanes whose own limit keeps calls from starting have some.
Whatever else may keep a call from starting has them taken back; the worker then says which began meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from umwelten.control.lane import Lane
from umwelten.control.pool import Pool
from umwelten.control.steps import Lease
from umwelten.engine.interfaces import AttemptResult, StandbyRunner
from umwelten.types import Call


class _Standby(NamedTuple):
    lease: Lease
    task: asyncio.Task[AttemptResult | None]


class Standbys:
    """See the module's text. `begun` is given an attempt that began, and `look_again` asked once one did not.
    `abort` is told of a fault of ours.
    """

    def __init__(
        self,
        pool: Pool,
        runner: StandbyRunner,
        begun: Callable[[Lease, asyncio.Task[AttemptResult | None]], None],
        look_again: Callable[[], None],
        abort: Callable[[Exception], None],
    ) -> None:
        self._pool, self._runner, self._begun = pool, runner, begun
        self._look_again, self._abort = look_again, abort
        self._loop = asyncio.get_running_loop()
        self._them: dict[int, _Standby] = {}
        self._kept: dict[str, set[int]] = {}
        """Those that were not asked back, by lane."""
        self._lanes: dict[str, Lane] = {}
        self._touched: dict[str, Lane] = {}

    @property
    def tasks(self) -> list[asyncio.Task[AttemptResult | None]]:
        """The tasks of attempts that have not begun as far as is known."""
        return [standby.task for standby in self._them.values()]

    @property
    def leases(self) -> list[Lease]:
        """What the pool leased for them."""
        return [standby.lease for standby in self._them.values()]

    def touch(self, lane: Lane) -> None:
        """Look at a lane of which an attempt ended."""
        self._touched[lane.name] = lane

    def touch_all(self) -> None:
        """Look at all lanes that have some: something was changed."""
        self._touched.update((name, self._lanes[name]) for name, kept in self._kept.items() if kept)

    def look(self, *, is_open: bool) -> None:
        """Have workers hold as many as may be, or none. Not `is_open`: nothing may start now."""
        if self._pool.closed:
            self.touch_all()
        if not self._touched:
            return
        now, touched = self._loop.time(), tuple(self._touched.values())
        self._touched.clear()
        for lane in touched:
            if not self._kept.get(lane.name) and not self._runner.wants_standby(lane.name):
                continue
            if not is_open or not self._pool.may_stand_by(lane, now):
                self._take_back(lane)
                continue
            wanted = partial(self._is_wanted, lane)
            while (lease := self._pool.standby(lane, now, wanted)) is not None:
                self._add(lease)

    def begin(self, number: int) -> None:
        """Count an attempt of which a worker says that it began."""
        standby = self._take(number)
        if standby is not None:
            self._begun(self._pool.begin_standby(standby.lease, self._loop.time()), standby.task)

    def cancel(self) -> None:
        """End them all."""
        for standby in tuple(self._them.values()):
            standby.task.cancel()

    def _is_wanted(self, lane: Lane, call: Call) -> bool:
        return self._runner.wants_standby(lane.name, call)

    def _add(self, lease: Lease) -> None:
        lane, scheduled = lease.lane, lease.scheduled
        number, task = self._runner.stand_by(scheduled.call, lane.name, self.begin)
        self._them[number] = _Standby(lease, task)
        self._lanes[lane.name] = lane
        self._kept.setdefault(lane.name, set()).add(number)
        task.add_done_callback(partial(self._on_done, number))

    def _take(self, number: int) -> _Standby | None:
        standby = self._them.pop(number, None)
        if standby is not None:
            self._kept[standby.lease.lane.name].discard(number)
        return standby

    def _take_back(self, lane: Lane) -> None:
        numbers = self._kept.get(lane.name)
        if numbers:
            for number in numbers:
                self._runner.take_back(number)
            numbers.clear()

    def _on_done(self, number: int, task: asyncio.Task[AttemptResult | None]) -> None:
        if number not in self._them:
            return  # it had begun
        try:
            self._end(number, task)
        except Exception as fault:  # noqa: BLE001
            self._abort(fault)

    def _end(self, number: int, task: asyncio.Task[AttemptResult | None]) -> None:
        if task.cancelled() or task.exception() is not None or task.result() is None:
            standby = self._take(number)
            assert standby is not None
            self._pool.drop_standby(standby.lease)
            self.touch(standby.lease.lane)
            self._look_again()
        else:
            self.begin(number)
