"""`eval export` and `eval import`: evaluations in a .zip file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from umwelten.cli.report import _folders, _settings, latest_folder
from umwelten.errors import UsageError
from umwelten.evaluation.spec import check_id
from umwelten.store.archive import export, take_in
from umwelten.text.sanitize import one_line
from umwelten.version import __version__


def export_evaluations(*, ids: Sequence[str], output: Path, overwrite: bool, output_dir: Path | None) -> None:
    """Write evaluations, and what belongs to them, into a file."""
    if output.suffix.lower() != ".zip":
        raise UsageError(f"{output} is no .zip file", "Call it scans.zip, for example.")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists already", "Add --overwrite, or give another name.")
    folder: Path = _settings(output_dir).get("output_dir")
    folders = _folders(folder, ids) if ids else [latest_folder(folder)]
    # What belongs to one that is named goes along with it.
    heads = [each for each in folders if not any(each.name.startswith(f"{o.name}.") for o in folders)]
    written = export(heads, output, umwelten=__version__)
    click.echo(f"written to {output}: {', '.join(written)}", err=True)


def import_evaluations(*, file: Path, name: str | None, output_dir: Path | None) -> None:
    """Take evaluations from a file."""
    folder: Path = _settings(output_dir).get("output_dir")
    for id_ in take_in(file, folder, name=None if name is None else check_id(name)):
        click.echo(one_line(f"imported {id_}", 400))
