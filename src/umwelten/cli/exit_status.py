"""The exit status of a command that does several things, each with a status of its own."""

from __future__ import annotations

from collections.abc import Iterable

from umwelten.cli.interrupts import INTERRUPTED

MISSED = 4
"""A gate is missed, or a score regressed."""
_BY_GRAVITY = (0, 1, 3, MISSED, INTERRUPTED)


def gravest(statuses: Iterable[int]) -> int:
    """Return the status that counts: an interrupt before a missed gate, a stop, failures; 0 for none."""
    return max(statuses, key=_BY_GRAVITY.index, default=0)
