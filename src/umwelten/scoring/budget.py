"""How long scoring one answer may take, told ahead from lengths."""

from __future__ import annotations

LIMIT = 1e8
"""Steps, of some 13 nanoseconds each at worst: patterns that use them all took up to 1.3 s. An ordinary
answer needs a hundredth."""


class TooCostly(Exception):
    """Scoring this answer may take more steps than are allowed."""


def spend(steps: float, limit: float) -> None:
    """Raise `TooCostly` if that many steps are not within the limit."""
    if steps > limit:
        raise TooCostly
