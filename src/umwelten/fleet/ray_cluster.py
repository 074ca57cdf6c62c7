"""A Ray cluster on this machine for one run: its processes, from their start to their end.

The cluster is started by a process of its own, which is not in the terminal's process group, has no API keys
in its environment, and ends with this process, however that ends (`process_watcher`).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Collection
from pathlib import Path

from umwelten import child_processes
from umwelten.errors import UmweltenError
from umwelten.phrases import Phrase
from umwelten.private_files import write_private

_PACKAGE = Path(__file__).parents[1]
_WATCHER = _PACKAGE / "process_watcher.py"
_HEAD = "from umwelten.fleet.ray_api import run_head; run_head()"
_START_S = 60.0
"""Ray starts in 5 to 10 s; on a busy machine it takes several times as long."""
_END_S = 5.0
"""The watcher kills all processes within 2 s."""
_LOOK_EVERY_S = 0.05

TOKEN = secrets.token_hex(32)
"""What the processes of a cluster of this process ask each other for. Ray reads it once in a process, so all
clusters have the same."""

LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Where it is "0", Ray listens on 127.0.0.1 alone, which it does by itself on macOS and Windows."""

SETTINGS = {"RAY_AUTH_MODE": "token", LOOPBACK: "0"}
"""Variables that both ends need: the cluster's processes, and the one that connects to it."""

_ALSO = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONSAFEPATH": "1"}


class LocalCluster:
    """A cluster that was started by `start_cluster`."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], lifeline: int) -> None:
        self.address = ""
        self._folder, self._process = folder, process
        self._lifeline: int | None = lifeline
        child_processes.remember(self)

    @property
    def variables(self) -> dict[str, str]:
        """What a process needs in its environment to connect."""
        return {**SETTINGS, "RAY_AUTH_TOKEN_PATH": str(self._folder / "token")}

    def kill(self) -> None:
        """Have the watcher kill all processes at once."""
        self._process.terminate()

    async def wait_until_ready(self) -> None:
        """Wait until it can be connected to. Raises `UmweltenError` where it does not start."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _START_S
        address = self._folder / "address"
        while not address.exists():
            status = self._process.poll()
            if status is not None or loop.time() > until:
                late = f"it was not ready after {_START_S:.0f} s"
                why = self._last_line() or (late if status is None else f"it ended with status {status}")
                raise UmweltenError(
                    f"Ray could not be started on this machine: {why}",
                    Phrase(
                        "'ray start --head' may say more; {option:engine=ray:auto} uses the cluster that it "
                        "starts."
                    ),
                )
            await asyncio.sleep(_LOOK_EVERY_S)
        self.address = address.read_text().strip()

    async def stop(self) -> None:
        """End all processes; their files are removed. Safe to call twice."""
        self.kill()
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, _END_S)

    def _last_line(self) -> str:
        with contextlib.suppress(OSError):
            lines = (self._folder / "start.log").read_text(errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""


def start_cluster(cpus: int, hidden: Collection[str]) -> LocalCluster:
    """Start the processes of a cluster with so many CPUs, without these variables in their environment.

    Raises `UmweltenError` where the system refuses that.
    """
    try:
        return _start_cluster(cpus, hidden)
    except OSError as error:
        raise UmweltenError(
            f"Ray could not be started on this machine: {error}",
            "It needs room for its files in /tmp, and some 20 processes.",
        ) from error


def _start_cluster(cpus: int, hidden: Collection[str]) -> LocalCluster:
    # The path of a socket has 103 bytes at most, of which Ray's names take 75: no long TMPDIR.
    root = "/tmp" if os.name == "posix" else None  # noqa: S108 - a new folder of mode 0700
    folder = Path(tempfile.mkdtemp(prefix="umw-", dir=root))
    try:
        write_private(folder / "token", TOKEN.encode())
        ended, lifeline = os.pipe()
        try:
            with (folder / "start.log").open("wb") as log:
                process = subprocess.Popen(
                    (
                        *(sys.executable, "-I", "-S", str(_WATCHER), str(ended), str(os.getpid())),
                        str(folder),
                        *(sys.executable, "-P", "-c", _HEAD, str(folder), str(cpus)),
                    ),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=_environment(folder, hidden),
                    pass_fds=(ended,),
                    start_new_session=True,  # Ctrl-C at the terminal must reach this process alone
                )
        except BaseException:
            os.close(lifeline)
            raise
        finally:
            os.close(ended)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return LocalCluster(folder, process, lifeline)


def _environment(folder: Path, hidden: Collection[str]) -> dict[str, str]:
    """Return the environment of the cluster's processes, workers included: they import this umwelten."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in hidden and not name.startswith("RAY_")
    }
    source = str(_PACKAGE.parent)
    if source not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        kept["PYTHONPATH"] = os.pathsep.join((source, kept.get("PYTHONPATH", "")))
    if "PYTHONPATH" in kept:
        # An empty entry, as after a colon at the end, is the working directory, which may be a stranger's.
        kept["PYTHONPATH"] = os.pathsep.join(filter(None, kept["PYTHONPATH"].split(os.pathsep)))
    return {**kept, **SETTINGS, **_ALSO, "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
