"""What the configured providers offer, asked of all of them at the same time."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import click

from umwelten.attempts.proxies import PROXY, check_proxy
from umwelten.attempts.transport import Transport
from umwelten.cli.json_output import print_json
from umwelten.config.demands import asking_demands
from umwelten.config.endpoints import MissingKey, endpoint, price_overrides, vendors
from umwelten.config.settings import Settings
from umwelten.errors import ConfigError, UsageError
from umwelten.local import LOCAL_MODELS, has_engine
from umwelten.pricing import PriceBook, price_of
from umwelten.providers.base_url import has_vendor_address
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Endpoint, ModelInfo, Scope
from umwelten.providers.retired import retirement
from umwelten.providers.shutdowns import SHUTDOWNS, SOON_DAYS
from umwelten.providers.wires import WIRES
from umwelten.text.formatting import count
from umwelten.text.sanitize import one_line
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import LONGEST_MODEL, Failure, FailureKind, FrozenStruct, ModelRef

MAX_PAGES = 50
MAX_MODELS = 10_000
"""Of one provider. Those with the most list a tenth of it; looking up so many prices takes seconds."""

_WIDEST = 200


class ModelListing(FrozenStruct):
    """A model as it is listed. Prices in USD per million tokens, `None` where the provider states none.

    `shutdown_date`: the day on which the provider ends it, `None` where none is announced.
    """

    model: str
    provider: str
    name: str | None
    context_tokens: int | None
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None
    shutdown_date: date | None = None


def configured(settings: Settings, only: Sequence[str]) -> tuple[list[Endpoint], list[str]]:
    """The providers to ask: those named, else all that have a key; and a note for each unusable address."""
    known = vendors(settings)
    for name in only:
        if name not in known and (ended := retirement(name)):
            raise UsageError(*ended)
        if name not in known:
            raise UsageError(
                f"--provider: {name!r} is not a known provider",
                did_you_mean(closest(name, known)) or f"Known are {', '.join(known)}.",
            )
    places: list[Endpoint] = []
    notes: list[str] = []
    chosen = {name: vendor for name, vendor in known.items() if not only or name in only}
    settings.trust.require(asking_demands(chosen.values(), settings))
    for name, vendor in chosen.items():
        try:
            places.append(endpoint(vendor, settings))
            if only:
                check_proxy(places[-1])
        except ConfigError as error:
            if only:
                raise
            if not isinstance(error, MissingKey):
                notes.append(f"{name}: {error.message}")
    return places, notes


async def fetch_all(
    places: Sequence[Endpoint], timeout_s: float, settings: Settings, *, named: bool
) -> tuple[list[ModelListing], list[str]]:
    """All models, and a note for each provider that did not answer.

    Prices that a provider does not state are taken from the settings or the price list.

    A server on this machine that is not running is no news unless it was `named`.
    """
    async with Transport(timeout_s=timeout_s) as transport:
        lists = await asyncio.gather(*(_fetch(place, transport) for place in places))
    prices = price_book(vendors(settings), price_overrides(settings))
    rows: list[ModelListing] = []
    notes: list[str] = []
    for place, found in zip(places, lists, strict=True):
        if not isinstance(found, Failure):
            rows.extend(_row(place, info, prices) for info in found[:MAX_MODELS])
            if len(found) > MAX_MODELS:
                notes.append(f"{place.vendor.name}: only the first {MAX_MODELS:,} of its models are listed")
        elif named or found.code != "refused" or place.vendor.scope is not Scope.HOST:
            notes.append(f"{place.vendor.name}: {found.message}")
    return rows, notes


async def _fetch(place: Endpoint, transport: Transport) -> list[ModelInfo] | Failure:
    if place.vendor.name == "local":
        return [ModelInfo(id=name) for name in LOCAL_MODELS]
    try:
        check_proxy(place)
    except ConfigError as error:
        return Failure(kind=FailureKind.UNAVAILABLE, message=error.message, code=PROXY)
    wire = WIRES[place.vendor.wire]
    models: list[ModelInfo] = []
    page: str | None = None
    for _ in range(MAX_PAGES):
        answer = await transport.fetch(wire.list_models(place, page), place)
        found = answer if isinstance(answer, Failure) else wire.decode_models(*answer, place)
        if isinstance(found, Failure):
            return found
        models.extend(info for info in found.models if len(info.id) <= LONGEST_MODEL)
        page = found.next
        if page is None or len(models) > MAX_MODELS:
            break
    return models


def _row(place: Endpoint, info: ModelInfo, book: PriceBook) -> ModelListing:
    model = ModelRef(place.vendor.name, info.id)
    announced = SHUTDOWNS.get(model) if has_vendor_address(place) else None
    own = book.own.get(model)
    stated = info.input_price is not None and info.output_price is not None
    listed = None if stated and own is None else price_of(model, book, at=time.time())
    prices: tuple[float, float] | tuple[None, None]
    if listed is not None:
        prices = (float(listed.input), float(listed.output))
    elif info.input_price is not None and info.output_price is not None:
        prices = (round(info.input_price * 1e6, 6), round(info.output_price * 1e6, 6))
    else:
        prices = (None, None)
    return ModelListing(
        model=str(model),
        provider=model.provider,
        name=None if info.name is None else info.name[:LONGEST_MODEL],
        context_tokens=info.context_tokens,
        input_usd_per_mtok=prices[0],
        output_usd_per_mtok=prices[1],
        shutdown_date=info.shutdown_date or announced,
    )


_ORDERS: dict[str, Callable[[ModelListing], tuple[float, str]]] = {
    "name": lambda row: (0, row.model),
    "context": lambda row: (-(row.context_tokens or 0), row.model),
    "input": lambda row: (math.inf if row.input_usd_per_mtok is None else row.input_usd_per_mtok, row.model),
    "output": lambda row: (
        math.inf if row.output_usd_per_mtok is None else row.output_usd_per_mtok,
        row.model,
    ),
}


class Selected(FrozenStruct):
    """The rows that are wanted, in order. `of`: how many there were; `wanted`: what was asked of them."""

    rows: list[ModelListing]
    of: int
    wanted: str


def select(rows: Sequence[ModelListing], *, search: str | None, free: bool, sort: str) -> Selected:
    """Pick by a part of the name and by price, and sort."""
    words = (search or "").lower()
    kept = [row for row in rows if words in f"{row.model} {row.name or ''}".lower()]
    if free:
        kept = [row for row in kept if row.input_usd_per_mtok == 0 and row.output_usd_per_mtok == 0]
    asked = [f"holds {search!r}"] if search else []
    asked += ["is free"] if free else []
    return Selected(rows=sorted(kept, key=_ORDERS[sort]), of=len(rows), wanted=" and ".join(asked))


def show(selected: Selected, notes: Sequence[str], *, as_json: bool) -> None:
    """Print the models on stdout, the notes on stderr."""
    rows = selected.rows
    for note in notes:
        click.echo(one_line(note, 200), err=True)
    if as_json:
        print_json(rows)
    elif rows:
        width = min(_WIDEST, max(len(row.model) for row in rows))
        # Not on stdout: what reads from a pipe gets a line for each model and nothing else.
        click.echo(f"{'MODEL':<{width}}  {'CONTEXT':>10}  {'IN':>8}  {'OUT':>8}", err=True)
        for row in rows:
            click.echo(f"{one_line(row.model, _WIDEST):<{width}}  {_facts(row)}".rstrip())
        if any(row.input_usd_per_mtok for row in rows):
            click.echo("context in tokens, prices in USD per million tokens", err=True)
    elif selected.of:
        click.echo(one_line(f"none of {count(selected.of, 'model')} {selected.wanted}", 200), err=True)
    else:
        click.echo("no models; set a provider's key, start Ollama, or use local:smollm2", err=True)


def _facts(row: ModelListing) -> str:
    context = "" if not row.context_tokens else f"{row.context_tokens:,}"
    prices = [
        "" if price is None else f"{price:g}" for price in (row.input_usd_per_mtok, row.output_usd_per_mtok)
    ]
    facts = f"{context:>10}  {prices[0]:>8}  {prices[1]:>8}"
    if row.shutdown_date is not None:
        is_soon = (row.shutdown_date - datetime.now(UTC).date()).days < SOON_DAYS
        facts += "  " + click.style(f"until {row.shutdown_date}", fg="red" if is_soon else None)
    if row.provider == "local" and not has_engine():
        facts += "  needs pip install 'umwelten[local]'"
    return facts
