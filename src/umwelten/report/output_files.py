"""Reports as files: the format follows from the ending, and a file appears whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from umwelten.errors import UsageError
from umwelten.phrases import Spelling, by_name
from umwelten.providers.protocol import Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.store.reader import Reader

if TYPE_CHECKING:
    from umwelten.report.comparison.comparison import Comparison

FORMATS = {
    ".csv": "csv",
    ".html": "html",
    ".json": "json",
    ".junit.xml": "junit",
    ".md": "markdown",
    ".parquet": "parquet",
}
"""Ending of a report's file to its format."""

_ENDINGS = "Endings: .csv (spreadsheets, Excel too), .html, .json, .junit.xml, .md, .parquet."


def write_report(
    folder: Path,
    path: Path,
    *,
    vendors: Mapping[str, Vendor] = VENDORS,
    spelling: Spelling = by_name,
) -> None:
    """Write the report of the evaluation in `folder`; what stood at `path` is replaced.

    CSV begins with the mark by which Excel knows UTF-8. Raises UsageError, StoreError.
    """
    format_ = _format(path)
    with Reader.open(folder) as reader, whole_file(path, what="report") as out:
        render(format_, [reader], out, vendors=vendors, spelling=spelling, bom=format_ == "csv")


def check_report_path(path: Path) -> None:
    """Raises UsageError if no report can be written there: better before a run than after it."""
    if _format(path) == "parquet":
        from umwelten.report.render.parquet import check_pyarrow

        check_pyarrow()
    _check_place(path)


def write_comparison(found: Comparison, path: Path, *, require_held: bool = False) -> None:
    """Write a comparison in the format of the file's ending. Raises UsageError."""
    from umwelten.report.render.comparison_files import RENDERERS

    ending = check_comparison_path(path)
    with whole_file(path, what="report") as out:
        RENDERERS[ending](found, out, require_held)


def check_comparison_path(path: Path) -> str:
    """Return the ending that tells the format. Raises UsageError if no comparison can be written there."""
    from umwelten.report.render.comparison_files import RENDERERS

    _check_place(path)
    for ending in RENDERERS:
        if path.name.lower().endswith(ending):
            return ending
    raise UsageError(
        f"the extension of {path.name!r} is not that of a comparison's format",
        f"Endings: {', '.join(RENDERERS)}.",
    )


def _check_place(path: Path) -> None:
    """Raises UsageError if no file can be written there."""
    if path.is_dir():
        raise UsageError(f"the report {path} is a directory", "Name a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"the report {path}: there is no directory {path.parent}", "Make it first.")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"the report {path}: cannot write in {path.parent}", "Name another directory.")


def render(
    format_: str,
    readers: Sequence[Reader],
    out: TextIO,
    *,
    vendors: Mapping[str, Vendor] = VENDORS,
    spelling: Spelling = by_name,
    several: bool = False,
    short: bool = False,
    bom: bool = False,
    full: bool = False,
) -> None:
    """Write the report of all evaluations in this format. `several`: JSON has the shape for many.

    `full`: Markdown has the whole answers of a batch; CSV, JSON and Parquet have all that was sent, reasoning
    and failed attempts.
    `vendors`, `spelling`: as for `report.advice.advice`.
    Parquet goes to `out.buffer`.
    """
    # A format's module is loaded when it is asked for: `report` starts fast.
    if format_ == "json":
        from umwelten.report.render import json

        if several:
            json.render_json_of_several(readers, out, short=short, full=full)
        else:
            json.render_json(readers[0], out, short=short, full=full)
    elif format_ == "csv":
        from umwelten.report.render.csv import render_csv

        render_csv(readers, out, short=short, bom=bom, full=full)
    elif format_ == "parquet":
        from umwelten.report.render.parquet import render_parquet

        render_parquet(readers, out.buffer, short=short, full=full)
    elif format_ == "junit":
        from umwelten.report.render.junit import render_junit

        render_junit(readers, out)
    elif format_ == "html":
        from umwelten.report.render.html import render_html

        render_html(readers, out, short=short, vendors=vendors, spelling=spelling)
    else:
        from umwelten.report.render.markdown import render_markdown_of_all

        render_markdown_of_all(readers, out, short=short, vendors=vendors, spelling=spelling, full=full)


@contextmanager
def whole_file(path: Path, *, what: str) -> Iterator[TextIO]:
    """A text file to write to, which stands at `path` only when all went well. `what` it is, for errors."""
    special = path.exists() and not path.is_file()
    # Random and new, so that nobody can have put a link there which leads elsewhere.
    part = path if special else path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with _open(part, special=special) as file:
            yield file
        if not special:
            part.replace(path)
    except OSError as error:
        raise UsageError(f"{what}: cannot write {path}: {error.strerror}") from None
    finally:
        if not special:
            part.unlink(missing_ok=True)


def _open(path: Path, *, special: bool) -> TextIO:
    """Open a new file, or what is no file of the disk. Raises OSError for a FIFO that nobody reads."""
    if not special:
        return path.open("x", encoding="utf-8", newline="")
    number = os.open(path, os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(number, True)
    return open(number, "w", encoding="utf-8", newline="")  # noqa: PTH123  it is open


def format_of(path: Path) -> str | None:
    """Return the format that the ending of a file tells, `None` if it tells none."""
    name = path.name.lower()
    return next(
        (format_ for ending, format_ in FORMATS.items() if name.removesuffix(ending) not in ("", name)), None
    )


def _format(path: Path) -> str:
    format_ = format_of(path)
    if format_ is None:
        raise UsageError(f"the extension of {path.name!r} is not that of a report format", _ENDINGS)
    return format_
