"""The prices of the vendors' models."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from umwelten.pricing import Price, PriceBook
from umwelten.providers.protocol import Vendor
from umwelten.types import ModelRef


def price_book(
    vendors: Mapping[str, Vendor], own: Mapping[ModelRef, Price] = MappingProxyType({})
) -> PriceBook:
    """Return the prices of these vendors' models, with the user's `own` prices on top."""
    return PriceBook(
        own=own,
        free=frozenset(name for name, row in vendors.items() if row.is_free),
        lists={name: row.price_list for name, row in vendors.items() if row.price_list is not None},
    )
