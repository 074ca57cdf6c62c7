"""What the project's files demand by addresses and keys: a key that is not theirs goes where they say.

The rule: a key goes to its vendor's own address, to this machine, or where whoever gave the key says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from umwelten.config.private_networks import is_loopback, is_private
from umwelten.config.project_files import Place, ProjectFile
from umwelten.config.settings import Settings, first_set
from umwelten.config.trust import Demand
from umwelten.providers.base_url import is_service
from umwelten.providers.protocol import Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.types import FrozenStruct

_PLAIN_NAME = re.compile(r"[a-z0-9.-]+")


def listed_vendor(vendor: Vendor, settings: Settings) -> Vendor | None:
    """Return the table's row of a vendor, or of the one that its section says it is like."""
    row = settings.providers.get(vendor.name)
    return VENDORS.get(vendor.name) or VENDORS.get("" if row is None else row.fields.get("like", ""))


def address_place(vendor: Vendor, settings: Settings) -> Place | None:
    """Return where a project's file set a vendor's address, `None` where it did not."""
    variable = first_set(vendor.base_url_env, settings)
    if variable is not None:
        return settings.variables[variable].place
    row = settings.providers.get(vendor.name)
    if row is None:
        return None
    key = next((key for key in ("base_url", "base_urls") if key in row.fields), "like")
    return row.places.get(key)


def shown_address(vendor: Vendor, settings: Settings, base_url: str) -> str:
    """Return the address as it may be shown: without what a `.env` puts into it of the environment.

    Letters that may look like others are shown as they are looked up.
    """
    place = address_place(vendor, settings)
    shown: str = base_url if place is None else place.shown(base_url)
    host = urlsplit(base_url).hostname or ""
    if host.isascii():
        return shown
    try:
        return shown.replace(host, host.encode("idna").decode())
    except UnicodeError:
        return ascii(shown)


def send_demands(
    vendor: Vendor, settings: Settings, base_url: str, *, possible: bool = False
) -> Iterator[Demand]:
    """Yield what sending to a vendor at this address demands; `possible`: also if its key was set."""
    host = urlsplit(base_url).hostname or ""
    if not base_url or is_loopback(host):
        return
    key = _key(vendor, settings, possible=possible)
    demand = _key_demand(vendor, settings, base_url, key)
    insecure = insecure_demand(vendor, settings, base_url)
    # The host is not looked up where its name may not be sent either.
    if insecure is not None and (possible or demand is not None or not is_private(host)):
        yield insecure
    if demand is not None:
        yield demand


def insecure_demand(vendor: Vendor, settings: Settings, base_url: str) -> Demand | None:
    """Return the demand that a project's file makes by lifting the rule that what is sent is encrypted."""
    row, parts = settings.providers.get(vendor.name), urlsplit(base_url)
    place = row.places.get("allow_insecure") if row is not None else None
    is_open = parts.scheme == "http" and not is_loopback(parts.hostname or "")
    if place is None or not vendor.allow_insecure or not is_open:
        return None
    return Demand(
        kind="insecure",
        places=(place,),
        text=f"lets keys and prompts go to {shown_address(vendor, settings, base_url)} unencrypted",
        facts=(vendor.name, base_url),
    )


class _Key(FrozenStruct):
    """The variables whose values go out as a key, `owner`: the project's file that holds it.

    `line`: that of a `.env` which makes it of variables of the environment.
    """

    names: tuple[str, ...]
    owner: ProjectFile | None
    line: Place | None


def _key(vendor: Vendor, settings: Settings, *, possible: bool) -> _Key:
    """Return the key that is set, made of no variable if none is; `possible`: of all that it may be."""
    name = first_set(vendor.key_env, settings)
    if name is None:
        # The address alone may hold what is not the project's.
        return _Key(names=vendor.key_env if possible else (), owner=None, line=None)
    place = settings.variables[name].place
    if place is not None and place.uses:
        return _Key(names=place.uses, owner=None, line=place)
    if place is not None:
        return _Key(names=(name,), owner=place.file, line=None)
    return _Key(names=(name, *vendor.key_env) if possible else (name,), owner=None, line=None)


def _key_demand(vendor: Vendor, settings: Settings, base_url: str, key: _Key) -> Demand | None:
    row = settings.providers.get(vendor.name)
    own, at_own = listed_vendor(vendor, settings), _services(base_url)
    address = address_place(vendor, settings)
    named = None if row is None else row.places.get("api_key_env") or row.places.get("keys")
    places = tuple(place for place in (address, named, key.line) if place is not None)
    foreign = [name for name in key.names if not any(name in listed.key_env for listed in at_own)]
    if own in at_own and named is None and key.line is None and (row is None or "like" not in row.places):
        foreign = []  # as the user named it, for that vendor
    if key.owner is not None and all(place.file.goes_with(key.owner) for place in places):
        foreign = []
    foreign += address.uses if address is not None else ()
    if not foreign or not places:
        return None
    shown = shown_address(vendor, settings, base_url)
    if own is None or own in at_own:
        whose = f", as the key of {vendor.name}"
    else:
        whose = f", which is not {own.name}'s own address"
    return Demand(
        kind="send",
        places=places,
        text=f"sends {' or '.join(dict.fromkeys(foreign))} to {shown}{whose}",
        facts=(vendor.name, vendor.wire, shown, *vendor.key_env),
    )


def _services(base_url: str) -> list[Vendor]:
    """Return the vendors whose own address it is. A name that only some programs read so is nobody's."""
    if not _PLAIN_NAME.fullmatch(urlsplit(base_url).hostname or ""):
        return []
    return [listed for listed in VENDORS.values() if is_service(base_url, [listed])]
