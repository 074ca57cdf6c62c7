"""What was changed in the runs of an evaluation while they went on."""

from __future__ import annotations

import sqlite3

import msgspec

from umwelten.report.models import RunChange
from umwelten.report.queries.status import iso


def changes(connection: sqlite3.Connection) -> tuple[RunChange, ...]:
    """Return the changes of all runs, the oldest first."""
    rows = connection.execute(
        "SELECT at, key, scope, old, new, via, author, reason FROM changes ORDER BY at, id"
    )
    return tuple(
        RunChange(
            at=iso(at),
            key=key,
            scope=scope,
            old=msgspec.json.decode(old),
            new=msgspec.json.decode(new),
            via=via,
            author=author,
            reason=reason,
        )
        for at, key, scope, old, new, via, author, reason in map(tuple, rows)
    )
