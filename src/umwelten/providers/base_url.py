"""Addresses of providers, as users write them and as wires need them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from umwelten.errors import ConfigError
from umwelten.providers.protocol import Endpoint, Scope, Vendor

_OLLAMA_PORT = 11434
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


_VERSION = {"gemini": "v1beta", "anthropic": "v1"}


_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$", re.DOTALL)


def normalise_base_url(vendor: Vendor, raw: str) -> str:
    """Return a user's address as the wire needs it: with a scheme, without a trailing slash.

    Ollama's may lack scheme and port and may end in `/v1`; LM Studio's may lack `/v1`; Google's and
    Anthropic's lose the version, which their wire appends itself. Errors: `ConfigError`.
    """
    text = raw.strip()
    if not text:
        return vendor.base_url
    parts = _split(vendor, text)
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    address = f"{parts.scheme}://{_netloc(vendor, parts, '://' in text)}"
    return address + _path(vendor, path)


def _split(vendor: Vendor, text: str) -> SplitResult:
    match = _SCHEME.match(text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", text.removeprefix("//"))
    if scheme and scheme not in ("http", "https"):
        raise _address_error(vendor, text)
    try:
        parts = urlsplit(f"{scheme or 'http'}://{rest}")
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise _address_error(vendor, text) from None
    if not host and not (vendor.wire == "ollama" and port):
        raise _address_error(vendor, text)
    if not scheme and vendor.scope is not Scope.HOST and host not in _LOOPBACK:
        parts = parts._replace(scheme="https")
    return parts


def _netloc(vendor: Vendor, parts: SplitResult, has_scheme: bool) -> str:
    """Return host and port to connect to: loopback where a server would listen on all addresses."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname or "", parts.hostname)
    host = f"[{host}]" if host and ":" in host else host
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    port = parts.port
    if port is None and vendor.wire == "ollama" and not has_scheme:
        port = _OLLAMA_PORT
    return f"{user}{host}" if port is None else f"{user}{host}:{port}"


def _path(vendor: Vendor, path: str) -> str:
    if vendor.wire == "ollama":
        return re.sub(r"/(v1|api)$", "", path)
    if vendor.quirks.path and not path.endswith(vendor.quirks.path):
        return path + vendor.quirks.path
    return path.removesuffix(f"/{_VERSION[vendor.wire]}") if vendor.wire in _VERSION else path


def _address_error(vendor: Vendor, text: str) -> ConfigError:
    where = vendor.base_url_env[0] if vendor.base_url_env else f"providers.{vendor.name}.base_url"
    # The user name and password are not shown.
    shown = text.rpartition("@")[2]
    return ConfigError(f"{shown!r} in {where} is not an http address", f"Write it as {_example(vendor)}.")


def _example(vendor: Vendor) -> str:
    return vendor.base_url or "http://127.0.0.1:8080/v1"


_VERSION_AT_END = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?$")


def with_version(base_url: str, version: str) -> str:
    """Return the address with an API version at its end: its own where it has one, else `version`."""
    root = base_url.rstrip("/")
    return root if _VERSION_AT_END.search(root) else f"{root}/{version}"


def split_version(base_url: str) -> tuple[str, str]:
    """Return the address without the API version at its end, and that version ("" for none)."""
    root = base_url.rstrip("/")
    match = _VERSION_AT_END.search(root)
    return (root[: match.start()], match[0][1:]) if match else (root, "")


def has_vendor_address(endpoint: Endpoint) -> bool:
    """Return whether the address is the vendor's own, not that of someone else's compatible server."""
    own = urlsplit(endpoint.vendor.base_url).hostname
    return own is None or _is_on_host(own, endpoint.base_url)


def is_service(base_url: str, vendors: Iterable[Vendor]) -> bool:
    """Return whether the address belongs to one of these vendors' services, not to the user's own server."""
    services = (urlsplit(row.base_url).hostname for row in vendors if row.scope is not Scope.HOST)
    return any(host and _is_on_host(host, base_url) for host in services)


def _is_on_host(own: str, base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == own or host.endswith(f".{own}")
