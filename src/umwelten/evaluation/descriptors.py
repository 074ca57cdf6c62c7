"""How many calls this process has room for in its table of open files: each takes a connection."""

from __future__ import annotations

import os
from contextlib import suppress

from umwelten.errors import ConfigError
from umwelten.events import Note, NoteLevel
from umwelten.phrases import Phrase, Spelling

_LEAST = 24
"""Descriptors that a run needs to begin: the event loop and the database take 11, and there is the call."""

_SPARE = 16
"""Descriptors that are kept for all else while calls run: inputs and answers that are read and written,
conversions in children with three pipes each, look-ups of names in threads, the list of prices."""

_MANY = 100_000
"""A higher limit is none: no run gets there."""

_ASSUMED_OPEN = 32
_LISTS = ("/proc/self/fd", "/dev/fd")


def check_open_files() -> None:
    """Raise `ConfigError` if this process may not open enough files for a single call."""
    limit = open_file_limit()
    if limit is not None and (left := limit - _open_files()) < _LEAST:
        raise ConfigError(
            f"this process may open only {max(left, 0)} more files (`ulimit -n` is {limit}), and a run needs "
            f"at least {_LEAST}",
            "Raise the limit, such as with `ulimit -n 1024`.",
        )


def within_room(wanted: int | None, elsewhere: int | None = None) -> int | None:
    """Return how many of so many calls in flight there is room for, at least 1. `None` is no limit.

    `elsewhere`: workers make the attempts, and have room for so many together; their files are not this
    process's.
    """
    limit = open_file_limit()
    if elsewhere is not None:
        room = max(1, elsewhere)
    elif limit is None:
        return wanted
    else:
        room = max(1, limit - _open_files() - _SPARE)
    return room if wanted is None else min(room, wanted)


def is_crowded(wanted: int | None, elsewhere: int | None = None) -> bool:
    """Return whether there is no room for so many calls; a higher cap would not help then."""
    return wanted is not None and within_room(wanted, elsewhere) != wanted


def crowding_note(wanted: int | None, spelling: Spelling, elsewhere: int | None = None) -> Note | None:
    """Return what to tell a user who wants more calls in flight than there is room for."""
    if not is_crowded(wanted, elsewhere):
        return None
    text = Phrase(
        "at most {room} calls in flight, not {wanted}: this process may open {files} files (`ulimit -n`). "
        "Raise that, or lower {option:max_concurrency}",
        room=within_room(wanted),
        wanted=wanted,
        files=open_file_limit(),
    )
    if elsewhere is not None:
        text = Phrase(
            "at most {room} calls in flight, not {wanted}: all workers together may open no more files "
            "(`ulimit -n` on their nodes). Raise that, start more with {option:workers}, or lower "
            "{option:max_concurrency}",
            room=within_room(wanted, elsewhere),
            wanted=wanted,
        )
    return Note(text=text.spell(spelling), level=NoteLevel.WARNING)


def open_file_limit() -> int | None:
    """Return how many files this process may have open, `None` if that is unknown or no limit."""
    try:
        import resource
    except ImportError:
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if 0 <= soft < _MANY else None


def _open_files() -> int:
    for folder in _LISTS:
        with suppress(OSError):
            return len(os.listdir(folder)) - 1  # noqa: PTH208
    return _ASSUMED_OPEN
