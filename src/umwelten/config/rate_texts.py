"""How a rate is written: `500/min`, `8/s`, `200k tokens/min`, or as vendors list them: `500rpm`, `2Mtpm`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from umwelten.control.known_rate import KnownRate
from umwelten.types import Resource

FORMS = "write a rate as 500/min, 8/s, 10000/h or 200k tokens/min"
LEAST = 1e-5
"""A second, about one a day: a call waits for longer only by mistake."""
MOST = 1e15
"""In a period: no account has as many, and floats count them one by one."""
_NUMBER = r"([0-9][0-9_]{0,17}(?:\.[0-9]{1,9})?)\s*([km]?)\s*"
_UNITS = {"s": "s|secs?|seconds?", "min": "m|mins?|minutes?", "h": "h|hrs?|hours?", "d": "d|days?"}
_UNIT = "|".join(f"({unit})" for unit in _UNITS.values())
_RATE = re.compile(rf"{_NUMBER}(?:(requests?|tokens?)\s*)?(?:/|\s+per\s+)\s*(?:{_UNIT})", re.IGNORECASE)
_SHORT = re.compile(rf"{_NUMBER}([rt])p([smhd])", re.IGNORECASE)
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_TIMES = {"": 1.0, "k": 1e3, "m": 1e6}


def read_rates(given: object) -> str:
    """Return the texts of one provider's rates as one. All hold; of those in the same unit, the last given.

    Raises ValueError with the allowed forms.
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Iterable) or not (items := list(texts)):
        raise ValueError(FORMS)
    if not all(isinstance(item, str) for item in items):
        raise ValueError(FORMS)
    rates = {(rate.resource, rate.period_s): rate for item in items for rate in parse_rates(item)}
    return ", ".join(map(written, rates.values()))


def parse_rates(text: str) -> tuple[KnownRate, ...]:
    """Return the rates in a text, which commas divide. Raises ValueError with the allowed forms.

    >>> parse_rates("500/min")
    (KnownRate(amount=500.0, period_s=60.0, resource=<Resource.REQUESTS: 'requests'>),)
    """
    return tuple(_parse(item.strip()) for item in text.split(","))


def _parse(text: str) -> KnownRate:
    short, long = _SHORT.fullmatch(text), _RATE.fullmatch(text)
    if short is not None:
        by_tokens = short[3].lower() == "t"
        period_s = next(s for unit, s in _SECONDS.items() if unit[0] == short[4].lower())
    elif long is not None:
        by_tokens = (long[3] or "").lower().startswith("token")
        period_s = next(s for s, found in zip(_SECONDS.values(), long.groups()[3:], strict=True) if found)
    else:
        raise ValueError(FORMS)
    match = short or long
    assert match is not None
    amount = float(match[1].replace("_", "")) * _TIMES[match[2].lower()]
    if not amount / period_s >= LEAST:
        raise ValueError(f"{FORMS}, not less than one a day")
    if amount > MOST:
        raise ValueError(f"{FORMS}, not more than {MOST:,.0f}")
    return KnownRate(amount, period_s, Resource.TOKENS if by_tokens else Resource.REQUESTS)


def written(rate: KnownRate) -> str:
    """Return a rate as it may be given.

    >>> written(KnownRate(0.00001, 1.0))
    '0.00001/s'
    """
    tokens = "tokens" if rate.resource is Resource.TOKENS else ""
    return f"{_number(rate.amount, '.9f')}{tokens}/{_unit(rate)}"


def shown(rate: KnownRate) -> str:
    """Return a rate in words.

    >>> shown(KnownRate(90_000.0, 60.0, Resource.TOKENS))
    '90,000 tokens/min'
    """
    return f"{_number(rate.amount, ',.6f')} {rate.resource}/{_unit(rate)}"


def _number(amount: float, form: str) -> str:
    return format(amount, form).rstrip("0").rstrip(".")


def _unit(rate: KnownRate) -> str:
    return next(name for name, seconds in _SECONDS.items() if seconds == rate.period_s)
