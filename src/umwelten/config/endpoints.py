"""Providers as they are configured: the table's rows with the user's, their addresses and their keys."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from umwelten.config.layers import DEFAULT
from umwelten.config.private_networks import is_private, sounds_private
from umwelten.config.send_demands import address_place, insecure_demand, send_demands, shown_address
from umwelten.config.settings import Settings, TomlSection, first_set
from umwelten.config.toml_sections import unknown
from umwelten.config.trust import Demand
from umwelten.errors import ConfigError
from umwelten.pricing import MEDIA, Price
from umwelten.providers.base_url import is_service, normalise_base_url, reads_differently
from umwelten.providers.capabilities import CapabilityOverrides
from umwelten.providers.protocol import Endpoint, Scope, Vendor
from umwelten.providers.retired import retirement
from umwelten.providers.vendors import DIALECTS, VENDORS
from umwelten.types import FrozenStruct, ModelRef, Secret

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_LONGEST_WORD = 30
_ROUTER = "openrouter"
_SWAPPING_WIRE = "ollama"
"""The wire format of a server that swaps models."""


class MissingKey(ConfigError):
    """A provider that needs a key has none."""


class Origins(FrozenStruct):
    """Where a provider's address and key come from: a variable, a file, "default", `None` without a key."""

    base_url: str
    api_key: str | None


def vendors(settings: Settings) -> Mapping[str, Vendor]:
    """All providers by name: the table's, with the user's sections on top. Raises `ConfigError`."""
    known = dict(VENDORS)
    for name, row in settings.providers.items():
        known[name] = _vendor(name, row)
    return known


def _vendor(name: str, row: TomlSection) -> Vendor:
    fields = row.fields
    vendor = _base(name, row)
    given = {field: read(fields[key]) for key, (field, read) in _FACTS.items() if key in fields}
    quirks = {key: read(fields[key]) for key, read in _QUIRKS.items() if key in fields}
    if "api_key_env" in fields:
        given["key_required"] = True
    if given.get("price_list") is not None:
        given.setdefault("free", False)
    given["quirks"] = msgspec.structs.replace(vendor.quirks, **quirks)
    vendor = msgspec.structs.replace(vendor, **given)
    if "base_url" in fields:
        where = f"{row.source}, [providers.{name}] base_url"
        vendor = msgspec.structs.replace(vendor, base_url=_address(vendor, fields["base_url"], where))
    if _is_unclear(name, fields, vendor):
        vendor = msgspec.structs.replace(vendor, free=False)
    return vendor


def _is_unclear(name: str, fields: Mapping[str, Any], vendor: Vendor) -> bool:
    """Whether it is taken for a server of one's own only because it has no key, and is on the open network.

    It may be a gateway that bills elsewhere: nothing says that it is free.
    """
    is_stated = name in VENDORS or any(key in fields for key in ("like", "scope", "free"))
    return not is_stated and not sounds_private(urlsplit(vendor.base_url).hostname or "")


_FACTS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "wire": ("wire", str),
    "scope": ("scope", Scope),
    "recommended": ("recommended", tuple),
    "api_key_env": ("key_env", lambda names: tuple(names) if isinstance(names, list) else (names,)),
    "allow_insecure": ("allow_insecure", bool),
    "free": ("free", bool),
    "price_list": ("price_list", lambda name: None if name == "none" else name),
    "orders_by_model": ("orders_by_model", bool),
    "nicknames": ("nicknames", tuple),
    "capabilities": ("overrides", lambda table: msgspec.convert(table, CapabilityOverrides)),
}
"""Keys of a section, the fields of `Vendor` that they set, and how their values are read."""

_QUIRKS: Mapping[str, Callable[[Any], Any]] = {"hints": DIALECTS.__getitem__, "models_path": str}


