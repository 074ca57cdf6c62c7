"""A command and all processes that come of it, whatever becomes of their parents. Linux."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
MARK = "TEST_FAMILY"


class Process(NamedTuple):
    """A process as it is now. CPU is user and system time of it alone."""

    pid: int
    session: int
    state: str
    cpu_s: float
    began: int
    command: str


class Family:
    """The processes of all sessions in which one has been seen with `env` in its environment.

    Ray moves its processes to other groups, and overwrites the environment of some with a title; but all of a
    node are in one session.
    """

    def __init__(self) -> None:
        self._word = f"{os.getpid()}-{time.monotonic_ns()}"
        self.env = {MARK: self._word}
        self._sessions: set[int] = set()
        self._strangers: set[tuple[int, int]] = set()

    def processes(self) -> list[Process]:
        """Return those that are there, without those that have ended and nobody waited for."""
        found = [process for process in _processes() if process.state not in "ZX"]
        for process in found:
            known = (process.pid, process.began)
            if process.session not in self._sessions and known not in self._strangers:
                if self._is_marked(process.pid):
                    self._sessions.add(process.session)
                else:
                    self._strangers.add(known)
        return [process for process in found if process.session in self._sessions]

    def _is_marked(self, pid: int) -> bool:
        with suppress(OSError):
            return f"{MARK}={self._word}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        return False

    def end(self, within_s: float = 10.0) -> None:
        """Kill what is left."""
        until = time.monotonic() + within_s
        while left := self.processes():
            for process in left:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
            assert time.monotonic() < until, left
            time.sleep(0.02)

    def await_end(self, within_s: float) -> list[Process]:
        """Return what is left after so long; nothing as soon as all have ended."""
        until = time.monotonic() + within_s
        while (left := self.processes()) and time.monotonic() < until:
            time.sleep(0.05)
        return left


def _processes() -> Iterator[Process]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                cpu_s = (int(fields[11]) + int(fields[12])) / TICKS
                began = int(fields[19])
                yield Process(int(entry.name), int(fields[3]), fields[0], cpu_s, began, command.strip())


class CpuWatch:
    """Processor time of all processes that families ever had, while the block lasts.

    A process that ended counts with what it had used at the last look, `every_s` before at most.
    """

    def __init__(self, *families: Family, every_s: float = 0.1) -> None:
        self._families, self._every_s = families, every_s
        self.seen: dict[int, Process] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look_often, daemon=True)

    def __enter__(self) -> CpuWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        """Take the figures as they are now."""
        for family in self._families:
            self.seen |= {process.pid: process for process in family.processes()}

    def _look_often(self) -> None:
        while not self._ended.wait(self._every_s):
            self.look()
