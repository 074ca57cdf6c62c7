"""What calls use of all that is counted, and when a provider was empty."""

from __future__ import annotations

from dataclasses import dataclass

from umwelten.types import Resource

ORDER = (Resource.REQUESTS, Resource.TOKENS, Resource.INPUT_TOKENS, Resource.OUTPUT_TOKENS)
"""What the four figures of `Amounts` count."""

Amounts = tuple[float, float, float, float]


def minus(a: Amounts, b: Amounts) -> Amounts:
    """a - b."""
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2], a[3] - b[3])


def plus(a: Amounts, b: Amounts) -> Amounts:
    """a + b."""
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3])


@dataclass(slots=True)
class Point:
    """The provider was empty at `at`, when the `number`-th call came and `taken` had been admitted."""

    at: float
    taken: Amounts
    number: int = 0
