"""What may be given to the functions of this package, and what is said of anything else."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence


def finite(values: Sequence[object], name: str) -> list[float]:
    """Return the values as floats. ValueError names the first that is not a finite number."""
    numbers = []
    for place, value in enumerate(values):
        try:
            number = math.nan if isinstance(value, str) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{name}[{place}] is {value!r}: a finite number is expected")
        numbers.append(number)
    return numbers


def count(value: int, name: str, low: int = 0, high: int | None = None) -> None:
    """Raise ValueError where it is not a whole number from `low` to `high`."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int)
        or value < low
        or (high is not None and value > high)
    ):
        to = "or more" if high is None else f"to {high}"
        raise ValueError(f"{name} is {value!r}: a whole number, {low} {to}, is expected")


def above_zero(value: float, name: str) -> float:
    """Return a finite number above 0; ValueError names another."""
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} is {value!r}: a finite number above 0 is expected")
    return float(value)


def probability(value: float, name: str) -> float:
    """Return a number from 0 to 1, such as a p-value; ValueError names another."""
    if not 0 <= value <= 1:  # NaN is neither
        raise ValueError(f"{name} is {value!r}: a number from 0 to 1 is expected")
    return float(value)


def share(value: float, name: str) -> float:
    """Return a number between 0 and 1, such as a level of confidence; ValueError names another."""
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value!r}: a number between 0 and 1, such as 0.95, is expected")
    return float(value)


def same_length(given: Sequence[object], expected: Sequence[object], name: str, other: str) -> None:
    """Raise ValueError where two sequences do not go together."""
    if len(given) != len(expected):
        raise ValueError(f"{name} has {len(given)} values, {other} has {len(expected)}: as many are expected")


def label(value: Hashable, name: str) -> Hashable:
    """Return the label of a unit, which may be anything but NaN; ValueError names it."""
    if isinstance(value, float) and math.isnan(value):
        raise ValueError(f"{name} is nan: a label is expected, or None for one that was not given")
    return value


def labels(clusters: Sequence[Hashable] | None, files: Sequence[object], name: str) -> Sequence[Hashable]:
    """Return the cluster of each file: the file itself where none are given."""
    if clusters is None:
        return range(len(files))
    same_length(clusters, files, "clusters", name)
    return clusters