def _base(name: str, row: TomlSection) -> Vendor:
    """What is known before the section speaks: the vendor's row, that of one like it, or nothing."""
    fields = row.fields
    listed, like = VENDORS.get(name), VENDORS.get(fields.get("like", ""))
    if listed is not None:
        return listed
    needed = ("wire", "base_url") if like is None else () if like.base_url else ("base_url",)
    for key in needed:
        if key not in fields and (ended := retirement(name)):
            raise ConfigError(f"{row.source}, [providers.{name}]: {ended[0]}", ended[1])
        if key not in fields:
            raise ConfigError(f"{row.source}, [providers.{name}]: {key} is missing")
    if like is None:
        keyed = "api_key_env" in fields
        return Vendor(
            name=name,
            wire=fields["wire"],
            base_url="",
            key_required=keyed,
            scope=Scope.KEY if keyed else Scope.HOST,
            orders_by_model=fields["wire"] == _SWAPPING_WIRE,
        )
    twin = msgspec.structs.replace(like, name=name, nicknames=())
    if "base_url" not in fields or not like.base_url or is_service(fields["base_url"], [like]):
        return twin
    # Elsewhere neither its key nor its address belong, and its prices need not hold.
    return msgspec.structs.replace(twin, base_url_env=(), key_env=(), key_required=False, price_list=None)


def endpoint(vendor: Vendor, settings: Settings) -> Endpoint:
    """A vendor with its address and key settled. This is the one place where a key meets an address.

    Raises `Untrusted` for what a project's files demand and the user has not trusted, `ConfigError` for a key
    that is missing (with the variables to set), a key that no header can hold, and an address that is not
    encrypted and leaves the private network.
    """
    demands = endpoint_demands(vendor, settings)
    settings.trust.require(demands)
    base_url, key = address(vendor, settings), _key(vendor, settings)
    insecure = insecure_demand(vendor, settings, base_url)
    if insecure is not None and settings.trust.lacking([insecure]):
        vendor = msgspec.structs.replace(vendor, allow_insecure=False)  # so that no proxy reads it either
    return Endpoint(vendor=vendor, base_url=base_url, api_key=key)


def endpoint_demands(vendor: Vendor, settings: Settings, *, possible: bool = False) -> list[Demand]:
    """What the project's files demand to reach a vendor; `possible`: also what they would if its key was set.

    Raises `ConfigError` for an address that cannot be read.
    """
    base_url = _written_address(vendor, settings)
    return list(send_demands(vendor, settings, base_url, possible=possible))


def address(vendor: Vendor, settings: Settings) -> str:
    """Where a vendor is reached; nothing for the embedded model, whose server has none until it runs.

    Raises `ConfigError` for one that holds a secret, or is not encrypted and leaves the private network.
    """
    base_url = _written_address(vendor, settings)
    if base_url:
        where = first_set(vendor.base_url_env, settings) or f"[providers.{vendor.name}] base_url"
        _check_open(vendor, base_url, where)
    return base_url


def _written_address(vendor: Vendor, settings: Settings) -> str:
    """Return where a vendor is reached; whether it is safe to send a key there is not checked."""
    variable = first_set(vendor.base_url_env, settings)
    base_url = vendor.base_url
    if variable is not None:
        # What is known of its paths is the table's, not that of the section that the variable replaces.
        listed = VENDORS.get(vendor.name, vendor).base_url
        row = msgspec.structs.replace(vendor, base_url=listed)
        return _address(row, settings.variables[variable].secret.reveal(), variable)
    return base_url


def origins(vendor: Vendor, settings: Settings) -> Origins:
    """Where the address and the key that `endpoint` settles on come from."""
    address, key = first_set(vendor.base_url_env, settings), first_set(vendor.key_env, settings)
    row = settings.providers.get(vendor.name)
    from_file = row.source if row is not None and "base_url" in row.fields else DEFAULT
    return Origins(
        base_url=_origin(address, settings) or from_file,
        api_key=_origin(key, settings),
    )


