"""`eval export` and `eval import`: evaluations in a .zip file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from umwelten.cli.stored_evaluations import latest_folder, named_folders, output_settings
from umwelten.errors import UsageError
from umwelten.evaluation.spec import check_id
from umwelten.store.archive import export, take_in
from umwelten.store.database import has_database
from umwelten.store.exported_texts import export_texts
from umwelten.text import formatting
from umwelten.text.sanitize import one_line
from umwelten.version import __version__


def export_evaluations(
    *, ids: Sequence[str], output: Path | None, texts: Path | None, overwrite: bool, output_dir: Path | None
) -> None:
    """Write evaluations, and what belongs to them, into a file, or the answers of one into a folder."""
    if output is None and texts is None:
        raise UsageError(
            "where to write is not said", "Give -o FILE.zip, or --texts DIR for the answers as text files."
        )
    if output is not None:
        _check_file(output, overwrite=overwrite)
    if texts is not None:
        _check_folder(texts, ids, overwrite=overwrite)
    folder: Path = output_settings(output_dir).get("output_dir")
    folders = named_folders(folder, ids) if ids else [latest_folder(folder)]
    if texts is not None:
        written = export_texts(folders[0], texts)
        click.echo(f"{formatting.count(written, 'text file')} written to {texts}", err=True)
    if output is None:
        return
    # What belongs to one that is named goes along with it.
    heads = [each for each in folders if not any(each.name.startswith(f"{o.name}.") for o in folders)]
    click.echo(f"written to {output}: {', '.join(export(heads, output, umwelten=__version__))}", err=True)


def _check_file(output: Path, *, overwrite: bool) -> None:
    if output.suffix.lower() != ".zip":
        raise UsageError(f"{output} is no .zip file", "Call it scans.zip, for example.")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists already", "Add --overwrite, or give another name.")


def _check_folder(texts: Path, ids: Sequence[str], *, overwrite: bool) -> None:
    if len(ids) > 1:
        raise UsageError(
            f"--texts {texts} holds the answers of one evaluation, not of {len(ids)}",
            "Export them one after the other, each into a folder of its own.",
        )
    if has_database(texts):
        raise UsageError(f"{texts} is an evaluation", "Name another folder, such as texts.")
    if texts.is_dir() and any(texts.iterdir()) and not overwrite:
        raise UsageError(
            f"{texts} is not empty",
            "Add --overwrite to replace files of the same names, or name another folder.",
        )


def import_evaluations(*, file: Path, name: str | None, output_dir: Path | None) -> None:
    """Take evaluations from a file."""
    folder: Path = output_settings(output_dir).get("output_dir")
    for id_ in take_in(file, folder, name=None if name is None else check_id(name)):
        click.echo(one_line(f"imported {id_}", 400))
