"""Proxies: which one the environment names for an address, and what it means that one fails.

User and password of a proxy are sent to it and shown nowhere.
"""

from __future__ import annotations

import base64
import ipaddress
import os
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from umwelten.config.addresses import insecure_hint
from umwelten.config.private_networks import is_private
from umwelten.errors import ConfigError
from umwelten.providers.protocol import Endpoint
from umwelten.types import Failure, FailureKind, FrozenStruct, Secret

PROXY = "proxy"
"""The code of a failure of the proxy: the provider was not reached."""

_PORTS = {"http": 80, "https": 443}
_MARKS = ("x-squid-error", "proxy-authenticate")
"""Headers of replies that only a proxy sends, in place of the provider's."""


class Proxy(FrozenStruct):
    """An HTTP proxy. `url` has no user and password; `authorization` is the header that has them."""

    url: str
    host: str
    port: int
    source: str
    authorization: Secret | None = None

    def __str__(self) -> str:
        return f"the proxy {self.host}:{self.port} ({self.source})"

    def headers(self) -> dict[str, str]:
        """Return the headers for the proxy alone."""
        return {} if self.authorization is None else {"Proxy-Authorization": self.authorization.reveal()}

    def is_at(self, host: str | None, port: int | None) -> bool:
        """Return whether that is the proxy, not the provider behind it."""
        return (host, port) == (self.host, self.port)

    def unreachable(self, why: str) -> Failure:
        """Return the failure for a proxy that nothing reaches."""
        return Failure(kind=FailureKind.CONNECTION, message=f"{self} {why}", code=PROXY)

    def refusal(self, status: int, reason: str) -> Failure:
        """Return the failure for a proxy that does not pass a request on."""
        hint = ""
        if status == 407:
            hint = f"; its user and password {'are wrong' if self.authorization else 'are missing'}"
        return Failure(
            kind=FailureKind.SERVER if status >= 500 else FailureKind.UNAVAILABLE,
            message=f"{self} refused the request: {status} {reason}{hint}",
            status=status,
            code=PROXY,
            retry=status >= 500,
            lane_down=status < 500,
        )

    def refuses(self, status: int, headers: Mapping[str, str]) -> bool:
        """Return whether a reply is the proxy's own; most are taken for the provider's."""
        return status == 407 or (status >= 400 and any(mark in headers for mark in _MARKS))

    def involved(self, failure: Failure) -> Failure:
        """Return the failure with the proxy named, where the fault may lie with it."""
        if failure.kind not in (FailureKind.CONNECTION, FailureKind.TIMEOUT):
            return failure
        return msgspec.structs.replace(failure, message=f"{failure.message}, through {self}")


def check_proxy(endpoint: Endpoint) -> None:
    """Raise `ConfigError` for an endpoint whose proxy cannot be used, or would read keys and prompts.

    It reads what is not encrypted. So it has to be this machine, on a private network, or allowed.
    """
    proxy = proxy_for(endpoint.base_url) if endpoint.base_url else None
    if proxy is None or endpoint.base_url.startswith("https:") or endpoint.vendor.allow_insecure:
        return
    if not is_private(proxy.host):
        host = urlsplit(endpoint.base_url).hostname
        raise ConfigError(
            f"{proxy} would get keys and prompts for {endpoint.base_url} unencrypted",
            f"Exempt the address with NO_PROXY={host}. {insecure_hint(endpoint.vendor.name)}",
        )


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy for an address as the environment names it, `None` for none.

    This machine is reached without one. Raises `ConfigError` for a proxy that cannot be used.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    proxies = getproxies()
    kind = next((kind for kind in (parts.scheme, "all") if proxies.get(kind, "").strip()), None)
    if kind is None or _is_loopback(host) or _is_exempt(host, port, proxies.get("no", "")):
        return None
    if "no" not in proxies and proxy_bypass(host):
        return None  # what the system's own settings exempt
    return _parse(proxies[kind].strip(), _variable(kind), host)


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    """Return whether a list exempts a host: by a name with its subdomains, an address, a network, a port."""
    return any(_covers(item.lower(), host.lower(), port) for item in re.split(r"[,;\s]+", no_proxy) if item)


def _covers(item: str, host: str, port: int) -> bool:
    if item == "*":
        return True
    item = item.partition("://")[2] or item
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(item.strip("[]"), strict=False)
    except ValueError:
        pass
    name, stated = _split_port(item)
    if stated and int(stated) != port:
        return False
    name = name.removeprefix("*").lstrip(".").rstrip(".")
    return bool(name) and (host.rstrip(".") == name or host.rstrip(".").endswith(f".{name}"))


def _split_port(item: str) -> tuple[str, str]:
    match = re.fullmatch(r"\[?(.*?)\]?:(\d{1,5})", item)
    return (match[1], match[2]) if match and (":" not in match[1] or item.startswith("[")) else (item, "")


def _variable(kind: str) -> str:
    """Return the variable that names the proxy: the lower-case one counts first."""
    name = f"{kind}_proxy"
    return next((found for found in (name, name.upper()) if os.environ.get(found)), "the system's settings")


def _parse(text: str, source: str, target: str) -> Proxy:
    scheme, mark, rest = text.partition("://")
    scheme, rest = (scheme.lower(), rest) if mark else ("http", text)
    user, at, place = rest.rpartition("@")
    try:
        parts = urlsplit(f"//{place}")
        host, port = parts.hostname or "", parts.port or _PORTS.get(scheme, 0)
    except ValueError:
        host, port = "", 0
    exempt = f"or exempt the address with NO_PROXY={target}."
    if scheme.startswith("socks"):
        raise ConfigError(
            f"{source} is a SOCKS proxy ({host}:{port or 1080}): SOCKS proxies are not supported",
            f"Set it to an HTTP proxy, {exempt}",
        )
    if scheme not in _PORTS or not host or re.search(r"[\s\\]", place):
        shown = f"{scheme}://{place}" if mark else place
        raise ConfigError(
            f"{source}: {shown!r} is not the address of an HTTP proxy",
            f"Write it as http://HOST:PORT, {exempt}",
        )
    shown_host = f"[{host}]" if ":" in host else host
    return Proxy(
        url=f"{scheme}://{shown_host}:{port}",
        host=host,
        port=port,
        source=source,
        authorization=_authorization(user) if at else None,
    )


def _authorization(user: str) -> Secret:
    """Return the header for `user:password`, either of which may be percent-encoded."""
    name, _, password = user.partition(":")
    pair = f"{unquote(name)}:{unquote(password)}"
    return Secret(f"Basic {base64.b64encode(pair.encode()).decode()}")
