"""Numbers formatted for people, the same in summaries, progress and reports. Unknown values are `–`."""

from __future__ import annotations

import math

UNKNOWN = "–"


def count(n: int, noun: str) -> str:
    """Return `1 call`, `1,200 calls`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def seconds(value: float | None) -> str:
    """Return `0.35 s`, `12.4 s`, `3 min 20 s`, `2 h 05 min`."""
    if value is None:
        return UNKNOWN
    if value < 59.95:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.1f} s"
    return minutes(value)


def duration(value: float | None) -> str:
    """Return `seconds` of what may take next to no time: `3 ms`, `0.35 s`."""
    return f"{value * 1000:.0f} ms" if value is not None and value < 0.0995 else seconds(value)


def minutes(value: float) -> str:
    """Return whole seconds: `12 s`, `3 min 20 s`, `2 h 05 min`, `1 d 3 h`."""
    if not math.isfinite(value):
        return UNKNOWN
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def money(value: float | None) -> str:
    """Return US dollars with two decimals or three significant digits: `$12.30`, `$0.0123`, `$0`."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "$0"
    if value >= 1:
        return f"${value:,.2f}"
    decimals = 2
    while decimals < 9 and value * 10**decimals < 100:
        decimals += 1
    text = f"{value:.{decimals}f}"
    whole, _, fraction = text.partition(".")
    return f"${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def cost(total_usd: float | None, unpriced: int) -> str:
    """Return `$0.0123 + 4 calls of unknown price`; an unknown price is never shown as 0."""
    if total_usd is None:
        return f"unknown ({count(unpriced, 'call')})"
    return money(total_usd) + (f" + {count(unpriced, 'call')} of unknown price" if unpriced else "")


def short_cost(total_usd: float | None, unpriced: int) -> str:
    """Return a cost for a column of a table: `$0.0123`, `$0.0123+?` where it is a lower bound, or unknown."""
    return money(total_usd) + ("+?" if unpriced and total_usd is not None else "")


def tokens(value: int | None) -> str:
    """Return `12,345`."""
    return UNKNOWN if value is None else f"{value:,}"


def short(value: float) -> str:
    """Return a number in few characters: `0.42`, `3.1`, `410`, `12.3k`, `1.2M`."""
    if value < 9.995:
        return f"{value:.2f}".rstrip("0").rstrip(".") if value < 0.995 else f"{value:.1f}"
    if value < 9999.5:
        return f"{value:.0f}"
    return f"{value / 1000:.1f}k" if value < 999_950 else f"{value / 1e6:.1f}M"


def level(value: float) -> str:
    """Return a limit, which may be fractional: `12`, `2.1`."""
    return f"{value:.1f}".removesuffix(".0")


def rate(value: float | None) -> str:
    """Return `short` of a rate that may be unknown."""
    return UNKNOWN if value is None else short(value)


def percent(value: float | None) -> str:
    """Return `97.5%` for 0.975; `100%` for exactly 1 only, `0%` for exactly 0."""
    if value is None:
        return UNKNOWN
    if value in (0.0, 1.0):
        return f"{value * 100:.0f}%"
    return f"{min(max(value * 100, 0.1), 99.9):.1f}%"


def speedup(value: float | None, *, queues: bool = False) -> str | None:
    """Return `3.1× faster than one at a time`; below 1 as a fraction of that speed.

    With `queues` (see `advice.queues`) the ratio would promise too much: `3.1× the time of the run`.
    """
    if value is None:
        return None
    if queues:
        return f"{value:.1f}× the time of the run"
    if value >= 1.05:
        return f"{value:.1f}× faster than one at a time"
    return "as fast as one at a time" if value >= 0.95 else f"{value:.2g}× the speed of one at a time"
