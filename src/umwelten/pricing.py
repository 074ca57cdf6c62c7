"""The cost of an attempt in integer nano-USD, or `None` where it is unknown.

Sources, in this order: the provider's own figure, the user's prices, 0 where the provider is free, the
price list in genai-prices. A price that is not listed is unknown, never 0.
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
    """A price in USD per million tokens; `request` is USD per request. `None`: no separate rate."""

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal = Decimal(0)


_NOTHING = Price(input=Decimal(0), output=Decimal(0))


class PriceBook(FrozenStruct):
    """The sources of prices: the user's `own` prices, the `free` providers, and `lists`.

    `lists` maps the other providers to their names in the price list. The prices of a provider that is in
    none of the three are unknown.
    """

    own: Mapping[ModelRef, Price] = MappingProxyType({})
    free: frozenset[str] = frozenset()
    lists: Mapping[str, str] = MappingProxyType({})

    def is_free(self, model: ModelRef) -> bool:
        """Return whether the model is free of charge."""
        return model.provider in self.free and model not in self.own

    def needs_list(self, model: ModelRef) -> bool:
        """Return whether the model's price comes from the price list."""
        return model not in self.own and model.provider not in self.free


def cost_nusd(usage: Usage, model: ModelRef, prices: PriceBook, *, at: float) -> int | None:
    """Return the cost of one attempt in nano-USD; `at` is when it was made, in Unix seconds.

    `None`: neither the provider nor a price list states it, or the token counts are unknown.
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
    """Return the price at Unix time `at` for a request of `input_tokens`, or `None` if it is not listed."""
    own = prices.own.get(model)
    if own is not None:
        return own
    if prices.is_free(model):
        return _NOTHING
    entry = _find_entry(prices.lists.get(model.provider), model.model)
    if entry is None:
        return None
    # Prices differ by date and, at some providers, by the hour, so each attempt looks its own up.
    return _read_price(entry.get_prices(datetime.fromtimestamp(at, UTC)).__dict__, input_tokens)


@lru_cache(maxsize=4096)
def _find_entry(provider: str | None, model: str) -> Any:
    """Return the model's entry in the price list, or `None`. Cached, since a lookup takes 0.1 ms."""
    if provider is None:
        return None
    try:
        return _snapshot().find_provider_model(model, None, provider, None)[1]
    except LookupError:
        return None


def _snapshot() -> Any:
    # Imported here because the list takes 0.1 s to load.
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def listed_providers() -> frozenset[str]:
    """Return the names of the providers in the price list."""
    return frozenset(provider.id for provider in _snapshot().providers)


def max_cost_nusd(
    model: ModelRef, input_tokens: int, output_tokens: int, prices: PriceBook, *, at: float
) -> int | None:
    """Return the highest cost in nano-USD of an attempt with at most these tokens, of whatever kind.

    Tokens written to a cache or spent on reasoning may cost more than plain ones. `None`: price unknown.
    """
    price = price_of(model, prices, at=at, input_tokens=input_tokens)
    if price is None:
        return None
    sent = input_tokens * max(price.input, price.cached or 0, price.cache_write or 0)
    written = output_tokens * max(price.output, price.reasoning or 0)
    return math.ceil((sent + written) * _NANO_PER_TOKEN + price.request * 1_000_000_000)


def _read_price(prices: Mapping[str, Any], input_tokens: int) -> Price | None:
    """Return the `Price` of a list entry, at the tier that a request of `input_tokens` falls in."""
    rate = {key: _tier_rate(value, input_tokens) for key, value in prices.items() if value is not None}
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


def _tier_rate(value: Any, input_tokens: int) -> Decimal:
    """Return the rate for a whole request: above a tier's start, all tokens are billed at that tier."""
    rate: Decimal = value.base if hasattr(value, "tiers") else value
    for tier in getattr(value, "tiers", ()):
        if input_tokens > tier.start:
            rate = tier.price
    return rate


def _bill(usage: Usage, price: Price) -> int | None:
    """Return tokens times rates in nano-USD; `None` where parts exceed their total: the counts are wrong."""
    cached, written = usage.cached_tokens or 0, usage.cache_write_tokens or 0
    fresh = (usage.input_tokens or 0) - cached - written
    reasoning = usage.reasoning_tokens or 0 if price.reasoning is not None else 0
    plain = (usage.output_tokens or 0) - reasoning
    if min(fresh, cached, written, reasoning, plain) < 0:
        return None
    per_million = (
        fresh * price.input
        + cached * (price.input if price.cached is None else price.cached)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + plain * price.output
        + reasoning * (price.reasoning or 0)
    )
    return round(per_million * _NANO_PER_TOKEN + price.request * 1_000_000_000)


class PriceListRow(FrozenStruct):
    """A model in the price list. Prices in USD per million tokens, for the smallest requests."""

    model: ModelRef
    input: Decimal
    output: Decimal
    cached: Decimal | None
    context_tokens: int | None


def price_list(lists: Mapping[str, str], at: float) -> tuple[tuple[PriceListRow, ...], str]:
    """Return the listed models of the providers in `lists` (see `PriceBook`), and the list's version.

    Models that are not priced by tokens are left out.
    """
    rows = [
        row
        for provider in _snapshot().providers
        for name, listed_name in lists.items()
        if listed_name == provider.id
        for info in provider.models
        if (row := _list_row(ModelRef(name, info.id), info, at)) is not None
    ]
    return tuple(rows), _list_version()


def _list_row(model: ModelRef, info: Any, at: float) -> PriceListRow | None:
    price = _read_price(info.get_prices(datetime.fromtimestamp(at, UTC)).__dict__, 0)
    if price is None or getattr(info, "deprecated", None):
        return None
    return PriceListRow(
        model=model,
        input=price.input,
        output=price.output,
        cached=price.cached,
        context_tokens=info.context_window,
    )


def _list_version() -> str:
    """Return the version of the package that ships the list, which has no date of its own."""
    from importlib.metadata import version

    return f"genai-prices {version('genai-prices')}"
