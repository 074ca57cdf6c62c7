"""`eval report`, `eval list` and `eval show`: from what is stored."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TextIO

import click

from umwelten.config import Settings, load, vendors
from umwelten.errors import StoreError, UsageError
from umwelten.report import calls, listing
from umwelten.report.files import render, whole_file
from umwelten.report.render.call import render_call, render_lines
from umwelten.report.render.validated import render_validation
from umwelten.report.tables import DatabaseError, snapshot
from umwelten.report.validation import validation
from umwelten.report.variants import prompts
from umwelten.store import Reader, evaluations
from umwelten.wanted import check_id

_GLOB = "*?["


def report(
    *, ids: Sequence[str], format_: str, output: Path | None, short: bool, bom: bool, output_dir: Path | None
) -> None:
    """Print or write the report of one evaluation, or of all that the ids and patterns name."""
    if bom and format_ != "csv":
        raise UsageError("--bom belongs to --format csv")
    settings = _settings(output_dir)
    folders = _folders(settings.get("output_dir"), ids)
    several = len(folders) > 1 or any(_is_pattern(id_) for id_ in ids)
    with _readers(folders) as readers, _target(output, binary=format_ == "parquet") as out:
        known = vendors(settings)
        render(format_, readers, out, vendors=known, several=several, short=short, bom=bom)


def list_evaluations(*, as_json: bool, details: bool, output_dir: Path | None) -> None:
    """Print the evaluations of the output directory."""
    folder = _settings(output_dir).get("output_dir")
    rows = listing.list_evaluations(folder, details=details)
    if as_json:
        listing.render_json(rows, sys.stdout)
    elif rows:
        listing.render_text(rows, sys.stdout)
    else:
        click.echo(f"no evaluations in {folder}", err=True)


def show(*, id_: str, call: Sequence[str], as_json: bool, output_dir: Path | None) -> None:
    """Print one call with its attempts, or a line for each call that the words name."""
    folder = _settings(output_dir).get("output_dir") / check_id(id_)
    _check_there(folder)
    with _readers([folder]) as (reader,), snapshot(reader):
        found = calls.find(reader, call) if call else calls.lines(reader)
        if call and not found:
            raise UsageError(
                f"no call {' '.join(call)!r} in {id_!r}", f"umwelten eval show {id_} lists them."
            )
        if isinstance(found, tuple) and len(found) == 1:
            _show_one(calls.whole(reader, found[0]), as_json)
        elif as_json:
            sys.stdout.writelines(f"{calls.as_json(line)}\n" for line in found)
        else:
            render_lines(found, sys.stdout, prompts=bool(prompts(reader.connection)))
            if not call:
                _note_records(reader)


def _note_records(reader: Reader) -> None:
    """Beside the list, so that other programs are not given what is no call."""
    found = validation(reader)
    if found is not None:
        sys.stdout.flush()
        render_validation(found, sys.stderr)


def _show_one(call: calls.Whole, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(f"{calls.as_json(call)}\n")
    else:
        render_call(call, sys.stdout)


# --- where from, where to ------------------------------------------------------------------------


def _settings(output_dir: Path | None) -> Settings:
    return load(Path.cwd(), os.environ).with_flags({"output_dir": output_dir})


def _is_pattern(id_: str) -> bool:
    return any(character in id_ for character in _GLOB)


def _folders(output_dir: Path, ids: Sequence[str]) -> list[Path]:
    """The folders that the ids and patterns name, each once, in the order given."""
    found: dict[Path, None] = {}
    for id_ in ids:
        if not _is_pattern(id_):
            folder = output_dir / check_id(id_)
            _check_there(folder)
            found[folder] = None
            continue
        matches = [path for path in evaluations(output_dir) if fnmatchcase(path.name, id_)]
        if not matches:
            raise StoreError(f"no evaluation matches {id_!r} in {output_dir}", _there(output_dir))
        found.update(dict.fromkeys(matches))
    return list(found)


def _check_there(folder: Path) -> None:
    if not (folder / "evaluation.db").exists():
        raise StoreError(f"no evaluation {folder.name!r} in {folder.parent}", _there(folder.parent))


def _there(output_dir: Path) -> str:
    known = [path.name for path in evaluations(output_dir)]
    if not known:
        return "There are none yet."
    return f"There are {', '.join(known[:10])}{', …' if len(known) > 10 else ''}."


@contextmanager
def _readers(folders: Sequence[Path]) -> Iterator[list[Reader]]:
    """Open; what SQLite says of a damaged file becomes an error that names it."""
    with ExitStack() as stack:
        readers = [stack.enter_context(Reader.open(folder)) for folder in folders]
        try:
            yield readers
        except DatabaseError as error:
            names = ", ".join(folder.name for folder in folders)
            raise StoreError(
                f"the database of {names} is damaged: {error}", "Restore it from a copy."
            ) from None


@contextmanager
def _target(output: Path | None, *, binary: bool) -> Iterator[TextIO]:
    """Where the report goes. A file appears whole or not at all."""
    if output is None:
        if binary and sys.stdout.isatty():
            raise UsageError("this format is not for terminals", "Write it to a file with --output FILE.")
        yield sys.stdout
        sys.stdout.flush()
        return
    with whole_file(output, what="--output") as file:
        yield file
    click.echo(f"written to {output}", err=True)
