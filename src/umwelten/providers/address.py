"""Where a provider's address ends and a wire's path begins."""

from __future__ import annotations

import re

_VERSION = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?$")


def versioned(base_url: str, version: str) -> str:
    """The address with an API version at its end: its own where it has one, else `version`."""
    root = base_url.rstrip("/")
    return root if _VERSION.search(root) else f"{root}/{version}"
