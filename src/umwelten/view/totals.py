"""Counts of evaluations, kept until the database changes, and taken again as often as that is cheap."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from umwelten.report.queries.running_totals import Totals, totals
from umwelten.view.readers import Readers, Stamp, stamp

SHARE = 0.05
"""Of a core: what counting an evaluation that changes may take. A million calls take half a second."""
_LEAST_S = 0.4


class Counted:
    """What was counted last: `at` is when, `took_s` how long it took."""

    def __init__(self, stamp: Stamp, totals: Totals, at: float, took_s: float) -> None:
        self.stamp, self.totals, self.at, self.took_s = stamp, totals, at, took_s

    def due_s(self) -> float:
        """In how many seconds it may be counted again."""
        return self.at + max(_LEAST_S, self.took_s / SHARE) - time.monotonic()


class TotalsCache:
    """The totals by id. To be used in the loop's thread; counting is done in `pool`."""

    def __init__(self, readers: Readers, pool: ThreadPoolExecutor) -> None:
        self._readers, self._pool = readers, pool
        self._counted: dict[str, Counted] = {}
        self._under_way: dict[str, asyncio.Task[Totals]] = {}

    def known(self, id_: str) -> Totals | None:
        """Return what was counted last, maybe of an earlier moment."""
        found = self._counted.get(id_)
        return None if found is None else found.totals

    def is_due(self, id_: str) -> bool:
        """Return whether it may be counted now."""
        found = self._counted.get(id_)
        return id_ not in self._under_way and (found is None or found.due_s() <= 0)

    async def get(self, id_: str) -> Totals:
        """Return the totals: what is known if that is current or it is too early to count again.

        Raises StoreError.
        """
        folder = self._readers.folder(id_)
        found = self._counted.get(id_)
        if found is not None and (found.due_s() > 0 or found.stamp == stamp(folder)):
            return found.totals
        task = self._under_way.get(id_)
        if task is None:
            task = asyncio.create_task(self._count(id_, folder))
            self._under_way[id_] = task
            task.add_done_callback(lambda _: self._under_way.pop(id_, None))
        return await asyncio.shield(task)

    def forget(self, id_: str) -> None:
        """Drop what is known of an evaluation that is gone."""
        self._counted.pop(id_, None)

    async def _count(self, id_: str, folder: Path) -> Totals:
        def work() -> Counted:
            began = time.monotonic()
            before = stamp(folder)  # first: what is written meanwhile shows as a change
            with self._readers.open(id_) as reader:
                found = totals(reader)
            return Counted(before, found, time.monotonic(), time.monotonic() - began)

        counted = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        self._counted[id_] = counted
        return counted.totals
