"""When a file passes whose question was asked several times."""

from __future__ import annotations

from typing import Any, Literal

OfRepeats = Literal["most", "all", "any"] | float
"""How many repeats of a file must pass: more than half, all, any; or at least this share."""

MOST: OfRepeats = "most"


def enough(passes: int, of: int, rule: OfRepeats) -> bool:
    """Return whether so many of some repeats are enough."""
    if rule == "all":
        return passes == of
    if rule == "any":
        return passes > 0
    if rule == "most":
        return 2 * passes > of
    return passes >= float(rule) * of - 1e-9  # 0.7 · 10 is a hair above 7


def read_of_repeats(value: Any) -> OfRepeats:
    """Return the rule as a file has it. ValueError: what it must be."""
    if value in ("most", "all", "any"):
        return str(value)  # type: ignore[return-value]
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1:
        return float(value)
    raise ValueError('must be "most", "all", "any" or a share above 0 and up to 1, such as 0.8')
