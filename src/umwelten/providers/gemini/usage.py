"""Read the usage of Gemini's replies."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.providers.common.usage import gateway_cost, read_count, read_tier, total
from umwelten.providers.protocol import Head
from umwelten.types import Usage, UsageDetail

_TIER_HEADER = "x-gemini-service-tier"
_INPUT = {
    "AUDIO": UsageDetail.INPUT_AUDIO,
    "IMAGE": UsageDetail.INPUT_IMAGE,
    "VIDEO": UsageDetail.INPUT_VIDEO,
}
_CACHED = {
    "AUDIO": UsageDetail.CACHED_AUDIO,
    "IMAGE": UsageDetail.CACHED_IMAGE,
    "VIDEO": UsageDetail.CACHED_VIDEO,
}
_OUTPUT = {
    "AUDIO": UsageDetail.OUTPUT_AUDIO,
    "IMAGE": UsageDetail.OUTPUT_IMAGE,
    "VIDEO": UsageDetail.OUTPUT_VIDEO,
}


def read_usage(raw: msgspec.Raw, head: Head) -> Usage:
    """Return the usage. Input includes the tool's prompt, output the thoughts, which Google adds up apart."""
    counts: dict[str, Any] = load(bytes(raw), dict[str, Any]) or {}
    prompt = read_count(counts.get("promptTokenCount"))
    if prompt is not None:
        prompt += read_count(counts.get("toolUsePromptTokenCount")) or 0
    thoughts = read_count(counts.get("thoughtsTokenCount"))
    output = total((read_count(counts.get("candidatesTokenCount")), thoughts))
    whole = read_count(counts.get("totalTokenCount"))
    if whole is not None and prompt is not None:
        output = max(output or 0, whole - prompt)
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=read_count(counts.get("cachedContentTokenCount")),
        reasoning_tokens=thoughts,
        cost_nusd=gateway_cost(head),
        service_tier=_tier(counts, head),
        details=_details(counts),
    )


def _details(counts: dict[str, Any]) -> dict[str, int]:
    details: dict[str, int] = {}
    for field, names in (
        ("promptTokensDetails", _INPUT),
        ("toolUsePromptTokensDetails", _INPUT),
        ("candidatesTokensDetails", _OUTPUT),
    ):
        for modality, count in _by_modality(counts.get(field)).items():
            if count and modality in names:
                details[names[modality]] = details.get(names[modality], 0) + count
    if details and isinstance(counts.get("cacheTokensDetails"), list):
        # A 0 counts here: it says that none of the cached tokens were audio.
        cached = _by_modality(counts["cacheTokensDetails"])
        details |= {detail: cached.get(modality, 0) for modality, detail in _CACHED.items()}
    return {str(detail): count for detail, count in details.items()}


def _by_modality(rows: object) -> dict[str, int]:
    """Return the tokens by modality, such as "AUDIO"."""
    if not isinstance(rows, list):
        return {}
    return {
        str(row.get("modality")): read_count(row.get("tokenCount")) or 0
        for row in rows
        if isinstance(row, dict)
    }


def _tier(counts: dict[str, Any], head: Head) -> str | None:
    """Return the tier that served the request: Vertex AI calls it the type of traffic."""
    for value in (counts.get("serviceTier"), counts.get("trafficType"), head.headers.get(_TIER_HEADER)):
        tier = read_tier(value)
        if tier is not None and not tier.endswith("unspecified"):
            return tier.removeprefix("on_demand_").replace("on_demand", "standard")
    return None
