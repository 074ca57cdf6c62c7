"""What `config show` prints for a person."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from umwelten.config.layers import DEFAULT
from umwelten.config.option_types import DURATION, SIZE
from umwelten.config.options import BY_KEY
from umwelten.config.overview import ConfigOverview, PriceRow, ProviderOverview, Setting, VariantRow
from umwelten.providers.header_dialects import NO_DIALECT
from umwelten.text.sanitize import one_line, safe

_WIDEST = 60
_NOTHING = Setting(name="-", value=None, source="")
_DURATIONS = ((3600, "h"), (60, "m"), (1, "s"))
_SIZES = ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"), (1, "B"))


def safely(text: str) -> str:
    """A text as it may go to a terminal."""
    return safe(text)


def lines(found: ConfigOverview) -> Iterator[str]:
    """The whole, a section after the other; one that holds nothing is left out."""
    yield from _section("files read, later ones win", ([path] for path in found.files))
    yield from _section("not trusted (see umwelten trust)", ([text] for text in found.untrusted))
    yield from _section("settings", map(_setting, found.settings))
    yield from _section("providers", map(_provider, found.providers))
    yield from _section(
        "groups",
        ([f"@{row.name}", ", ".join(row.expanded or row.models), row.source] for row in found.groups),
    )
    yield from _section(
        "lists of tools", ([f"@{row.name}", ", ".join(row.tools), row.source] for row in found.tools)
    )
    yield from _section("MCP servers", ([row.name, row.target, row.source] for row in found.mcp))
    yield from _section("variants", _variants(found.variants))
    for profile in found.profiles:
        yield from _section(f"profile {profile.name}", map(_setting, profile.flags))
    yield from _section("prices, USD per million tokens", map(_price, found.prices))


def _section(title: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = [[one_line(cell, 400) for cell in row] for row in rows]
    if not cells:
        return
    columns = max(map(len, cells))
    widths = [max(len(row[at]) for row in cells if at < len(row)) for at in range(columns)]
    widths = [min(width, _WIDEST) for width in widths]
    yield title
    for row in cells:
        yield "  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip()
    yield ""


def _setting(row: Setting) -> list[str]:
    return [row.name, _value(row), row.source]


def _value(row: Setting) -> str:
    """The value as a flag takes it: 2m for 120.0, 512 MB for 536870912."""
    if row.value is None or row.value in ((), [], {}, ""):
        return "none"
    metavar = BY_KEY[row.name].type.metavar if row.name in BY_KEY else None
    if metavar == DURATION.metavar and isinstance(row.value, float):
        size, unit = next((size, unit) for size, unit in _DURATIONS if row.value % size == 0 or unit == "s")
        return f"{row.value / size:.10g}{unit}"
    if metavar == SIZE.metavar and isinstance(row.value, int):
        return next((f"{row.value // size} {unit}" for size, unit in _SIZES if row.value % size == 0), "0")
    return _toml_text(row.value)


def _variants(found: Iterable[VariantRow]) -> Iterator[list[str]]:
    for variant in found:
        yield from ([f"@{variant.name}", *_setting(row)] for row in variant.settings or (_NOTHING,))


def _toml_text(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _provider(row: ProviderOverview) -> list[str]:
    address = row.base_url or ("(started when it is used)" if row.problem is None else "(not usable)")
    where = "" if row.base_url_source == DEFAULT else f"({row.base_url_source})"
    return [row.name, _key(row), f"{address} {where}".rstrip(), _facts(row)]


def _facts(row: ProviderOverview) -> str:
    """What is known of a provider that a file speaks of."""
    if row.source == DEFAULT:
        return ""
    low, high = row.recommended
    listed = f"prices of {row.price_list}" if row.price_list else "no listed prices"
    facts = [
        f"like {row.like}" if row.like else "",
        f"limits by {row.scope}",
        f"{low}-{high} in flight",
        "free" if row.free else listed,
        "" if row.hints == NO_DIALECT.name else f"hints of {row.hints}",
        "" if row.rpm is None else f"{row.rpm:g} requests a minute",
        "" if row.tpm is None else f"{row.tpm:g} tokens a minute",
        "" if row.share == 1.0 else f"share {row.share:g}",
        "ordered by model" if row.orders_by_model else "",
        _members(row),
        *(f"{name} {_toml_text(value)}" for name, value in row.capabilities.items()),
    ]
    return ", ".join(filter(None, facts))


def _members(row: ProviderOverview) -> str:
    if not row.members:
        return ""
    each = [
        member.name if member.key_set or not row.key_needed else f"{member.name} (no key)"
        for member in row.members
    ]
    return f"{len(each)} members: {', '.join(each)}"


def _key(row: ProviderOverview) -> str:
    if row.key_set:
        return f"key from {row.key} ({row.key_source})"
    if row.key is None or not row.key_needed:
        return "needs no key"
    return f"no key: {row.key} is not set"


def _price(row: PriceRow) -> list[str]:
    cached = "" if row.cached is None else f", {row.cached:g} cached"
    return [row.model, f"{row.input:g} in, {row.output:g} out{cached}", row.source]
