"""The price list in the package, with the package that it is a snapshot of as an oracle."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from umwelten.pricing import cost_nusd, is_standard_tier, listed, listed_providers, price_list, price_of
from umwelten.pricing.rates import bill
from umwelten.providers.prices import price_book
from umwelten.providers.vendors import VENDORS
from umwelten.types import ModelRef, Usage

genai_prices = pytest.importorskip("genai_prices")

ROOT = Path(__file__).parent.parent
THEIRS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "reasoning_tokens": "output_reasoning_tokens",
    "cache_write_1h": "cache_write_1h_tokens",
    "input_audio": "input_audio_tokens",
    "input_image": "input_image_tokens",
    "input_video": "input_video_tokens",
    "cached_audio": "cache_audio_read_tokens",
    "cached_image": "cache_image_read_tokens",
    "cached_video": "cache_video_read_tokens",
    "output_audio": "output_audio_tokens",
    "output_image": "output_image_tokens",
    "output_video": "output_video_tokens",
    "web_searches": "web_searches",
}
"""Our names of what is counted, and the package's."""

TIERS = (*(None,) * 7, "default", "flex", "priority", "fast", "batch", "scale")
COUNTED = Usage.__struct_fields__[:5]


def snapshot() -> Any:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot()


def drawn_counts(dice: random.Random) -> dict[str, int]:
    """Counts of an attempt; some contradict themselves, some lack what a price depends on."""
    scale = dice.choice((100, 5_000, 150_000, 600_000))
    cached, written = (dice.randrange(scale) if dice.random() < 0.4 else 0 for _ in range(2))
    output, reasoning = dice.randrange(scale), 0
    counts = {"input_tokens": dice.randrange(scale) + cached + written, "output_tokens": output}
    counts |= {"cached_tokens": cached, "cache_write_tokens": written}
    if dice.random() < 0.3:
        reasoning = counts["reasoning_tokens"] = dice.randrange(output + 1)
    if dice.random() < 0.3:
        counts["cache_write_1h"] = dice.randrange(written + 1)
    if dice.random() < 0.4:
        medium = dice.choice(("audio", "image", "video"))
        counts[f"input_{medium}"] = dice.randrange(counts["input_tokens"] - cached - written + 1)
        if dice.random() < 0.8:
            counts[f"cached_{medium}"] = dice.randrange(min(cached, counts[f"input_{medium}"]) + 1)
    if dice.random() < 0.2:
        counts[f"output_{dice.choice(('audio', 'image', 'video'))}"] = dice.randrange(output - reasoning + 1)
    if dice.random() < 0.08:
        counts["cached_tokens"] += counts["input_tokens"]
    return counts


def ours(provider: str, model: str, at: float, tier: str | None, counts: dict[str, int]) -> int | None:
    usage = Usage(
        **{name: counts[name] for name in COUNTED if name in counts},
        service_tier=tier,
        details={name: count for name, count in counts.items() if name not in COUNTED},
    )
    price = listed.find(
        provider, model, at, None if is_standard_tier(tier or "") else tier, usage.input_tokens or 0
    )

    return None if price is None else bill(usage, price)


def theirs(
    provider: str, model: str, at: float, tier: str | None, counts: dict[str, int]
) -> int | str | None:
    """The package's cost, `None` where it refuses the counts, "unknown" where we must not take its price."""
    moment = datetime.fromtimestamp(at, UTC)
    try:
        row, info = snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return "unknown"
    context = {} if tier is None else dict.fromkeys(("service_tier", "speed", "processing"), tier)
    standard = info.get_prices(moment)
    if standard.input_mtok is None or standard.output_mtok is None:
        return "unknown"
    if tier not in (None, "default"):
        at_home = any(info is one for one in row.models)
        active = [
            variant
            for variant in info.price_variants or ()
            if {"service_tier", "speed", "processing"} & variant.when.keys()
            and tier in variant.when.values()
            and (variant.constraint is None or variant.constraint.active(moment))
        ]
        if not at_home or not active:
            return "unknown"
    usage = genai_prices.Usage(**{THEIRS[name]: count for name, count in counts.items()})
    try:
        price = info.calc_price(usage, row, genai_request_timestamp=moment, price_context=context)
    except ValueError:
        return None
    return round(price.total_price * 1_000_000_000)