def own_addresses(vendors: Iterable[Vendor], settings: Settings) -> Mapping[str, str]:
    """Where the user set another address than the vendor's own, and its host: `OPENAI_BASE_URL (gpu:80)`.

    By the provider's name; those with the usual address are left out. Raises `ConfigError` for one that
    cannot be read.
    """
    found: dict[str, str] = {}
    for vendor in vendors:
        row, base_url = settings.providers.get(vendor.name), _written_address(vendor, settings)
        own = VENDORS.get(vendor.name) or VENDORS.get(row.fields.get("like", "") if row else "")
        if base_url and (own is None or base_url != own.base_url):
            where = first_set(vendor.base_url_env, settings) or f"[providers.{vendor.name}] base_url"
            shown = shown_address(vendor, settings, base_url)
            found[vendor.name] = f"{where} ({urlsplit(shown).netloc or shown})"
    return found


class Reached(FrozenStruct):
    """Where a provider is reached, as it may be shown, and the file or variable that says so.

    `is_usual`: at its vendor's own address, or where its own server usually listens.
    """

    base_url: str
    source: str
    is_usual: bool


def reached_at(vendor: Vendor, settings: Settings) -> Reached:
    """Where a provider is reached. Raises `ConfigError` for an address that cannot be read."""
    base_url, place = _written_address(vendor, settings), address_place(vendor, settings)
    variable, row = first_set(vendor.base_url_env, settings), settings.providers.get(vendor.name)
    if place is not None:
        source = place.file.shown if os.sep in place.file.shown else f".{os.sep}{place.file.shown}"
    elif variable is not None:
        source = variable
    else:
        source = row.source if row is not None and "base_url" in row.fields else DEFAULT
    own = VENDORS.get(vendor.name) or VENDORS.get(row.fields.get("like", "") if row else "")
    is_usual = own is not None and (base_url == own.base_url or is_service(base_url, [own]))
    return Reached(base_url=shown_address(vendor, settings, base_url), source=source, is_usual=is_usual)


def address_notes(vendors: Iterable[Vendor], settings: Settings) -> list[str]:
    """Notes on addresses that are read as something else than was written: what was meant is a guess."""
    notes: list[str] = []
    for vendor in vendors:
        variable, row = first_set(vendor.base_url_env, settings), settings.providers.get(vendor.name)
        if variable is not None:
            written, where = settings.variables[variable].secret.reveal(), variable
        elif row is not None and "base_url" in row.fields:
            written, where = row.fields["base_url"], f"[providers.{vendor.name}] base_url"
        else:
            continue
        with contextlib.suppress(ConfigError):  # it is an error later, together with all others
            base_url = _written_address(vendor, settings)
            if reads_differently(written, base_url):
                notes.append(f"the address in {where} is read as {base_url}")
    return notes


def _origin(name: str | None, settings: Settings) -> str | None:
    return None if name is None else f"{name} ({settings.variables[name].source})"


def _key(vendor: Vendor, settings: Settings) -> Secret | None:
    if vendor.key_required and first_set(vendor.key_env, settings) is None:
        raise _missing(vendor, settings)
    return check_key(vendor, settings)


def check_key(vendor: Vendor, settings: Settings) -> Secret | None:
    """The key if there is one. Raises `ConfigError` for one that no header can hold."""
    name = first_set(vendor.key_env, settings)
    if name is None:
        return None
    key = settings.variables[name].secret.reveal().strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"the key in {name} holds a blank, a line break or a letter that no key has",
            f"It comes from {settings.variables[name].source}; copy it again.",
        )
    return Secret(key)


def _missing(vendor: Vendor, settings: Settings) -> MissingKey:
    if not vendor.key_env:
        return MissingKey(
            f"{vendor.name} needs a key", f"Name its variable: [providers.{vendor.name}] api_key_env."
        )
    first, *others = vendor.key_env
    either = f" (or {', '.join(others)})" if others else ""
    if address_place(vendor, settings) is not None and not (at := reached_at(vendor, settings)).is_usual:
        either += f"; it would go to {at.base_url} ({at.source})"
    return MissingKey(
        f"{vendor.name} needs a key: {first} is not set{either}",
        f"Put the line {first}=… in a file .env in the working directory or above it, or export {first}.",
    )


