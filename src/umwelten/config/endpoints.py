"""Providers as they are configured: the table's rows with the user's, their keys and prices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from umwelten.child_processes import says_secret
from umwelten.config.addresses import address, parse_address, reached_at, written_address
from umwelten.config.members import Member, members
from umwelten.config.merged_sections import TomlSection
from umwelten.config.private_networks import sounds_private
from umwelten.config.send_demands import address_place, insecure_demand, send_demands
from umwelten.config.settings import Settings, first_set
from umwelten.config.toml_sections import unknown
from umwelten.config.trust import Demand
from umwelten.errors import ConfigError
from umwelten.pricing import MEDIA, Price
from umwelten.providers.base_url import is_service
from umwelten.providers.capabilities import CapabilityOverrides
from umwelten.providers.protocol import Endpoint, Scope, Vendor
from umwelten.providers.retired import retirement
from umwelten.providers.vendors import DIALECTS, VENDORS
from umwelten.types import ModelRef, Secret

_ROUTER = "openrouter"
_SWAPPING_WIRE = "ollama"
"""The wire format of a server that swaps models."""
_CHOOSING_WIRE = "openai"
"""The wire format of providers with two APIs."""


class MissingKey(ConfigError):
    """A provider that needs a key has none."""


def vendors(settings: Settings) -> Mapping[str, Vendor]:
    """All providers by name: the table's, with the user's sections on top. Raises `ConfigError`."""
    known = dict(VENDORS)
    for name, row in settings.providers.items():
        known[name] = _vendor(name, row)
    given = settings.get("api")
    if given == "auto":
        return known
    # What is given for this run wins over a provider's section; that over what a file says for all.
    is_usual = settings.source("api") in settings.files
    spared = {name for name, row in settings.providers.items() if is_usual and "api" in row.fields}
    return {
        name: msgspec.structs.replace(vendor, api=given)
        if vendor.wire == _CHOOSING_WIRE and name not in spared
        else vendor
        for name, vendor in known.items()
    }


def _vendor(name: str, row: TomlSection) -> Vendor:
    fields = row.fields
    vendor = _base(name, row)
    given = {field: read(fields[key]) for key, (field, read) in _FACTS.items() if key in fields}
    quirks = {key: read(fields[key]) for key, read in _QUIRKS.items() if key in fields}
    if "api_key_env" in fields or "keys" in fields:
        given["key_required"] = True
    if "keys" in fields:
        given["key_env"] = tuple(fields["keys"])
    if given.get("price_list") is not None:
        given.setdefault("free", False)
    given["quirks"] = msgspec.structs.replace(vendor.quirks, **quirks)
    vendor = msgspec.structs.replace(vendor, **given)
    if "api" in fields and vendor.wire != _CHOOSING_WIRE:
        raise ConfigError(
            f"{row.sources['api']}, [providers.{name}] api: {name} has one API, in the format {vendor.wire}",
            f'Leave api out, or write wire = "{_CHOOSING_WIRE}".',
        )
    if "base_url" in fields:
        where = f"{row.sources['base_url']}, [providers.{name}] base_url"
        vendor = msgspec.structs.replace(vendor, base_url=parse_address(vendor, fields["base_url"], where))
    if "base_urls" in fields:
        base_urls = _parse_addresses(vendor, row)
        vendor = msgspec.structs.replace(vendor, base_url=base_urls[0], base_urls=base_urls, base_url_env=())
    if _is_unclear(name, fields, vendor):
        vendor = msgspec.structs.replace(vendor, free=False)
    return vendor


def _parse_addresses(vendor: Vendor, row: TomlSection) -> tuple[str, ...]:
    where = f"{row.sources['base_urls']}, [providers.{vendor.name}] base_urls"
    base_urls = tuple(parse_address(vendor, written, where) for written in row.fields["base_urls"])
    for i, base_url in enumerate(base_urls):
        if base_url in base_urls[:i]:
            raise ConfigError(f"{where}: {base_url} is there twice", "Each address is a server of its own.")
    return base_urls


def _is_unclear(name: str, fields: Mapping[str, Any], vendor: Vendor) -> bool:
    """Whether it is taken for a server of one's own only because it has no key, and is on the open network.

    It may be a gateway that bills elsewhere: nothing says that it is free.
    """
    is_stated = name in VENDORS or any(key in fields for key in ("like", "scope", "free"))
    base_urls = vendor.base_urls or (vendor.base_url,)
    return not is_stated and not all(sounds_private(urlsplit(url).hostname or "") for url in base_urls)


_FACTS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "wire": ("wire", str),
    "api": ("api", str),
    "scope": ("scope", Scope),
    "recommended": ("recommended", tuple),
    "api_key_env": ("key_env", lambda names: tuple(names) if isinstance(names, list) else (names,)),
    "allow_insecure": ("allow_insecure", bool),
    "free": ("free", bool),
    "price_list": ("price_list", lambda name: None if name == "none" else name),
    "orders_by_model": ("orders_by_model", bool),
    "nicknames": ("nicknames", tuple),
    "rpm": ("rpm", float),
    "tpm": ("tpm", float),
    "share": ("share", float),
    "keys": ("keys", tuple),
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
        if key == "base_url" and "base_urls" in fields:
            continue
        if key not in fields and (ended := retirement(name)):
            raise ConfigError(f"{row.source}, [providers.{name}]: {ended[0]}", ended[1])
        if key not in fields:
            raise ConfigError(f"{row.source}, [providers.{name}]: {key} is missing")
    if like is None:
        keyed = "api_key_env" in fields or "keys" in fields
        return Vendor(
            name=name,
            wire=fields["wire"],
            base_url="",
            key_required=keyed,
            scope=Scope.KEY if keyed else Scope.HOST,
            orders_by_model=fields["wire"] == _SWAPPING_WIRE,
        )
    twin = msgspec.structs.replace(like, name=name, nicknames=())
    written = fields.get("base_urls") or [fields[key] for key in ("base_url",) if key in fields]
    if not like.base_url or all(is_service(url, [like]) for url in written):
        return twin
    # Elsewhere neither its key nor its address belong, and its prices need not hold.
    return msgspec.structs.replace(twin, base_url_env=(), key_env=(), key_required=False, price_list=None)


def endpoint(vendor: Vendor, settings: Settings) -> Endpoint:
    """A vendor with its address and key settled, those of the first of several members: see `endpoints`."""
    return _endpoint(members(vendor)[0], settings)


def endpoints(vendor: Vendor, settings: Settings) -> tuple[Endpoint, ...]:
    """All members of a vendor with their addresses and keys settled.

    Raises `Untrusted` for what a project's files demand and the user has not trusted, `ConfigError` for keys
    that are missing (with the variables to set), a key that no header can hold or that two members share,
    and an address that is not encrypted and leaves the private network.
    """
    settled: list[Endpoint] = []
    problems: list[ConfigError] = []
    settings.trust.require(endpoint_demands(vendor, settings))
    for member in members(vendor):
        try:
            settled.append(_endpoint(member, settings))
        except ConfigError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise all_of(problems)
    keys: dict[tuple[str, Secret | None], str] = {}
    for found in settled:
        name = found.vendor.key_env[0] if found.vendor.key_env else ""
        other = keys.setdefault((found.base_url, found.api_key), name)
        if other != name:
            raise ConfigError(
                f"{other} and {name} hold the same key",
                f"Each of [providers.{vendor.name}] keys is an account of its own, with a limit of its own.",
            )
    return tuple(settled)


def all_of(problems: Sequence[ConfigError]) -> ConfigError:
    """Return one error that says all of them: who lacks two keys should learn of both at once."""
    hints = dict.fromkeys(error.hint for error in problems if error.hint)
    return ConfigError("; ".join(dict.fromkeys(error.message for error in problems)), "\n".join(hints))


def _endpoint(member: Member, settings: Settings) -> Endpoint:
    """This is the one place where a key meets an address."""
    vendor = member.vendor
    settings.trust.require(endpoint_demands(vendor, settings))
    base_url, key = address(vendor, settings), _key(vendor, settings)
    insecure = insecure_demand(vendor, settings, base_url)
    if insecure is not None and settings.trust.lacking([insecure]):
        vendor = msgspec.structs.replace(vendor, allow_insecure=False)  # so that no proxy reads it either
    return Endpoint(vendor=vendor, base_url=base_url, api_key=key, member=member.suffix)


def endpoint_demands(vendor: Vendor, settings: Settings, *, possible: bool = False) -> list[Demand]:
    """What the project's files demand to reach a vendor; `possible`: also what they would if its key was set.

    Raises `ConfigError` for an address that cannot be read.
    """
    demands: dict[str, Demand] = {}
    for of in (member.vendor for member in members(vendor)):
        found = send_demands(of, settings, written_address(of, settings), possible=possible)
        demands |= {demand.digest: demand for demand in found}
    return list(demands.values())


def _key(vendor: Vendor, settings: Settings) -> Secret | None:
    if vendor.key_required and first_set(vendor.key_env, settings) is None:
        raise _missing(vendor, settings)
    return check_key(vendor, settings)


def all_keys(known: Iterable[Vendor], settings: Settings) -> tuple[str, ...]:
    """Return the keys of these vendors, of all their members, that are set, whether they are used or not."""
    names = {name for vendor in known for name in (*vendor.key_env, *vendor.keys)}
    found = (settings.variables[name].secret.reveal().strip() for name in names if name in settings.variables)
    return tuple(dict.fromkeys(found))


def known_secrets(settings: Settings) -> set[str]:
    """Return all values that may be secrets: keys of providers, and variables whose names say so."""
    named = {found.secret.reveal().strip() for name, found in settings.variables.items() if says_secret(name)}
    return named.union(all_keys(vendors(settings).values(), settings))


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
