"""What is new in an evaluation: its version is asked twice a second, attempts are read from the last on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from umwelten.errors import StoreError
from umwelten.report.queries.news import News, data_version, news_since
from umwelten.report.queries.running_totals import Head
from umwelten.store.database import database, store_errors
from umwelten.store.journal import put_log_away
from umwelten.store.reader import Reader
from umwelten.view.readers import Readers, identity

POLL_S = 0.5
_LOG_TRIES = 20


class Tail:
    """An evaluation that is followed. One thread at a time reads: `data_version` is of one connection.

    `was_running`: whoever listens was told so, and the run may have ended since.
    """

    def __init__(self, readers: Readers, id_: str, pool: ThreadPoolExecutor, *, was_running: bool) -> None:
        self._readers, self.id, self._pool = readers, id_, pool
        self._reader: Reader | None = None
        self._identity: object = None
        self._version: object = None
        self._was_running = was_running
        self._head: Head | None = None
        self._log_tries = 0
        self._lock = threading.Lock()

    async def news(self, last: int | None) -> News | None:
        """Return what came after the attempt `last`, `None` if nothing has changed since it was asked.

        `last` = None: from now on. Raises StoreError.
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._look, last)

    def close(self) -> None:
        """Close the file, once nobody reads it any more."""

        def work() -> None:
            with self._lock:
                self._drop()

        with suppress(RuntimeError):  # the server is being closed, and the process ends
            self._pool.submit(work)

    def _look(self, last: int | None) -> News | None:
        with self._lock:
            return self._locked_look(last)

    def _locked_look(self, last: int | None) -> News | None:
        folder = self._readers.folder(self.id)
        if self._log_tries:
            # With us reading, the run could not put its log away when it closed the database; nor can we
            # while another question is answered.
            self._drop()
            self._log_tries = self._log_tries - 1 if put_log_away(database(folder)) else 0
        now = identity(folder)
        if self._reader is None or now != self._identity:
            self._drop()
            self._reader, self._identity, self._version = Reader.open(folder), now, None
        try:
            with store_errors(folder):
                return self._read(self._reader, last)
        except BaseException:
            self._drop()
            raise

    def _drop(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self, reader: Reader, last: int | None) -> News | None:
        version = data_version(reader)
        changed, self._version = version != self._version, version
        # A killed run writes nothing any more: whether it is there is asked of the system.
        if not changed and not self._was_running:
            return None
        found = news_since(reader, last, self._head)
        self._head = found.head
        ended = self._was_running and not found.head.running
        if ended:
            self._log_tries = _LOG_TRIES
        self._was_running = found.head.running
        return found if changed or ended else None


class Follower:
    """Follows an evaluation while somebody listens, once for all who do.

    `last` is the last attempt that the first of them knows; later, the last one that all were told of.
    """

    def __init__(self, tail: Tail, last: int, stop: Callable[[], None]) -> None:
        self._tail, self.last, self._stop = tail, last, stop
        self._listeners: set[asyncio.Queue[News | StoreError]] = set()
        self._task: asyncio.Task[None] | None = None

    def listen(self) -> asyncio.Queue[News | StoreError]:
        """Return what gets all news from now on."""
        queue: asyncio.Queue[News | StoreError] = asyncio.Queue(maxsize=64)
        self._listeners.add(queue)
        if self._task is None:
            self._task = asyncio.create_task(self._follow())
        return queue

    def leave(self, queue: asyncio.Queue[News | StoreError]) -> None:
        """Tell it nothing more; the last one who leaves ends the following."""
        self._listeners.discard(queue)
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None
            self._stop()

    async def _follow(self) -> None:
        try:
            while True:
                try:
                    found = await self._tail.news(self.last)
                except StoreError as error:
                    self._tell(error)
                    await asyncio.sleep(2 * POLL_S)
                    continue
                if found is not None:
                    self.last = found.last
                    self._tell(found)
                await asyncio.sleep(POLL_S)
        finally:
            self._tail.close()

    def _tell(self, news: Any) -> None:
        for queue in self._listeners:
            # One who does not read misses some: counts come whole each time, and pages are read anew.
            with suppress(asyncio.QueueFull):
                queue.put_nowait(news)
