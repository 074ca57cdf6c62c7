"""How fast calls ended over time, which limits held and what was changed: in equal steps, from sums of SQL.

As in `timeline`, the axis counts the time at work; but no attempt comes to Python, so that a million of them
take no longer than their table takes to be read.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from typing import Any

import msgspec

from umwelten.report.queries.running_totals import last_attempt
from umwelten.report.queries.timeline import REFUSED
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

STEPS = (30, 240)
"""The fewest and the most: with more steps than attempts there would be nothing to see but single ones."""
_MOST_CHANGES = 500


class LaneLimits(FrozenStruct):
    """The limit of a lane at the end of each step; `None`: not known yet."""

    lane: str
    limit: tuple[float | None, ...]


class Mark(FrozenStruct):
    """A change of a run while it went on: `at` is Unix time, `after_s` the time at work; JSON values."""

    at: float
    after_s: float
    key: str
    scope: str
    old: Any
    new: Any
    via: str
    author: str
    reason: str


class Pace(FrozenStruct):
    """`step_s` seconds a step. What ended in each: answers, refusals, and other failures of attempts.

    `breaks`: where a later run begins.
    """

    step_s: float
    answered: tuple[int, ...]
    refused: tuple[int, ...]
    failed: tuple[int, ...]
    lanes: tuple[LaneLimits, ...]
    breaks: tuple[float, ...]
    changes: tuple[Mark, ...]


def pace(reader: Reader) -> Pace:
    """Return the pace; it reads the attempts once."""
    connection = reader.connection
    steps = min(max(2 * math.isqrt(last_attempt(connection)), STEPS[0]), STEPS[1])
    runs = connection.execute(
        "SELECT id, started_at, max(coalesce(ended_at, seen_at), started_at) FROM runs ORDER BY id"
    ).fetchall()
    offsets: list[float] = []
    length = 0.0
    for _, start, end in runs:
        offsets.append(length)
        length += end - start
    length = max(length, 1e-3)
    step_s = length / steps
    sums = [[0] * steps for _ in range(3)]
    for (number, start, _), offset in zip(runs, offsets, strict=True):
        rows = connection.execute(
            f"""SELECT CAST((started_at + latency_s - ? + ?) / ? AS INTEGER) AS step,
                CASE WHEN error_kind IS NULL THEN 0 WHEN error_kind = '{REFUSED}' THEN 1 ELSE 2 END, count(*)
            FROM attempts WHERE run_id = ? GROUP BY 1, 2""",
            (start, offset, step_s, number),
        )
        for step, what, n in rows:
            sums[what][min(max(step, 0), steps - 1)] += n
    starts = [run[1] for run in runs]

    def after(at: float) -> float:
        place = bisect_right(starts, at) - 1
        return min(offsets[place] + at - starts[place], length) if place >= 0 else 0.0

    lanes: dict[str, list[float | None]] = {}
    for lane, at, limit in connection.execute(
        'SELECT lane, at, "limit" FROM limit_changes ORDER BY at, rowid'
    ):
        lanes.setdefault(lane, [None] * steps)[min(int(after(at) / step_s), steps - 1)] = limit
    changes = connection.execute(
        'SELECT at, "key", scope, old, new, via, author, reason FROM changes ORDER BY id DESC LIMIT ?',
        (_MOST_CHANGES,),
    ).fetchall()
    return Pace(
        step_s=step_s,
        answered=tuple(sums[0]),
        refused=tuple(sums[1]),
        failed=tuple(sums[2]),
        lanes=tuple(LaneLimits(lane=lane, limit=_carried(line)) for lane, line in lanes.items()),
        breaks=tuple(offsets[1:]),
        changes=tuple(_mark(row, after(row["at"])) for row in reversed(changes)),
    )


def _mark(row: Any, after_s: float) -> Mark:
    said = {name: row[name] for name in ("at", "key", "scope", "via", "author", "reason")}
    old, new = (msgspec.json.decode(row[name]) for name in ("old", "new"))
    return Mark(**said, old=old, new=new, after_s=after_s)


def _carried(line: list[float | None]) -> tuple[float | None, ...]:
    """A limit holds until the next one."""
    last: float | None = None
    filled = []
    for value in line:
        last = last if value is None else value
        filled.append(last)
    return tuple(filled)
