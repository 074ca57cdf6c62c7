"""`umwelten trust`: what the project's files would do, and whether they may."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from umwelten.cli.single_option import option
from umwelten.errors import UsageError
from umwelten.user_folders import config_folder, no_home

if TYPE_CHECKING:
    from umwelten.config.trust import Demand

_UNCHANGED = 2


@click.command("trust")
@option("-y", "--yes", is_flag=True, help="Trust them without asking.")
@option("--list", "list_", is_flag=True, help="List what is trusted, in all folders.")
@option("--forget", is_flag=True, help="Trust the files of this project no longer.")
def command(yes: bool, list_: bool, forget: bool) -> None:
    """Show what the project's umwelten.toml and .env would send, read, write or run, and trust them with it.

    The project's files are the nearest ones from this directory upward; perhaps somebody else wrote them.
    Until they are trusted, no key of yours goes where they say but to its vendor's own address and to this
    machine, they read and write nothing outside of their folder, and neither a Python file nor an MCP server
    that they name is run. A change asks again. UMWELTEN_TRUST=1 in the environment trusts everything, for CI.

    \b
    umwelten trust
    umwelten trust --yes
    umwelten trust --list
    umwelten trust --forget
    """
    if sum((yes, list_, forget)) > 1:
        raise UsageError("--yes, --list and --forget exclude each other", "Give one of them.")
    folder = config_folder()
    if folder is None:
        raise no_home()
    if list_:
        _list(folder)
    elif forget:
        _forget(folder)
    else:
        _trust(folder, yes=yes)


def _trust(folder: Path, *, yes: bool) -> None:
    from umwelten.config.demands import all_demands
    from umwelten.config.settings import load
    from umwelten.config.trust import Trust
    from umwelten.config.trust_store import read_grants

    read_grants(folder)  # nobody is asked for what cannot be kept
    demands = all_demands(load(Path.cwd(), os.environ))
    lacking = Trust(folder=folder).lacking(demands)
    if not lacking:
        click.echo("all of it is trusted already" if demands else "there is nothing to trust here")
        return
    # The list is for whoever is asked, also where stdout goes elsewhere; what was done is the result.
    click.echo("\n".join(_shown(lacking)), err=True)
    if not yes and not _confirm():
        click.echo("nothing was changed", err=True)
        raise click.exceptions.Exit(_UNCHANGED)
    _grant(folder, lacking)
    click.echo(f"trusted: {len(lacking)}")


def _shown(demands: Sequence[Demand]) -> Iterator[str]:
    """What is demanded, by file."""
    from umwelten.text.sanitize import one_line

    for path in dict.fromkeys(demand.path for demand in demands):
        yield one_line(path, 400)
        rows = [(demand.places[0].line, demand.text) for demand in demands if demand.path == path]
        for number, text in sorted(rows, key=lambda row: row[0] or 0):
            line = "" if number is None else f"line {number}: "
            yield f"  {one_line(line + text, 1000)}"


def _confirm() -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("there is no terminal to ask at; nothing was changed", "Look at it, then add --yes.")
    return click.confirm("Trust these files with it?", default=False, err=True)


def _grant(folder: Path, demands: Sequence[Demand]) -> None:
    from umwelten.config.trust_store import Grant, read_grants, write_grants

    day = datetime.now(UTC).date().isoformat()
    grants = {path: dict(rows) for path, rows in read_grants(folder).items()}
    for demand in demands:
        grants.setdefault(demand.path, {})[demand.digest] = Grant(text=demand.text, day=day)
    write_grants(folder, grants)


def _list(folder: Path) -> None:
    from umwelten.config.trust_store import read_grants
    from umwelten.text.sanitize import one_line

    grants = read_grants(folder)
    if not grants:
        click.echo("nothing is trusted")
    for path, rows in sorted(grants.items()):
        click.echo(one_line(path, 400))
        for grant in rows.values():
            click.echo(f"  {grant.day}  {one_line(grant.text, 1000)}")


def _forget(folder: Path) -> None:
    from umwelten.config.files import TOML_NAME, nearest
    from umwelten.config.trust_store import read_grants, write_grants

    here = Path.cwd()
    files = [nearest(here, name) or here / name for name in (TOML_NAME, ".env")]
    paths = {str(Path(os.path.realpath(file.parent)) / file.name) for file in files}
    grants = read_grants(folder)
    if not paths & set(grants):
        click.echo("nothing of this project is trusted")
        return
    write_grants(folder, {path: rows for path, rows in grants.items() if path not in paths})
    click.echo("\n".join(f"trusted no longer: {path}" for path in sorted(paths & set(grants))))
