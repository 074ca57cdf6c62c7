"""`eval report` and `eval list`: from what is stored."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TextIO

import click

from umwelten.cli.evaluation_list import list_lines
from umwelten.cli.flag_names import as_flag
from umwelten.cli.listing_filter import Wanted, select_rows, sort_rows
from umwelten.cli.pager import is_plain, paged
from umwelten.cli.stored_evaluations import (
    is_pattern,
    latest_folder,
    named_folders,
    open_readers,
    output_settings,
)
from umwelten.config.endpoints import vendors
from umwelten.errors import UsageError
from umwelten.providers.protocol import Vendor
from umwelten.report.output_files import FORMATS, format_of, render, whole_file
from umwelten.report.queries import listing
from umwelten.store.reader import Reader
from umwelten.text.suggestions import closest, did_you_mean

_FULL = ("markdown", "csv", "json", "parquet")


def report(
    *,
    ids: Sequence[str],
    format_: str | None,
    output: Path | None,
    short: bool,
    bom: bool,
    output_dir: Path | None,
    full: bool = False,
    pager: bool = True,
) -> None:
    """Print or write the report of one evaluation, or of all that the ids and patterns name.

    `format_` is `None` where the ending of `output` tells it; on a terminal that is tables of its width,
    elsewhere on stdout Markdown. `full`: answers of a batch are whole in these two; CSV, JSON
    and Parquet have what was sent, reasoning and failed attempts.
    """
    on_terminal = format_ is None and output is None and sys.stdout.isatty()
    format_ = _format(format_, output)
    if full and format_ not in _FULL:
        raise UsageError(f"--full: {format_} has whole answers anyway", "Omit it.")
    if bom and format_ != "csv":
        raise UsageError("--bom belongs to --format csv")
    if full and short and format_ != "markdown":
        raise UsageError("--full and --short exclude each other", "Give the one that you mean.")
    settings = output_settings(output_dir)
    output_folder: Path = settings.get("output_dir")
    folders = named_folders(output_folder, ids) if ids else [latest_folder(output_folder)]
    several = len(folders) > 1 or any(is_pattern(id_) for id_ in ids)
    if on_terminal:
        with open_readers(folders) as readers, paged(wanted=pager) as screen:
            _to_terminal(readers, screen, vendors=vendors(settings), short=short, full=full)
        return
    with open_readers(folders) as readers, _target(output, binary=format_ == "parquet") as out:
        known = vendors(settings)
        render(
            format_,
            readers,
            out,
            vendors=known,
            spelling=as_flag,
            several=several,
            short=short,
            bom=bom,
            full=full,
        )


def _to_terminal(
    readers: Sequence[Reader], out: IO[str], *, vendors: Mapping[str, Vendor], short: bool, full: bool
) -> None:
    from umwelten.cli.terminal_report import coloured, plain, report_lines  # for terminals only

    width, style = shutil.get_terminal_size().columns, plain if is_plain() else coloured
    for number, reader in enumerate(readers):
        out.write("\n" if number else "")
        for line in report_lines(reader, width=width, style=style, vendors=vendors, short=short, full=full):
            out.write(f"{line}\n")


def list_evaluations(
    *,
    as_json: bool,
    details: bool,
    output_dir: Path | None,
    only_ids: bool = False,
    sort: str | None = None,
    reverse: bool = False,
    **wanted: Any,
) -> None:
    """Print the evaluations of the output directory that are `wanted`, see `listing_filter.Wanted`."""
    if only_ids and (as_json or details):
        raise UsageError("--ids excludes --json and --details", "It prints ids alone.")
    folder = output_settings(output_dir).get("output_dir")
    found = listing.list_evaluations(folder, details=details)
    rows = sort_rows(select_rows(found, Wanted(**wanted)), sort, reverse=reverse)
    if only_ids:
        sys.stdout.writelines(f"{row.id}\n" for row in rows)
    elif found and not rows:
        sys.stdout.write("[]\n" if as_json else "")
        click.echo(_none_wanted(found, Wanted(**wanted), folder), err=True)
    elif as_json:
        listing.render_json(rows, sys.stdout)
    elif rows and sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        sys.stdout.writelines(f"{line}\n" for line in list_lines(rows, width))
    elif rows:
        listing.render_text(rows, sys.stdout)
    else:
        click.echo(f"no evaluations in {folder}", err=True)


def _none_wanted(found: Sequence[listing.ListedEvaluation], wanted: Wanted, folder: Path) -> str:
    """What to say where no evaluation is as asked for: a tag or model that none has may be a slip."""
    tags = {tag for row in found for tag in row.tags}
    for tag in wanted.tags:
        if tag not in tags:
            known = did_you_mean(closest(tag, tags), "{!r}") or f"Tags: {', '.join(sorted(tags)) or 'none'}."
            return f"no evaluation in {folder} has the tag {tag!r}\n{known}"
    return f"none of the {len(found):,} evaluations in {folder} fits the filters"


def _format(given: str | None, output: Path | None) -> str:
    """The format asked for, or that of the file's ending. Raises UsageError where the two differ."""
    if output is None:
        return given or "markdown"
    file_format = format_of(output)
    if given and file_format and given != file_format:
        raise UsageError(
            f"--format {given}: the extension of {output.name!r} is that of {file_format}",
            "Omit --format, or give the file another extension.",
        )
    found = given or file_format
    if found is None:
        raise UsageError(
            f"the extension of {output.name!r} is not that of a report format",
            f"Endings: {', '.join(FORMATS)}. Or set the format with --format.",
        )
    return found


@contextmanager
def _target(output: Path | None, *, binary: bool) -> Iterator[TextIO]:
    """Where the report goes. A file appears whole or not at all."""
    if output is None:
        if binary and sys.stdout.isatty():
            raise UsageError(
                "this format cannot be printed to a terminal", "Write it to a file with --output FILE."
            )
        yield sys.stdout
        sys.stdout.flush()
        return
    with whole_file(output, what="--output") as file:
        yield file
    click.echo(f"written to {output}", err=True)