def _address(vendor: Vendor, raw: str, where: str) -> str:
    """The address as the wire needs it. One that holds a secret is refused, as addresses are shown."""
    if "@" in raw:
        raise ConfigError(
            f"the address in {where} holds a user or password", "Give a key by its own variable."
        )
    if "?" in raw or "#" in raw:
        hint = None
        if "://" in raw:
            hint = f"Write it as {normalise_base_url(vendor, re.split('[?#]', raw)[0], where)}."
        raise ConfigError(f"the address in {where} must end before the ? or #", hint)
    if raw.strip() and "://" not in raw and vendor.wire != "ollama":
        raise _without_scheme(vendor, raw.strip(), where)
    return normalise_base_url(vendor, raw, where)


def _without_scheme(vendor: Vendor, raw: str, where: str) -> ConfigError:
    """Return the error for an address without a scheme: a slip must not become a host that gets requests."""
    text = re.sub(r"^https?[:;]?/+|^https?[:;]", "", raw.lstrip("/"))
    try:
        host = urlsplit(f"//{text}").hostname or ""
    except ValueError:
        host = ""
    scheme = "http" if vendor.scope is Scope.HOST or host in _LOOPBACK else "https"
    if "." not in text and len(text) > _LONGEST_WORD:
        # Perhaps a key that was put here by mistake: it is not repeated.
        return ConfigError(f"{where}: the address has no scheme: write {scheme}://…")
    return ConfigError(f"{where}: {raw!r} has no scheme: write {scheme}://{text}")


def _check_open(vendor: Vendor, base_url: str, where: str) -> None:
    """Refuse to send keys and prompts unencrypted to anywhere but this machine or a private network."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "https" or vendor.allow_insecure or is_private(host):
        return
    why = " (the name has no private address)" if sounds_private(host) else ""
    raise ConfigError(
        f"{where}: {parts.scheme}://{host} would send keys and prompts unencrypted{why}",
        insecure_hint(vendor.name),
    )


def insecure_hint(provider: str) -> str:
    """Return what to do about an address that is not encrypted."""
    return f"Use https, or set [providers.{provider}] allow_insecure = true in umwelten.toml."


def price_overrides(settings: Settings) -> Mapping[ModelRef, Price]:
    """The user's own prices. Raises `ConfigError` for a model of a provider that is not known."""
    known = {**VENDORS, **settings.providers}
    prices: dict[ModelRef, Price] = {}
    for name, row in settings.prices.items():
        model = _model(name)
        if model.provider not in known:
            raise unknown(model.provider, known, f'{row.source}, [prices."{name}"]')
        prices[model] = _price(row.fields)
    return prices


def project_prices(model: ModelRef, settings: Settings) -> str | None:
    """The project's file that says what a model costs, `None` where it is the price list or the user."""
    rows = [row for name, row in settings.prices.items() if _model(name) == model]
    section = settings.providers.get(model.provider)
    places = [place for row in rows for place in row.places.values()]
    if section is not None:
        places += [place for key, place in section.places.items() if key in ("free", "price_list")]
    return places[0].file.shown if places else None


def _price(fields: Mapping[str, Any]) -> Price:
    """Return the price in a section; its tables are the prices of service tiers."""
    rates = {key: _exact(value) for key, value in fields.items() if not isinstance(value, dict)}
    tiers = {key: _price(value) for key, value in fields.items() if isinstance(value, dict)}
    if "cached" in rates:
        # Cached audio is billed as what is cached, not as audio.
        for medium in MEDIA:
            if f"input_{medium}" in rates:
                rates.setdefault(f"cached_{medium}", rates["cached"])
    price = Price(input=rates.pop("input"), output=rates.pop("output"), tiers=tiers)
    return msgspec.structs.replace(price, **rates)


def _exact(number: float) -> Decimal:
    """The decimal number that was written, without the noise of binary fractions."""
    return Decimal(str(number))


def _model(name: str) -> ModelRef:
    """`provider:model`, or `vendor/model` at OpenRouter."""
    provider, _, model = name.partition(":")
    return ModelRef(_ROUTER, name) if "/" in provider else ModelRef(provider.strip(), model.strip())
