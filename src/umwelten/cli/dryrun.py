"""`--dry-run`: what would run, what it may cost and how long it may take; no call is made."""

from __future__ import annotations

import time
from collections.abc import Mapping

import click
import msgspec

from umwelten.cli.progress.safe import one_line
from umwelten.config import Settings
from umwelten.preview import Preview, preview
from umwelten.providers.protocol import Vendor
from umwelten.wanted import Wanted

SHOWN = 20


def dry_run(
    wanted: Wanted, settings: Settings, vendors: Mapping[str, Vendor], notes: list[str], *, as_json: bool
) -> None:
    """Print the plan on stdout, as JSON if wanted, and notes on stderr."""
    plan = preview(wanted, settings, vendors, at=time.time())
    for note in notes:
        click.echo(note, err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_named(plan))))
        return
    if wanted.files is not None:
        click.echo(f"files    {plan.files:,} ({plan.file_bytes / 1e6:,.1f} MB)")
        for name in plan.first[:SHOWN]:
            click.echo(f"         {one_line(name, 100)}")
        if plan.files > SHOWN:
            click.echo(f"         and {plan.files - SHOWN:,} more")
    click.echo(
        f"calls    {plan.calls:,} to make{f', {plan.done:,} are answered already' if plan.done else ''}"
    )
    click.echo(f"tokens   about {plan.input_tokens:,} in; up to {plan.output_tokens:,} out")
    for model, cost in plan.costs.items():
        click.echo(f"cost     {one_line(str(model), 60)}: {_range(cost)}")
    click.echo(f"in all   {_range(plan.total)}")
    low, high = plan.seconds
    click.echo(f"time     {_time(low)} to {_time(high)}, with answers taking 2 to 20 s each")


def _named(plan: Preview) -> dict[str, object]:
    costs = {str(model): cost for model, cost in plan.costs.items()}
    return {**msgspec.structs.asdict(plan), "costs": costs}


def _range(cost: tuple[int, int] | None) -> str:
    if cost is None:
        return "unknown (no price is listed)"
    low, high = cost
    return "free" if high == 0 else f"${low / 1e9:.4f} to ${high / 1e9:.4f}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
