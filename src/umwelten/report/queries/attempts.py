"""Where the time in flight went: attempts by model and outcome."""

from __future__ import annotations

import sqlite3

from umwelten.report import stats
from umwelten.report.models import AttemptSums
from umwelten.report.queries.variants import variants
from umwelten.store.reader import Reader
from umwelten.store.tables import model_id_sql
from umwelten.types import FrozenStruct

ANSWERED = "answered"

MODEL_OF = model_id_sql("a.call_id")
"""The model's number of an attempt `a`, as SQL."""


class LatestFailures(FrozenStruct):
    """Calls whose latest attempt failed in the same way, with the message of the last of them."""

    kind: str
    message: str
    calls: int


def latest_failures(reader: Reader, most: int) -> tuple[LatestFailures, ...]:
    """Return in what ways the latest attempts failed, the most frequent first, at most so many."""
    # SQLite promises that bare columns beside one max() come from the row of the maximum.
    rows = reader.connection.execute(
        """SELECT error_kind, error_message, count(*) AS n, max(id) FROM attempts
        WHERE id IN (SELECT max(id) FROM attempts GROUP BY call_id) AND error_kind IS NOT NULL
        GROUP BY error_kind ORDER BY n DESC, error_kind LIMIT ?""",
        (most,),
    )
    return tuple(LatestFailures(kind=kind, message=text or "", calls=n) for kind, text, n, _ in rows)


def attempt_sums(connection: sqlite3.Connection) -> tuple[AttemptSums, ...]:
    """Return the sums by model in their order; answers first, then the failures that took longest."""
    columns = variants(connection)
    rows = connection.execute(
        f"""SELECT m.id, coalesce(a.error_kind, '{ANSWERED}'), count(*), total(a.latency_s) AS time_s,
            sum(min(a.cost_nusd, 1000000000000000))
        FROM attempts a JOIN models m ON m.id = {MODEL_OF} AND m.active
        GROUP BY m.id, a.error_kind ORDER BY m.id, a.error_kind IS NOT NULL, time_s DESC, a.error_kind"""
    )
    return tuple(
        AttemptSums(
            model=columns[number].model,
            prompt=columns[number].prompt,
            outcome=kind,
            attempts=n,
            time_s=round(time, stats.DIGITS),
            cost_usd=stats.usd(nano),
        )
        for number, kind, n, time, nano in rows
    )
