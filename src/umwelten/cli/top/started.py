"""`--ui`: a run in the background with the screen in front of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from umwelten.cli.detach import Background, check_detachable, launch, show_file
from umwelten.cli.top.actions import command
from umwelten.cli.top.screen import check_terminal, show
from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.live.client import Run, all_runs
from umwelten.text.sanitize import safe

FLAG = "--ui"
_CLOSING_S = 30.0
"""A run that has ended stores what is left, and writes its reports; longer is not waited for."""

_MOST_SHOWN = 10_000_000
"""Bytes of the answers that are printed at the end; all of them are stored."""


def start_in_front(arguments: Sequence[str], settings: Settings) -> NoReturn:
    """Start this command line again as a child, and show it until the screen is left.

    If the run has ended by then, what it printed at its end is printed, and its status is that of this
    process. Else it goes on, and how to come back is said.
    """
    if settings.get("detach"):
        raise UsageError("--ui and --detach exclude each other", "--detach starts a run without a screen.")
    check_terminal(FLAG)
    check_detachable(settings, FLAG)
    background = launch(arguments, FLAG, apart=True)
    run = _run_of(background)
    if run is not None:
        show(run)
        if run.is_dead or background.child.poll() is not None:
            _wait(background.child)
    elif background.child.poll() is None and background.launched is not None:
        click.echo("the run cannot be shown, but it goes on; Ctrl-C stops waiting for it", err=True)
        _wait(background.child, None)
    if background.child.poll() is None and background.launched is not None:
        _say_how_to_come_back(background)
        raise click.exceptions.Exit(0)
    raise click.exceptions.Exit(_last_words(background))


def _run_of(background: Background) -> Run | None:
    if background.launched is None or background.launched.socket is None:
        return None
    found = [run for run in all_runs() if run.file.pid == background.child.pid]
    return found[0] if found else None


def _wait(child: subprocess.Popen[bytes], timeout_s: float | None = _CLOSING_S) -> None:
    # Where it has not ended then, it goes on, which is said.
    with suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
        child.wait(timeout_s)


def _last_words(background: Background) -> int:
    """Print what the run printed; returns its status."""
    status = background.child.wait()
    sys.stdout.flush()
    show_file(background.output, err=False, most=_MOST_SHOWN)
    sys.stdout.flush()
    show_file(background.log)
    if status < 0:
        click.echo(f"the run was ended by signal {-status}; what it answered is kept", err=True)
        return 128 - status
    return status


def _say_how_to_come_back(background: Background) -> None:
    launched = background.launched
    name = safe(launched.id if launched is not None else str(background.child.pid))
    click.echo(f"{name} goes on (process {background.child.pid})", err=True)
    for what, typed in (("look", f"umwelten top {name}"), ("stop", command(name, ["stop"]))):
        click.echo(f"  {what:7}{typed}", err=True)
    click.echo(f"  {'log':7}{background.log}", err=True)
