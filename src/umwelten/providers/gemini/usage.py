"""Read the usage of Gemini's replies."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.providers.common.usage import gateway_cost, read_count, read_tier, total
from umwelten.providers.protocol import Head
from umwelten.types import Usage, UsageDetail

_TIER_HEADER = "x-gemini-service-tier"
# The pages of a document are billed as images.
_INPUT = {
    "AUDIO": UsageDetail.INPUT_AUDIO,
    "IMAGE": UsageDetail.INPUT_IMAGE,
    "DOCUMENT": UsageDetail.INPUT_IMAGE,
    "VIDEO": UsageDetail.INPUT_VIDEO,
}
_CACHED = {
    "AUDIO": UsageDetail.CACHED_AUDIO,
    "IMAGE": UsageDetail.CACHED_IMAGE,
    "DOCUMENT": UsageDetail.CACHED_IMAGE,
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
    _add(details, counts.get("promptTokensDetails"), _INPUT)
    _add(details, counts.get("toolUsePromptTokensDetails"), _INPUT)
    _add(details, counts.get("candidatesTokensDetails"), _OUTPUT)
    if details and isinstance(counts.get("cacheTokensDetails"), list):
        # A 0 counts here: it says that none of the cached tokens were audio.
        details |= dict.fromkeys(map(str, _CACHED.values()), 0)
        _add(details, counts["cacheTokensDetails"], _CACHED)
    return details


def _add(details: dict[str, int], rows: object, names: dict[str, UsageDetail]) -> None:
    """Add the tokens of a list of modalities, such as {"modality": "AUDIO", "tokenCount": 5}."""
    for row in rows if isinstance(rows, list) else ():
        if not isinstance(row, dict):
            continue
        detail, count = names.get(str(row.get("modality"))), read_count(row.get("tokenCount"))
        if detail is not None and count:
            details[str(detail)] = details.get(str(detail), 0) + count


def _tier(counts: dict[str, Any], head: Head) -> str | None:
    """Return the tier that served the request: Vertex AI calls it the type of traffic."""
    for value in (counts.get("serviceTier"), counts.get("trafficType"), head.headers.get(_TIER_HEADER)):
        tier = read_tier(value)
        if tier is not None and not tier.endswith("unspecified"):
            return tier.removeprefix("on_demand_").replace("on_demand", "standard")
    return None
