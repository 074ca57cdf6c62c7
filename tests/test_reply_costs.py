"""Replies of all wire formats, their cost by hand, and what genai-prices makes of the same bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from umwelten.pricing import cost_nusd
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Endpoint, Head
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef, Reply

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


def chat(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return {"id": "c", "model": "m", "choices": [choice], "usage": usage, **more}


def response(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": "hi"}]
    items = [{"type": "message", "content": content}]
    return {
        "object": "response",
        "status": "completed",
        "model": "m",
        "output": items,
        "usage": usage,
        **more,
    }


def message(usage: dict[str, Any]) -> dict[str, Any]:
    content = [{"type": "text", "text": "hi"}]
    return {"id": "m", "model": "m", "content": content, "stop_reason": "end_turn", "usage": usage}


def candidates(usage: dict[str, Any]) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}
    return {"candidates": [candidate], "modelVersion": "m", "usageMetadata": usage}


def modalities(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in counts.items()]


PLAIN = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
AUDIO = {"prompt_tokens_details": {"audio_tokens": 600}, "completion_tokens_details": {"audio_tokens": 40}}
RESPONSE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 400},
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 60},
    "total_tokens": 1100,
}
MESSAGE = {"input_tokens": 100, "output_tokens": 100}
WRITES = {
    "cache_creation_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600},
    "cache_read_input_tokens": 5000,
}
GEMINI = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}

# Name: model, the reply, the context for genai-prices, nano-USD (a rate in USD per million × 1000 each).
REPLIES: dict[str, tuple[str, dict[str, Any], dict[str, str], float]] = {
    "openai, default": (
        "openai:gpt-5.4-mini",
        chat(PLAIN, service_tier="default"),
        {},
        1000 * 750 + 100 * 4500,
    ),
    "openai, flex": (
        "openai:gpt-5.4-mini",
        chat(PLAIN, service_tier="flex"),
        {"service_tier": "flex"},
        1000 * 375 + 100 * 2250,
    ),
    "openai, priority, cached": (
        "openai:gpt-5.4-mini",
        chat(PLAIN | {"prompt_tokens_details": {"cached_tokens": 400}}, service_tier="priority"),
        {"service_tier": "priority"},
        600 * 1500 + 400 * 150 + 100 * 9000,
    ),
    "openai, audio without a price of its own": (
        "openai:gpt-5.4-mini",
        chat(PLAIN | AUDIO),
        {},
        1000 * 750 + 100 * 4500,
    ),
    "openai, audio": (
        "openai:gpt-audio",
        chat(PLAIN | AUDIO),
        {},
        400 * 2500 + 600 * 32_000 + 60 * 10_000 + 40 * 64_000,
    ),
    "openai, responses": (
        "openai:gpt-5.4-mini",
        response(RESPONSE, service_tier="default"),
        {},
        (1000 - 400) * 750 + 400 * 75 + 100 * 4500,
    ),
    "openai, responses, flex": (
        "openai:gpt-5.4-mini",
        response(RESPONSE, service_tier="flex"),
        {"service_tier": "flex"},
        (1000 - 400) * 375 + 400 * 37.5 + 100 * 2250,
    ),
    "groq, on demand": (
        "groq:llama-3.3-70b-versatile",
        chat(PLAIN, service_tier="on_demand"),
        {},
        1000 * 590 + 100 * 790,
    ),
    "anthropic, writes of five minutes and an hour": (
        "anthropic:claude-sonnet-5-5",
        message(MESSAGE | WRITES | {"service_tier": "standard"}),
        {},
        100 * 2000 + 400 * 2500 + 600 * 4000 + 5000 * 100 + 100 * 10_000,
    ),
    "anthropic, fast": (
        "anthropic:claude-opus-5-5",
        message(MESSAGE | WRITES | {"service_tier": "standard", "speed": "fast"}),
        {"speed": "fast"},
        100 * 8000 + 400 * 10_000 + 600 * 16_000 + 5000 * 400 + 100 * 40_000,
    ),
    "anthropic, batch": (
        "anthropic:claude-opus-5-5",
        message(MESSAGE | {"service_tier": "batch"}),
        {"processing": "batch"},
        100 * 2000 + 100 * 10_000,
    ),
    "anthropic, searches": (
        "anthropic:claude-opus-5-5",
        message(MESSAGE | {"server_tool_use": {"web_search_requests": 2}}),
        {},
        100 * 4000 + 100 * 20_000 + 2 * 10_000_000,
    ),
    "google, audio": (
        "google:gemini-2.5-flash",
        candidates(GEMINI | {"promptTokensDetails": modalities(text=100, audio=900)}),
        {},
        100 * 300 + 900 * 1000 + 100 * 2500,
    ),
    "google, cached audio, thoughts, a tool's prompt": (
        "google:gemini-2.5-flash",
        candidates(
            {
                "promptTokenCount": 1000,
                "toolUsePromptTokenCount": 50,
                "candidatesTokenCount": 100,
                "thoughtsTokenCount": 30,
                "totalTokenCount": 1180,
                "cachedContentTokenCount": 500,
                "promptTokensDetails": modalities(text=100, audio=900),
                "toolUsePromptTokensDetails": modalities(text=50),
                "cacheTokensDetails": modalities(text=80, audio=420),
            }
        ),
        {},
        # 70 text, 80 of it cached text apart; 480 audio, 420 cached.
        70 * 300 + 80 * 30 + 480 * 1000 + 420 * 100 + 130 * 2500,
    ),
    "google, priority": (
        "google:gemini-3.8-flash-tts",
        candidates(GEMINI | {"serviceTier": "priority"}),
        {"service_tier": "priority"},
        1000 * 900 + 100 * 16_200,
    ),
    "google, flex at Vertex": (
        "google:gemini-3.8-flash-tts",
        candidates(GEMINI | {"trafficType": "ON_DEMAND_FLEX"}),
        {"service_tier": "flex"},
        1000 * 250 + 100 * 4500,
    ),
    "deepseek, hits": (
        "deepseek:deepseek-chat",
        chat(PLAIN | {"prompt_tokens_details": {"cached_tokens": 640}}),
        {},
        360 * 270 + 640 * 70 + 100 * 1100,
    ),
}


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_costs_what_the_list_and_its_tier_make_it(name: str) -> None:
    text, body, context, nusd = REPLIES[name]
    model = ModelRef(*text.split(":", 1))
    vendor = VENDORS[model.provider]
    endpoint = Endpoint(vendor=vendor, base_url=vendor.base_url)
    head = Head(status=200, headers={}, now_unix=AT.timestamp())
    wire = "responses" if body.get("object") == "response" else vendor.wire
    reply = WIRES[wire].decode(head, json.dumps(body).encode(), endpoint)
    assert isinstance(reply, Reply)
    cost = cost_nusd(reply.usage, model, price_book(VENDORS), at=AT.timestamp())
    assert cost == nusd
    assert cost == oracle(model, body, context)


def oracle(model: ModelRef, body: dict[str, Any], context: dict[str, str]) -> int:
    """The package's own reading of the reply, and its price."""
    pytest.importorskip("genai_prices")
    from genai_prices.data_snapshot import get_snapshot

    listed = VENDORS[model.provider].price_list
    row, info = get_snapshot().find_provider_model(model.model, None, listed, None)
    flavours = {extractor.api_flavor for extractor in row.extractors or ()}
    flavour = (
        "default" if "default" in flavours else body.get("object", "chat").replace("response", "responses")
    )
    _, usage = row.extract_usage(body, api_flavor=flavour)
    price = info.calc_price(usage, row, genai_request_timestamp=AT, price_context=context)
    return round(price.total_price * 1_000_000_000)
