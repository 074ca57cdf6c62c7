"""The cost of an attempt in integer nano-USD, or `None` where it is unknown.

Sources, in this order: the provider's own figure, the user's prices, 0 where the provider is free, the
price list. A price that is not listed is unknown, never 0, and so is that of a tier that is not listed.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType

from umwelten.pricing import listed
from umwelten.pricing.rates import FREE, MEDIA, Price, bill, dearest_nusd
from umwelten.types import FrozenStruct, ModelRef, Usage

__all__ = [
    "MEDIA",
    "Price",
    "PriceBook",
    "PriceListRow",
    "RequestTerms",
    "cost_nusd",
    "is_standard_tier",
    "listed_providers",
    "max_cost_nusd",
    "price_list",
    "price_of",
]

_STANDARD = frozenset({"", "auto", "default", "on_demand", "standard", "standard_only"})
"""What vendors call the tier that has no price of its own."""

_PRICED_AS_STANDARD = frozenset({("groq", "flex")})
"""Tiers by price list that have other limits and the same price."""


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
        is_free = model.provider in self.free or listed.is_free_variant(
            self.lists.get(model.provider), model.model
        )
        return is_free and model.plain not in self.own

    def needs_list(self, model: ModelRef) -> bool:
        """Return whether the model's price comes from the price list."""
        return model.provider in self.lists and model.plain not in self.own and not self.is_free(model)

    def list_day(self, models: Iterable[ModelRef]) -> str | None:
        """Return the day of the price list, YYYY-MM-DD, `None` if none of these models needs it."""
        return listed.day() if any(map(self.needs_list, models)) else None


class RequestTerms(FrozenStruct):
    """What of a request changes its price: the service tier that it asks for, `None` if none.

    For the highest price: `media` are those of `MEDIA` that it may hold; `hour_cache`: it may write to the
    provider's cache for an hour.
    """

    tier: str | None = None
    media: Collection[str] = ()
    hour_cache: bool = False


_PLAIN = RequestTerms()


def cost_nusd(
    usage: Usage, model: ModelRef, prices: PriceBook, *, at: float, terms: RequestTerms = _PLAIN
) -> int | None:
    """Return the cost of one attempt in nano-USD; `at` is when it was made, in Unix seconds.

    `None`: neither the provider nor a price list states it, the token counts are unknown, or the reply
    does not say whether it got the tier that it asked for.
    """
    if usage.cost_nusd is not None:
        return usage.cost_nusd
    if prices.is_free(model):
        return 0
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    if usage.service_tier is None and _tier(terms.tier) is not None:
        return None
    price = price_of(model, prices, at=at, input_tokens=usage.input_tokens, tier=usage.service_tier)
    return None if price is None else bill(usage, price)


def price_of(
    model: ModelRef, prices: PriceBook, *, at: float, input_tokens: int = 0, tier: str | None = None
) -> Price | None:
    """Return the price at Unix time `at` for a request of `input_tokens` in a service tier.

    `None`: it is not listed, or not for that tier.
    """
    name = _tier(tier)
    own = prices.own.get(model.plain)
    if own is not None:
        return own if name is None else own.tiers.get(name)
    if prices.is_free(model):
        return FREE
    source = prices.lists.get(model.provider)
    if (source, name) in _PRICED_AS_STANDARD:
        name = None
    return listed.find(source, model.model, at, name, input_tokens)


def is_standard_tier(name: str) -> bool:
    """Return whether the name is one for the tier that has no price of its own."""
    return _tier(name) is None


def _tier(stated: str | None) -> str | None:
    """Return the tier in small letters, `None` for the standard one."""
    if stated is None or stated in _STANDARD:
        return None
    name = stated.strip().lower()
    return None if name in _STANDARD else name


def max_cost_nusd(
    model: ModelRef,
    input_tokens: int,
    output_tokens: int,
    prices: PriceBook,
    *,
    at: float,
    terms: RequestTerms = _PLAIN,
) -> int | None:
    """Return the highest cost in nano-USD of an attempt with at most these tokens, of whatever kind.

    Tokens written to a cache or spent on reasoning may cost more than plain ones, and a tier that was asked
    for may be refused: then the standard one serves. `None`: the price is unknown, or that of the tier.
    """
    found = [
        price_of(model, prices, at=at, input_tokens=input_tokens, tier=tier)
        for tier in dict.fromkeys((None, _tier(terms.tier)))
    ]
    known = [price for price in found if price is not None]
    if len(known) < len(found):
        return None
    return math.ceil(
        max(
            dearest_nusd(input_tokens, output_tokens, price, media=terms.media, hour=terms.hour_cache)
            for price in known
        )
    )


class PriceListRow(FrozenStruct):
    """A model in the price list. Prices in USD per million tokens, for the smallest requests."""

    model: ModelRef
    input: Decimal
    output: Decimal
    cached: Decimal | None
    context_tokens: int | None


def price_list(lists: Mapping[str, str], at: float) -> tuple[tuple[PriceListRow, ...], str]:
    """Return the listed models of the providers in `lists` (see `PriceBook`), and the list's name and day.

    Models that are not priced by tokens are left out.
    """
    rows = tuple(
        PriceListRow(
            model=ModelRef(name, found.id),
            input=found.price.input,
            output=found.price.output,
            cached=found.price.cached,
            context_tokens=found.context_tokens,
        )
        for name, source in sorted(lists.items(), key=lambda item: item[1])
        for found in listed.models(source, at)
    )
    return rows, listed.source()


def listed_providers() -> frozenset[str]:
    """Return the names of the providers in the price list."""
    return listed.providers()
