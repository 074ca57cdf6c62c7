"""A model's time to first token, speed of writing and price of a thousand calls, from its calls."""

from __future__ import annotations

import sqlite3

from umwelten.report import stats
from umwelten.report.models import Cost, Service
from umwelten.report.queries.current_calls import CURRENT, SUCCEEDED


def of_model(connection: sqlite3.Connection, model: int, cost: Cost) -> Service:
    """The figures of the model with this number; `cost` is the cost of its calls."""
    return Service(
        ttft_p50_s=_median_ttft(connection, model),
        tokens_per_s=_speed(connection, model),
        cost_per_1k_usd=per_thousand(cost),
    )


def per_thousand(cost: Cost) -> float | None:
    """USD for 1,000 calls at the mean of the calls whose cost is known."""
    if cost.total_usd is None or not cost.priced_calls:
        return None
    return round(cost.total_usd / cost.priced_calls * 1000, 9)


def _median_ttft(connection: sqlite3.Connection, model: int) -> float | None:
    known = f"{_ANSWERS} AND c.ttft_s IS NOT NULL"
    (n,) = connection.execute(f"SELECT count(*) FROM {known}", (model,)).fetchone()
    row = connection.execute(
        f"SELECT c.ttft_s FROM {known} ORDER BY c.ttft_s LIMIT 1 OFFSET ?", (model, stats.rank(50, n))
    ).fetchone()
    return None if row is None else stats.rounded(row[0])


def _speed(connection: sqlite3.Connection, model: int) -> float | None:
    tokens, seconds = connection.execute(
        f"""SELECT total(c.output_tokens), total(c.response_s)
        FROM {_ANSWERS} AND c.output_tokens IS NOT NULL""",
        (model,),
    ).fetchone()
    return stats.ratio(tokens, seconds)


_ANSWERS = f"{CURRENT.format(tail='')} AND c.status = {SUCCEEDED} AND c.model_id = ?"
