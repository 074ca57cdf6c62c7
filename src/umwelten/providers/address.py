"""Where a provider's address ends and a wire's path begins."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from umwelten.providers.protocol import Endpoint

_VERSION = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?$")


def versioned(base_url: str, version: str) -> str:
    """The address with an API version at its end: its own where it has one, else `version`."""
    root = base_url.rstrip("/")
    return root if _VERSION.search(root) else f"{root}/{version}"


def unversioned(base_url: str) -> tuple[str, str]:
    """The address without the API version at its end, and that version ("" for none)."""
    root = base_url.rstrip("/")
    found = _VERSION.search(root)
    return (root[: found.start()], found[0][1:]) if found else (root, "")


def is_at_home(endpoint: Endpoint) -> bool:
    """Whether the address is the vendor's own, not that of someone else's compatible server."""
    own = urlsplit(endpoint.vendor.base_url).hostname
    if own is None:
        return True
    host = urlsplit(endpoint.base_url).hostname or ""
    return host == own or host.endswith(f".{own}")
