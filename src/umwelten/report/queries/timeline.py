"""What was under way when: calls in flight, the limit and refusals of every lane, in equal steps of time.

The axis counts the time at work: runs stand one after the other, the pauses between them are left out.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Mapping, Sequence

from umwelten.providers.protocol import Scope, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.report import stats
from umwelten.report.queries.attempts import MODEL_OF
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

STEPS = 200
REFUSED = "rate_limit"


class LaneTimeline(FrozenStruct):
    """A lane's values per step: mean calls in flight, limit at the step's end, refused attempts.

    `None` in `limit`: not known, as no change had been recorded yet.
    """

    name: str
    in_flight: tuple[float, ...]
    limit: tuple[float | None, ...]
    refused: tuple[int, ...]


class Timeline(FrozenStruct):
    """`step_s` seconds a step; step n begins n steps after the start. `breaks`: where a later run begins."""

    step_s: float
    steps: int
    breaks: tuple[float, ...]
    lanes: tuple[LaneTimeline, ...]


def timeline(reader: Reader, *, vendors: Mapping[str, Vendor] = VENDORS, steps: int = STEPS) -> Timeline:
    """Return the timeline; it reads the attempts once. Without any, it has no lanes."""
    connection = reader.connection
    axis = _Axis(connection)
    names = _lanes(connection, vendors)
    counts = _fill(connection, axis, names, steps)
    limits = _limits(connection, axis, steps)
    step_s = axis.length / steps
    lanes = tuple(
        LaneTimeline(
            name=name,
            in_flight=tuple(round(level, 3) for level in counts[name].levels(step_s)),
            limit=limits.get(name, (None,) * steps),
            refused=tuple(counts[name].refused),
        )
        for name in dict.fromkeys([*names.values(), *counts])
        if name in counts
    )
    return Timeline(step_s=round(step_s, stats.DIGITS), steps=steps, breaks=axis.breaks, lanes=lanes)


class _Axis:
    """Unix time to time at work."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """From the table `runs`."""
        rows = connection.execute("SELECT started_at, coalesce(ended_at, seen_at) FROM runs ORDER BY id")
        self._starts: list[float] = []
        self._offsets: list[float] = []
        self.length = 0.0
        for start, end in rows:
            self._starts.append(start)
            self._offsets.append(self.length)
            self.length += max(end - start, 0.0)
        self.length = max(self.length, 0.001)

    @property
    def breaks(self) -> tuple[float, ...]:
        return tuple(round(offset, stats.DIGITS) for offset in self._offsets[1:])

    def offset(self, unix: float) -> float:
        """Return the seconds at work until then; times outside of every run go to the nearest end of one."""
        n = bisect_right(self._starts, unix) - 1
        if n < 0:
            return 0.0
        ceiling = self._offsets[n + 1] if n + 1 < len(self._offsets) else self.length
        return min(self._offsets[n] + unix - self._starts[n], ceiling)


class _Counts:
    """Seconds in flight per step, by what starts and ends in it; `whole` is carried on to later steps."""

    def __init__(self, steps: int) -> None:
        self.part = [0.0] * steps
        self.whole = [0] * (steps + 1)
        self.refused = [0] * steps

    def add(self, start: float, end: float, step_s: float) -> None:
        last = len(self.part) - 1
        first, final = min(int(start / step_s), last), min(int(end / step_s), last)
        if first == final:
            self.part[first] += end - start
            return
        self.part[first] += (first + 1) * step_s - start
        self.part[final] += end - final * step_s
        self.whole[first + 1] += 1
        self.whole[final] -= 1

    def levels(self, step_s: float) -> list[float]:
        """Mean in flight per step."""
        carried, levels = 0, []
        for part, change in zip(self.part, self.whole, strict=False):
            carried += change
            levels.append(carried + part / step_s)
        return levels


def _fill(
    connection: sqlite3.Connection, axis: _Axis, lanes: Mapping[int, str], steps: int
) -> dict[str, _Counts]:
    counts: dict[str, _Counts] = {}
    step_s = axis.length / steps
    rows = connection.execute(
        f"""SELECT {MODEL_OF}, a.started_at, a.latency_s, a.error_kind = '{REFUSED}', a.served_by
        FROM attempts a"""
    )
    for model, started_at, latency_s, refused, served_by in rows:
        if model not in lanes:
            continue
        name = served_by or lanes[model]
        count = counts.get(name) or counts.setdefault(name, _Counts(steps))
        end = axis.offset(started_at + latency_s)
        count.add(axis.offset(started_at), end, step_s)
        if refused:
            count.refused[min(int(end / step_s), steps - 1)] += 1
    return counts


def _lanes(connection: sqlite3.Connection, vendors: Mapping[str, Vendor]) -> dict[int, str]:
    """The lane of each model: as recorded with the limits, else by what shares a limit at that provider."""
    recorded = [name for (name,) in connection.execute("SELECT DISTINCT lane FROM limit_changes")]
    models = connection.execute("SELECT id, name, provider FROM models WHERE active ORDER BY id")
    return {number: _lane(name, provider, recorded, vendors) for number, name, provider in models}


def _lane(model: str, provider: str, recorded: Sequence[str], vendors: Mapping[str, Vendor]) -> str:
    for lane in recorded:
        if lane in (model, provider) or lane.startswith(f"{provider}@"):
            return lane
    vendor = vendors.get(provider)
    return model if vendor is not None and vendor.scope is Scope.KEY_AND_MODEL else provider


def _limits(connection: sqlite3.Connection, axis: _Axis, steps: int) -> dict[str, tuple[float | None, ...]]:
    step_s = axis.length / steps
    marks: dict[str, list[float | None]] = {}
    rows = connection.execute('SELECT lane, at, "limit" FROM limit_changes ORDER BY at, rowid')
    for lane, at, limit in rows:
        line = marks.setdefault(lane, [None] * steps)
        line[min(int(axis.offset(at) / step_s), steps - 1)] = round(limit, 3)
    return {lane: _carry_forward(line) for lane, line in marks.items()}


def _carry_forward(line: Sequence[float | None]) -> tuple[float | None, ...]:
    """A limit holds until the next one."""
    last: float | None = None
    filled = []
    for value in line:
        last = last if value is None else value
        filled.append(last)
    return tuple(filled)
