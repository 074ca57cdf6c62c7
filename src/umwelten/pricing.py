"""What an attempt cost, in integer nano-USD, or `None` where that is not known.

In this order: the provider's own figure, the user's prices, nothing where the provider is free, the price
list that comes with genai-prices. A price that is not listed is unknown, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from umwelten.types import FrozenStruct, ModelRef, Usage

_NANO_PER_TOKEN = 1000  # 1 USD per million tokens is 1000 nano-USD per token


class Price(FrozenStruct):
    """USD per million tokens; `request` is USD per request. `None`: billed as the kind it is part of."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal = Decimal(0)


_NOTHING = Price(input=Decimal(0), output=Decimal(0))


class PriceBook(FrozenStruct):
    """What models cost: the user's `own` prices, the `free` providers, and `lists`.

    `lists` has each other provider's name in the price list. The price of a provider that is in none of the
    three is unknown.
    """

    own: Mapping[ModelRef, Price] = MappingProxyType({})
    free: frozenset[str] = frozenset()
    lists: Mapping[str, str] = MappingProxyType({})

    def is_free(self, model: ModelRef) -> bool:
        """Whether the model costs nothing, however many its tokens."""
        return model.provider in self.free and model not in self.own

    def needs_list(self, model: ModelRef) -> bool:
        """Whether the price list is what tells the model's price."""
        return model not in self.own and model.provider not in self.free


def cost_nusd(usage: Usage, model: ModelRef, prices: PriceBook, *, at: float) -> int | None:
    """The cost of one attempt in nano-USD; `at` is when it was made, in Unix seconds.

    `None`: neither the provider nor a price list tells, or the tokens are not known.
    """
    if usage.cost_nusd is not None:
        return usage.cost_nusd
    if prices.is_free(model):
        return 0
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    price = price_of(model, prices, at=at, input_tokens=usage.input_tokens)
    return None if price is None else _bill(usage, price)


def price_of(model: ModelRef, prices: PriceBook, *, at: float, input_tokens: int = 0) -> Price | None:
    """The price in force at Unix time `at` for a request of `input_tokens`, `None` if it is not listed."""
    own = prices.own.get(model)
    if own is not None:
        return own
    if prices.is_free(model):
        return _NOTHING
    listed = _listed(prices.lists.get(model.provider), model.model)
    if listed is None:
        return None
    # Prices differ by date and, at some providers, by the hour: chosen anew for every attempt.
    return _read(listed.get_prices(datetime.fromtimestamp(at, UTC)).__dict__, input_tokens)


@lru_cache(maxsize=4096)
def _listed(provider: str | None, model: str) -> Any:
    """The model's entry in the price list or `None`. Finding it takes 0.1 ms, so it is done once."""
    if provider is None:
        return None
    try:
        return _snapshot().find_provider_model(model, None, provider, None)[1]
    except LookupError:
        return None


def _snapshot() -> Any:
    # The list takes 0.1 s to load: only those who need a price wait for it.
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def listed_providers() -> frozenset[str]:
    """The names of the providers in the price list."""
    return frozenset(provider.id for provider in _snapshot().providers)


def most_nusd(
    model: ModelRef, input_tokens: int, output_tokens: int, prices: PriceBook, *, at: float
) -> int | None:
    """What an attempt of at most so many tokens can cost in nano-USD, however they are counted.

    Written to a cache or thought, tokens may cost more than plain ones. `None`: no price is known.
    """
    price = price_of(model, prices, at=at, input_tokens=input_tokens)
    if price is None:
        return None
    sent = input_tokens * max(price.input, price.cached or 0, price.cache_write or 0)
    written = output_tokens * max(price.output, price.reasoning or 0)
    return math.ceil((sent + written) * _NANO_PER_TOKEN + price.request * 1_000_000_000)


def _read(prices: Mapping[str, Any], input_tokens: int) -> Price | None:
    """A `Price` from the list's fields, at the tier that a request of `input_tokens` falls in."""
    rate = {key: _tier(value, input_tokens) for key, value in prices.items() if value is not None}
    if "input_mtok" not in rate or "output_mtok" not in rate:
        return None  # priced by the hour, the page or the image
    return Price(
        input=rate["input_mtok"],
        output=rate["output_mtok"],
        cached=rate.get("cache_read_mtok"),
        cache_write=rate.get("cache_write_mtok"),
        reasoning=rate.get("output_reasoning_mtok"),
        request=rate.get("requests_kcount", Decimal(0)) / 1000,
    )


def _tier(value: Any, input_tokens: int) -> Decimal:
    """The rate for a whole request: above a tier's start, all tokens pay that tier's rate."""
    rate: Decimal = value.base if hasattr(value, "tiers") else value
    for tier in getattr(value, "tiers", ()):
        if input_tokens > tier.start:
            rate = tier.price
    return rate


def _bill(usage: Usage, price: Price) -> int | None:
    """Tokens times rates. `None` when parts exceed their whole, so that the counts can't be right."""
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    fresh = (usage.input_tokens or 0) - cached - written
    reasoned = usage.reasoning_tokens or 0 if price.reasoning is not None else 0
    plain = (usage.output_tokens or 0) - reasoned
    if min(fresh, cached, written, reasoned, plain) < 0:
        return None
    per_million = (
        fresh * price.input
        + cached * (price.input if price.cached is None else price.cached)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + plain * price.output
        + reasoned * (price.reasoning or 0)
    )
    return round(per_million * _NANO_PER_TOKEN + price.request * 1_000_000_000)


class Listed(FrozenStruct):
    """A model of the price list. Prices in USD per million tokens, for the smallest requests."""

    model: ModelRef
    input: Decimal
    output: Decimal
    cached: Decimal | None
    context_tokens: int | None


def price_list(lists: Mapping[str, str], at: float) -> tuple[tuple[Listed, ...], str]:
    """All models of the price list at the providers of `lists`, as in `PriceBook`, and the list's date.

    Models that are priced by something else than tokens are left out.
    """
    rows = [
        row
        for provider in _snapshot().providers
        for name, listed in lists.items()
        if listed == provider.id
        for info in provider.models
        if (row := _list_row(ModelRef(name, info.id), info, at)) is not None
    ]
    return tuple(rows), _list_date()


def _list_row(model: ModelRef, info: Any, at: float) -> Listed | None:
    price = _read(info.get_prices(datetime.fromtimestamp(at, UTC)).__dict__, 0)
    if price is None or getattr(info, "deprecated", None):
        return None
    return Listed(
        model=model,
        input=price.input,
        output=price.output,
        cached=price.cached,
        context_tokens=info.context_window,
    )


def _list_date() -> str:
    """The list carries no date of its own: the version of the package that brings it is its date."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"
