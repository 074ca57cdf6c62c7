"""Rate-limit headers, as each vendor spells them."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from umwelten.simulate.faultserver.limiters import Standing
from umwelten.simulate.faultserver.wires.base import seconds

_OF_WIRE = {"openai": "openai", "anthropic": "anthropic", "openrouter": "openrouter"}


def dialect(headers: str, wire: str) -> str:
    """Which spelling a limiter uses on a wire: "openai", "anthropic", "openrouter" or "none"."""
    return _OF_WIRE.get(wire, "none") if headers == "wire" else headers


def limit_headers(spelling: str, standing: Standing, now_unix: float, *, refused: bool) -> dict[str, str]:
    """The headers that tell how full a limit is."""
    if spelling == "openai":
        return _three("x-ratelimit-{0}-" + _total(standing.resource), standing, go_duration(standing.reset_s))
    if spelling == "anthropic":
        full = rfc3339(now_unix + standing.reset_s)
        return _three(f"anthropic-ratelimit-{standing.resource}-{{0}}", standing, full)
    if spelling == "openrouter" and refused:
        reset_ms = str(math.ceil((now_unix + standing.reset_s) * 1000))
        return _three("x-ratelimit-{0}", standing, reset_ms)
    return {}


def retry_headers(hint_s: float, wire: str) -> dict[str, str]:
    """`Retry-After`, and what else a wire's vendor sends with it. Gemini says it in the body alone."""
    if wire == "gemini":
        return {}
    headers = {"retry-after": seconds(hint_s)}
    return headers | {"retry-after-ms": str(math.ceil(hint_s * 1000))} if wire == "openai" else headers


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


def _three(name: str, standing: Standing, reset: str) -> dict[str, str]:
    values = {"limit": str(int(standing.limit)), "remaining": str(int(standing.remaining)), "reset": reset}
    return {name.format(word): value for word, value in values.items()}


def _total(resource: str) -> str:
    # OpenAI counts input and output together.
    return "requests" if resource == "requests" else "tokens"
