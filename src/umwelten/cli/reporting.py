"""`eval report` and `eval list`: from what is stored."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from umwelten.config import Settings, load, vendors
from umwelten.errors import StoreError, UsageError
from umwelten.report import listing
from umwelten.report.render.json import render_json
from umwelten.report.render.markdown import render_markdown
from umwelten.report.tables import DatabaseError
from umwelten.store import Reader, evaluations
from umwelten.wanted import check_id


def report(*, id_: str, format_: str, output: Path | None, output_dir: Path | None) -> None:
    """Print or write the report of one evaluation."""
    if format_ in ("html", "csv"):
        raise UsageError(f"--format {format_} is not built yet", "There are markdown and json.")
    settings = _settings(output_dir)
    folder = settings.get("output_dir") / check_id(id_)
    _check_there(folder)
    reader = Reader.open(folder)
    try:
        with _target(output) as out:
            if format_ == "json":
                render_json(reader, out)
            else:
                render_markdown(reader, out, vendors=vendors(settings))
    except DatabaseError as error:
        raise StoreError(f"the database of {id_!r} is damaged: {error}", "Restore it from a copy.") from None
    finally:
        reader.close()


def list_evaluations(*, as_json: bool, output_dir: Path | None) -> None:
    """Print the evaluations of the output directory."""
    folder = _settings(output_dir).get("output_dir")
    rows = listing.list_evaluations(folder)
    if as_json:
        listing.render_json(rows, sys.stdout)
    elif rows:
        listing.render_text(rows, sys.stdout)
    else:
        click.echo(f"no evaluations in {folder}", err=True)


def _settings(output_dir: Path | None) -> Settings:
    return load(Path.cwd(), os.environ).with_flags({"output_dir": output_dir})


def _check_there(folder: Path) -> None:
    if (folder / "evaluation.db").exists():
        return
    known = [path.name for path in evaluations(folder.parent)]
    there = (
        f"There are {', '.join(known[:10])}{', …' if len(known) > 10 else ''}."
        if known
        else "There are none yet."
    )
    raise StoreError(f"no evaluation {folder.name!r} in {folder.parent}", there)


@contextmanager
def _target(output: Path | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise UsageError(f"--output: cannot write {output}: {error.strerror}") from None
    click.echo(f"written to {output}", err=True)
