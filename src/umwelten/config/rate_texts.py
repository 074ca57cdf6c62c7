"""How a rate is written: `500/min`, `8/s`, `200k tokens/min`, or as vendors list them: `500rpm`, `2Mtpm`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from umwelten.control.known_rate import KnownRate
from umwelten.types import Resource

FORMS = "write a rate as 500/min, 8/s, 10000/h or 200k tokens/min"
LEAST = 1e-5
"""A second, about one a day: a call waits for longer only by mistake."""
_NUMBER = r"([0-9][0-9_]{0,17}(?:\.[0-9]{1,9})?)\s*([kKM]?)\s*"
_UNITS = {"s": "s|secs?|seconds?", "min": "m|mins?|minutes?", "h": "h|hrs?|hours?", "d": "d|days?"}
_UNIT = "|".join(f"({unit})" for unit in _UNITS.values())
_RATE = re.compile(rf"{_NUMBER}(?:(requests?|tokens?)\s*)?(?:/|\s+per\s+)\s*(?:{_UNIT})")
_SHORT = re.compile(rf"{_NUMBER}(rpm|tpm)", re.IGNORECASE)
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_TIMES = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6}


def read_rates(given: object) -> str:
    """Return the texts of one provider's rates as one, each resource once, the last given.

    Raises ValueError with the allowed forms.
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Iterable) or not (items := list(texts)):
        raise ValueError(FORMS)
    if not all(isinstance(item, str) for item in items):
        raise ValueError(FORMS)
    rates = {rate.resource: rate for item in items for rate in parse_rates(item)}
    return ", ".join(map(_written, rates.values()))


def parse_rates(text: str) -> tuple[KnownRate, ...]:
    """Return the rates in a text, which commas divide. Raises ValueError with the allowed forms.

    >>> parse_rates("500/min")
    (KnownRate(amount=500.0, period_s=60.0, resource='requests'),)
    """
    return tuple(_parse(item.strip()) for item in text.split(","))


def _parse(text: str) -> KnownRate:
    short, long = _SHORT.fullmatch(text), _RATE.fullmatch(text)
    if short is not None:
        by_tokens, period_s = short[3].lower() == "tpm", 60.0
    elif long is not None:
        by_tokens = (long[3] or "").startswith("token")
        period_s = next(s for s, found in zip(_SECONDS.values(), long.groups()[3:], strict=True) if found)
    else:
        raise ValueError(FORMS)
    match = short or long
    assert match is not None
    amount = float(match[1].replace("_", "")) * _TIMES[match[2]]
    if not amount / period_s >= LEAST:
        raise ValueError(f"{FORMS}, not less than one a day")
    return KnownRate(amount, period_s, Resource.TOKENS if by_tokens else Resource.REQUESTS)


def _written(rate: KnownRate) -> str:
    unit = next(name for name, seconds in _SECONDS.items() if seconds == rate.period_s)
    number = int(rate.amount) if rate.amount.is_integer() else rate.amount
    return f"{number}{'tokens' if rate.resource is Resource.TOKENS else ''}/{unit}"
