"""Where providers are reached: addresses as they are written, checked, and as they may be shown."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import urlsplit

import msgspec

from umwelten.config.layers import DEFAULT
from umwelten.config.members import members
from umwelten.config.private_networks import is_private, sounds_private
from umwelten.config.send_demands import address_place, listed_vendor, shown_address
from umwelten.config.settings import Settings, first_set
from umwelten.errors import ConfigError
from umwelten.providers.base_url import is_service, normalise_base_url, reads_differently
from umwelten.providers.protocol import Scope, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.types import FrozenStruct

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_LONGEST_WORD = 30


class Origins(FrozenStruct):
    """Where a provider's address and key come from: a variable, a file, "default", `None` without a key."""

    base_url: str
    api_key: str | None


def address(vendor: Vendor, settings: Settings) -> str:
    """Where a vendor is reached; nothing for the embedded model, whose server has none until it runs.

    Raises `ConfigError` for one that holds a secret, or is not encrypted and leaves the private network.
    """
    base_url = written_address(vendor, settings)
    if base_url:
        _check_open(vendor, settings, base_url, _where(vendor, settings))
    return base_url


def written_address(vendor: Vendor, settings: Settings) -> str:
    """Return where a vendor is reached; whether it is safe to send a key there is not checked."""
    variable = first_set(vendor.base_url_env, settings)
    base_url = vendor.base_url
    if variable is not None:
        # What is known of its paths is the table's, not that of the section that the variable replaces.
        listed = VENDORS.get(vendor.name, vendor).base_url
        row = msgspec.structs.replace(vendor, base_url=listed)
        found = settings.variables[variable]
        try:
            return parse_address(row, found.secret.reveal(), variable)
        except ConfigError:
            if found.place is None or found.place.written is None:
                raise
        # What is wrong would name what the environment puts in.
        raise ConfigError(
            f"{variable}: {found.place.shown('')!r} is no address with {', '.join(found.place.uses)} put in",
            "Write a whole address, such as https://llm.example.com/v1.",
        )
    return base_url


def origins(vendor: Vendor, settings: Settings) -> Origins:
    """Where the address and the key that `endpoint` settles on come from."""
    vendor = members(vendor)[0].vendor
    address, key = first_set(vendor.base_url_env, settings), first_set(vendor.key_env, settings)
    from_file = _source(vendor, settings)
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
        hosts: dict[str, None] = {}
        for of in (member.vendor for member in members(vendor)):
            at = reached_at(of, settings)
            if at.base_url and not at.is_usual:
                hosts[at.base_url.partition("://")[2].partition("/")[0] or at.base_url] = None
        if hosts:
            where = _where(members(vendor)[0].vendor, settings)
            found[vendor.name] = f"{where} ({', '.join(hosts)})"
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
    base_url, place = written_address(vendor, settings), address_place(vendor, settings)
    variable, own = first_set(vendor.base_url_env, settings), listed_vendor(vendor, settings)
    if place is not None:
        source = place.file.shown if os.sep in place.file.shown else f".{os.sep}{place.file.shown}"
    else:
        source = variable or _source(vendor, settings)
    is_usual = own is not None and (base_url == own.base_url or is_service(base_url, [own]))
    return Reached(base_url=shown_address(vendor, settings, base_url), source=source, is_usual=is_usual)


def _source(vendor: Vendor, settings: Settings) -> str:
    """Return the file whose section gives the address, or "default"."""
    row = settings.providers.get(vendor.name)
    return DEFAULT if row is None else row.sources.get(_address_key(vendor, settings), DEFAULT)


def _where(vendor: Vendor, settings: Settings) -> str:
    section = f"[providers.{vendor.name}] {_address_key(vendor, settings)}"
    return first_set(vendor.base_url_env, settings) or section


def _address_key(vendor: Vendor, settings: Settings) -> str:
    row = settings.providers.get(vendor.name)
    return "base_urls" if row is not None and "base_urls" in row.fields else "base_url"


def address_notes(vendors: Iterable[Vendor], settings: Settings) -> list[str]:
    """Notes on addresses that are read as something else than was written: what was meant is a guess."""
    notes: list[str] = []
    for vendor, written in _written(vendors, settings):
        with contextlib.suppress(ConfigError):  # it is an error later, together with all others
            base_url = written_address(vendor, settings)
            if reads_differently(written, base_url):
                place = address_place(vendor, settings)
                is_plain = place is None or place.written is None
                read = f"as {base_url}" if is_plain else "without what stands at its end"
                notes.append(f"the address in {_where(vendor, settings)} is read {read}")
    return notes


def _written(vendors: Iterable[Vendor], settings: Settings) -> Iterator[tuple[Vendor, str]]:
    """Yield the addresses that the user wrote, each with the member of the vendor that has it."""
    for vendor in vendors:
        row = settings.providers.get(vendor.name)
        fields = {} if row is None else row.fields
        if vendor.base_urls:
            at = {member.vendor.base_url: member.vendor for member in members(vendor)}
            yield from zip(at.values(), fields["base_urls"], strict=True)
        elif (variable := first_set(vendor.base_url_env, settings)) is not None:
            yield vendor, settings.variables[variable].secret.reveal()
        elif "base_url" in fields:
            yield vendor, fields["base_url"]


def _origin(name: str | None, settings: Settings) -> str | None:
    return None if name is None else f"{name} ({settings.variables[name].source})"


def parse_address(vendor: Vendor, raw: str, where: str) -> str:
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


def _check_open(vendor: Vendor, settings: Settings, base_url: str, where: str) -> None:
    """Refuse to send keys and prompts unencrypted to anywhere but this machine or a private network."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme == "https" or vendor.allow_insecure or is_private(host):
        return
    place = address_place(vendor, settings)
    shown = f"{parts.scheme}://{host}" if place is None else place.shown(f"{parts.scheme}://{host}")
    why = " (the name has no private address)" if sounds_private(host) else ""
    raise ConfigError(
        f"{where}: {shown} would send keys and prompts unencrypted{why}",
        insecure_hint(vendor.name),
    )


def insecure_hint(provider: str) -> str:
    """Return what to do about an address that is not encrypted."""
    return f"Use https, or set [providers.{provider}] allow_insecure = true in umwelten.toml."