def test_costs_are_those_of_the_packages_own_calculator() -> None:
    dice = random.Random(20261110)
    catalogue = [(row.id, [info.id for info in row.models]) for row in snapshot().providers]
    catalogue += [("azure", ["gpt-5-mini", "claude-sonnet-4-5", "deepseek-chat"])]
    # Half of the draws are of the vendors that are known by name.
    by_name = {row.price_list for row in VENDORS.values()}
    catalogue += 3 * [entry for entry in catalogue if entry[0] in by_name]
    seen = {"equal": 0, "refused": 0, "unknown": 0}
    for _ in range(10_000):
        provider, names = dice.choice(catalogue)
        draw = (
            provider,
            dice.choice(names),
            dice.uniform(1.68e9, 1.83e9),
            dice.choice(TIERS),
            drawn_counts(dice),
        )
        expected, found = theirs(*draw), ours(*draw)
        if expected == "unknown" or expected is None:
            seen["unknown" if expected else "refused"] += 1
            assert found is None, draw
        else:
            seen["equal"] += 1
            assert found == expected, draw
    assert seen["equal"] > 5_000, seen
    assert seen["refused"] > 50, seen


def test_a_tier_is_drawn_for_every_model_that_has_one() -> None:
    dice, at = random.Random(2), datetime(2026, 11, 29, 14, tzinfo=UTC).timestamp()
    checked = 0
    for row in snapshot().providers:
        for info in row.models:
            for variant in info.price_variants or ():
                ((key, tier),) = variant.when.items()
                if key in ("route", "search_type"):
                    continue
                counts = drawn_counts(dice)
                expected = theirs(row.id, info.id, at, tier, counts)
                assert ours(row.id, info.id, at, tier, counts) == (
                    None if expected == "unknown" else expected
                )
                checked += 1
    assert checked > 200


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "GPT-5-Mini"),
        ("openai", "gpt-5.2-20251211"),
        ("openrouter", "anthropic/claude-4.5-sonnet-20250929"),
        ("openai", "gpt-5.2-20251341"),
        ("azure", "gpt-4o-mini"),
        ("google", "claude-sonnet-4-5"),
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("openai", ""),
        ("groq", "no-such-model"),
    ],
)
def test_names_find_the_entries_that_they_find_there(provider: str, name: str) -> None:
    at = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
    counts = {"input_tokens": 1000, "output_tokens": 1000}
    expected = theirs(provider, name, at, None, counts)
    assert ours(provider, name, at, None, counts) == (None if expected == "unknown" else expected)


def test_the_snapshot_is_what_its_script_writes() -> None:
    check = [sys.executable, str(ROOT / "scripts/price_snapshot.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_list_has_a_day_and_the_vendors_lists() -> None:
    assert datetime.fromisoformat(listed.day()) <= datetime.now()
    prices = price_book(VENDORS)
    assert prices.list_day([ModelRef("ollama", "x"), ModelRef("openai", "x")]) == listed.day()
    assert prices.list_day([ModelRef("ollama", "x")]) is None
    assert {row.price_list for row in VENDORS.values() if row.price_list} <= listed_providers()


@pytest.mark.parametrize("suffix", ["nitro", "floor", "online", "exacto", "cheapest"])
def test_a_variant_of_a_router_that_is_not_listed_has_no_price(suffix: str) -> None:
    at = datetime(2026, 11, 29, tzinfo=UTC).timestamp()
    for found in listed.models("openrouter", at):
        if ":" not in found.id:
            assert listed.find("openrouter", f"{found.id}:{suffix}", at, None, 0) is None


def test_a_free_variant_of_a_router_costs_nothing_also_if_it_is_not_listed() -> None:
    prices = price_book(VENDORS)
    for model in ("google/gemma-3-27b-it:free", "some/new-model:free"):
        ref = ModelRef("openrouter", model)
        assert cost_nusd(Usage(input_tokens=10, output_tokens=10), ref, prices, at=0.0) == 0
        assert cost_nusd(Usage(), ref, prices, at=0.0) == 0
    elsewhere = ModelRef("openai", "gpt-5-mini:free")
    assert price_of(elsewhere, prices, at=0.0) is None


def test_the_list_goes_by_the_names_that_it_has_for_providers() -> None:
    rows, said = price_list({"mine": "x-ai", "yours": "anthropic"}, 1_795_518_000.0)
    assert re.fullmatch(rf"genai-prices [\d.]+ of {listed.day()}", said)
    assert list(dict.fromkeys(row.model.provider for row in rows)) == ["yours", "mine"]
