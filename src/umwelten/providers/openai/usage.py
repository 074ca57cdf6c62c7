"""Read the usage of chat completions, with the additions of the vendors that imitate them."""

from __future__ import annotations

from typing import Any

from umwelten.providers.common.usage import gateway_cost, read_count, read_fields, read_usd
from umwelten.providers.protocol import Head
from umwelten.types import NANO, Usage, UsageDetail

_INPUT = {
    "audio_tokens": UsageDetail.INPUT_AUDIO,
    "image_tokens": UsageDetail.INPUT_IMAGE,
    "video_tokens": UsageDetail.INPUT_VIDEO,
}
_CACHED = {
    "audio_tokens": UsageDetail.CACHED_AUDIO,
    "image_tokens": UsageDetail.CACHED_IMAGE,
    "video_tokens": UsageDetail.CACHED_VIDEO,
}
_OUTPUT = {
    "audio_tokens": UsageDetail.OUTPUT_AUDIO,
    "image_tokens": UsageDetail.OUTPUT_IMAGE,
    "video_tokens": UsageDetail.OUTPUT_VIDEO,
}
_TICKS_PER_NANO = 10
"""xAI states costs in ticks of 1e-10 USD."""


def read_usage(value: object, outside: bool, *, tier: str | None = None, head: Head | None = None) -> Usage:
    """Return the tokens and the cost of a `usage` object. `outside`: the completion excludes reasoning.

    A total larger than prompt and completion implies the same, whatever the vendor's row says.
    """
    stated_cost = None if head is None else gateway_cost(head)
    if not isinstance(value, dict):
        return Usage(service_tier=tier, cost_nusd=stated_cost)
    prompt, completion = read_count(value.get("prompt_tokens")), read_count(value.get("completion_tokens"))
    whole = read_count(value.get("total_tokens"))
    into = read_fields(value.get("prompt_tokens_details"))
    out = read_fields(value.get("completion_tokens_details"))
    reasoning = read_count(out.get("reasoning_tokens"))
    if prompt is not None and completion is not None and whole is not None:
        apart = whole - prompt - completion
        outside = apart > 0
        reasoning = apart if outside and reasoning is None else reasoning
    cost = _cost(value)
    return Usage(
        input_tokens=prompt,
        output_tokens=completion + (reasoning or 0) if outside and completion is not None else completion,
        cached_tokens=_cached(value, into),
        cache_write_tokens=read_count(into.get("cache_write_tokens")),
        reasoning_tokens=reasoning,
        cost_nusd=stated_cost if cost is None else cost,
        service_tier=tier,
        details=_details(into, out),
    )


def _cached(usage: dict[str, Any], into: dict[str, Any]) -> int | None:
    """Return the cached tokens: OpenAI's, else DeepSeek's, else those that Moonshot states at the top."""
    for value in (
        into.get("cached_tokens"),
        usage.get("prompt_cache_hit_tokens"),
        usage.get("cached_tokens"),
    ):
        count = read_count(value)
        if count is not None:
            return count
    return None


def _details(into: dict[str, Any], out: dict[str, Any]) -> dict[str, int]:
    if not into and not out:
        return {}
    details = _pick(into, _INPUT) | _pick(out, _OUTPUT)
    if details and isinstance(cached := into.get("cached_tokens_details"), dict):
        # A 0 counts here: it says that none of the cached tokens were audio.
        details |= {detail: read_count(cached.get(name)) or 0 for name, detail in _CACHED.items()}
    return details


def _pick(counts: dict[str, Any], names: dict[str, UsageDetail]) -> dict[str, int]:
    # Most replies state none or zeros, which are sorted out first.
    stated = [(detail, value) for name, detail in names.items() if (value := counts.get(name))]
    return {str(detail): count for detail, value in stated if (count := read_count(value))}


def _cost(usage: dict[str, Any]) -> int | None:
    """Return the cost in nano-USD that the provider states in its reply.

    At OpenRouter with the user's own key, the amount that the model's provider bills is added.
    """
    ticks = read_count(usage.get("cost_in_usd_ticks"))
    if ticks is not None:
        return round(ticks / _TICKS_PER_NANO)
    stated = usage.get("cost")
    cost = read_usd(stated.get("total_cost") if isinstance(stated, dict) else stated)
    if cost is not None and usage.get("is_byok") is True:
        cost += read_usd(read_fields(usage.get("cost_details")).get("upstream_inference_cost")) or 0.0
    return None if cost is None else round(cost * NANO)
