"""Which models of an evaluation share a rate limit."""

from __future__ import annotations

from umwelten.attempts.target import Target

AUTO_CEILING = 1000


def lane_name(target: Target) -> str:
    """What shares one rate limit: an account, an account's model, or a host."""
    vendor = target.endpoint.vendor
    if vendor.scope == "key+model":
        return str(target.model)
    if vendor.scope == "host":
        return vendor.name if vendor.name == "local" else f"{vendor.name}@{_host(target.endpoint.base_url)}"
    return vendor.name


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]
