"""How much memory a run over large files takes, measured from outside."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path

from provider import clean_environment, provider_process
from umwelten.simulate.faultserver.profile import Behaviour, Profile


def write_pictures(root: Path, count: int, size: int) -> None:
    """`count` files that begin as a picture does and take no room on the disk."""
    (root / "in").mkdir(parents=True)
    for n in range(count):
        with (root / "in" / f"{n:03}.png").open("wb") as file:
            file.write(b"\x89PNG\r\n\x1a\n%03d" % n)
            file.truncate(size)


def peak_bytes(root: Path, count: int, *, models: str, in_flight: int, latency_s: float = 0.5) -> int:
    """The most that the command line held while it sent `count` pictures to each of `models`."""
    with provider_process(Profile(default=Behaviour(latency_s=latency_s), records=0)) as server:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "umwelten", "eval", "batch", "-p", "go", "-m", models, "-i", "s"),
                *("--directory", "in", "--max-concurrency", str(in_flight), "--progress", "none"),
            ],
            cwd=root,
            env=clean_environment(server.env()),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        ended = threading.Event()
        seen: list[int] = []
        watching = threading.Thread(target=_watch, args=(process.pid, ended, seen))
        watching.start()
        with process.stderr:
            said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        ended.set()
        watching.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, said
        assert server.counts()["totals"]["answered"] == count * len(models.split(","))
    return max(seen) if seen else usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _watch(pid: int, ended: threading.Event, seen: list[int]) -> None:
    """On Linux, the high-water mark as the process itself has it, every now and then.

    What the system tells at the end starts at the size of the process that this one was forked from.
    """
    status = Path(f"/proc/{pid}/status")
    while not ended.wait(0.02):
        with contextlib.suppress(OSError, IndexError):
            seen.append(int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024)
