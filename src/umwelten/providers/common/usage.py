"""Read counts, costs and service tiers from replies. What is not a sensible number counts as not stated."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from umwelten.providers.protocol import Head
from umwelten.types import NANO

_MOST_TOKENS = 2**53
# Not as a union where it is tested, which would be built again for every reply.
_NUMBER = (int, float)
_LONGEST_TIER = 40
_GATEWAY_COST = "x-litellm-response-cost"


def read_count(value: object) -> int | None:
    """Return a number of tokens, or `None`; a number that no store could hold is none, nor is a fraction."""
    if value is None or not isinstance(value, _NUMBER) or isinstance(value, bool):
        return None
    if not 0 <= value <= _MOST_TOKENS:
        return None
    count = int(value)
    return count if count == value else None


def read_usd(value: object) -> float | None:
    """Return an amount in USD, or `None`."""
    if not isinstance(value, _NUMBER) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < 1e6 and math.isfinite(value) else None


def read_fields(value: object) -> dict[str, Any]:
    """Return the object as a dict, an empty one if it is anything else."""
    return value if isinstance(value, dict) else {}


def read_tier(value: object) -> str | None:
    """Return a service tier in small letters, or `None` where none is stated."""
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_TIER:
        return None
    return value.strip().lower()


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum of the counts that are stated, `None` if none is."""
    stated = [count for count in counts if count is not None]
    return sum(stated) if stated else None


def gateway_cost(head: Head) -> int | None:
    """Return the cost in nano-USD that a LiteLLM proxy states in a header.

    It states 0 as well where it does not know the price, so 0 states nothing.
    """
    text = head.headers.get(_GATEWAY_COST)
    if not text:
        return None
    try:
        usd = read_usd(float(text))
    except ValueError:
        return None
    return round(usd * NANO) if usd else None
