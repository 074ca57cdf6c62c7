"""How many calls this process has room for in its table of open files: each takes a connection."""

from __future__ import annotations

from umwelten.attempts.open_files import attempt_room, open_file_limit, open_files
from umwelten.errors import ConfigError
from umwelten.events import Note, NoteLevel
from umwelten.phrases import Phrase, Spelling

_LEAST = 24
"""Descriptors that a run needs to begin: the event loop and the database take 11, and there is the call."""


def check_open_files() -> None:
    """Raise `ConfigError` if this process may not open enough files for a single call."""
    limit = open_file_limit()
    if limit is not None and (left := limit - open_files()) < _LEAST:
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
    room = attempt_room() if elsewhere is None else max(1, elsewhere)
    if room is None or wanted is None:
        return room or wanted
    return min(room, wanted)


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
