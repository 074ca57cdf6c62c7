"""The command line with workers that are processes of this machine, and no Ray: run it like `umwelten`.

`--engine ray` then has its calls made by forks of this process, which were made before anything else, run in
another folder and have no key; with TEST_BLIND they find no file there, as on other machines. TEST_WORKERS
counts them; those beyond `--workers` take the places of those that end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Collection
from typing import NamedTuple

from umwelten.evaluation.carriers import CARRIERS, Tell
from umwelten.evaluation.spec import EngineChoice
from umwelten.fleet import worker_inputs
from umwelten.fleet.carrier import Carrier, Listener, WorkerPlace
from umwelten.fleet.worker_runner import make_worker
from umwelten.threads import new_event_loop

COUNT, BLIND = "TEST_WORKERS", "TEST_BLIND"
_POLL_S = 0.5
_LENGTH = 8


class Staff(NamedTuple):
    """A worker's process, and what reaches it."""

    pid: int
    socket: socket.socket


def fork_worker(others: Collection[Staff] = ()) -> Staff:
    """Start a worker that waits for its first frame; `others` are not for it."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return Staff(pid, ours)
    code = 1
    try:
        for each in (ours, *(other.socket for other in others)):
            each.close()
        os.chdir("/")
        for name in [name for name in os.environ if name.endswith("_API_KEY")]:
            del os.environ[name]
        if os.environ.get(BLIND):
            worker_inputs.is_as_seen = lambda path, stamp: False
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(_work(theirs))
        code = 0
    except BaseException:  # noqa: BLE001 - nobody else would tell
        traceback.print_exc()
    os._exit(code)


async def _work(theirs: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=theirs)
    worker = make_worker(WorkerPlace(node=f"node{os.getpid() % 2}", address="127.0.0.1", pid=os.getpid()))

    async def say() -> None:
        while True:
            frame = await worker.frames(_POLL_S)
            writer.write(len(frame).to_bytes(_LENGTH, "big") + frame)
            await writer.drain()

    async def hear() -> None:
        async for frame in _frames(reader):
            worker.take(frame)

    tasks = [asyncio.ensure_future(each) for each in (say(), hear(), worker.ended.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    writer.close()


async def _frames(reader: asyncio.StreamReader):  # type: ignore[no-untyped-def]
    with contextlib.suppress(asyncio.IncompleteReadError, OSError):
        while True:
            size = int.from_bytes(await reader.readexactly(_LENGTH), "big")
            yield await reader.readexactly(size)


class ForkedCarrier:
    """A `Carrier` to workers that were forked."""

    def __init__(self, staff: list[Staff], workers: int) -> None:
        self._staff, self._count = staff, workers
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last, self._is_closing = 0, False

    async def open(self, listener: Listener) -> None:
        """Join the first workers."""
        self._listener = listener
        for _ in range(self._count):
            await self._join()

    async def _join(self) -> None:
        pid, link = self._staff.pop(0)
        reader, writer = await asyncio.open_connection(sock=link)
        self._last += 1
        self._writers[self._last] = writer
        self._listener.on_join(self._last, WorkerPlace(node="?", address="127.0.0.1", pid=pid))
        self._tasks.add(asyncio.ensure_future(self._hear(self._last, pid, reader)))

    async def _hear(self, number: int, pid: int, reader: asyncio.StreamReader) -> None:
        async for frame in _frames(reader):
            self._listener.on_frame(number, frame)
        self._writers.pop(number).close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        if self._is_closing:
            return
        self._listener.on_leave(number, "its process ended")
        if self._staff:
            await self._join()

    def send(self, worker: int, frame: bytes) -> None:
        """Send a frame."""
        if (writer := self._writers.get(worker)) is not None:
            writer.write(len(frame).to_bytes(_LENGTH, "big") + frame)

    def ship(self, worker: int, key: str, frame: bytes) -> None:
        """Send a large frame."""
        self.send(worker, frame)

    def forget(self, key: str) -> None:
        """Nothing is kept."""

    async def close(self, grace_s: float) -> None:
        """Let the workers end."""
        self._is_closing = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        for writer in self._writers.values():
            writer.close()


def install(count: int) -> None:
    """Have `--engine ray` use forks of this process, which has no thread yet."""
    staff: list[Staff] = []
    for _ in range(count):
        staff.append(fork_worker(staff))

    def make(choice: EngineChoice, hidden: Collection[str], note: Tell, on_gone: Tell) -> Carrier:
        return ForkedCarrier(staff, choice.workers)

    CARRIERS["ray"] = make


if __name__ == "__main__":
    from umwelten.cli.app import main

    install(int(os.environ.get(COUNT, "2")))
    sys.argv[0] = "umwelten"
    main()
