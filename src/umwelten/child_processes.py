"""The child processes that must not outlive this one, however it ends."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import Protocol


class Killable(Protocol):
    """A process, by `subprocess` or `asyncio`."""

    def kill(self) -> None:
        """End it at once."""


# State of the process, as its children are.
_children: weakref.WeakSet[Killable] = weakref.WeakSet()
# A set that another thread adds to cannot be copied meanwhile.
_lock = threading.Lock()


def remember(child: Killable) -> None:
    """End this child in `end_all`, if it is still running then."""
    with _lock:
        _children.add(child)


def end_all() -> None:
    """End all of them at once."""
    with _lock:
        children = tuple(_children)
    for child in children:
        with contextlib.suppress(OSError):
            child.kill()
