"""Where the time in flight went: attempts by model and outcome."""

from __future__ import annotations

import sqlite3

from umwelten.report import stats
from umwelten.report.models import AttemptSums
from umwelten.report.queries.current_calls import MODEL_OF
from umwelten.report.queries.variants import variants

ANSWERED = "answered"


def spent(connection: sqlite3.Connection) -> tuple[AttemptSums, ...]:
    """By model in their order; answers first, then the failures that took longest."""
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
