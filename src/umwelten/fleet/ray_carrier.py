"""Workers in the actors of a Ray cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from umwelten.errors import UmweltenError, UsageError
from umwelten.fleet import ray_api
from umwelten.fleet.blocking_calls import BlockingCalls
from umwelten.fleet.carrier import Listener
from umwelten.fleet.messages import LARGEST_FRAME
from umwelten.fleet.ray_address import (
    connection_error,
    first_line,
    known_address,
    no_answer,
    reach,
    token_note,
    wait_until_gone,
)
from umwelten.fleet.ray_cluster import LocalCluster, start_cluster
from umwelten.fleet.ray_link import Link
from umwelten.phrases import Phrase

T = TypeVar("T")

MAKER = "umwelten.fleet.worker_runner:make_worker"
"""What makes a worker, given its `WorkerPlace`; looked up where the worker runs."""

_KEPT_BYTES = 64 << 20
"""Inputs that stay in shared memory for workers that want them later; beyond, the oldest leave it."""
_POLL_S = 0.5
"""A worker with nothing to say answers after so long: a sign of life. Attempts of one that is silent for more
than a second say nothing about their provider (`membership.AWAY_S`)."""
_CONNECT_S = 20.0
"""Ray connects within 1 s. Where a cluster is not what it was, it tries for minutes."""
_JOIN_S = 60.0
"""Workers are ready after 1 to 5 s, on a machine under load later."""
_INSTALLED_S = 600.0
"""pip took 50 s where all of umwelten's packages were to be had near by. Ray gives it ten minutes."""
_BROKEN_S = 2.0
"""A worker to which no connection was possible for so long is given up: a broken connection is made anew at
once, and Ray says that a machine is gone only after 13 s."""
_NODE_S = 15.0
"""Ray knows after 6 to 13 s that a machine is gone, and starts workers on it until then."""
_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 30.0
_SHUTDOWN_S = 15.0
"""Ray takes 0.3 s to disconnect, many times that on a machine under load."""


