"""The price list: a snapshot of the package genai-prices, of a stated day, in prices.json.

`scripts/price_snapshot.py` writes it, and tests hold what is read here against the package's calculator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from umwelten.pricing.rates import Price
from umwelten.types import LONGEST_MODEL, FrozenStruct

_FILE = Path(__file__).with_name("prices.json")
_COMPACT_DATE = re.compile(r"(?<=-)(20\d\d)(\d\d)(\d\d)(?=-|:|$)")
_MINUTE_S = 60.0
_ROUTER = "openrouter"
_SUFFIX_FREE = ":free"

Rates = dict[str, Any]
"""Rates by kind: a number, or [number, [start, number], …] where it depends on the request's length."""


class _List(msgspec.Struct):
    source: str
    date: str
    providers: dict[str, msgspec.Raw]


class _Entry(msgspec.Struct):
    """A model: its id, the rule for its names, and its prices.

    `prices` are [when, rates], of which the last that holds counts; `tiers` are [tier, when, rates], of
    which the first that holds counts for each kind of tokens.
    """

    id: str
    match: dict[str, Any]
    prices: list[tuple[str | None, Rates]]
    tiers: list[tuple[str, str | None, Rates]] = []
    context_tokens: int | None = None
    deprecated: bool = False


class _Provider(msgspec.Struct):
    fallback: list[str]
    models: list[_Entry]


class ListedModel(FrozenStruct):
    """A model of the list with its price for the smallest requests."""

    id: str
    price: Price
    context_tokens: int | None


def source() -> str:
    """Return where the prices come from and of which day they are."""
    return f"{_list().source} of {_list().date}"


def day() -> str:
    """Return the day of the prices, YYYY-MM-DD."""
    return _list().date


def providers() -> frozenset[str]:
    """Return the names of the providers in the list."""
    return frozenset(_list().providers)


def models(provider: str, at: float) -> Iterator[ListedModel]:
    """Yield a provider's models that are priced by tokens and not deprecated, by their price at Unix time."""
    for entry in _provider(provider).models if provider in _list().providers else ():
        price = None if entry.deprecated else _price(entry, at, None, 0)
        if price is not None:
            yield ListedModel(id=entry.id, price=price, context_tokens=entry.context_tokens)


def is_free_variant(provider: str | None, model: str) -> bool:
    """Return whether a gateway serves this variant of the model free of charge."""
    return provider == _ROUTER and model.endswith(_SUFFIX_FREE)


def find(provider: str | None, model: str, at: float, tier: str | None, input_tokens: int) -> Price | None:
    """Return the listed price, or `None`: not listed, or not for that tier.

    `at` is the time of the request in Unix seconds, `tier` the service tier, `None` the standard one.
    """
    steps = _steps(provider, model)
    size = next((step for step in steps if input_tokens > step), -1) + 1
    return _find_price(provider, model, int(at // _MINUTE_S), tier, size)


@lru_cache(maxsize=4096)
def _find_price(
    provider: str | None, model: str, minute: int, tier: str | None, input_tokens: int
) -> Price | None:
    """Return the price in a minute: all calls of a model ask for the same few, and none changes within it."""
    entry, own = _find(provider, model)
    if entry is None or (tier is not None and not own):
        return None
    return _price(entry, minute * _MINUTE_S, tier, input_tokens)


@lru_cache(maxsize=4096)
def _steps(provider: str | None, model: str) -> tuple[int, ...]:
    """Return the numbers of input tokens above which a model has other prices, the largest first."""
    entry, _ = _find(provider, model)
    if entry is None:
        return ()
    rates = [rates for _, rates in entry.prices] + [rates for *_, rates in entry.tiers]
    lists = [rate for each in rates for rate in each.values() if isinstance(rate, list)]
    return tuple(sorted({start for _, *tiers in lists for start, _ in tiers}, reverse=True))


@cache
def _list() -> _List:
    return msgspec.json.decode(_FILE.read_bytes(), type=_List)


@cache
def _provider(name: str) -> _Provider:
    return msgspec.json.decode(_list().providers[name], type=_Provider)


@lru_cache(maxsize=4096)
def _find(provider: str | None, model: str) -> tuple[_Entry | None, bool]:
    """Return the entry of a model, and whether it is the provider's own: not that of who made the model."""
    if provider is None or provider not in _list().providers or len(model) > LONGEST_MODEL:
        return None, False
    name = model.lower()
    for written in dict.fromkeys((name, _COMPACT_DATE.sub(_dashed, name))):
        for listed in (provider, *_provider(provider).fallback):
            for entry in _provider(listed).models:
                if _matches(entry.match, written):
                    return entry, listed == provider
    return None, False


def _dashed(found: re.Match[str]) -> str:
    """Return a date such as 20251211 as 2025-12-11: gateways write it without the dashes."""
    try:
        return date(*map(int, found.groups())).isoformat()
    except ValueError:
        return found[0]


def _matches(rule: Mapping[str, Any], name: str) -> bool:
    ((kind, value),) = rule.items()
    match kind:
        case "equals":
            return bool(name == value)
        case "or":
            return any(_matches(part, name) for part in value)
        case "and":
            return all(_matches(part, name) for part in value)
        case "starts_with":
            return name.startswith(value)
        case "ends_with":
            return name.endswith(value)
        case "contains":
            return value in name
    return re.search(value, name) is not None


def _price(entry: _Entry, at: float, tier: str | None, input_tokens: int) -> Price | None:
    moment = datetime.fromtimestamp(at, UTC)
    rates = next(
        (rates for when, rates in reversed(entry.prices) if _holds(when, moment)), entry.prices[0][1]
    )
    if tier is not None:
        changes = [rates for name, when, rates in entry.tiers if name == tier and _holds(when, moment)]
        if not changes:
            return None
        for changed in reversed(changes):
            rates = rates | changed
    if "input" not in rates or "output" not in rates:
        return None  # priced by the hour, the page or the image
    numbers = {kind: _decimal(rate, input_tokens) for kind, rate in rates.items()}
    price = Price(input=numbers.pop("input"), output=numbers.pop("output"))
    per_request = numbers.pop("requests", Decimal(0)) / 1000
    return msgspec.structs.replace(price, **numbers, request=per_request)


def _holds(when: str | None, moment: datetime) -> bool:
    """Return whether the price holds then: from a day on, or between two times of each day, in UTC."""
    if when is None:
        return True
    start, _, end = when.partition("/")
    if not end:
        return moment.date().isoformat() >= start
    now = moment.time().isoformat()
    return start <= now < end if start <= end else now >= start or now < end


def _decimal(rate: Any, input_tokens: int) -> Decimal:
    """Return the rate for a whole request: above a tier's start, all tokens are billed at that tier."""
    if isinstance(rate, list):
        first, *tiers = rate
        rate = next((price for start, price in reversed(tiers) if input_tokens > start), first)
    return _exact(rate)


@lru_cache(maxsize=4096)
def _exact(rate: float) -> Decimal:
    return Decimal(str(rate))
