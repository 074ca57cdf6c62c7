"""All that is configured, for a person or a program to read. Keys are named, never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from umwelten.config.addresses import address, origins, reached_at
from umwelten.config.demands import all_demands
from umwelten.config.endpoints import check_key, endpoint_demands, price_overrides, vendors
from umwelten.config.layers import DEFAULT, Value
from umwelten.config.mcp_sections import VARIABLE_IN_TEXT
from umwelten.config.members import members
from umwelten.config.merged_sections import TomlSection
from umwelten.config.options import SETTINGS
from umwelten.config.problems import Problems, in_order
from umwelten.config.settings import Settings, model_groups
from umwelten.config.variants import Variants
from umwelten.errors import ConfigError, UsageError
from umwelten.providers.model_names import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.tools.mcp.settings import McpSettings
from umwelten.types import FrozenStruct

_SECRET = re.compile(r"key|token|secret|password|authorization|cookie", re.IGNORECASE)
_COUNTS = re.compile(r"tokens$", re.IGNORECASE)
HIDDEN = "(hidden)"


class Setting(FrozenStruct):
    """A setting by the name of its flag; `value` is `None` where it has none."""

    name: str
    value: Any
    source: str


class MemberRow(FrozenStruct):
    """One of several accounts or servers of a provider: its name, address and the variable of its key."""

    name: str
    base_url: str
    key: str | None
    key_set: bool


class ProviderOverview(FrozenStruct):
    """A provider's address, key and facts. `key` is the variable that holds it, `key_set` whether one does.

    `source`: the file whose section had the last word, or "default". `free`: its models cost nothing where no
    price is set; `price_list`: where their prices are listed. `capabilities` are those that a file states.
    `members`: its accounts or servers where it has several; `base_url` and `key` are then the first one's.
    """

    name: str
    source: str
    wire: str
    like: str | None
    base_url: str
    base_url_source: str
    key: str | None
    key_set: bool
    key_needed: bool
    key_source: str | None
    scope: str
    recommended: tuple[int, int]
    free: bool
    price_list: str | None
    hints: str
    orders_by_model: bool
    models_path: str
    nicknames: tuple[str, ...]
    rpm: float | None
    tpm: float | None
    share: float
    capabilities: Mapping[str, Any]
    problem: str | None = None
    members: tuple[MemberRow, ...] = ()


class GroupRow(FrozenStruct):
    """A group as it is written, and all its models in the end."""

    name: str
    models: tuple[str, ...]
    expanded: tuple[str, ...]
    source: str


class ToolListRow(FrozenStruct):
    """A list of tools as it is written."""

    name: str
    tools: tuple[str, ...]
    source: str


class McpRow(FrozenStruct):
    """An MCP server, with its command or address; of its headers and variables, the names."""

    name: str
    target: str
    variables: tuple[str, ...]
    tools: tuple[str, ...] | None
    source: str


class ProfileRow(FrozenStruct):
    """A profile's flags."""

    name: str
    flags: tuple[Setting, ...]


class VariantRow(FrozenStruct):
    """The settings of a variant."""

    name: str
    settings: tuple[Setting, ...]


class PriceRow(FrozenStruct):
    """A price of one's own, USD per million tokens."""

    model: str
    input: float
    output: float
    cached: float | None
    source: str


