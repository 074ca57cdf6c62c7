"""How a model's response times are spread: the time within which each percent of its answers came."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from umwelten.report import stats
from umwelten.report.models import ModelRow
from umwelten.store.reader import Reader
from umwelten.store.tables import SUCCEEDED

PERCENTS = range(1, 101)


def quantiles(reader: Reader, models: tuple[ModelRow, ...]) -> dict[int, tuple[float, ...]]:
    """Return by number of a model its response times in seconds at 1, 2, … 100 percent, by nearest rank.

    Models without an answer of their own are left out. Reads each model's times once, in order.
    """
    by_model = {}
    for row in models:
        timed = f"current_calls WHERE status = {SUCCEEDED} AND model_id = ? AND response_s IS NOT NULL"
        (n,) = reader.connection.execute(f"SELECT count(*) FROM {timed}", (row.number,)).fetchone()
        if n:
            times = reader.connection.execute(
                f"SELECT response_s FROM {timed} ORDER BY response_s", (row.number,)
            )
            by_model[row.number] = _at_ranks((time for (time,) in times), n)
    return by_model


def _at_ranks(times: Iterator[float], n: int) -> tuple[float, ...]:
    ranks = [stats.rank(percent, n) for percent in PERCENTS]
    values: list[float] = []
    before, value = -1, 0.0
    for rank in ranks:
        if rank > before:
            value = next(islice(times, rank - before - 1, None))
            before = rank
        values.append(round(value, stats.DIGITS))
    return tuple(values)
