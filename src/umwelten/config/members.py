"""Providers that are several: accounts of one service by their keys, or servers by their addresses.

Each of `keys` with each of `base_urls` is a member: the provider with that one key and address, so that all
that is asked of a provider's key and address is asked of each member's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from umwelten.providers.protocol import Vendor
from umwelten.types import FrozenStruct


class Member(FrozenStruct):
    """One account or server of a provider. `suffix` tells it from the others: `@a:8000`, `#KEY_B`, or nothing
    where there is only one."""

    vendor: Vendor
    suffix: str = ""

    @property
    def name(self) -> str:
        """The provider's name with what tells the member from the others."""
        return self.vendor.name + self.suffix


def members(vendor: Vendor) -> list[Member]:
    """Return a provider's members, in the order of its addresses, then of its keys."""
    if not vendor.base_urls and not vendor.keys:
        return [Member(vendor=vendor)]
    places = dict(zip(vendor.base_urls, _places(vendor.base_urls), strict=True))
    several = msgspec.structs.replace(vendor, base_urls=(), keys=())
    made: list[Member] = []
    for base_url in vendor.base_urls or (None,):
        at, suffix = several, ""
        if base_url is not None:
            at = msgspec.structs.replace(several, base_url=base_url, base_url_env=())
            suffix = f"@{places[base_url]}" if len(vendor.base_urls) > 1 else ""
        for key in vendor.keys or (None,):
            if key is None:
                made.append(Member(vendor=at, suffix=suffix))
                continue
            of = msgspec.structs.replace(at, key_env=(key,), key_required=True)
            tail = f"#{key}" if len(vendor.keys) > 1 else ""
            made.append(Member(vendor=of, suffix=suffix + tail))
    return made


def _places(base_urls: Sequence[str]) -> list[str]:
    """Return the shortest names of addresses that differ: their hosts, else with their paths, else whole."""
    whole = [url.rstrip("/") for url in base_urls]
    bare = [url.partition("://")[2] for url in whole]
    hosts = [url.partition("/")[0] for url in bare]
    several, alike = Counter(hosts), Counter(bare)
    return [
        host if several[host] == 1 else rest if alike[rest] == 1 else url
        for host, rest, url in zip(hosts, bare, whole, strict=True)
    ]
