"""A model's time to first token, speed of writing and price of a thousand calls, from its calls."""

from __future__ import annotations

import sqlite3

from umwelten.report import stats
from umwelten.report.models import Cost, Service
from umwelten.store.tables import SUCCEEDED


def service_figures(connection: sqlite3.Connection, model: int, cost: Cost) -> Service:
    """Return the figures of the model with this number; `cost` is the cost of its calls."""
    return Service(
        ttft_p50_s=_median_ttft(connection, model),
        tokens_per_s=_speed(connection, model),
        cost_per_1k_usd=cost_per_1k(cost),
    )


def cost_per_1k(cost: Cost) -> float | None:
    """Return the USD for 1,000 calls at the mean of the calls whose cost is known.

    `None` where refused calls, which cost nothing, are all that is known of a model without a price.
    """
    if cost.total_usd is None or not cost.priced_calls or (cost.unpriced_calls and not cost.total_usd):
        return None
    return round(cost.total_usd / cost.priced_calls * 1000, 9)


def _median_ttft(connection: sqlite3.Connection, model: int) -> float | None:
    streamed = f"{_ANSWERED} AND ttft_s IS NOT NULL"
    (n,) = connection.execute(f"SELECT count(*) FROM {streamed}", (model,)).fetchone()
    row = connection.execute(
        f"SELECT ttft_s FROM {streamed} ORDER BY ttft_s LIMIT 1 OFFSET ?", (model, stats.rank(50, n))
    ).fetchone()
    return None if row is None else stats.rounded(row[0])


def _speed(connection: sqlite3.Connection, model: int) -> float | None:
    # With tools the tokens are those of several requests, and so must the time be.
    tokens, seconds = connection.execute(
        f"""SELECT total(output_tokens), total(CASE WHEN steps > 1 THEN time_s ELSE response_s END)
        FROM {_ANSWERED} AND output_tokens IS NOT NULL""",
        (model,),
    ).fetchone()
    return stats.ratio(tokens, seconds)


_ANSWERED = f"current_calls WHERE status = {SUCCEEDED} AND model_id = ?"
