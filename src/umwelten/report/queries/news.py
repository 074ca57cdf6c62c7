"""What came to an evaluation since an attempt: read by rowid, so it costs what is new and no more."""

from __future__ import annotations

import sqlite3

from umwelten.report.queries.attempts import MODEL_OF
from umwelten.report.queries.running_totals import Head, head, last_attempt
from umwelten.store.reader import Reader
from umwelten.store.tables import input_id_sql
from umwelten.types import FrozenStruct

MOST = 100
"""Attempts that are told one by one; of more, only how many there were."""

_ATTEMPTS = f"""SELECT a.id, a.call_id, a.error_kind, a.latency_s, a.started_at, m.name AS model,
        nullif(i.name, '') AS file
    FROM attempts a JOIN models m ON m.id = {MODEL_OF}
    LEFT JOIN inputs i ON i.id = {input_id_sql("a.call_id")}
    WHERE a.id > ? ORDER BY a.id DESC LIMIT {MOST}"""


class NewAttempt(FrozenStruct):
    """An attempt that ended. `kind`: of the failure, `None` for an answer."""

    id: int
    call: int
    model: str
    file: str | None
    kind: str | None
    response_s: float
    ended_at: float


class News(FrozenStruct):
    """What came since the attempt before: how many attempts, the latest of them, and the runs as they are."""

    last: int
    count: int
    attempts: tuple[NewAttempt, ...]
    head: Head


def data_version(reader: Reader) -> int:
    """Return a number that another program's commit changes, for this connection alone. It costs nothing."""
    return int(reader.connection.execute("PRAGMA data_version").fetchone()[0])


def news_since(reader: Reader, last: int | None, before: Head | None = None) -> News:
    """Return what came after the attempt `last`; `None`: from now on. `before`: as for `head`."""
    newest = last_attempt(reader.connection)
    last = newest if last is None or last > newest else last
    rows = reader.connection.execute(_ATTEMPTS, (last,)).fetchall() if newest > last else []
    attempts = tuple(_attempt(row) for row in reversed(rows))
    return News(last=newest, count=newest - last, attempts=attempts, head=head(reader, before))


def _attempt(row: sqlite3.Row) -> NewAttempt:
    return NewAttempt(
        id=row["id"],
        call=row["call_id"],
        model=row["model"],
        file=row["file"],
        kind=row["error_kind"],
        response_s=row["latency_s"],
        ended_at=row["started_at"] + row["latency_s"],
    )
