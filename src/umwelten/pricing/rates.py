"""The rates of a model, and what tokens cost at them, in exact decimals.

A kind of tokens without a rate of its own is billed at the rate of the kind that it is part of: cached audio
as cached tokens, those as input. That is how vendors' price lists are written: they name what differs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from umwelten.types import FrozenStruct, Usage, UsageDetail

NANO_PER_TOKEN = 1000  # 1 USD per million tokens is 1000 nano-USD per token
_NANO_PER_USD = 1_000_000_000
_NANO_PER_SEARCH = 1_000_000  # at 1 USD per thousand


class Price(FrozenStruct):
    """A price in USD per million tokens. `None`: no separate rate.

    `web_searches` is USD per thousand searches, `request` USD per request. `tiers` are the prices of
    service tiers by name, complete ones.
    """

    input: Decimal
    output: Decimal
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    reasoning: Decimal | None = None
    request: Decimal = Decimal(0)
    input_audio: Decimal | None = None
    input_image: Decimal | None = None
    input_video: Decimal | None = None
    cached_audio: Decimal | None = None
    cached_image: Decimal | None = None
    cached_video: Decimal | None = None
    output_audio: Decimal | None = None
    output_image: Decimal | None = None
    output_video: Decimal | None = None
    web_searches: Decimal | None = None
    tiers: Mapping[str, Price] = {}


FREE = Price(input=Decimal(0), output=Decimal(0))

MEDIA = ("audio", "image", "video")

# From the most special kind to the most general, so that each is subtracted from those that it is part of.
_PART_OF: Mapping[str, tuple[str, ...]] = {
    **{f"cached_{medium}": ("cached", f"input_{medium}", "input") for medium in MEDIA},
    "cache_write_1h": ("cache_write", "input"),
    **{f"input_{medium}": ("input",) for medium in MEDIA},
    **{f"output_{medium}": ("output",) for medium in MEDIA},
    "cached": ("input",),
    "cache_write": ("input",),
    "reasoning": ("output",),
    "input": (),
    "output": (),
}


def bill(usage: Usage, price: Price) -> int | None:
    """Return tokens times rates in nano-USD.

    `None`: the counts contradict each other, or a count is missing on which the price depends.
    """
    counts = _counts(usage, price)
    if counts is None:
        return None
    per_million = Decimal(0)
    for kind, wholes in _PART_OF.items():
        rate = getattr(price, kind)
        count = counts.get(kind, 0)
        if rate is None or not count:
            continue
        if count < 0:
            return None
        per_million += count * rate
        for whole in wholes:
            counts[whole] = counts.get(whole, 0) - count
    searches = usage.details.get(UsageDetail.WEB_SEARCHES, 0) * (price.web_searches or 0) * _NANO_PER_SEARCH
    return round(per_million * NANO_PER_TOKEN + price.request * _NANO_PER_USD + searches)


def _counts(usage: Usage, price: Price) -> dict[str, int] | None:
    counts = {
        "input": usage.input_tokens or 0,
        "output": usage.output_tokens or 0,
        "cached": usage.cached_tokens or 0,
        "cache_write": usage.cache_write_tokens or 0,
        "reasoning": usage.reasoning_tokens or 0,
    }
    if min(counts.values()) < 0:
        return None
    if usage.details:
        counts |= usage.details
        if counts.pop(UsageDetail.WEB_SEARCHES, 0) and price.web_searches is None:
            return None
        if not counts.keys() <= _PART_OF.keys() or not _media_are_clear(counts, price):
            return None
    return counts


def _media_are_clear(counts: Mapping[str, int], price: Price) -> bool:
    """Return whether it is known how many of the cached tokens are audio, images or video."""
    return not any(
        counts["cached"] and counts.get(f"input_{medium}") and f"cached_{medium}" not in counts
        for medium in MEDIA
        if getattr(price, f"cached_{medium}") is not None
    )


def dearest_nusd(
    input_tokens: int, output_tokens: int, price: Price, *, media: Collection[str], hour: bool
) -> Decimal:
    """Return the highest cost in nano-USD of so many tokens, of whatever kind they turn out to be.

    `media` are those of `MEDIA` that the request may hold; `hour`: it may write to the cache for an hour.
    Answers may be audio or images where the model has a price for them.
    """
    sent = ["input", "cached", "cache_write", *(["cache_write_1h"] if hour else [])]
    sent += [f"{side}_{medium}" for medium in media for side in ("input", "cached")]
    written = ["output", "reasoning", *(f"output_{medium}" for medium in MEDIA)]
    tokens = input_tokens * _highest(price, sent) + output_tokens * _highest(price, written)
    return tokens * NANO_PER_TOKEN + price.request * _NANO_PER_USD


def _highest(price: Price, kinds: Collection[str]) -> Decimal:
    rates: list[Decimal] = [rate for kind in kinds if (rate := getattr(price, kind)) is not None]
    return max(rates)