class ConfigOverview(FrozenStruct):
    """What `config show` shows. `files` were read, in rising precedence; `problems` need fixing.

    `untrusted`: what the project's files demand and are not trusted with.
    """

    files: tuple[str, ...]
    settings: tuple[Setting, ...]
    providers: tuple[ProviderOverview, ...]
    groups: tuple[GroupRow, ...]
    profiles: tuple[ProfileRow, ...]
    prices: tuple[PriceRow, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    untrusted: tuple[str, ...] = ()
    variants: tuple[VariantRow, ...] = ()
    tools: tuple[ToolListRow, ...] = ()
    mcp: tuple[McpRow, ...] = ()


def overview(settings: Settings, broken: Problems | None = None) -> ConfigOverview:
    """Everything in force. What is wrong with a provider, price or group is listed, not raised.

    `broken`: what was left out when the settings were read, listed too.
    """
    problems: list[str] = []
    known = _vendors(settings, problems)
    providers = tuple(_provider(vendor, settings) for vendor in known.values())
    problems += [row.problem for row in providers if row.problem]
    groups = tuple(_group(name, settings, known, problems) for name in settings.groups)
    prices = _prices(settings, problems)
    if broken:
        problems = [*broken.texts(), *(text for text in problems if not broken.explain(text))]
    return ConfigOverview(
        files=settings.files,
        settings=(*_settings(settings.values), *_rows(settings.flags)),
        providers=providers,
        groups=groups,
        profiles=tuple(
            ProfileRow(
                name=name,
                flags=(*_rows(profile.flags), *_settings(profile.values)),
            )
            for name, profile in settings.profiles.items()
        ),
        prices=prices,
        problems=tuple(map(settings.conceal, in_order(problems, settings.files))),
        notes=tuple(map(settings.conceal, settings.notes)),
        untrusted=tuple(map(str, settings.trust.lacking(all_demands(settings)))) if known else (),
        variants=_variants(settings.variants),
        tools=tuple(
            ToolListRow(name=name, tools=found.entries, source=found.source)
            for name, found in settings.tool_lists.items()
        ),
        mcp=tuple(_server(name, row) for name, row in settings.mcp.items()),
    )


def _server(name: str, row: TomlSection) -> McpRow:
    fields = row.fields
    # Headers take what is secret from variables; what stands in an address may be so as well.
    named = [found for text in fields.get("headers", {}).values() for found in VARIABLE_IN_TEXT.findall(text)]
    return McpRow(
        name=name,
        target=McpSettings(url=fields.get("url", ""), command=tuple(fields.get("command", ()))).shown,
        variables=tuple(dict.fromkeys((*fields.get("env", ()), *named))),
        tools=tuple(fields["tools"]) if "tools" in fields else None,
        source=row.source,
    )


def _settings(values: Mapping[str, Value]) -> list[Setting]:
    """The rows of those settings that are among the values."""
    return _rows({key: values[option.name] for key, option in SETTINGS.items() if option.name in values})


def _rows(values: Mapping[str, Value]) -> list[Setting]:
    return [Setting(name=key, value=_plain(key, row.shown), source=row.source) for key, row in values.items()]


def _variants(variants: Variants) -> tuple[VariantRow, ...]:
    return tuple(VariantRow(name=name, settings=tuple(_settings(row))) for name, row in variants.items())


def _plain(key: str, value: Any) -> Any:
    """A value as JSON has it; what is named like a key is hidden."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {name: HIDDEN if _is_secret(name) else _plain(key, item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(key, item) for item in value]
    return value


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _COUNTS.search(name) is None


def _vendors(settings: Settings, problems: list[str]) -> Mapping[str, Vendor]:
    try:
        return vendors(settings)
    except ConfigError as error:
        problems.append(str(error))
        return {}


def _provider(vendor: Vendor, settings: Settings) -> ProviderOverview:
    from_ = origins(vendor, settings)
    problem = None
    base_url = ""
    of = members(vendor)
    shown: list[MemberRow] = []
    try:
        lacking = settings.trust.lacking(endpoint_demands(vendor, settings))
        for member in of:
            if not lacking:  # an address that is not trusted is not looked up
                address(member.vendor, settings)
            row_url = reached_at(member.vendor, settings).base_url
            base_url = base_url or row_url
            key = check_key(member.vendor, settings)
            key_name = next(iter(member.vendor.key_env), None)
            shown.append(MemberRow(name=member.name, base_url=row_url, key=key_name, key_set=key is not None))
    except ConfigError as error:
        problem = str(error)
    key_env = of[0].vendor.key_env
    name = from_.api_key.partition(" (")[0] if from_.api_key else next(iter(key_env), None)
    row = settings.providers.get(vendor.name)
    fields = {} if row is None else row.fields
    return ProviderOverview(
        name=vendor.name,
        source=DEFAULT if row is None else row.source,
        wire=vendor.wire,
        like=fields.get("like"),
        base_url=base_url,
        base_url_source=from_.base_url,
        key=name,
        key_set=from_.api_key is not None,
        key_needed=vendor.key_required,
        key_source=settings.variables[name].source if from_.api_key and name else None,
        scope=vendor.scope,
        recommended=vendor.recommended,
        free=vendor.is_free,
        price_list=vendor.price_list,
        hints=vendor.quirks.hints.name,
        orders_by_model=vendor.orders_by_model,
        models_path=vendor.quirks.models_path,
        nicknames=vendor.nicknames,
        rpm=vendor.rpm,
        tpm=vendor.tpm,
        share=vendor.share,
        capabilities=fields.get("capabilities", {}),
        problem=problem,
        members=tuple(shown) if len(of) > 1 else (),
    )


def _group(name: str, settings: Settings, known: Mapping[str, Vendor], problems: list[str]) -> GroupRow:
    group = settings.groups[name]
    models: tuple[str, ...] = ()
    try:
        models = tuple(
            str(model)
            for model in parse_models(f"@{name}", known, model_groups(settings), settings.variants)[0]
        )
    except UsageError as error:
        if known:  # else the providers' own problem is listed
            problems.append(f"{group.at(name)} {name}: {error}")
    return GroupRow(name=name, models=group.models, expanded=models, source=group.source)


def _prices(settings: Settings, problems: list[str]) -> tuple[PriceRow, ...]:
    try:
        prices = price_overrides(settings)
    except ConfigError as error:
        problems.append(str(error))
        return ()
    sources = [row.source for row in settings.prices.values()]
    return tuple(
        PriceRow(
            model=str(model),
            input=float(price.input),
            output=float(price.output),
            cached=None if price.cached is None else float(price.cached),
            source=source,
        )
        for (model, price), source in zip(prices.items(), sources, strict=True)
    )
