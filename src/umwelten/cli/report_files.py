"""The reports that `--report` names, written at the end of a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click

from umwelten.cli.flag_names import as_flag
from umwelten.errors import UmweltenError
from umwelten.text.sanitize import safe


def write_reports(paths: Iterable[Path], write: Callable[[Path], None]) -> int:
    """Write each file with `write` and name it on stderr; returns the exit status.

    One that cannot be written keeps none of the others from being written: what they are about is paid for.
    """
    status = 0
    for path in paths:
        try:
            write(path)
            click.echo(f"report: {path}", err=True)
        except UmweltenError as error:
            click.echo(f"Error: {safe(error.spell(as_flag).message)}", err=True)
            status = 1
    return status
