"""Which model to take, by cost and time, and what more calls would cost.

Umwelten does not judge what the answers are worth, so these say nothing about their quality. Only
models that answer nearly as reliably as the best are candidates (`NEARLY`); a model that fails fast and
for nothing is no bargain. *Cheapest* has the lowest cost per 1,000 calls, *fastest* the lowest median
response time. *Best value* is the cheapest among those that take at most `SLOWER` times as long as the
fastest. Ties go to the faster, then to the first given. Those that could be none of them are named with the
reason: with few calls a failure or two decide. *Most expensive* is no pick, and may be any model.
"""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.report.models import LeftOut, ModelRow, Pick
from umwelten.text import formatting
from umwelten.types import FrozenStruct

NEARLY = 0.05
SLOWER = 2.0
SIZES = (1_000, 10_000, 100_000)


def picks(models: Sequence[ModelRow]) -> tuple[Pick, ...]:
    """Cheapest, fastest and best value; none with fewer than two models that answered."""
    rows = _reliable(models)
    if len([row for row in models if row.figures.succeeded]) < 2:
        return ()
    if not rows:
        return ()
    fastest = min(rows, key=_time)
    priced = [row for row in rows if row.service.cost_per_1k_usd is not None]
    quick = [row for row in priced if _time(row) <= SLOWER * _time(fastest)]
    best_of = [_pick("fastest", fastest)]
    if priced:
        cheapest = min(priced, key=_price)
        best_of.insert(0, _pick("cheapest", cheapest))
    if quick:
        best = min(quick, key=_price)
        best_of.append(_pick("best value", best))
    return tuple(best_of)


def most_expensive(models: Sequence[ModelRow]) -> Pick | None:
    """The highest cost per 1,000 calls; `None` where fewer than two prices are known, or all are alike."""
    priced = [row for row in models if row.figures.succeeded and row.service.cost_per_1k_usd is not None]
    if len({row.service.cost_per_1k_usd for row in priced}) < 2:
        return None
    return _pick("most expensive", max(priced, key=_price))


def left_out(models: Sequence[ModelRow]) -> tuple[LeftOut, ...]:
    """Those whose calls ended and that no pick could be; none where there is nothing to pick from."""
    if len([row for row in models if row.figures.succeeded]) < 2:
        return ()
    candidates = {id(row) for row in _reliable(models)}
    best = _best_rate(models)
    return tuple(
        LeftOut(
            model=row.model,
            prompt=row.prompt,
            succeeded=row.figures.succeeded,
            failed=row.figures.failed,
            success_rate=row.figures.success_rate,
            best_rate=best,
            why=_why_left_out(row, best),
        )
        for row in models
        if row.figures.succeeded + row.figures.failed and id(row) not in candidates
    )


def _why_left_out(row: ModelRow, best: float) -> str:
    ended = row.figures.succeeded + row.figures.failed
    if row.figures.p50_s is None and (row.figures.success_rate or 0.0) >= best - NEARLY:
        return "no response time known"
    answered = formatting.percent(row.figures.success_rate)
    return (
        f"{answered} answered ({row.figures.failed:,} of {ended:,} failed; best {formatting.percent(best)})"
    )


def _pick(what: str, row: ModelRow) -> Pick:
    return Pick(what=what, model=row.model, prompt=row.prompt, why=_why(row))


class Projection(FrozenStruct):
    """What `calls` calls of a model would cost and take if they went like those of the report.

    `model` is its label: with several prompts, the prompt's name is in it.
    """

    model: str
    calls: int
    cost_usd: float | None
    wall_s: float | None


def projection(models: Sequence[ModelRow], sizes: Sequence[int] = SIZES) -> tuple[Projection, ...]:
    """By model, then size. Time is at the model's own throughput, with as many in flight as there were."""
    return tuple(
        Projection(model=row.label, calls=size, cost_usd=_cost_of(row, size), wall_s=_time_of(row, size))
        for row in models
        if row.figures.succeeded + row.figures.failed
        for size in sizes
    )


def _cost_of(row: ModelRow, size: int) -> float | None:
    price = row.service.cost_per_1k_usd
    return None if price is None else round(price * size / 1000, 9)


def _time_of(row: ModelRow, size: int) -> float | None:
    rate = row.figures.throughput_per_s
    return size / rate if rate else None


def _reliable(models: Sequence[ModelRow]) -> list[ModelRow]:
    answered = [row for row in models if row.figures.succeeded]
    best = _best_rate(models)
    # Of answers that were all taken over, nobody knows how long they took.
    timed = [row for row in answered if row.figures.p50_s is not None]
    return [row for row in timed if (row.figures.success_rate or 0.0) >= best - NEARLY]


def _best_rate(models: Sequence[ModelRow]) -> float:
    return max((row.figures.success_rate or 0.0 for row in models if row.figures.succeeded), default=0.0)


def _time(row: ModelRow) -> float:
    return row.figures.p50_s or 0.0


def _price(row: ModelRow) -> tuple[float, float]:
    return row.service.cost_per_1k_usd or 0.0, _time(row)


def _why(row: ModelRow) -> str:
    price = row.service.cost_per_1k_usd
    cost = "cost unknown" if price is None else f"{formatting.money(price)} per 1,000 calls"
    answered = formatting.percent(row.figures.success_rate)
    return f"{cost}, {formatting.seconds(row.figures.p50_s)} at the median, {answered} answered"
