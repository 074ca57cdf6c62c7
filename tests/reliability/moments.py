"""When to kill: at a random time, or at the very step of a write that a file shows (Linux: inotify)."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import subprocess
import sys
import time
from pathlib import Path

from reliability.runs import Process

_MODIFY, _MOVED_FROM, _CREATE = 0x2, 0x40, 0x100
_NONBLOCK_CLOEXEC = os.O_NONBLOCK | getattr(os, "O_CLOEXEC", 0)
_EVENT = struct.Struct("iIII")

STEPS = {
    "while writing a group": (_MODIFY, "evaluation.db-wal"),
    "before a text file's first byte": (_CREATE, ".evaluation.tmp"),
    "after writing a text file": (_MODIFY, ".evaluation.tmp"),
    "while renaming a text file": (_MOVED_FROM, ".evaluation.tmp"),
}
"""Moments by name: what the file system tells of the evaluation's folder right then."""

AT_RANDOM, AT_START = "at random", "during startup"
MOMENTS = (AT_RANDOM, *STEPS, AT_START) if sys.platform == "linux" else (AT_RANDOM, AT_START)


class Watch:
    """What happens in a folder, as it happens. Close it."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle = self._libc.inotify_init1(_NONBLOCK_CLOEXEC)
        assert self._handle >= 0
        mask = _MODIFY | _MOVED_FROM | _CREATE
        assert self._libc.inotify_add_watch(self._handle, os.fsencode(folder), mask) >= 0

    def close(self) -> None:
        os.close(self._handle)

    def wait(self, step: tuple[int, str], times: int, timeout_s: float) -> bool:
        """Until that was seen so many times; False if it was not in time."""
        kind, name = step
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._handle], [], [], left)[0]:
                return False
            for mask, seen in self._read():
                if mask & kind and seen.startswith(name):
                    times -= 1
                    if times <= 0:
                        return True
        return False

    def _read(self) -> list[tuple[int, str]]:
        data, at, found = os.read(self._handle, 65_536), 0, []
        while at < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size
            found.append((mask, data[at : at + length].rstrip(b"\0").decode()))
            at += length
        return found


def kill_at(process: Process, folder: Path, moment: str, *, after_s: float, times: int) -> bool:
    """SIGKILL at the moment, or `after_s` after the first write; False if the process ended before."""
    if moment == AT_START or not folder.is_dir():
        _sleep(process, after_s)
    elif sys.platform == "linux":
        watch = Watch(folder)
        try:
            if moment in STEPS:
                watch.wait(STEPS[moment], times, 5.0)
            elif watch.wait((_MODIFY, "evaluation.db-wal"), 3, 5.0):
                _sleep(process, after_s)
        finally:
            watch.close()
    else:
        _sleep(process, 0.5 + after_s)
    killed = process.poll() is None
    process.kill()
    process.wait()
    return killed


def _sleep(process: Process, seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
