"""A Ray cluster of one or two nodes in one machine, on loopback addresses as far as Ray lets them be.

Ray replaces 127.0.0.1 by the machine's outer address, but not 127.0.0.2. Everything is ended by its pid.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from provider import clean_environment
from reliability.processes import Family

HEAD, SECOND = "127.0.0.2", "127.0.0.3"
_READY = "Ray runtime started"
_START_S = 60.0
_PORTS = ("--min-worker-port=0", "--max-worker-port=0")
_SIZE = ("--num-cpus=8", "--object-store-memory=100000000")


class RayNode:
    """A node of a cluster: `ray start --block` and what it started, a session of its own.

    `before`: words that the command is started by, such as `unshare`.
    """

    def __init__(
        self,
        address: str,
        arguments: Sequence[str],
        folder: Path,
        env: Mapping[str, str],
        before: Sequence[str],
    ) -> None:
        self.address, self.family = address, Family()
        self._log = folder / f"{address}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(*before, sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                    *(*arguments, f"--node-ip-address={address}", *_PORTS, *_SIZE),
                ],
                cwd=folder,
                env={**env, **self.family.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def await_start(self) -> None:
        """Return once it is part of the cluster."""
        until = time.monotonic() + _START_S
        while _READY not in self._log.read_text():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < until, self._log.read_text()
            time.sleep(0.05)

    @property
    def raylet(self) -> int:
        """Its raylet's process."""
        name = "/raylet/raylet "
        return next(process.pid for process in self.family.processes() if name in process.command)

    def kill_raylet(self) -> None:
        """Kill the raylet; what it started ends by itself, or not."""
        os.kill(self.raylet, signal.SIGKILL)

    def end(self) -> None:
        """End all of it."""
        with suppress(ProcessLookupError):
            self.process.terminate()
        self.family.await_end(5)
        self.family.end()
        self.process.wait()


class Cluster:
    """A head node and a second one. `address` is what `--engine ray:` takes; `folder` has its files."""

    def __init__(self, folder: Path, env: Mapping[str, str], before: Sequence[str] = ()) -> None:
        self.folder, self._before = folder, before
        self._env = clean_environment({"RAY_USAGE_STATS_ENABLED": "0", **env})
        self._port = _free_port()
        self.address = f"{HEAD}:{self._port}"
        self.head = RayNode(
            HEAD,
            [
                *("--head", f"--port={self._port}", f"--ray-client-server-port={_free_port()}"),
                *("--include-dashboard=false", "--disable-usage-stats", f"--temp-dir={folder}"),
            ],
            folder,
            self._env,
            (),
        )
        self.second: RayNode | None = None

    def start_second(self) -> RayNode:
        """Start the second node once the head is there; what is left of an earlier one is ended."""
        if self.second is not None:
            self.second.end()
        self.head.await_start()
        self.second = RayNode(SECOND, [f"--address={self.address}"], self.folder, self._env, self._before)
        self.second.await_start()
        return self.second

    @property
    def families(self) -> tuple[Family, ...]:
        """The processes of its nodes."""
        return tuple(node.family for node in (self.head, self.second) if node is not None)

    def end(self) -> None:
        """End both nodes."""
        for node in (self.second, self.head):
            if node is not None:
                node.end()


@contextmanager
def cluster(
    env: Mapping[str, str] | None = None, before: Sequence[str] = (), nodes: int = 2
) -> Iterator[Cluster]:
    """Run one while the block lasts. `env`: what its workers see besides; `before`: see `RayNode`."""
    folder = Path(tempfile.mkdtemp(prefix="uray-", dir="/tmp"))  # short, for the sake of its sockets' paths
    running = None
    try:
        running = Cluster(folder, env or {}, before)
        if nodes == 2:
            running.start_second()
        running.head.await_start()
        yield running
    finally:
        if running is not None:
            running.end()
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
