"""Which models of an evaluation share a rate limit."""

from __future__ import annotations

from umwelten.attempts.target import Place

AUTO_CEILING = 1000


def lane_name(place: Place) -> str:
    """What shares one rate limit: an account, an account's model, or a host."""
    vendor = place.endpoint.vendor
    if vendor.scope == "key+model":
        return str(place.model)
    if vendor.scope == "host":
        return vendor.name if vendor.name == "local" else f"{vendor.name}@{_host(place.endpoint.base_url)}"
    return vendor.name


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]
