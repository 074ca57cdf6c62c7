"""A scorer's process as its parent sees it: started, written to, read from, ended. POSIX only."""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from umwelten import child_processes
from umwelten.errors import EXHAUSTED, MachineError, UsageError
from umwelten.inputs.workers.interpreter import find_interpreter, import_path
from umwelten.types import FrozenStruct

_SCRIPT = Path(__file__).with_name("child_main.py")
_CHUNK = 1 << 16
LONGEST_LINE = 16 << 20
"""Bytes of a reply: a reason and the parts of a large record take some thousands."""
_END_S = 5.0
"""Seconds for the processes to be gone once they are told. They are killed, so it takes milliseconds."""


class Launch(FrozenStruct):
    """What is started: a program's `words`, or what `child_loop` makes of the settings."""

    settings: Mapping[str, Any]
    environment: Mapping[str, str]
    folder: Path
    words: tuple[str, ...] = ()


class Child:
    """A running process. Raises `MachineError` where it can't be started.

    `output` and `errors` have been read from it and not been taken yet.
    """

    def __init__(self, launch: Launch) -> None:
        if sys.platform == "win32":
            raise UsageError("scorers in a process of their own run on Linux and macOS only")
        read_end, self._lifetime = os.pipe()
        settings = {**launch.settings, "words": launch.words, "path": import_path(), "lifetime": read_end}
        try:
            self._process = subprocess.Popen(
                [find_interpreter("answers can't be scored"), "-I", str(_SCRIPT)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(launch.environment),
                cwd=launch.folder,
                pass_fds=(read_end,),
                start_new_session=True,  # Ctrl-C at the terminal must reach the parent alone
            )
        except OSError as error:
            os.close(self._lifetime)
            raise MachineError(
                f"the process that scores cannot be started: {error.strerror}",
                exhausted=error.errno in EXHAUSTED,
            ) from error
        finally:
            os.close(read_end)
        child_processes.remember(self)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._in, self._out, self._err = self._process.stdin, self._process.stdout, self._process.stderr
        for stream in (self._in, self._out, self._err):
            os.set_blocking(stream.fileno(), False)
        data = json.dumps(settings).encode()
        self._unsent = bytearray(len(data).to_bytes(8, "little") + data)
        self._closes_input = False
        self.has_ended = False
        self.output, self.errors = bytearray(), bytearray()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def unsent(self) -> int:
        """Bytes that it has not taken yet."""
        return len(self._unsent)

    def send(self, data: bytes) -> None:
        """Write when it reads."""
        self._unsent += data

    @property
    def takes_input(self) -> bool:
        """Whether more can be sent."""
        return not self._closes_input and not self._in.closed

    def end_input(self) -> bool:
        """Close its stdin once all is written; false if that was asked for before."""
        was_asked, self._closes_input = self._closes_input, True
        self._close_input()
        return not was_asked

    def move(self, wait_s: float) -> bool:
        """Write and read what can be, waiting at most so long; `has_ended` is true once nothing more comes.

        Return whether it took anything or replied; what it prints does not count.
        """
        polled = select.poll()  # `select` has no room for what is open beside a large batch
        for stream in (self._out, self._err):
            if not stream.closed:
                polled.register(stream, select.POLLIN)
        if self._unsent and not self._in.closed:
            polled.register(self._in, select.POLLOUT)
        # Rounded up: a wait of less than a millisecond would be none.
        ready = {descriptor for descriptor, _ in polled.poll(math.ceil(max(wait_s, 0) * 1_000))}
        writes, reads = (not each.closed and each.fileno() in ready for each in (self._in, self._out))
        if not self._err.closed and self._err.fileno() in ready:
            self._read(self._err, self.errors)
        if writes:
            self._write()
        if reads and not self._read(self._out, self.output):
            self.has_ended = True
        return writes or reads

    def kill(self) -> None:
        """End it and all that it has started, without waiting."""
        # The process that waits there kills the others: it must not be killed itself.
        lifetime, self._lifetime = self._lifetime, -1
        if lifetime >= 0:
            with contextlib.suppress(OSError):
                os.close(lifetime)
        # One that has not read its settings yet waits for nothing else.
        with contextlib.suppress(OSError):
            self._in.close()

    def close(self) -> str:
        """End it, and return how it had ended: `status 1`, `SIGSEGV`."""
        ended_by_itself = self.has_ended and self._await_end()
        self.kill()
        with contextlib.suppress(OSError):
            self._in.close()  # one that has not been told what to do waits for that, and for nothing else
        if not ended_by_itself:
            self._await_end()
        for stream in (self._err, self._in, self._out):
            if not stream.closed:
                if stream is self._err:
                    self._read(stream, self.errors)
                with contextlib.suppress(OSError):
                    stream.close()
        status = self._process.poll()
        if status is None:  # what waits there was stopped
            self._process.kill()
            status = self._process.wait()
        with contextlib.suppress(ValueError):
            return signal.Signals(status - 128).name
        return f"status {status}"

    def _await_end(self) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
            return True
        return False

    def _write(self) -> None:
        try:
            count = os.write(self._in.fileno(), memoryview(self._unsent)[:_CHUNK])
        except BlockingIOError:
            return
        except OSError:  # it reads no more: its end, if that is one, comes by the other pipe
            self._unsent.clear()
            self._in.close()
            return
        del self._unsent[:count]
        self._close_input()

    def _close_input(self) -> None:
        if self._closes_input and not self._unsent and not self._in.closed:
            self._in.close()

    @staticmethod
    def _read(stream: Any, into: bytearray) -> bool:
        """Add what has come; false at the end."""
        try:
            data = os.read(stream.fileno(), _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            stream.close()
        into += data
        return bool(data)


def first_line(child: Child, wait_s: float) -> bytes | None:
    """Return the first line that it says, `None` if it ends before or that takes longer."""
    until = time.monotonic() + wait_s
    while b"\n" not in child.output and not child.has_ended and time.monotonic() < until:
        child.move(until - time.monotonic())
    line, found, rest = bytes(child.output).partition(b"\n")
    if not found:
        return None
    child.output[:] = rest
    return line
