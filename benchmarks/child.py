"""Runs one contestant as a child process and says what it took."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.provider import CONTESTANT_CORES


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A child that ended. CPU is user and system time of it and of the children it waited for.

    `began` is the Unix time of its start. `late`: it was stopped because its time was up.
    """

    began: float
    wall_s: float
    cpu_s: float
    peak_mb: float
    status: int
    late: bool
    said: str


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    limit_s: float,
    terminal: bool = False,
    cores: set[int] | None = None,
) -> Ran:
    """Run to its end or for `limit_s`. Its stdout and stderr go to a file, or its stderr to a `terminal`."""
    log = cwd / "said.txt"
    master, slave = pty.openpty() if terminal else (-1, -1)
    if terminal:
        threading.Thread(target=_drain, args=(master,), daemon=True).start()
    with log.open("wb") as out:
        began, start = time.time(), time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=slave if terminal else out,
            start_new_session=True,
        )
        os.sched_setaffinity(process.pid, cores or CONTESTANT_CORES)
        timer = _Deadline(process.pid, limit_s)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # nobody outlives a harness that is broken off
            raise
        wall_s = time.perf_counter() - start
        late = timer.ended()
        process.returncode = os.waitstatus_to_exitcode(status)
    if terminal:
        os.close(slave)
    return Ran(
        began=began,
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        status=process.returncode,
        late=late,
        said=log.read_text(errors="replace"),
    )


class _Deadline:
    """Ends a child's whole session when its time is up: first kindly, then for good."""

    def __init__(self, group: int, limit_s: float) -> None:
        self._group, self._late = group, False
        self._timers = [
            threading.Timer(limit_s, self._signal, [signal.SIGTERM]),
            threading.Timer(limit_s + 5, self._signal, [signal.SIGKILL]),
        ]
        for timer in self._timers:
            timer.daemon = True
            timer.start()

    def _signal(self, number: int) -> None:
        self._late = True
        try:
            os.killpg(self._group, number)
        except ProcessLookupError:
            return

    def ended(self) -> bool:
        """The child is gone. Whether it had to be ended."""
        for timer in self._timers:
            timer.cancel()
        return self._late


def _drain(master: int) -> None:
    try:
        while os.read(master, 65536):
            pass
    except OSError:
        return
    finally:
        os.close(master)
