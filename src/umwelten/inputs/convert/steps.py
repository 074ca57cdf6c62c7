"""Limits of what native code does with a file: processor time of one step, and memory.

Python can't interrupt a library that draws a page for a minute; the kernel can end the process, which then
has to be one for conversions alone. Elsewhere, and on Windows, nothing is limited.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PAGE_S = 5.0
"""Seconds of processor time for a page of a PDF: a map of 100,000 lines takes one."""

STEP_S = 10.0
"""The same for a picture, for a sheet, and to open a PDF: 100 million pixels take 3."""

PDF_BYTES = 300_000_000
"""What a PDF may take beside itself: large scans and maps take up to 180 MB."""

ENDED_BY = getattr(signal, "SIGPROF", None)
"""The signal that ends a process whose step takes too long."""


class _Process:
    """This one, whose state it is: whether it may be ended."""

    may_end = False


def may_end_process() -> None:
    """Say that this process is one for conversions, which may be ended."""
    if ENDED_BY is not None:
        signal.signal(ENDED_BY, signal.SIG_DFL)
        _Process.may_end = True


def begin(seconds: float) -> None:
    """Begin a step of at most so many seconds of processor time, within `limited`."""
    if _Process.may_end:
        signal.setitimer(signal.ITIMER_PROF, seconds)


@contextmanager
def limited(seconds: float, more_bytes: int | None = None) -> Iterator[None]:
    """Limit the first step, and what is mapped beyond what is already, until the end."""
    if not _Process.may_end:
        yield
        return
    begin(seconds)
    try:
        with _memory(more_bytes):
            yield
    finally:
        begin(0)


@contextmanager
def _memory(more_bytes: int | None) -> Iterator[None]:
    if more_bytes is None or sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = _mapped_bytes() + more_bytes
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard), hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _mapped_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
