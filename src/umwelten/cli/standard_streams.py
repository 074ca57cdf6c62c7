"""stdout and stderr as the commands use them: what is said must not decide what is done.

stderr holds notes. What cannot be written there (nobody reads, the disk is full) is dropped, whoever wrote
it.

stdout holds results. A reader that goes away (`| head`) wants no more of them: the command ends, and well. A
disk that is full is an error. Either ends a command that only prints; one that makes calls goes on after
`work_comes_first`, and `lost_output` tells it what became of stdout.
"""

from __future__ import annotations

import errno
import io
import os
import select
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from umwelten.errors import UmweltenError

# Windows has no number of its own for a pipe without a reader.
_GONE = frozenset((errno.EPIPE, errno.EINVAL) if os.name == "nt" else (errno.EPIPE,))


_ANY_WIDTH = 10_000  # where a program reads, names stay whole


class OutputLost(UmweltenError):
    """Results that could not be written to stdout."""


class _Raw(io.FileIO):
    """A standard stream that writes all of what it is given, also if it does not block."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)

    def _write_all(self, data: Any) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            written = super().write(left)
            if written is None:
                select.select((), (self,), ())
            else:
                left = left[written:]
        return size


class _Stderr(_Raw):
    def write(self, data: Any) -> int:
        try:
            return self._write_all(data)
        except OSError:
            return len(memoryview(data).cast("B"))


class _Stdout(_Raw):
    """After the first failure, which is `problem`, it takes what is written and drops it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self.problem: OSError | None = None
        self.raises = True

    def write(self, data: Any) -> int:
        try:
            return self._write_all(data) if self.problem is None else len(memoryview(data).cast("B"))
        except OSError as error:
            self.problem = error
            if not self.raises:
                return len(memoryview(data).cast("B"))
            if error.errno in _GONE:
                raise click.exceptions.Exit(0) from None
            raise OutputLost(f"cannot write to standard output: {error.strerror}") from None


def prepare() -> None:
    """Put our streams in the place of Python's; to be called once, at the start.

    A character that the terminal's encoding lacks is shown as an escape. A stream that was closed by the
    caller (`>&-`) is empty, or takes what is written and drops it.
    """
    _fill_descriptors()
    sys.stdin = sys.stdin or Path(os.devnull).open()  # noqa: SIM115 - open to the end of the process
    sys.stdout = _replaced(sys.stdout, _Stdout)
    sys.stderr = _replaced(sys.stderr, _Stderr)


def work_comes_first() -> None:
    """From now on, what becomes of stdout ends nothing."""
    stdout = _raw(sys.stdout)
    if isinstance(stdout, _Stdout):
        stdout.raises = False


def output_width() -> int:
    """Return how many columns a line of results may have: all, unless stdout is a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _ANY_WIDTH


def lost_output() -> str | None:
    """Why results are missing on stdout; `None` if all were taken, or their reader went away."""
    stdout = _raw(sys.stdout)
    problem = stdout.problem if isinstance(stdout, _Stdout) else None
    return None if problem is None or problem.errno in _GONE else problem.strerror


def _fill_descriptors() -> None:
    """No file of ours may get the number of a standard stream: whatever is said there would be in it."""
    if os.name == "nt":
        return
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is given, and those below are taken by now.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _raw(stream: Any) -> object:
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def _replaced(stream: Any, kind: type[_Raw]) -> Any:
    """The stream over a file of this kind. A console of Windows and what a test put there stay."""
    if stream is None:
        return Path(os.devnull).open("w")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    if type(_raw(stream)) is not io.FileIO:
        stream.reconfigure(errors="backslashreplace")
        return stream
    stream.flush()
    raw = kind(stream.fileno())
    return io.TextIOWrapper(
        # Python was started without buffers where the stream has none.
        raw if stream.buffer is _raw(stream) else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
