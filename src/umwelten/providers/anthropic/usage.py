"""Read the usage of Anthropic's messages."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.bodies import load
from umwelten.providers.common.usage import gateway_cost, read_count, read_fields, read_tier, total
from umwelten.providers.protocol import Head
from umwelten.types import Usage, UsageDetail

_NO_GEO = ("global", "not_available")
_STANDARD = "standard"


class MessageUsage:
    """The usage of one message. A stream states it twice; the counts are cumulative, so the larger holds.

    What a stream begins with counts an output that has hardly begun: alone, it leaves the output unknown.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._stated: dict[str, Any] = {}
        self._is_whole = False

    def add(self, raw: msgspec.Raw, *, begun: bool = False) -> None:
        """Add a `usage` object; what cannot be read is left out, and never loses the answer.

        `begun`: it comes before the answer.
        """
        new = load(bytes(raw), dict[str, Any])
        if new:
            self._stated = _merge(self._stated, new)
            self._is_whole = self._is_whole or (not begun and new.get("output_tokens") is not None)

    def read(self) -> Usage:
        """Return the usage. Anthropic's `input_tokens` excludes tokens read from and written to the cache."""
        stated = self._stated
        uncached, read = (
            read_count(stated.get("input_tokens")),
            read_count(stated.get("cache_read_input_tokens")),
        )
        writes = read_fields(stated.get("cache_creation"))
        hour = read_count(writes.get("ephemeral_1h_input_tokens"))
        written = read_count(stated.get("cache_creation_input_tokens"))
        if written is None:
            written = total((hour, read_count(writes.get("ephemeral_5m_input_tokens"))))
        searches = read_count(read_fields(stated.get("server_tool_use")).get("web_search_requests"))
        thinking = read_fields(stated.get("output_tokens_details")).get("thinking_tokens")
        details = {UsageDetail.CACHE_WRITE_1H: hour, UsageDetail.WEB_SEARCHES: searches}
        return Usage(
            input_tokens=None if uncached is None else uncached + (read or 0) + (written or 0),
            output_tokens=read_count(stated.get("output_tokens")) if self._is_whole else None,
            cached_tokens=read,
            cache_write_tokens=written,
            reasoning_tokens=read_count(thinking),
            cost_nusd=gateway_cost(self._head),
            service_tier=self._tier(),
            details={str(detail): count for detail, count in details.items() if count},
        )

    def _tier(self) -> str | None:
        """Return the tier, the speed and the region: what of them is not standard, as each has its price."""
        tier, speed = read_tier(self._stated.get("service_tier")), read_tier(self._stated.get("speed"))
        geo = read_tier(self._stated.get("inference_geo"))
        if tier is None and speed is None and geo is None:
            return None
        words = [word for word in (tier, speed) if word not in (None, _STANDARD)]
        words += [f"geo={geo}"] if geo is not None and geo not in _NO_GEO else []
        return "+".join(words) or _STANDARD


def _merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return both: of two counts the larger, of two objects both, of anything else the newer."""
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = _merge(before, value)
        elif (known := read_count(before)) is not None and (count := read_count(value)) is not None:
            merged[name] = max(known, count)
        elif value is not None:
            # Also where it is no count: the one before was only the count so far.
            merged[name] = value
    return merged
