"""The tool `statistics`: figures of a list of numbers, worked out exactly."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated

from msgspec import Meta

from umwelten.tools.built_in.exact_numbers import bounded, read_number, shown, square_root
from umwelten.tools.tool import ToolError, tool

_QUARTILES = (0.25, 0.5, 0.75)


@tool(version="1", read_only=True)
def statistics(
    values: Annotated[list[float], Meta(min_length=1, max_length=100_000, description="The numbers.")],
    quantiles: Annotated[
        Annotated[list[Annotated[float, Meta(ge=0, le=1)]], Meta(max_length=100)] | None,
        "Which quantiles, such as [0.1, 0.9]: the quartiles unless given.",
    ] = None,
) -> str:
    """Return count, sum, mean, median, both standard deviations, minimum, maximum and quantiles of numbers.

    The sample's deviation divides by n - 1, the population's by n. Quantiles are interpolated linearly
    between the numbers.
    """
    numbers = sorted(_exact(value) for value in values)
    count = len(numbers)
    total = sum(numbers, Fraction(0))
    mean = total / count
    squares = sum(((number - mean) ** 2 for number in numbers), Fraction(0))
    figures = {
        "count": str(count),
        "sum": shown(total),
        "mean": shown(mean),
        "median": shown(_quantile(numbers, Fraction(1, 2))),
        "sample_standard_deviation": "null" if count < 2 else _deviation(squares / (count - 1)),
        "population_standard_deviation": _deviation(squares / count),
        "min": shown(numbers[0]),
        "max": shown(numbers[-1]),
    }
    asked = _QUARTILES if quantiles is None else quantiles
    parts = ", ".join(f'"{share:g}": {shown(_quantile(numbers, _exact(share)))}' for share in asked)
    # Not `json.dumps`, which would round to what a float holds.
    figures["quantiles"] = "{" + parts + "}"
    return "{" + ", ".join(f'"{name}": {figure}' for name, figure in figures.items()) + "}"


def _exact(value: float) -> Fraction:
    """Return the number as it was written: 0.1 is a tenth."""
    if not math.isfinite(value):
        raise ToolError("the values must be finite numbers")
    return read_number(repr(value))


def _deviation(variance: Fraction) -> str:
    return shown(square_root(bounded(variance)))


def _quantile(ordered: list[Fraction], share: Fraction) -> Fraction:
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
