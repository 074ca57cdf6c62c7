"""How many files this process may have open, and how many attempts that leaves room for."""

from __future__ import annotations

import os
from contextlib import suppress

_SPARE = 16
"""Descriptors that are kept for all else while calls run: inputs and answers that are read and written,
conversions in children with three pipes each, look-ups of names in threads, the list of prices."""

_MANY = 100_000
"""A higher limit is none: no run gets there."""

_ASSUMED_OPEN = 32
_LISTS = ("/proc/self/fd", "/dev/fd")


def attempt_room() -> int | None:
    """Return how many attempts there is room for beside what is open, at least 1; `None` is no limit."""
    limit = open_file_limit()
    return None if limit is None else max(1, limit - open_files() - _SPARE)


def open_file_limit() -> int | None:
    """Return how many files this process may have open, `None` if that is unknown or no limit."""
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if 0 <= soft < _MANY else None


def open_files() -> int:
    """Return how many files are open now."""
    for folder in _LISTS:
        with suppress(OSError):
            return len(os.listdir(folder)) - 1  # noqa: PTH208
    return _ASSUMED_OPEN


def raise_file_limit() -> None:
    """Sockets and files of many calls in flight need more descriptors than shells allow by default."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
