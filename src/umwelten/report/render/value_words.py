"""The values of a field in words."""

from __future__ import annotations

from typing import Protocol


class Values(Protocol):
    """Counts of values, or extremes and mean: of all records or of one model's."""

    @property
    def values(self) -> tuple[tuple[str, int], ...]: ...
    @property
    def min(self) -> float | None: ...
    @property
    def mean(self) -> float | None: ...
    @property
    def max(self) -> float | None: ...


def values_in_words(row: Values, type: str, most: int | None = None) -> str:
    """`draft 12, final 3` or `1 to 10, mean 4.2`; of more than `most` values the first, and how many more."""
    if row.values:
        shown = row.values if most is None else row.values[:most]
        words = [f"{value} {n:,}" for value, n in shown]
        left = len(row.values) - len(shown)
        return ", ".join([*words, f"and {left} more"] if left else words)
    if row.min is None or row.max is None or row.mean is None:
        return ""
    # The mean of whole numbers needs no more digits than they have, but for small ones.
    mean = round(row.mean) if type == "integer" and abs(row.mean) >= 1000 else row.mean
    return f"{_number(row.min)} to {_number(row.max)}, mean {_number(mean)}"


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        # Four digits stay together: they may be a year.
        return str(int(value)) if abs(value) < 10_000 else f"{int(value):,}"
    return f"{value:,.0f}" if 10_000 <= abs(value) < 1e15 else f"{value:.4g}"
