"""Which models of an evaluation share a rate limit, and what is known of the server behind it."""

from __future__ import annotations

from umwelten.attempts.target import Target
from umwelten.control.knee import Watch
from umwelten.providers.base_url import is_service
from umwelten.providers.protocol import Endpoint, Scope
from umwelten.providers.vendors import VENDORS

AUTO_CEILING = 1000


def lane_name(target: Target) -> str:
    """What shares one rate limit: an account, an account's model, or a host."""
    vendor = target.endpoint.vendor
    if vendor.scope is Scope.KEY_AND_MODEL:
        return str(target.model)
    if vendor.scope is Scope.HOST:
        return vendor.name if vendor.name == "local" else f"{vendor.name}@{_host(target.endpoint.base_url)}"
    return vendor.name


def watch(endpoint: Endpoint) -> Watch:
    """Return whether the server is watched for the level beyond which more in flight only adds waiting.

    Not at the addresses of the services we know: they refuse what is too much. Anywhere else, whatever the
    account is called, a server may answer that queues it.
    """
    if endpoint.vendor.scope is Scope.HOST:
        return Watch.ALWAYS
    return Watch.NO if is_service(endpoint.base_url, VENDORS.values()) else Watch.UNTIL_REFUSED


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]
