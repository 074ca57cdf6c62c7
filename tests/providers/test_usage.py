"""Tokens, tiers and costs as replies of all wire formats state them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from umwelten.providers.protocol import Endpoint, Head
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import Usage

OPENAI = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
ANTHROPIC = {"input_tokens": 10, "output_tokens": 20}
GEMINI = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 120}


def chat(usage: Any, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return {"id": "c", "model": "m", "choices": [choice], "usage": usage, **more}


def message(usage: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": "hi"}]
    return {"id": "m", "model": "m", "content": content, "stop_reason": "end_turn", "usage": usage}


def candidates(usage: Any) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": usage}


def read(vendor: str, body: dict[str, Any], headers: dict[str, str] | None = None) -> Usage:
    row = VENDORS[vendor]
    head = Head(status=200, headers=headers or {}, now_unix=0.0)
    endpoint = Endpoint(vendor=row, base_url=row.base_url)
    outcome = WIRES[row.wire].decode(head, json.dumps(body).encode(), endpoint)
    return outcome.usage


def stream(vendor: str, *events: tuple[str, dict[str, Any]]) -> Usage:
    row = VENDORS[vendor]
    decoder = WIRES[row.wire].stream(
        Head(status=200, headers={}, now_unix=0.0), Endpoint(vendor=row, base_url=row.base_url)
    )
    for name, body in events:
        decoder.feed((f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(body)}\n\n".encode())
    return decoder.finish().usage


@pytest.mark.parametrize(
    ("usage", "details", "cached"),
    [
        ({"prompt_tokens_details": {"audio_tokens": 60, "cached_tokens": 0}}, {"input_audio": 60}, 0),
        (
            {
                "prompt_tokens_details": {
                    "audio_tokens": 60,
                    "image_tokens": 5,
                    "cached_tokens": 30,
                    "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 20},
                },
                "completion_tokens_details": {"audio_tokens": 15, "text_tokens": 5},
            },
            {
                "input_audio": 60,
                "input_image": 5,
                "output_audio": 15,
                "cached_audio": 20,
                "cached_image": 0,
                "cached_video": 0,
            },
            30,
        ),
        ({"prompt_tokens_details": {"audio_tokens": 0, "video_tokens": 0}}, {}, None),
        ({"prompt_tokens_details": {"audio_tokens": "many", "image_tokens": -1}}, {}, None),
        ({"prompt_tokens_details": None, "completion_tokens_details": [1]}, {}, None),
        ({"cached_tokens": 40}, {}, 40),
        ({"prompt_cache_hit_tokens": 7}, {}, 7),
    ],
)
def test_a_chat_completion_states_its_audio_images_and_video(
    usage: dict[str, Any], details: dict[str, int], cached: int | None
) -> None:
    found = read("openai", chat(OPENAI | usage))
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (100, 20, cached)
    assert found.details == details


@pytest.mark.parametrize(
    ("usage", "nusd"),
    [
        ({"cost": 0.0021}, 2_100_000),
        ({"cost": {"input_tokens_cost": 0.001, "total_cost": 0.0021}}, 2_100_000),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 21_000_000),
        ({"cost_in_usd_ticks": 37_756_000}, 3_775_600),
        ({"cost_in_usd_ticks": 0}, 0),
        ({"cost_in_usd_ticks": "37756000"}, None),
        ({"cost": float("inf")}, None),
        ({}, None),
    ],
)
def test_a_cost_that_a_reply_states_is_taken(usage: dict[str, Any], nusd: int | None) -> None:
    assert read("xai", chat(OPENAI | usage)).cost_nusd == nusd


@pytest.mark.parametrize(
    ("stated", "nusd"),
    [("0.0009885", 988_500), ("0.0", None), ("", None), ("None", None), ("nan", None), ("-1", None)],
)
def test_a_cost_that_a_gateway_states_in_a_header_is_taken_on_every_wire(
    stated: str, nusd: int | None
) -> None:
    headers = {"x-litellm-response-cost": stated}
    for vendor, body in (
        ("openai", chat(OPENAI)),
        ("anthropic", message(ANTHROPIC)),
        ("google", candidates(GEMINI)),
    ):
        assert read(vendor, body, headers).cost_nusd == nusd


def test_a_cost_in_the_reply_wins_over_the_gateways_header() -> None:
    headers = {"x-litellm-response-cost": "1.0"}
    assert read("openrouter", chat(OPENAI | {"cost": 0.5}), headers).cost_nusd == 500_000_000


@pytest.mark.parametrize(
    ("more", "tier"),
    [
        ({}, None),
        ({"service_tier": None}, None),
        ({"service_tier": "default"}, "default"),
        ({"service_tier": "Priority"}, "priority"),
        ({"service_tier": "auto", "service_tier_used": "flex"}, "flex"),
        ({"service_tier": 3}, None),
        ({"service_tier": "x" * 500}, None),
    ],
)
def test_the_tier_of_a_chat_completion(more: dict[str, Any], tier: str | None) -> None:
    assert read("openai", chat(OPENAI, **more)).service_tier == tier


def test_the_tier_of_a_stream_may_come_in_any_chunk() -> None:
    first = {"choices": [{"delta": {"content": "hi"}}], "service_tier": "auto"}
    second = {"choices": [{"delta": {}, "finish_reason": "stop"}], "service_tier": "flex"}
    last = {"choices": [], "usage": OPENAI}
    found = stream("openai", ("", first), ("", second), ("", last))
    assert (found.service_tier, found.input_tokens) == ("flex", 100)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (
            {
                "cache_creation_input_tokens": 70,
                "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 50},
            },
            Usage(input_tokens=80, cache_write_tokens=70, details={"cache_write_1h": 50}),
        ),
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 50}},
            Usage(input_tokens=80, cache_write_tokens=70, details={"cache_write_1h": 50}),
        ),
        ({"service_tier": "standard", "speed": "standard"}, Usage(input_tokens=10, service_tier="standard")),
        ({"service_tier": "priority"}, Usage(input_tokens=10, service_tier="priority")),
        ({"service_tier": "batch"}, Usage(input_tokens=10, service_tier="batch")),
        ({"service_tier": "standard", "speed": "fast"}, Usage(input_tokens=10, service_tier="fast")),
        ({"service_tier": None, "speed": "fast"}, Usage(input_tokens=10, service_tier="fast")),
        ({"service_tier": "priority", "speed": "fast"}, Usage(input_tokens=10, service_tier="priority+fast")),
        ({"service_tier": "standard", "inference_geo": "us"}, Usage(input_tokens=10, service_tier="geo=us")),
        (
            {"service_tier": "standard", "inference_geo": "global"},
            Usage(input_tokens=10, service_tier="standard"),
        ),
        (
            {"server_tool_use": {"web_search_requests": 3}},
            Usage(input_tokens=10, details={"web_searches": 3}),
        ),
        ({"cache_creation": "none", "service_tier": 1, "server_tool_use": 0}, Usage(input_tokens=10)),
    ],
)
def test_the_usage_of_a_message(usage: dict[str, Any], expected: Usage) -> None:
    assert read("anthropic", message(ANTHROPIC | usage)) == msgspec.structs.replace(
        expected, output_tokens=20
    )


def test_a_message_that_is_streamed_adds_up_what_its_two_counts_state() -> None:
    start = ANTHROPIC | {
        "output_tokens": 1,
        "cache_creation_input_tokens": 50,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 50},
        "service_tier": "standard",
    }
    found = stream(
        "anthropic",
        ("message_start", {"type": "message_start", "message": message(start) | {"content": []}}),
        (
            "content_block_start",
            {"type": "content_block_start", "content_block": {"type": "text", "text": "hi"}},
        ),
        (
            "message_delta",
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 20, "speed": "fast", "cache_creation": None},
            },
        ),
        ("message_stop", {"type": "message_stop"}),
    )
    assert found == Usage(
        input_tokens=60,
        output_tokens=20,
        cache_write_tokens=50,
        service_tier="fast",
        details={"cache_write_1h": 50},
    )


def modalities(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": name.upper(), "tokenCount": count} for name, count in counts.items()]


@pytest.mark.parametrize(
    ("usage", "details"),
    [
        ({"promptTokensDetails": modalities(text=10, audio=90)}, {"input_audio": 90}),
        ({"promptTokensDetails": modalities(text=10, image=60, document=30)}, {"input_image": 90}),
        (
            {
                "promptTokensDetails": modalities(video=50, audio=40),
                "cachedContentTokenCount": 30,
                "cacheTokensDetails": modalities(text=5, audio=25),
            },
            {
                "input_video": 50,
                "input_audio": 40,
                "cached_audio": 25,
                "cached_image": 0,
                "cached_video": 0,
            },
        ),
        (
            {
                "promptTokensDetails": modalities(audio=40),
                "toolUsePromptTokenCount": 0,
                "toolUsePromptTokensDetails": modalities(audio=2, text=1),
            },
            {"input_audio": 42},
        ),
        ({"candidatesTokensDetails": modalities(image=15, text=5)}, {"output_image": 15}),
        ({"candidatesTokensDetails": modalities(audio=20)}, {"output_audio": 20}),
        ({"promptTokensDetails": modalities(text=100)}, {}),
        ({"promptTokensDetails": {"modality": "AUDIO", "tokenCount": 5}}, {}),
        ({"promptTokensDetails": [{"modality": ["AUDIO"], "tokenCount": 4}]}, {}),
        ({"promptTokensDetails": [None, {"modality": "AUDIO"}, {"tokenCount": 4}]}, {}),
    ],
)
def test_gemini_states_tokens_by_modality(usage: dict[str, Any], details: dict[str, int]) -> None:
    found = read("google", candidates(GEMINI | usage))
    assert (found.input_tokens, found.output_tokens, found.details) == (100, 20, details)


@pytest.mark.parametrize(
    ("usage", "headers", "tier"),
    [
        ({}, {}, None),
        ({"serviceTier": "standard"}, {}, "standard"),
        ({"serviceTier": "FLEX"}, {}, "flex"),
        ({"serviceTier": "SERVICE_TIER_UNSPECIFIED"}, {}, None),
        ({"trafficType": "ON_DEMAND"}, {}, "standard"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, {}, "priority"),
        ({"trafficType": "ON_DEMAND_FLEX"}, {}, "flex"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, {}, "provisioned_throughput"),
        ({"trafficType": "TRAFFIC_TYPE_UNSPECIFIED"}, {"x-gemini-service-tier": "flex"}, "flex"),
        ({}, {"x-gemini-service-tier": "priority"}, "priority"),
    ],
)
def test_the_tier_of_a_gemini_reply(usage: dict[str, Any], headers: dict[str, str], tier: str | None) -> None:
    assert read("google", candidates(GEMINI | usage), headers).service_tier == tier


def test_one_count_that_cannot_be_read_does_not_lose_the_others() -> None:
    found = read("google", candidates(GEMINI | {"thoughtsTokenCount": "many", "cachedContentTokenCount": 4}))
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (100, 20, 4)
    found = read("anthropic", message(ANTHROPIC | {"cache_read_input_tokens": "many"}))
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (10, 20, None)
