"""Rate-limit headers, as each vendor spells them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from umwelten.simulate.faultserver.wires.base import seconds
from umwelten.types import Budget, Resource

_OF_WIRE = {"openai": "openai", "anthropic": "anthropic", "openrouter": "openrouter", "responses": "openai"}


def dialect(headers: str, wire: str) -> str:
    """Which spelling a limiter uses on a wire: "openai", "anthropic", "openrouter" or "none"."""
    return _OF_WIRE.get(wire, "none") if headers == "wire" else headers


def limit_headers(spelling: str, budget: Budget, now_unix: float, *, refused: bool) -> dict[str, str]:
    """Return the headers that tell how full a limit is."""
    reset_s = budget.reset_s or 0.0
    if spelling == "openai":
        return _three("x-ratelimit-{0}-" + _total(budget.resource), budget, go_duration(reset_s))
    if spelling == "anthropic":
        full = rfc3339(now_unix + reset_s)
        return _three(f"anthropic-ratelimit-{resource_words(budget.resource)}-{{0}}", budget, full)
    if spelling == "openrouter" and refused:
        reset_ms = str(math.ceil((now_unix + reset_s) * 1000))
        return _three("x-ratelimit-{0}", budget, reset_ms)
    return {}


def retry_headers(hint_s: float, wire: str) -> dict[str, str]:
    """Return `Retry-After`, and what else a wire's vendor sends with it. Gemini says it in the body alone."""
    if wire == "gemini":
        return {}
    headers = {"retry-after": seconds(hint_s)}
    if _OF_WIRE.get(wire) != "openai":
        return headers
    return headers | {"retry-after-ms": str(math.ceil(hint_s * 1000))}


def go_duration(value_s: float) -> str:
    """Go's spelling of a time: 120ms, 59.7s, 6m0s, 1h2m3s."""
    if value_s < 1:
        return f"{math.ceil(value_s * 1000)}ms"
    minutes, rest = divmod(value_s, 60)
    if minutes == 0:
        return f"{seconds(rest)}s"
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}h{minutes}m{seconds(rest)}s" if hours else f"{minutes}m{seconds(rest)}s"


def rfc3339(at_unix: float) -> str:
    """2026-11-24T13:22:07.250Z"""
    return datetime.fromtimestamp(at_unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _three(name: str, budget: Budget, reset: str) -> dict[str, str]:
    limit, remaining = str(int(budget.limit or 0)), str(int(budget.remaining or 0))
    values = {"limit": limit, "remaining": remaining, "reset": reset}
    return {name.format(word): value for word, value in values.items()}


def _total(resource: Resource) -> str:
    # OpenAI counts input and output together.
    return "requests" if resource is Resource.REQUESTS else "tokens"


def resource_words(resource: Resource) -> str:
    """Return what is counted as headers and messages spell it: "requests", "input-tokens".

    >>> resource_words(Resource.OUTPUT_TOKENS)
    'output-tokens'
    """
    return "concurrent requests" if resource is Resource.IN_FLIGHT else str(resource).replace("_", "-")
