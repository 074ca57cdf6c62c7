"""Bills computed by hand; `test_price_list` compares them with the price list's own calculator."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from umwelten.pricing import Price, RequestTerms, cost_nusd, max_cost_nusd, price_of
from umwelten.providers.prices import price_book
from umwelten.providers.vendors import VENDORS
from umwelten.types import ModelRef, Usage

PRICES = price_book(VENDORS)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def ref(text: str) -> ModelRef:
    return ModelRef(*text.split(":", 1))


def cost(model: str, own: dict[ModelRef, Price] | None = None, at: float = AT, **usage: int) -> int | None:
    return cost_nusd(Usage(**usage), ref(model), price_book(VENDORS, own or {}), at=at)


@pytest.mark.parametrize(
    ("model", "usage", "nusd"),
    [
        # 1000 × 0.15 + 500 × 0.60 = 450 µUSD
        ("openai:gpt-4o-mini", {"input_tokens": 1000, "output_tokens": 500}, 450_000),
        # 600 × 0.15 + 400 × 0.075 + 500 × 0.60 = 420 µUSD: cached tokens are part of the input
        ("openai:gpt-4o-mini", {"input_tokens": 1000, "output_tokens": 500, "cached_tokens": 400}, 420_000),
        # 1 × 0.15 + 1 × 0.60 = 0.75 µUSD
        ("openai:gpt-4o-mini", {"input_tokens": 1, "output_tokens": 1}, 750),
        # (10000 - 2000 - 3000) × 3 + 2000 × 0.30 + 3000 × 3.75 + 1000 × 15 = 41 850 µUSD
        (
            "anthropic:claude-3-7-sonnet-20250219",
            {
                "input_tokens": 10_000,
                "output_tokens": 1000,
                "cached_tokens": 2000,
                "cache_write_tokens": 3000,
            },
            41_850_000,
        ),
        # 200 000 × 1.25 + 1000 × 10 = 260 000 µUSD: the last request of the lower tier
        ("google:gemini-2.5-pro", {"input_tokens": 200_000, "output_tokens": 1000}, 260_000_000),
        # 200 001 × 2.50 + 1000 × 15 = 515 002.5 µUSD: above it, all tokens pay the higher rate
        ("google:gemini-2.5-pro", {"input_tokens": 200_001, "output_tokens": 1000}, 515_002_500),
        # 1200 × 2.50 + 300 × 10 = 6000 µUSD
        ("openrouter:openai/gpt-4o", {"input_tokens": 1200, "output_tokens": 300}, 6_000_000),
        # 1000 × 0.59 + 1000 × 0.79 = 1380 µUSD
        ("groq:llama-3.3-70b-versatile", {"input_tokens": 1000, "output_tokens": 1000}, 1_380_000),
        # 1000 × 3 + 100 × 15 = 4500 µUSD
        ("xai:grok-4", {"input_tokens": 1000, "output_tokens": 100}, 4_500_000),
        # reasoning tokens are part of the output: 100 × 1.25 + 1000 × 10 = 10 125 µUSD
        (
            "openai:gpt-5",
            {"input_tokens": 100, "output_tokens": 1000, "reasoning_tokens": 900},
            10_125_000,
        ),
    ],
)
def test_a_bill_is_what_one_computes_by_hand(model: str, usage: dict[str, int], nusd: int) -> None:
    assert cost(model, **usage) == nusd


def test_the_providers_own_figure_wins_over_every_price() -> None:
    own = {ref("openrouter:openai/gpt-4o"): Price(input=Decimal(1), output=Decimal(1))}
    assert cost("openrouter:openai/gpt-4o", own, input_tokens=1, output_tokens=1, cost_nusd=7) == 7
    assert cost("openrouter:openai/gpt-4o", own, cost_nusd=0) == 0
    assert cost("ollama:gemma3:12b", cost_nusd=5) == 5


@pytest.mark.parametrize("provider", sorted(PRICES.free))
def test_a_model_on_ones_own_machine_costs_nothing_even_with_tokens_unknown(provider: str) -> None:
    assert cost(f"{provider}:gpt-4o") == 0
    assert price_of(ref(f"{provider}:gpt-4o"), PRICES, at=AT) == Price(input=Decimal(0), output=Decimal(0))


def test_the_users_price_wins_over_the_list_and_over_free() -> None:
    price = Price(input=Decimal("0.2"), output=Decimal("1"), cached=Decimal("0.1"))
    own = {ref("openai:gpt-4o-mini"): price, ref("vllm:qwen"): price}
    for model in ("openai:gpt-4o-mini", "vllm:qwen"):
        assert cost(model, own, input_tokens=10, output_tokens=10, cached_tokens=4) == 1200 + 400 + 10_000
        assert cost(model, own) is None  # tokens unknown


@pytest.mark.parametrize(
    "model",
    [
        "openai:no-such-model",
        "mycluster:gpt-4o",
        "deepinfra:gpt-4o",
        "my-openai-proxy:gpt-4o",
        "openai:whisper-1",  # listed, but by the hour
        "openai:",
    ],
)
def test_an_unlisted_price_is_unknown_and_never_zero(model: str) -> None:
    assert cost(model, input_tokens=1000, output_tokens=1000) is None
    assert price_of(ref(model), PRICES, at=AT) is None


@pytest.mark.parametrize("known", [{}, {"input_tokens": 10}, {"output_tokens": 10}])
def test_unknown_tokens_cost_an_unknown_amount(known: dict[str, int]) -> None:
    assert cost("openai:gpt-4o-mini", **known) is None


def test_counts_that_contradict_each_other_are_not_priced() -> None:
    assert cost("openai:gpt-4o-mini", input_tokens=10, output_tokens=1, cached_tokens=11) is None
    assert cost("openai:gpt-4o-mini", input_tokens=10, output_tokens=-1) is None


def test_the_price_in_force_is_that_of_the_attempts_own_time() -> None:
    def before_and_after(at: datetime) -> int | None:
        return cost("openai:o3", at=at.timestamp(), input_tokens=1000, output_tokens=1000)

    # o3 went from 10 and 40 USD per million to 2 and 8 on 10 June 2025.
    assert before_and_after(datetime(2025, 6, 9, tzinfo=UTC)) == 50_000_000
    assert before_and_after(datetime(2025, 6, 10, tzinfo=UTC)) == 10_000_000


def test_the_price_shown_is_that_of_the_tier_a_request_falls_in() -> None:
    model = ref("google:gemini-2.5-pro")
    low = price_of(model, PRICES, at=AT, input_tokens=200_000)
    high = price_of(model, PRICES, at=AT, input_tokens=200_001)
    assert low is not None
    assert high is not None
    assert (low.input, low.output) == (Decimal("1.25"), Decimal(10))
    assert (high.input, high.output) == (Decimal("2.5"), Decimal(15))


# --- tiers and kinds of tokens -----------------------------------------------------------------

LATER = datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
MANY = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}


def later(
    model: str,
    tier: str | None = None,
    own: dict[ModelRef, Price] | None = None,
    asked: str | None = None,
    details: dict[str, int] | None = None,
    **usage: int,
) -> float | None:
    """USD of a million tokens each way, if nothing else is given."""
    used = Usage(**(MANY | usage), service_tier=tier, details=details or {})
    prices = price_book(VENDORS, own or {})
    nusd = cost_nusd(used, ref(model), prices, at=LATER, terms=RequestTerms(tier=asked))
    return None if nusd is None else nusd / 1e9


@pytest.mark.parametrize(
    ("model", "tier", "usd"),
    [
        ("openai:gpt-5.4-mini", None, 5.25),
        ("openai:gpt-5.4-mini", "default", 5.25),
        ("openai:gpt-5.4-mini", "auto", 5.25),
        ("openai:gpt-5.4-mini", "flex", 2.625),
        ("openai:gpt-5.4-mini", "priority", 10.50),
        ("openai:gpt-5.4-mini", "Priority", 10.50),
        ("openai:gpt-5.4-mini", "fast", 10.50),
        ("openai:gpt-5.4-mini", "batch", 2.625),
        ("openai:gpt-5.4-mini", "scale", None),
        ("openai:gpt-5.4-mini", "ultrafast", None),
        ("openai:gpt-4.1", "flex", None),
        ("anthropic:claude-opus-5-5", "standard", 24.0),
        ("anthropic:claude-opus-5-5", "fast", 48.0),
        ("anthropic:claude-opus-5-5", "batch", 12.0),
        ("anthropic:claude-opus-5-5", "priority", None),
        ("anthropic:claude-opus-5-5", "priority+fast", None),
        ("anthropic:claude-opus-5-5", "geo=us", None),
        ("google:gemini-3.8-flash-tts", "standard", 9.5),
        ("google:gemini-3.8-flash-tts", "flex", 4.75),
        ("google:gemini-3.8-flash-tts", "priority", 17.1),
        ("google:gemini-3.8-flash-tts", "provisioned_throughput", None),
        ("google:gemini-2.5-flash", "flex", None),
        ("groq:llama-3.3-70b-versatile", "on_demand", 1.38),
        ("groq:llama-3.3-70b-versatile", "flex", 1.38),
        ("groq:llama-3.3-70b-versatile", "performance", None),
        ("ollama:gemma3:12b", "priority", 0.0),
    ],
)
def test_a_bill_is_that_of_the_tier_that_served_or_unknown(model: str, tier: str | None, usd: float) -> None:
    assert later(model, tier) == usd


def test_a_tier_that_was_asked_for_and_is_not_stated_leaves_the_cost_unknown() -> None:
    for asked in ("priority", "flex", "scale"):
        assert later("openai:gpt-5.4-mini", None, asked=asked) is None
        assert later("openai:gpt-5.4-mini", "default", asked=asked) == 5.25
    for asked in ("auto", "default", "standard_only"):
        assert later("openai:gpt-5.4-mini", None, asked=asked) == 5.25


@pytest.mark.parametrize(
    ("model", "usage", "details", "usd"),
    [
        # 0.7 M × 0.30 + 0.3 M × 1.00 + 2.50
        ("google:gemini-2.5-flash", {}, {"input_audio": 300_000}, 3.01),
        # All audio, a fifth of it cached: 0.8 × 1.00 + 0.2 × 0.10 + 2.50
        (
            "google:gemini-2.5-flash",
            {"cached_tokens": 200_000},
            {"input_audio": 1_000_000, "cached_audio": 200_000},
            3.32,
        ),
        # The cached part is text: 0.5 × 0.30 + 0.2 × 0.03 + 0.3 × 1.00 + 2.50
        (
            "google:gemini-2.5-flash",
            {"cached_tokens": 200_000},
            {"input_audio": 300_000, "cached_audio": 0},
            2.956,
        ),
        # It is not stated which of the cached tokens are audio.
        ("google:gemini-2.5-flash", {"cached_tokens": 200_000}, {"input_audio": 300_000}, None),
        # No price of their own: the list's rule is the price of the text.
        ("google:gemini-2.5-flash", {}, {"input_image": 300_000}, 2.80),
        ("openai:gpt-5.4-mini", {}, {"input_audio": 300_000, "output_audio": 100_000}, 5.25),
        # 0.2 × 2.50 + 0.8 × 4.00 + 10.00 for writes of five minutes and one hour
        (
            "anthropic:claude-sonnet-5-5",
            {"cache_write_tokens": 1_000_000},
            {"cache_write_1h": 800_000},
            13.70,
        ),
        ("anthropic:claude-sonnet-5-5", {}, {"web_searches": 3}, 12.03),
        ("cerebras:llama3.1-8b", {}, {"web_searches": 3}, None),
        ("google:gemini-2.5-flash", {}, {"input_smell": 3}, None),
        ("google:gemini-2.5-flash", {}, {"input_audio": 2_000_000}, None),
        ("anthropic:claude-sonnet-5-5", {"cache_write_tokens": 10}, {"cache_write_1h": 20}, None),
    ],
)
def test_kinds_of_tokens_are_billed_at_their_own_price(
    model: str, usage: dict[str, int], details: dict[str, int], usd: float | None
) -> None:
    assert later(model, details=details, **usage) == usd


def test_the_users_price_has_tiers_of_its_own() -> None:
    flex = Price(input=Decimal(1), output=Decimal(2))
    own = {ref("openai:gpt-5.4-mini"): Price(input=Decimal(2), output=Decimal(4), tiers={"flex": flex})}
    assert later("openai:gpt-5.4-mini", "default", own) == 6.0
    assert later("openai:gpt-5.4-mini", "flex", own) == 3.0
    assert later("openai:gpt-5.4-mini", "priority", own) is None


# --- the most ----------------------------------------------------------------------------------


def most(model: str, **terms: Any) -> float | None:
    nusd = max_cost_nusd(ref(model), 1_000_000, 1_000_000, PRICES, at=LATER, terms=RequestTerms(**terms))
    return None if nusd is None else nusd / 1e9


@pytest.mark.parametrize(
    ("model", "terms", "usd"),
    [
        ("openai:gpt-5.4-mini", {}, 5.25),
        ("openai:gpt-5.4-mini", {"tier": "priority"}, 10.5),
        # It may be served, and billed, as standard.
        ("openai:gpt-5.4-mini", {"tier": "flex"}, 5.25),
        ("openai:gpt-5.4-mini", {"tier": "scale"}, None),
        ("google:gemini-2.5-flash", {}, 2.8),
        ("google:gemini-2.5-flash", {"media": ("image",)}, 2.8),
        ("google:gemini-2.5-flash", {"media": ("audio",)}, 3.5),
        ("anthropic:claude-sonnet-5-5", {}, 12.5),
        ("anthropic:claude-sonnet-5-5", {"hour_cache": True}, 14.0),
        ("anthropic:claude-opus-5-5", {"tier": "fast", "hour_cache": True}, 56.0),
        # Above 200 000 tokens.
        ("google:gemini-2.5-pro", {}, 17.5),
    ],
)
def test_the_most_is_that_of_the_dearest_price_that_applies(
    model: str, terms: dict[str, Any], usd: float | None
) -> None:
    assert most(model, **terms) == usd


def test_loading_the_price_list_takes_no_other_package() -> None:
    code = (
        "import sys, umwelten.pricing as p; from umwelten.types import *;"
        "from umwelten.providers.prices import price_book; from umwelten.providers.vendors import VENDORS;"
        "book = price_book(VENDORS);"
        "before = p.listed._list.cache_info().currsize;"
        "p.cost_nusd(Usage(), ModelRef('ollama', 'x'), book, at=0.0);"
        "loaded = p.listed._list.cache_info().currsize;"
        "p.price_of(ModelRef('openai', 'gpt-5-mini'), book, at=0.0);"
        "sys.exit(before or loaded or bool({'genai_prices', 'pydantic', 'httpx2'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
