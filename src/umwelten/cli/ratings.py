"""`eval ratings`: what people said of answers, as a table."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click

from umwelten.cli.stored_evaluations import check_there, open_readers, output_settings
from umwelten.errors import UsageError
from umwelten.evaluation.spec import check_id
from umwelten.report.output_files import whole_file
from umwelten.report.render.labels import render_labels
from umwelten.store.ratings.ratings import rated_answers
from umwelten.text import formatting


def export(*, id_: str, output: Path | None, scale: str | None, output_dir: Path | None) -> None:
    """Write the ratings on one scale. Raises UsageError if there are none."""
    folder = output_settings(output_dir).get("output_dir") / check_id(id_)
    check_there(folder)
    with open_readers([folder]) as (reader,):
        used, rows, others = rated_answers(reader, scale)
        if not rows:
            on = f" on the scale {scale}" if scale else ""
            raise UsageError(f"no answer of {id_!r} is rated{on}", f"Rate some: umwelten view {id_}")
        has_names = all(row.file for row in rows)
    text = io.StringIO()
    render_labels(used, rows, text)
    if output is None:
        sys.stdout.write(text.getvalue())
    else:
        with whole_file(output, what="--output") as file:
            file.write(text.getvalue())
        click.echo(
            f"{formatting.count(len(rows), 'rating')} on the scale {used} written to {output}", err=True
        )
    if others:
        click.echo(f"{formatting.count(others, 'rating')} on another scale left out", err=True)
    if not has_names:
        click.echo("answers without an input have no file, by which a judge's check finds them", err=True)
