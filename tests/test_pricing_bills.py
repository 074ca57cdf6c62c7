"""From a provider's usage block, as it stands in a reply, to its price: computed by hand, within 0.1 %."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from umwelten.pricing import Price, PriceBook, cost_nusd, max_cost_nusd
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Endpoint, Head
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef, Reply, Secret, Usage

AT = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()


def _chat(usage: dict[str, Any]) -> dict[str, Any]:
    message = {"role": "assistant", "content": "hi"}
    return {
        "id": "c",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage,
    }


def _messages(usage: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "usage": usage,
    }


def _gemini(usage: dict[str, Any]) -> dict[str, Any]:
    content = {"role": "model", "parts": [{"text": "hi"}]}
    return {"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": usage}


BODIES = {"openai": _chat, "anthropic": _messages, "gemini": _gemini}

BILLS = {
    # 808 × 1.25 + 1200 × 0.125 cached + 900 × 10, of which 640 are thoughts: 10 160 µUSD
    "openai, cached and thought": (
        "openai:gpt-5",
        {
            "prompt_tokens": 2008,
            "completion_tokens": 900,
            "total_tokens": 2908,
            "prompt_tokens_details": {"cached_tokens": 1200, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 640, "accepted_prediction_tokens": 0},
        },
        "10.160",
    ),
    # Three kinds that exclude each other: 50 × 3 + 2000 × 0.30 + 1000 × 3.75 + 400 × 15 = 10 500 µUSD
    "anthropic, read from and written to the cache": (
        "anthropic:claude-sonnet-4-5",
        {
            "input_tokens": 50,
            "cache_read_input_tokens": 2000,
            "cache_creation_input_tokens": 1000,
            "output_tokens": 400,
        },
        "10.500",
    ),
    # Thoughts come on top: 4000 × 0.30 + 1000 × 0.03 + (200 + 800) × 2.50 = 3730 µUSD
    "google, cached, thoughts outside": (
        "google:gemini-2.5-flash",
        {
            "promptTokenCount": 5000,
            "cachedContentTokenCount": 1000,
            "candidatesTokenCount": 200,
            "thoughtsTokenCount": 800,
            "totalTokenCount": 6000,
        },
        "3.730",
    ),
    # Above 200 000 all tokens pay the higher rate: 250 000 × 2.50 + 1000 × 15 = 640 000 µUSD
    "google, the higher tier": (
        "google:gemini-2.5-pro",
        {"promptTokenCount": 250_000, "candidatesTokenCount": 1000, "totalTokenCount": 251_000},
        "640",
    ),
    # Its own figure, whatever the list says.
    "openrouter, its own figure": (
        "openrouter:openai/gpt-4o",
        {
            "prompt_tokens": 194,
            "completion_tokens": 2,
            "total_tokens": 196,
            "cost": 0.00095,
            "cost_details": {"upstream_inference_cost": None},
        },
        "0.95",
    ),
    # With a key of one's own: its fee and what the provider bills.
    "openrouter, own key": (
        "openrouter:openai/gpt-4o",
        {
            "prompt_tokens": 194,
            "completion_tokens": 2,
            "total_tokens": 196,
            "cost": 0.00005,
            "is_byok": True,
            "cost_details": {"upstream_inference_cost": 0.0009},
        },
        "0.95",
    ),
    # 300 × 0.27 + 1700 × 0.07 hits + 500 × 1.10 = 750 µUSD
    "deepseek, hits of its cache": (
        "deepseek:deepseek-chat",
        {
            "prompt_tokens": 2000,
            "completion_tokens": 500,
            "total_tokens": 2500,
            "prompt_cache_hit_tokens": 1700,
            "prompt_cache_miss_tokens": 300,
        },
        "0.750",
    ),
    # 1000 × 2 + 250 × 6 = 3500 µUSD
    "mistral": (
        "mistral:mistral-large-latest",
        {"prompt_tokens": 1000, "completion_tokens": 250, "total_tokens": 1250},
        "3.500",
    ),
    # xAI counts thoughts outside the completion: 100 × 3 + (20 + 480) × 15 = 7800 µUSD
    "xai, thoughts outside": (
        "xai:grok-4",
        {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 600,
            "completion_tokens_details": {"reasoning_tokens": 480},
        },
        "7.800",
    ),
}


@pytest.mark.parametrize("bill", BILLS)
def test_a_usage_block_is_priced_as_the_provider_bills_it(bill: str) -> None:
    name, usage, thousandths = BILLS[bill]
    model = ModelRef(*name.split(":", 1))
    vendor = VENDORS[model.provider]
    endpoint = Endpoint(vendor=vendor, base_url=vendor.base_url, api_key=Secret("k"))
    body = json.dumps(BODIES[vendor.wire](usage)).encode()
    reply = WIRES[vendor.wire].decode(Head(status=200, headers={}, now_unix=AT), body, endpoint)
    assert isinstance(reply, Reply)
    cost = cost_nusd(reply.usage, model, price_book(VENDORS), at=AT)
    assert cost == pytest.approx(float(Decimal(thousandths) * 1_000_000), rel=0.001)


@pytest.mark.parametrize(
    "name", ["openai:gpt-5", "anthropic:claude-sonnet-4-5", "google:gemini-2.5-pro", "deepseek:deepseek-chat"]
)
@pytest.mark.parametrize("cached", [0, 500, 1000])
@pytest.mark.parametrize("written", [0, 500, 0])
def test_no_way_of_counting_tokens_makes_them_cost_more_than_the_most(
    name: str, cached: int, written: int
) -> None:
    model = ModelRef(*name.split(":", 1))
    usage = Usage(
        input_tokens=1500,
        output_tokens=300,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=200,
    )
    most = max_cost_nusd(model, 1500, 300, price_book(VENDORS), at=AT)
    cost = cost_nusd(usage, model, price_book(VENDORS), at=AT)
    assert most is not None
    assert cost is not None
    assert cost <= most


def test_the_most_includes_the_price_of_a_request_and_is_unknown_without_a_price() -> None:
    model = ModelRef("openai", "mine")
    price = Price(input=Decimal(1), output=Decimal(2), reasoning=Decimal(5), request=Decimal("0.01"))
    assert max_cost_nusd(model, 10, 10, PriceBook(own={model: price}), at=AT) == 10_000 + 50_000 + 10_000_000
    assert max_cost_nusd(model, 10, 10, price_book(VENDORS), at=AT) is None
