"""What the lanes' limits did, and what the lanes waited for."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from umwelten.control.attribution import Reason
from umwelten.report import stats
from umwelten.report.models import LaneAttribution, Throttling


def throttling(connection: sqlite3.Connection) -> tuple[Throttling, ...]:
    """Return one row a lane whose limit moved, by name."""
    rows = connection.execute(
        """WITH steps AS (
            SELECT lane, "limit" AS now, rowid AS n,
              lag("limit") OVER (PARTITION BY run_id, lane ORDER BY at, rowid) AS before,
              row_number() OVER (PARTITION BY lane ORDER BY at DESC, rowid DESC) AS from_last
            FROM limit_changes)
        SELECT lane, count(*) AS changes, total(now < before) AS cuts, min(now) AS lowest,
            max(now) AS highest, max(CASE WHEN from_last = 1 THEN now END) AS last
        FROM steps GROUP BY lane ORDER BY lane"""
    )
    return tuple(
        Throttling(
            lane=row["lane"],
            changes=row["changes"],
            cuts=int(row["cuts"]),
            lowest=round(row["lowest"], stats.DIGITS),
            highest=round(row["highest"], stats.DIGITS),
            last=round(row["last"], stats.DIGITS),
        )
        for row in rows
    )


WAITED_FOR: Mapping[str, str] = {
    Reason.LATENCY: "the last answers: all work was under way",
    Reason.CONCURRENCY: "a free slot: all were taken",
    Reason.REQUESTS: "the provider's limit of requests",
    Reason.TOKENS: "the provider's limit of tokens",
    Reason.BACKOFF: "the wait before a retry",
    Reason.TOOLS: "the tools that models called",
    Reason.COST: "the cost cap",
    Reason.PAUSED: "the end of a pause",
    Reason.WORKERS: "a worker: none was there",
    Reason.CPU: "the processor of this machine",
    Reason.NO_WORK: "calls to make: it had none",
}
"""The reasons of the table `attributions`, in words."""


def attributions(connection: sqlite3.Connection) -> tuple[LaneAttribution, ...]:
    """Return seconds by lane and reason, the longest first; none where the store keeps none."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(attributions)")}
    if not {"lane", "reason", "seconds"} <= columns:
        return ()
    rows = connection.execute(
        """WITH sums AS (SELECT lane, reason, total(seconds) AS s FROM attributions GROUP BY lane, reason)
        SELECT lane, reason, s, s / sum(s) OVER (PARTITION BY lane) FROM sums WHERE s > 0
        ORDER BY lane, s DESC, reason"""
    )
    return tuple(
        LaneAttribution(
            lane=lane,
            reason=reason,
            seconds=round(seconds, stats.DIGITS),
            share=round(share, stats.DIGITS),
        )
        for lane, reason, seconds, share in rows
    )
