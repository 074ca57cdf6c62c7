"""Providers as they are configured: the table's rows with the user's, their addresses and their keys."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import msgspec

from umwelten.config.layers import DEFAULT
from umwelten.config.settings import Settings, TomlSection
from umwelten.config.toml_sections import unknown
from umwelten.errors import ConfigError
from umwelten.pricing import Price
from umwelten.providers.base_url import normalise_base_url
from umwelten.providers.protocol import Endpoint, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.types import FrozenStruct, ModelRef, Secret

_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_BARE_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_LONGEST_WORD = 30
_ROUTER = "openrouter"


class Origins(FrozenStruct):
    """Where a provider's address and key come from: a variable, a file, "default", `None` without a key."""

    base_url: str
    api_key: str | None


def vendors(settings: Settings) -> Mapping[str, Vendor]:
    """All providers by name: the table's, with the user's sections on top. Raises `ConfigError`."""
    known = dict(VENDORS)
    for name, row in settings.providers.items():
        known[name] = _vendor(name, row, VENDORS.get(name))
    return known


def _vendor(name: str, row: TomlSection, listed: Vendor | None) -> Vendor:
    fields = dict(row.fields)
    given: dict[str, Any] = {key: fields[key] for key in ("wire", "scope", "allow_insecure") if key in fields}
    if "recommended" in fields:
        given["recommended"] = tuple(fields["recommended"])
    if "api_key_env" in fields:
        names = fields["api_key_env"]
        given |= {"key_env": tuple(names if isinstance(names, list) else [names]), "key_required": True}
    if listed is None:
        for key in ("wire", "base_url"):
            if key not in fields:
                raise ConfigError(f"{row.source}, [providers.{name}]: {key} is missing")
        keyed = "key_env" in given
        blank = Vendor(name=name, wire="", base_url="", key_required=keyed, scope="key" if keyed else "host")
    vendor = msgspec.structs.replace(listed or blank, **given)
    if "base_url" in fields:
        where = f"{row.source}, [providers.{name}] base_url"
        vendor = msgspec.structs.replace(vendor, base_url=_address(vendor, fields["base_url"], where))
    return vendor


def endpoint(vendor: Vendor, settings: Settings) -> Endpoint:
    """A vendor with its address and key settled.

    Raises `ConfigError` for a key that is missing (with the variables to set), a key that no header can
    hold, and an address that is not encrypted and leaves the private network.
    """
    return Endpoint(vendor=vendor, base_url=address(vendor, settings), api_key=_key(vendor, settings))


def address(vendor: Vendor, settings: Settings) -> str:
    """Where a vendor is reached; nothing for the embedded model, whose server has none until it runs.

    Raises `ConfigError` for one that holds a secret, or is not encrypted and leaves the private network.
    """
    variable = _first(vendor.base_url_env, settings)
    base_url = vendor.base_url
    if variable is not None:
        base_url = _address(vendor, settings.variables[variable].secret.reveal(), variable)
    if base_url:
        _check_open(vendor, base_url, variable or f"[providers.{vendor.name}] base_url")
    return base_url


def origins(vendor: Vendor, settings: Settings) -> Origins:
    """Where the address and the key that `endpoint` settles on come from."""
    address, key = _first(vendor.base_url_env, settings), _first(vendor.key_env, settings)
    row = settings.providers.get(vendor.name)
    from_file = row.source if row is not None and "base_url" in row.fields else DEFAULT
    return Origins(
        base_url=_origin(address, settings) or from_file,
        api_key=_origin(key, settings),
    )


def own_addresses(vendors: Iterable[Vendor], settings: Settings) -> Mapping[str, str]:
    """Where the user set another address than the vendor's own, and its host: `OPENAI_BASE_URL (gpu:80)`.

    By the provider's name; those with the usual address are left out. Raises as `address` does.
    """
    found: dict[str, str] = {}
    for vendor in vendors:
        listed, base_url = VENDORS.get(vendor.name), address(vendor, settings)
        if base_url and (listed is None or base_url != listed.base_url):
            where = _first(vendor.base_url_env, settings) or f"[providers.{vendor.name}] base_url"
            found[vendor.name] = f"{where} ({urlsplit(base_url).netloc})"
    return found


