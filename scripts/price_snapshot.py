"""Write src/umwelten/pricing/prices.json from the installed package genai-prices.

pip install --upgrade genai-prices
python scripts/price_snapshot.py                     asks PyPI for the day on which that version came out
python scripts/price_snapshot.py --date 2026-11-10   asks nobody
python scripts/price_snapshot.py --check             exit 1 if the file is not what would be written

The package is needed here and in tests alone: umwelten reads the file.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import types
from genai_prices.data import providers

SNAPSHOT = Path(__file__).parent.parent / "src/umwelten/pricing/prices.json"
RATES = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "input_audio",
    "input_image_mtok": "input_image",
    "input_video_mtok": "input_video",
    "cache_audio_read_mtok": "cached_audio",
    "cache_image_read_mtok": "cached_image",
    "cache_video_read_mtok": "cached_video",
    "output_audio_mtok": "output_audio",
    "output_image_mtok": "output_image",
    "output_video_mtok": "output_video",
    "web_searches_kcount": "web_searches",
    "requests_kcount": "requests",
}
"""The package's names of prices, and those of `umwelten.pricing.rates.Price`."""

UNUSED = {
    "audio_hours",
    "input_audio_hours",
    "input_document_kpages",
    "input_annotated_document_kpages",
    "input_mchars",
    "input_text_messages_kcount",
    "output_citation_mtok",
    "storage_searches_kcount",
}
"""Prices of what no reply of ours counts."""

TIER_KEYS, OTHER_KEYS = {"service_tier", "speed", "processing"}, {"route", "search_type"}
"""Conditions of a variant: what a reply states as its tier, and what it does not state."""


def number(value: Decimal) -> int | float:
    """A price as a JSON number that reads as the same decimal."""
    found = int(value) if value == int(value) else float(value)
    if Decimal(str(found)) != value:
        raise ValueError(f"{value} has too many digits for a JSON number")
    return found


def rate(value: Any) -> Any:
    """A price, or [price, [start, price], …] where it depends on the length of the request."""
    if isinstance(value, Decimal):
        return number(value)
    return [number(value.base), *([tier.start, number(tier.price)] for tier in value.tiers)]


def rates(price: types.ModelPrice) -> dict[str, Any]:
    """The prices by our names."""
    found = {key: value for key, value in price.__dict__.items() if value is not None}
    if unknown := set(found) - set(RATES) - UNUSED:
        raise ValueError(f"new kinds of prices: {', '.join(sorted(unknown))}: add them to RATES or UNUSED")
    return {RATES[key]: rate(value) for key, value in found.items() if key in RATES}


def constraint(value: Any) -> str | None:
    """When a price holds: from a day on, or between two times of each day; in UTC."""
    if value is None:
        return None
    if isinstance(value, types.StartDateConstraint):
        return value.start_date.isoformat()
    return f"{clock(value.start_time)}/{clock(value.end_time)}"


def clock(value: time) -> str:
    """A time of day in UTC."""
    zone = value.tzinfo or UTC
    return datetime.combine(date(2000, 1, 1), value, zone).astimezone(UTC).time().isoformat()


def rule(clause: Any) -> dict[str, Any]:
    """A rule for names of models: {"equals": …}, {"or": […]} and so on."""
    assert is_dataclass(clause)
    (field,) = fields(clause)
    value = getattr(clause, field.name)
    if isinstance(value, str):
        return {field.name: value if field.name == "regex" else value.lower()}
    return {field.name.rstrip("_"): [rule(one) for one in value]}


def tiers(variants: Iterable[types.PriceVariant]) -> list[list[Any]]:
    """The prices of tiers: [tier, when, prices]."""
    found: list[list[Any]] = []
    for variant in variants:
        ((key, name),) = variant.when.items()
        if key in OTHER_KEYS:
            continue
        if key not in TIER_KEYS:
            raise ValueError(f"a new condition of prices: {key}: add it to TIER_KEYS or OTHER_KEYS")
        changed = rates(variant.prices)
        if name == "default":
            if changed:
                raise ValueError("the default tier has prices of its own")
            continue
        found.append([name, constraint(variant.constraint), changed])
    return found


def model(info: types.ModelInfo) -> dict[str, Any]:
    """A model's entry."""
    prices = info.prices if isinstance(info.prices, list) else [types.ConditionalPrice(prices=info.prices)]
    entry: dict[str, Any] = {
        "id": info.id,
        "match": rule(info.match),
        "prices": [[constraint(price.constraint), rates(price.prices)] for price in prices],
        "tiers": tiers(info.price_variants or ()),
        "context_tokens": info.context_window,
        "deprecated": bool(info.deprecated),
    }
    return {key: value for key, value in entry.items() if value}


def provider(row: types.Provider) -> dict[str, Any]:
    """A provider's entry."""
    return {"fallback": row.fallback_model_providers or [], "models": [model(info) for info in row.models]}


def text(day: str) -> str:
    """The file: a line for each provider, so that a diff shows whose prices changed."""
    rows: Mapping[str, Any] = {row.id: provider(row) for row in providers}
    lines = ",\n".join(
        f"{json.dumps(name)}: {json.dumps(row, ensure_ascii=False, separators=(',', ':'))}"
        for name, row in sorted(rows.items())
    )
    head = f'"source": "genai-prices {version("genai-prices")}", "date": "{day}"'
    return f'{{{head}, "providers": {{\n{lines}\n}}}}\n'


def release_day() -> str:
    """The day on which the installed version was published; the package itself does not say."""
    request = urllib.request.Request(
        "https://pypi.org/simple/genai-prices/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        files = json.load(reply)["files"]
    wheel = f"genai_prices-{version('genai-prices')}-"
    return next(str(file["upload-time"])[:10] for file in files if file["filename"].startswith(wheel))


def main() -> int:
    """Write the file, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--date", help="the day of the prices, YYYY-MM-DD")
    parser.add_argument("--check", action="store_true", help="exit 1 if the file is not up to date")
    given = parser.parse_args()
    if given.check:
        stored = SNAPSHOT.read_text(encoding="utf-8")
        if stored == text(json.loads(stored)["date"]):
            return 0
        sys.stderr.write(f"{SNAPSHOT} is not what scripts/price_snapshot.py writes\n")
        return 1
    SNAPSHOT.write_text(text(given.date or release_day()), encoding="utf-8")
    sys.stdout.write(f"wrote {SNAPSHOT}: {SNAPSHOT.stat().st_size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
