"""What was changed in the runs of an evaluation while they went on."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from umwelten.errors import StoreError
from umwelten.report.models import RunChange
from umwelten.report.queries.status import iso


def changes(connection: sqlite3.Connection) -> tuple[RunChange, ...]:
    """Return the changes of all runs, the oldest first. Raises StoreError for what no run has written."""
    rows = connection.execute(
        "SELECT at, key, scope, old, new, via, author, reason FROM changes ORDER BY at, id"
    )
    return tuple(
        RunChange(
            at=iso(at),
            key=key,
            scope=scope,
            old=_value(old),
            new=_value(new),
            via=via,
            author=author,
            reason=reason,
        )
        for at, key, scope, old, new, via, author, reason in map(tuple, rows)
    )


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(f"the database is damaged: a change of a run cannot be read: {error}") from error
