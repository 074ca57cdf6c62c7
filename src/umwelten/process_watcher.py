"""The process between umwelten and a program that it starts: it ends the program, and all that this started.

It is started as a script, never imported: `process_watcher.py LIFELINE PARENT FOLDER PROGRAM …`. It imports
nothing of umwelten, so it starts fast. The program gets its stdin, stdout, stderr and environment, so that
nothing is copied on the way. FOLDER is removed at the end, "" for none.

Only umwelten holds the other end of the pipe LIFELINE, so its end means that umwelten is done with the
program, or is gone, whatever killed it. The program, whose stdin ends then as well, has `_GRACE_S` to end,
and `_AFTER_TERM_S` after SIGTERM; then its whole process group is killed. SIGTERM to the watcher: at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 1.0
"""Servers end within 0.1 s of the end of stdin; one that has to write something down may take longer."""
_AFTER_TERM_S = 0.5
_LOOK_FOR_PARENT_EVERY_S = 1.0
_SWEEP_S = 2.0
_NOT_STARTED = 127
"""The status with which a shell ends whose command cannot be started."""


class _Signals:
    """Signals as they come: each wakes up `wait`. `hurry`: SIGTERM came."""

    def __init__(self) -> None:
        self.hurry = False
        self._woken, wake = os.pipe()
        for end in (self._woken, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        # Ctrl-C reaches every process at the terminal; the parent decides when this one ends.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, lambda *_: None)
        signal.signal(signal.SIGTERM, self._note_hurry)

    def wait(self, timeout_s: float, lifeline: int | None = None) -> bool:
        """Wait for a signal or the end of the lifeline; returns whether it was the latter."""
        ends = [self._woken] if lifeline is None else [self._woken, lifeline]
        ready, _, _ = select.select(ends, [], [], timeout_s)
        with contextlib.suppress(BlockingIOError):
            os.read(self._woken, 512)
        return lifeline in ready

    def _note_hurry(self, *_: object) -> None:
        self.hurry = True


def main() -> None:
    """Run the program until it ends, the lifeline or the parent does, or SIGTERM comes."""
    lifeline, parent, folder, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    signals = _Signals()
    _exit_with_parent(parent)
    server = _start(command, lifeline)
    for stream in (0, 1):  # otherwise the server's pipes would stay open when it ends
        _redirect_to_null(stream)
    status = _wait(server, lifeline, parent, signals)
    _sweep(server)
    if folder:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
    os._exit(status)


def _exit_with_parent(parent: int) -> None:
    """On Linux, have the kernel say when the parent's thread that started this process ends.

    Processes that leave the server's group, or outlive it, become children of this one.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_PDEATHSIG, signal.SIGHUP)
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    if os.getppid() != parent:  # it ended before the request to the kernel
        os._exit(0)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, int(value))


def _start(command: list[str], lifeline: int) -> int:
    """Start the server in a session of its own and return its pid."""
    watcher = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.close(lifeline)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGHUP, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        if sys.platform == "linux":
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != watcher:
                os._exit(0)
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(_NOT_STARTED)


def _redirect_to_null(stream: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, stream)
    os.close(null)


def _wait(server: int, lifeline: int, parent: int, signals: _Signals) -> int:
    """Wait for the server's end, and bring it about where umwelten is done with it; returns a status."""
    while (status := _ended(server)) is None:
        is_over = signals.wait(_LOOK_FOR_PARENT_EVERY_S, lifeline)
        # Another process may have inherited the other end of the lifeline.
        if is_over or signals.hurry or os.getppid() != parent:
            return _end(server, signals)
    return status


def _end(server: int, signals: _Signals) -> int:
    """Give the server time to end by itself; returns its status, that of SIGKILL where it does not."""
    for number, grace_s in ((0, _GRACE_S), (signal.SIGTERM, _AFTER_TERM_S)):
        _signal_group(server, number)
        until = time.monotonic() + grace_s
        while not signals.hurry and (left_s := until - time.monotonic()) > 0:
            if (status := _ended(server)) is not None:
                return status
            signals.wait(left_s)
    return 128 + signal.SIGKILL


def _ended(server: int) -> int | None:
    """Return the server's exit status, `None` while it runs. Reaps all that ended."""
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == server:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if not pid:
                return None
    except ChildProcessError:
        return 0


def _sweep(server: int) -> None:
    """Kill what is left of the server, its group, and its descendants that left the group."""
    _signal_group(server, signal.SIGKILL)
    until = time.monotonic() + _SWEEP_S
    while time.monotonic() < until:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            for child in _children():
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.005)


def _signal_group(server: int, number: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(server, number)


def _children() -> list[int]:
    """Return the children of this process, those of whom it became the parent included."""
    found = []
    own = os.getpid()
    for name in os.listdir("/proc") if sys.platform == "linux" else ():  # noqa: PTH208 - `pathlib` is slow to load
        with contextlib.suppress(OSError, ValueError, IndexError):
            # After the name in brackets, which may hold anything: the state, and the parent.
            if int(_read(f"/proc/{int(name)}/stat").rpartition(b")")[2].split()[1]) == own:
                found.append(int(name))
    return found


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return file.read()


if __name__ == "__main__":
    main()
