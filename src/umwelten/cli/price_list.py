"""`models costs`: the price list with the user's own prices on top."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Collection, Sequence

import click

from umwelten.cli.json_output import print_json
from umwelten.cli.table_layout import fitted_table
from umwelten.config.endpoints import price_overrides, vendors
from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.pricing import PriceBook, price_list
from umwelten.providers.listed_names import can_be_asked
from umwelten.providers.prices import price_book
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import FrozenStruct

_IN, _OUT, _CALLS = 1_000, 300, 1_000
_TITLES = ("MODEL", "IN", "OUT", "CACHED", "1,000 CALLS")


class ListedPrice(FrozenStruct):
    """USD per million tokens. `example_usd` is 1,000 calls of 1,000 tokens in and 300 out."""

    model: str
    provider: str
    input: float
    output: float
    cached: float | None
    example_usd: float
    source: str


_ORDERS: dict[str, Callable[[ListedPrice], tuple[float, str]]] = {
    "input": lambda row: (row.input, row.model),
    "output": lambda row: (row.output, row.model),
    "total": lambda row: (row.example_usd, row.model),
    "name": lambda row: (0.0, row.model),
}


def print_costs(
    settings: Settings, only: Sequence[str], search: str | None, sort_by: str, *, as_json: bool
) -> None:
    """Print the table on stdout, where the prices come from on stderr."""
    known = vendors(settings)
    rows, date = _rows(price_book(known, price_overrides(settings)))
    _check_known(only, {*known, *(row.provider for row in rows)})
    words = (search or "").lower()
    rows = [row for row in rows if words in row.model.lower() and (not only or row.provider in only)]
    rows.sort(key=_ORDERS[sort_by])
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo("no model of that kind has a listed price; see [prices] in umwelten.toml", err=True)
        return
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        cells = [_cells(row) for row in rows]
        for line in fitted_table(_TITLES, cells, width=width, shrink=_TITLES[:1], right=_TITLES[1:]):
            click.echo(line)
    else:
        width = max(len(row.model) for row in rows)
        click.echo("{:<{width}}  {:>9}  {:>9}  {:>9}  {:>11}".format(*_TITLES, width=width))
        for row in rows:
            click.echo("{:<{width}}  {:>9}  {:>9}  {:>9}  {:>11}".format(*_cells(row), width=width))
    click.echo(f"prices from {date} and umwelten.toml; local models cost nothing", err=True)


def _cells(row: ListedPrice) -> tuple[str, ...]:
    cached = "-" if row.cached is None else f"{row.cached:.4g}"
    return row.model, f"{row.input:.4g}", f"{row.output:.4g}", cached, f"${row.example_usd:,.2f}"


def _check_known(only: Sequence[str], known: Collection[str]) -> None:
    for name in only:
        if name not in known:
            raise UsageError(
                f"--provider: {name!r} is not a known provider",
                did_you_mean(closest(name, known)) or f"Known are {', '.join(sorted(known))}.",
            )


def _rows(prices: PriceBook) -> tuple[list[ListedPrice], str]:
    listed, date = price_list(prices.lists, time.time())
    found = {
        str(row.model): _row(
            str(row.model),
            float(row.input),
            float(row.output),
            None if row.cached is None else float(row.cached),
            date,
        )
        for row in listed
        if can_be_asked(row.model)
    }
    for model, price in prices.own.items():
        cached = None if price.cached is None else float(price.cached)
        found[str(model)] = _row(str(model), float(price.input), float(price.output), cached, "umwelten.toml")
    return list(found.values()), date


def _row(model: str, given: float, made: float, cached: float | None, source: str) -> ListedPrice:
    return ListedPrice(
        model=model,
        provider=model.partition(":")[0],
        input=given,
        output=made,
        cached=cached,
        example_usd=round(_CALLS * (_IN * given + _OUT * made) / 1e6, 6),
        source=source,
    )