def _origin(name: str | None, settings: Settings) -> str | None:
    return None if name is None else f"{name} ({settings.variables[name].source})"


def _first(names: tuple[str, ...], settings: Settings) -> str | None:
    """The first of the variables that is set and not empty."""
    return next((name for name in names if name in settings.variables), None)


def _key(vendor: Vendor, settings: Settings) -> Secret | None:
    if vendor.key_required and _first(vendor.key_env, settings) is None:
        raise _missing(vendor)
    return check_key(vendor, settings)


def check_key(vendor: Vendor, settings: Settings) -> Secret | None:
    """The key if there is one. Raises `ConfigError` for one that no header can hold."""
    name = _first(vendor.key_env, settings)
    if name is None:
        return None
    key = settings.variables[name].secret.reveal().strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"the key in {name} holds a blank, a line break or a letter that no key has",
            f"It comes from {settings.variables[name].source}; copy it again.",
        )
    return Secret(key)


def _missing(vendor: Vendor) -> ConfigError:
    if not vendor.key_env:
        return ConfigError(
            f"{vendor.name} needs a key", f"Name its variable: [providers.{vendor.name}] api_key_env."
        )
    first, *others = vendor.key_env
    either = f" (or {', '.join(others)})" if others else ""
    return ConfigError(
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
        raise ConfigError(f"the address in {where} must end before the ? or #")
    if raw.strip() and "://" not in raw and vendor.wire != "ollama":
        raise _without_scheme(vendor, raw.strip(), where)
    return normalise_base_url(vendor, raw)


def _without_scheme(vendor: Vendor, raw: str, where: str) -> ConfigError:
    """A word that was meant for another variable must not become a host that is asked."""
    text = raw.lstrip("/")
    try:
        host = urlsplit(f"//{text}").hostname or ""
    except ValueError:
        host = ""
    scheme = "http" if vendor.scope == "host" or host in _LOOPBACK else "https"
    if "." not in text and len(text) > _LONGEST_WORD:
        # Perhaps a key that was put here by mistake: it is not repeated.
        return ConfigError(f"{where}: the address has no scheme: write {scheme}://…")
    return ConfigError(f"{where}: {raw!r} has no scheme: write {scheme}://{text}")


def _check_open(vendor: Vendor, base_url: str, where: str) -> None:
    """Refuse to send keys and prompts unencrypted to anywhere but this machine or a private network."""
    parts = urlsplit(base_url)
    if parts.scheme == "https" or vendor.allow_insecure or _is_private(parts.hostname or ""):
        return
    raise ConfigError(
        f"{where}: {parts.scheme}://{parts.hostname} would send keys and prompts unencrypted",
        f"Use https, or set [providers.{vendor.name}] allow_insecure = true in umwelten.toml.",
    )


def _is_private(host: str) -> bool:
    """Whether a host is this machine or on a private network, as far as its name or number tells."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        # A bare name is one of the local network; a bare number is an address in disguise.
        return _BARE_NAME.fullmatch(host) is not None or host.endswith(_LOCAL_ENDINGS)
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


def price_overrides(settings: Settings) -> Mapping[ModelRef, Price]:
    """The user's own prices. Raises `ConfigError` for a model of a provider that is not known."""
    known = {**VENDORS, **settings.providers}
    prices: dict[ModelRef, Price] = {}
    for name, row in settings.prices.items():
        model = _model(name)
        if model.provider not in known:
            raise unknown(model.provider, known, f'{row.source}, [prices."{name}"]')
        prices[model] = Price(**{key: _exact(value) for key, value in row.fields.items()})
    return prices


def _exact(number: float) -> Decimal:
    """The decimal number that was written, without the noise of binary fractions."""
    return Decimal(str(number))


def _model(name: str) -> ModelRef:
    """`provider:model`, or `vendor/model` at OpenRouter."""
    provider, _, model = name.partition(":")
    return ModelRef(_ROUTER, name) if "/" in provider else ModelRef(provider.strip(), model.strip())
