"""The workers of runs on several processes, and what came of the attempts that each of them made."""

from __future__ import annotations

import sqlite3

from umwelten.report import stats
from umwelten.report.models import WorkerSums
from umwelten.report.queries.attempts import ANSWERED
from umwelten.report.queries.status import iso
from umwelten.types import FrozenStruct


class AttemptWorker(FrozenStruct):
    """Who made an attempt. `worker` counts from 1 within the run; `node` is what its cluster calls the
    machine, `None` where nothing is stored of it.
    """

    worker: int
    node: str | None
    address: str | None


def worker_of(connection: sqlite3.Connection, attempt: sqlite3.Row) -> AttemptWorker:
    """Return the worker that made a stored attempt."""
    row = connection.execute(
        "SELECT node, address FROM workers WHERE run_id = ? AND worker = ?",
        (attempt["run_id"], attempt["worker"]),
    ).fetchone()
    node, address = (None, None) if row is None else row
    return AttemptWorker(worker=attempt["worker"], node=node, address=address)


def worker_sums(connection: sqlite3.Connection) -> tuple[WorkerSums, ...]:
    """Return the workers of all runs in order; none, without reading the attempts, where no run had any."""
    workers = connection.execute("SELECT * FROM workers ORDER BY run_id, worker").fetchall()
    if not workers:
        return ()
    outcomes: dict[tuple[int, int], dict[str, int]] = {}
    times: dict[tuple[int, int], float] = {}
    rows = connection.execute(
        f"""SELECT run_id, worker, coalesce(error_kind, '{ANSWERED}') AS outcome, count(*) AS n,
            total(latency_s)
        FROM attempts WHERE worker IS NOT NULL GROUP BY run_id, worker, error_kind ORDER BY n DESC, outcome"""
    )
    for run, worker, outcome, n, time_s in rows:
        outcomes.setdefault((run, worker), {})[outcome] = n
        times[run, worker] = times.get((run, worker), 0.0) + time_s
    return tuple(_sums(row, outcomes, times) for row in workers)


def _sums(
    row: sqlite3.Row, outcomes: dict[tuple[int, int], dict[str, int]], times: dict[tuple[int, int], float]
) -> WorkerSums:
    key = (row["run_id"], row["worker"])
    counts = dict(outcomes.get(key, {}))
    answered, attempts = counts.pop(ANSWERED, 0), sum(outcomes.get(key, {}).values())
    return WorkerSums(
        run=row["run_id"],
        worker=row["worker"],
        node=row["node"],
        address=row["address"],
        pid=row["pid"],
        joined_at=iso(row["joined_at"]),
        left_at=None if row["left_at"] is None else iso(row["left_at"]),
        why=row["why"],
        attempts=attempts,
        answered=answered,
        failures=counts,
        mean_s=round(times.get(key, 0.0) / attempts, stats.DIGITS) if attempts else None,
        cpu_s=stats.rounded(row["cpu_s"]),
    )
