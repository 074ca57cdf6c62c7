"""Which run is meant."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.spec import check_id
from umwelten.live.client import NoAnswer, Refused, Run, RunError, RunGone, all_runs, ask_all, is_listed
from umwelten.text.sanitize import one_line, safe
from umwelten.text.suggestions import closest, did_you_mean

FAILED = 1
"""The exit status where a run refused or did not answer."""

_WIDTH = 500
_LISTED = "umwelten ctl lists the runs of this machine."


def find(given: str | None) -> Run:
    """Return the run that is meant. Raises `UsageError` if there is none, or several."""
    runs = all_runs()
    found = runs if given is None else matching(runs, given)
    dead = [
        run for run, is_dead in zip(found, ask_all(found, lambda run: run.is_dead), strict=True) if is_dead
    ]
    living = [run for run in found if run not in dead]
    dead = [run for run in dead if is_listed(run)]  # others have ended meanwhile
    if len(living) == 1:
        return living[0]
    if living:
        names = ", ".join(f"{run.id} (process {run.file.pid})" for run in living)
        what = "which run?" if given is None else f"{given!r} is not one run"
        raise UsageError(f"{what} There are {names}", "Give its id, or the number of its process.")
    if dead and given is not None:
        run = dead[0]
        raise UsageError(
            f"{run.id} is dead: process {run.file.pid} ended without a word",
            f"What it answered is kept in {run.file.folder}; go on: umwelten eval resume {run.id}",
        )
    if given is None:
        raise UsageError(
            "no run is under way on this machine", "`umwelten eval list` shows those that ended."
        )
    if _has_ended(given):
        raise UsageError(
            f"{given!r} is not under way: its run has ended",
            f"`umwelten eval show {given}` shows its answers, `umwelten eval resume {given}` goes on.",
        )
    context = click.get_current_context(silent=True)
    # `ctl pauze`: what is no command was taken for an id.
    verbs = context.command.commands if context and isinstance(context.command, click.Group) else ()
    near = closest(given, dict.fromkeys([*(run.id for run in runs), *verbs]))
    raise UsageError(f"no run {given!r} on this machine", did_you_mean(near) or _LISTED)


def _has_ended(given: str) -> bool:
    """Whether an evaluation of that id is stored where this directory keeps them."""
    from umwelten.config.settings import load  # only where a name is wrong
    from umwelten.store.database import has_database

    try:
        check_id(given)
        folder = load(Path.cwd(), os.environ).get("output_dir")
    except UmweltenError:  # no id, or a file that is wrong: not what was asked
        return False
    return has_database(Path(folder) / given)


def matching(runs: Sequence[Run], given: str) -> list[Run]:
    """Return the runs of that id, else that process, else whose ids begin so."""
    for found in (
        [run for run in runs if run.id == given],
        [run for run in runs if str(run.file.pid) == given],
        [run for run in runs if run.id.startswith(given)],
    ):
        if found:
            return found
    return []


def fail(run: Run, error: RunError) -> NoReturn:
    """Say what went wrong with a run, and end with the status for it."""
    click.echo(f"Error: {one_line(run.id, _WIDTH)}: {safe(str(error))}", err=True)
    match error:
        case Refused(hint=str() as hint):
            click.echo(safe(hint), err=True)
        case NoAnswer():
            click.echo(f"Process {run.file.pid} is there; try again, or look at what it shows.", err=True)
        case RunGone():
            click.echo(_LISTED, err=True)
    raise click.exceptions.Exit(FAILED)