class RayCarrier:
    """A `Carrier` of frames to actors and back.

    `address`: "auto" for the cluster that runs on this machine, or its HOST:PORT; `None`: one is started, and
    ended by `close`. `hidden`: variables that its processes do not get. `with_pip`: have Ray install this
    version of umwelten for the workers. `note` tells the user something. `on_gone` is told once that the
    cluster is gone, and its workers with it.
    """

    def __init__(
        self,
        address: str | None,
        workers: int,
        *,
        hidden: Collection[str] = (),
        with_pip: bool = False,
        note: Callable[[str], None] = lambda text: None,
        on_gone: Callable[[str], None] = lambda text: None,
        maker: str = MAKER,
        join_s: float | None = None,
    ) -> None:
        self._address, self._workers, self._hidden = address, workers, hidden
        self._with_pip, self._note, self._maker = with_pip, note, maker
        self._join_s = join_s or (_INSTALLED_S if with_pip else _JOIN_S)
        self._on_gone = on_gone
        self._cluster: LocalCluster | None = None
        self._listener: Listener | None = None
        self._is_connected = self._is_closing = False
        self._calls, self._shutdown_s = BlockingCalls(), _SHUTDOWN_S
        self._links: dict[int, Link] = {}
        self._last = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._stored: OrderedDict[str, tuple[int, asyncio.Task[Any]]] = OrderedDict()

    async def open(self, listener: Listener) -> None:
        """Connect and start the workers; returns once all have joined. Raises `UmweltenError`."""
        self._listener = listener
        try:
            await self._connect()
            await self._start_all()
        except BaseException:
            await self.close(0.0)
            raise

    def send(self, worker: int, frame: bytes) -> None:
        """Send a frame."""
        if (link := self._links.get(worker)) is not None:
            link.frames.send(frame)

    def ship(self, worker: int, key: str, frame: bytes) -> None:
        """Send a large frame. It is overtaken by what `send` sends."""
        if len(frame) <= LARGEST_FRAME:
            self.send(worker, frame)
        elif worker in self._links:
            self._run(self._ship(worker, self._store(key, frame)))

    def forget(self, key: str) -> None:
        """Free what was shipped by this key."""
        self._stored.pop(key, None)

    async def close(self, grace_s: float) -> None:
        """End the workers, which have so long to release what they hold, and a cluster of this run."""
        self._is_closing = True
        links = tuple(self._links.values())
        if links and grace_s > 0:
            ends = [asyncio.create_task(_result(link.actor.close.remote())) for link in links]
            await asyncio.wait(ends, timeout=grace_s)
            await _cancel(ends)
        self._links.clear()
        self._stored.clear()
        await _cancel(self._tasks)
        if self._is_connected:
            self._is_connected = False
            with contextlib.suppress(Exception):
                await self._calls.run_last(
                    lambda: ray_api.disconnect([link.actor for link in links]), self._shutdown_s
                )
        if self._cluster is not None:
            await self._cluster.stop()

    # --- connection -------------------------------------------------------------------------------

    async def _connect(self) -> None:
        if ray_api.is_connected():
            raise UsageError(
                "this process is connected to a Ray cluster already",
                "Call ray.shutdown() first, or end the other run.",
            )
        variables: dict[str, str] = {}
        if self._address is None:
            self._cluster = await asyncio.to_thread(start_cluster, self._workers, self._hidden)
            await self._cluster.wait_until_ready()
            address, variables = self._cluster.address, self._cluster.variables
        else:
            address = known_address(self._address)
            await reach(address)
        given = address
        if self._address == "auto":
            # Ray looks for a token by itself only where it finds the cluster by itself, and would rather use
            # any that runs here, whoever's it is, than the one that was found.
            given, variables = "auto", {"RAY_ADDRESS": address}
        self._is_connected = True
        try:
            is_own = self._cluster is not None
            await self._calls.run(lambda: ray_api.connect(given, variables, is_own=is_own), _CONNECT_S)
        except TimeoutError:
            self._shutdown_s = 0.0  # as soon as it is connected after all
            raise no_answer(address, _CONNECT_S) from None
        except Exception as error:
            raise connection_error(address, error) from error
        if self._cluster is None and (note := token_note(address)):
            self._note(note)
        self._run(self._watch(address))

    async def _watch(self, address: str) -> None:
        """Tell when the cluster is gone: its head, and all workers, which on other nodes outlive it."""

        async def reached() -> None:
            if not self._links:
                await reach(address)

        await wait_until_gone(reached)
        self._on_gone(f"the Ray cluster at {address} is gone")

    # --- workers ----------------------------------------------------------------------------------

    async def _start_all(self) -> None:
        starts = [asyncio.create_task(self._start_patiently()) for _ in range(self._workers)]
        try:
            done, waiting = await asyncio.wait(
                starts, timeout=self._join_s, return_when=asyncio.FIRST_EXCEPTION
            )
            for task in done:
                task.result()
            if waiting:
                raise await self._too_few(len(done))
        finally:
            await _cancel(starts)

    async def _start_patiently(self) -> None:
        """Start a worker, again for a while if its process dies: its node may be dead, unknown to Ray."""
        exceptions = ray_api.exceptions()

        until = asyncio.get_running_loop().time() + _NODE_S
        while True:
            try:
                return await self._start()
            except UmweltenError as error:
                # A `UsageError` is that umwelten is not there, which stays so.
                is_final = isinstance(error, UsageError)
                has_died = not is_final and isinstance(error.__cause__, exceptions.RayActorError)
                if not has_died or asyncio.get_running_loop().time() > until:
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def _start(self) -> None:
        """Start a worker and wait until it has joined. Raises `UmweltenError`."""
        actor = await self._calls.run(lambda: ray_api.new_actor(self._maker, self._with_pip))
        try:
            place = await _result(actor.join.remote(ray_api.here))
        except BaseException as error:
            ray_api.kill(actor)
            if isinstance(error, Exception):
                raise ray_api.start_error(error) from error
            raise
        self._last += 1
        link = Link(self._last, actor, place)
        self._links[link.number] = link
        assert self._listener is not None
        self._listener.on_join(link.number, link.place)
        self._run(self._listen(link))

    async def _too_few(self, joined: int) -> UmweltenError:
        cpus = await self._calls.run(ray_api.cpus)
        return UsageError(
            f"{joined} of {self._workers} workers could start within {self._join_s:.0f} s: "
            f"the cluster has {cpus:g} CPUs, free or not, and a worker takes {ray_api.WORKER_CPUS:g}",
            Phrase("Lower {option:workers}, add machines to the cluster, or wait until it is free."),
        )

    async def _listen(self, link: Link) -> None:
        """Hear a worker until it is gone, then start another."""
        assert self._listener is not None
        why = await self._hear(link)
        if self._is_closing:
            return
        self._links.pop(link.number, None)
        self._listener.on_leave(link.number, why)
        ray_api.kill(link.actor)
        await self._replace()

    async def _hear(self, link: Link) -> str:
        """Pass on what a worker says until it is gone; returns why it is."""
        exceptions = ray_api.exceptions()

        assert self._listener is not None
        loop = asyncio.get_running_loop()
        broken_at: float | None = None
        while True:
            try:
                (frames, supplies), said = await _result(link.actor.poll.remote(link.heard, _POLL_S))
            except exceptions.ActorUnavailableError:
                broken_at = loop.time() if broken_at is None else broken_at
                if loop.time() - broken_at > _BROKEN_S:
                    return "no connection to it is possible"
                await asyncio.sleep(_PAUSE_S)
                continue
            except exceptions.RayActorError:
                return "its process ended"
            except exceptions.RayError as error:
                return f"it failed: {first_line(error)}"
            link.frames.taken(frames)
            link.supplies.taken(supplies)
            if broken_at is not None:
                broken_at = None
                link.frames.send_again()
                link.supplies.send_again()
            if not said:
                self._listener.on_frame(link.number, b"")
            for number, frame in said:
                if number > link.heard:
                    link.heard = number
                    self._listener.on_frame(link.number, frame)

    async def _replace(self) -> None:
        """Start a worker in place of one that is gone. Where that fails, again, after ever longer pauses."""
        pause_s, is_noted = _PAUSE_S, False
        while True:
            try:
                return await asyncio.wait_for(self._start(), self._join_s)
            except (UmweltenError, TimeoutError) as error:
                if not is_noted:
                    why = first_line(error) or f"the cluster started none within {self._join_s:.0f} s"
                    self._note(f"a worker that is gone is not yet replaced: {why}")
                    is_noted = True
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    # --- large frames -----------------------------------------------------------------------------

    def _store(self, key: str, frame: bytes) -> asyncio.Task[Any]:
        """Put a frame into the cluster's shared memory, once while it is wanted; returns its reference.

        Each node fetches it once.
        """
        if key in self._stored:
            self._stored.move_to_end(key)
            return self._stored[key][1]
        task = asyncio.create_task(self._calls.run(lambda: ray_api.put(frame)))
        self._stored[key] = len(frame), task
        while len(self._stored) > 1 and sum(size for size, _ in self._stored.values()) > _KEPT_BYTES:
            self._stored.popitem(last=False)
        return task

    async def _ship(self, worker: int, reference: asyncio.Task[Any]) -> None:
        stored = await asyncio.shield(reference)
        if (link := self._links.get(worker)) is not None:
            link.supplies.send(stored)

    def _run(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _result(reference: Any) -> Any:
    return await reference


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    tasks = tuple(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
