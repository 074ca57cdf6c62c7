"""Bills computed by hand, and the price list's own calculator as an oracle."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.pricing import Price, cost_nusd, price_of
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


OURS_AND_THEIRS = [
    ("anthropic:claude-sonnet-4-5", "anthropic"),
    ("cerebras:llama3.1-8b", "cerebras"),
    ("deepseek:deepseek-chat", "deepseek"),
    ("google:gemini-2.5-pro", "google"),
    ("google:gemini-2.5-flash", "google"),
    ("minimax:MiniMax-M2", "minimax"),
    ("mistral:mistral-large-latest", "mistral"),
    ("openai:gpt-4.1", "openai"),
    ("openrouter:google/gemini-2.5-pro", "openrouter"),
    ("together:meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
    ("xai:grok-4", "x-ai"),
]


@settings(max_examples=60, deadline=None)
@given(
    pair=st.sampled_from(OURS_AND_THEIRS),
    fresh=st.integers(0, 400_000),
    cached=st.integers(0, 50_000),
    written=st.integers(0, 50_000),
    output=st.integers(0, 100_000),
    at=st.floats(1.72e9, 1.80e9),
)
def test_a_bill_agrees_with_the_price_lists_own_calculator(
    pair: tuple[str, str], fresh: int, cached: int, written: int, output: int, at: float
) -> None:
    model, provider = pair
    total = fresh + cached + written
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=total, cache_read_tokens=cached, cache_write_tokens=written, output_tokens=output
        ),
        ref(model).model,
        provider_id=provider,
        genai_request_timestamp=datetime.fromtimestamp(at, UTC),
    )
    ours = cost(
        model,
        at=at,
        input_tokens=total,
        cached_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
    )
    assert ours == round(theirs.total_price * 1_000_000_000)


def test_the_price_list_is_not_loaded_until_a_price_is_asked_for() -> None:
    code = (
        "import sys, umwelten.pricing as p; from umwelten.types import *;"
        "from umwelten.providers.prices import price_book; from umwelten.providers.vendors import VENDORS;"
        "p.cost_nusd(Usage(), ModelRef('ollama', 'x'), price_book(VENDORS), at=0.0);"
        "sys.exit('genai_prices' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
