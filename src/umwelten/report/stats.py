"""Small arithmetic of reports: ratios, ranks and money, with `None` for "not known"."""

from __future__ import annotations

from umwelten.types import NANO

DIGITS = 6
"""Decimals of every duration and ratio in a report, so that all formats show one figure."""


def ratio(part: float, whole: float) -> float | None:
    """`part / whole`, or `None` where there is nothing to divide by."""
    return round(part / whole, DIGITS) if whole > 0 else None


def rounded(value: float | None) -> float | None:
    """The value with the decimals of a report."""
    return None if value is None else round(value, DIGITS)


def rank(percent: int, n: int) -> int:
    """Where the percentile stands among `n` sorted values, from 0 (nearest rank: a value that occurred)."""
    return max((percent * n + 99) // 100 - 1, 0)


def usd(nano: int | None) -> float | None:
    """Nano-USD as USD."""
    return None if nano is None else nano / NANO


def total_cost(nano: int, priced: int, unpriced: int) -> int | None:
    """The sum of known costs; `None` when calls were made and no price is known."""
    return None if unpriced and not priced else nano
