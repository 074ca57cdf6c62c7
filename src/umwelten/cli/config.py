"""`umwelten config`: show, init, path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from umwelten.cli.command_group import CommandGroup
from umwelten.cli.completion import completers
from umwelten.cli.single_option import option
from umwelten.cli.standard_streams import OutputLost
from umwelten.errors import ConfigError
from umwelten.user_folders import no_home

if TYPE_CHECKING:
    from umwelten.config.overview import ConfigOverview


@click.group("config", cls=CommandGroup)
def group() -> None:
    """Show the configuration and where each value comes from."""


@group.command("show")
@option(
    "--profile",
    metavar="NAME",
    help="Apply this profile of umwelten.toml.",
    shell_complete=completers.profiles,
)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(profile: str | None, as_json: bool) -> None:
    """Every setting with its source, providers, groups, variants, profiles and prices, and the files read.

    Keys are never shown, only the variables that hold them. What is wrong in a file is left out and listed at
    the end, all of it, in the order of the file; then the exit status is 2.

    \b
    umwelten config show
    umwelten config show --profile nightly
    umwelten config show --json | jq '.providers[] | select(.key_set)'
    """
    from umwelten.cli.config_view import safely
    from umwelten.config.overview import overview
    from umwelten.config.problems import Problems
    from umwelten.config.settings import load

    problems = Problems()
    found = overview(load(Path.cwd(), os.environ, profile=profile, problems=problems), problems)
    unread: Exception | None = None
    try:
        _print(found, as_json)
    except (OSError, OutputLost, click.exceptions.Exit) as error:
        unread = error
    # Whether or not somebody read to the end: the exit status speaks of the settings.
    for note in found.notes:
        click.echo(safely(note), err=True)
    for problem in found.problems:
        click.echo(f"Error: {safely(problem)}", err=True)
    if found.problems:
        raise click.exceptions.Exit(2)
    if unread is not None:
        raise unread


def _print(found: ConfigOverview, as_json: bool) -> None:
    from umwelten.cli.config_view import lines

    if as_json:
        from umwelten.cli.json_output import print_json

        print_json(found)
    else:
        for line in lines(found):
            click.echo(line)


@group.command("init")
@option("--global", "for_user", is_flag=True, help="Use the user's file, not the project's.")
@option("--force", is_flag=True, help="Replace an existing file; it is kept as umwelten.toml.old.")
def init(for_user: bool, force: bool) -> None:
    """Write an umwelten.toml with every section and its remarks, and print where.

    \b
    umwelten config init
    umwelten config init --global
    """
    from umwelten.cli.toml_template import starter
    from umwelten.config.overview import overview
    from umwelten.config.settings import load, toml_paths

    path = toml_paths(Path.cwd())[0] if for_user else Path.cwd() / "umwelten.toml"
    if path is None:
        raise no_home()
    if os.path.lexists(path) and not force:
        raise ConfigError(f"{path} already exists", "Use --force to replace it; the old file is kept.")
    # Only keys and addresses matter here, and with --force a broken file may be in the way.
    text = starter(overview(load(Path.cwd(), os.environ, toml=False)))
    kept = _write(path, text)
    click.echo(str(path))
    if kept is not None:
        click.echo(f"note: the file that was there is now {kept}", err=True)


def _write(path: Path, text: str) -> Path | None:
    """Write the file; return where the one before it was put, `None` if there was none."""
    kept = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            kept = path.replace(path.with_name(f"{path.name}.old"))
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    return kept


@group.command("path")
@option("--global", "for_user", is_flag=True, help="Use the user's file, not the project's.")
def path(for_user: bool) -> None:
    """The umwelten.toml that is in force here: the nearest from this directory upward.

    Where there is none yet, the one that `umwelten config init` would write.

    \b
    "$EDITOR" "$(umwelten config path)"
    """
    from umwelten.config.settings import toml_paths

    users, project = toml_paths(Path.cwd())
    if for_user and users is None:
        raise no_home()
    click.echo(str(users if for_user else project))
