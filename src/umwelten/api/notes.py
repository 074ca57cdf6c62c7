"""Notes of a job: to the log `umwelten`, which says nothing unless the program sets up logging."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from umwelten.events import Event, Observer

_log = logging.getLogger("umwelten")
_log.addHandler(logging.NullHandler())
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING}


def observer(*on_event: Callable[[Event], None] | None) -> Observer:
    """Return what is told of a job's events: the log, and the program's own functions."""
    from umwelten.events import Observers

    return Observers([_log_note, *(each for each in on_event if each is not None)])


def _log_note(event: Event) -> None:
    from umwelten.events import Note

    if isinstance(event, Note):
        _log.log(_LEVELS.get(event.level, logging.DEBUG), "%s", event.text)
