"""`eval report`, `eval list` and `eval show`: from what is stored."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from fnmatch import fnmatchcase
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import click
import msgspec

from umwelten.config import Settings, load, vendors
from umwelten.errors import StoreError, UsageError
from umwelten.report import calls, listing, tables, wording
from umwelten.report.files import FORMATS, render, whole_file
from umwelten.report.inert import one_line
from umwelten.report.render.call import render_call, render_lines
from umwelten.report.render.validated import render_validation
from umwelten.report.tables import DatabaseError, snapshot
from umwelten.report.validation import validation
from umwelten.report.variants import prompts, variants
from umwelten.store import Reader, evaluations
from umwelten.wanted import check_id

_GLOB = "*?["
_FAILED = calls.STATUS[2]
_MESSAGE = 2000  # characters of a failure's message in a list
_MEASURED = 1000  # rows by which a table's columns are fitted: there may be a million
_MOST_NAMES = 20_000  # among which the nearest one is looked for


def report(
    *,
    ids: Sequence[str],
    format_: str | None,
    output: Path | None,
    short: bool,
    bom: bool,
    output_dir: Path | None,
) -> None:
    """Print or write the report of one evaluation, or of all that the ids and patterns name.

    `format_` is `None` where the ending of `output` tells it; on stdout it is Markdown.
    """
    if not ids:
        raise UsageError("which evaluation?", "Name its id: umwelten eval report ID. `eval list` has them.")
    format_ = _format(format_, output)
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


def show(
    *, id_: str | None, words: Sequence[str], failed: bool, as_json: bool, output_dir: Path | None
) -> None:
    """Print one call with its attempts, or a line for each call that the words name.

    Without `id_`, the first of the words is the evaluation's id.
    """
    id_, call = _id_and_call(id_, words)
    folder = _settings(output_dir).get("output_dir") / check_id(id_)
    _check_there(folder)
    with _readers([folder]) as (reader,), snapshot(reader):
        found = _find(reader, id_, call) if call else calls.lines(reader)
        if failed:
            _show_failed(reader, id_, found, as_json)
        elif isinstance(found, tuple) and len(found) == 1:
            _show_one(calls.whole(reader, found[0]), as_json)
        elif as_json:
            sys.stdout.writelines(f"{calls.as_json(line)}\n" for line in found)
        else:
            _write_lines(reader, found)
            if not call:
                _note_records(reader)
                _note_pending(reader, id_)


def _id_and_call(id_: str | None, words: Sequence[str]) -> tuple[str, Sequence[str]]:
    if id_ is not None:
        return id_, words
    if not words:
        raise UsageError("which evaluation?", "Name its id: umwelten eval show ID. `eval list` has them.")
    return words[0], words[1:]


def _find(reader: Reader, id_: str, call: Sequence[str]) -> tuple[calls.Line, ...]:
    """The calls that the words name, at least one. Raises UsageError."""
    try:
        found = calls.find(reader, call)
    except UsageError as error:
        word = next((word for word in call if error.message.startswith(repr(word))), "")
        near = _did_you_mean(word, _names(reader))
        raise UsageError(error.message, f"{near}{error.hint or ''}") from None
    if not found:
        raise UsageError(f"no call {' '.join(call)!r} in {id_!r}", f"umwelten eval show {id_} lists them.")
    return found


def _names(reader: Reader) -> list[str]:
    """Of models, prompts and files; of a great many files only the first."""
    columns = variants(reader.connection).values()
    rows = reader.connection.execute(
        "SELECT name FROM inputs WHERE id > 0 AND active ORDER BY id LIMIT ?", (_MOST_NAMES,)
    )
    known = [name for one in columns for name in (one.model, one.prompt) if name]
    return list(dict.fromkeys([*known, *(row[0] for row in rows)]))


def _did_you_mean(word: str, names: Iterable[str]) -> str:
    """`Did you mean 'demo'? `, or nothing where no name is near."""
    names = list(names)
    # A file in a folder, named without it, is nearer than another of its length.
    below = [name for name in names if word and name.endswith(f"/{word}")]
    near = below or get_close_matches(word, names, n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


# --- lists of calls ------------------------------------------------------------------------------


class _Failed(calls.Line):
    """A failed call in a list, with what was said of it."""

    error_message: str = ""


def _show_failed(reader: Reader, id_: str, lines: Iterable[calls.Line], as_json: bool) -> None:
    rows = (_failed(reader, line) for line in lines if line.status == _FAILED)
    first = next(rows, None)
    several = bool(prompts(reader.connection))
    found = chain([] if first is None else [first], rows)
    if as_json:
        sys.stdout.writelines(f"{calls.as_json(line)}\n" for line in found)
    else:
        titles = ("CALL", "FILE", "MODEL", *(("PROMPT",) if several else ()), "KIND", "MESSAGE")
        _write_table(titles, (_failed_cells(line, several) for line in found), shrink=titles[1:])
    if first is None:
        _note(f"no failed calls in {id_!r}")


def _failed(reader: Reader, line: calls.Line) -> _Failed:
    row = reader.connection.execute("SELECT error_message FROM calls WHERE id = ?", (line.call,)).fetchone()
    return _Failed(**msgspec.structs.asdict(line), error_message=row[0] or "")


def _failed_cells(line: _Failed, several: bool) -> tuple[str, ...]:
    cells = _cells(line, several)[: 4 if several else 3]
    return (*cells, line.error_kind or wording.UNKNOWN, one_line(line.error_message, _MESSAGE))


def _write_lines(reader: Reader, lines: Iterable[calls.Line]) -> None:
    """Aligned for people; other programs get tabs, and every name whole."""
    several = bool(prompts(reader.connection))
    if not sys.stdout.isatty():
        render_lines(lines, sys.stdout, prompts=several)
        return
    header = io.StringIO()
    render_lines((), header, prompts=several)
    titles = header.getvalue().rstrip("\n").split("\t")
    _write_table(
        titles, (_cells(line, several) for line in lines), shrink=("FILE", "MODEL", "PROMPT", "STATUS")
    )


def _cells(line: calls.Line, several: bool) -> list[str]:
    """A call's cells as they are in the list for other programs."""
    text = io.StringIO()
    render_lines((line,), text, prompts=several)
    return text.getvalue().rstrip("\n").split("\n")[-1].split("\t")


def _write_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, shrink: Sequence[str]) -> None:
    """Separated by tabs, or on a terminal fitted to its width: columns in `shrink` may lose characters."""
    if not sys.stdout.isatty():
        sys.stdout.writelines("\t".join(row) + "\n" for row in chain([titles], rows))
        return
    from rich.cells import cell_len  # for terminals only

    rows = iter(rows)
    head = [titles, *islice(rows, _MEASURED)]
    natural = [max(map(cell_len, column)) for column in zip(*head, strict=True)]
    may = [title in shrink for title in titles]
    widths = _fitted(natural, may, shutil.get_terminal_size().columns)
    for row in chain(head, rows):
        sys.stdout.write(_aligned(titles, row, widths, may) + "\n")


def _fitted(natural: Sequence[int], may: Sequence[bool], width: int) -> list[int]:
    """Widths of columns, two blanks apart, that fill no more than `width`: the widest give first.

    Only those that may, and none below 8 characters: on a very narrow terminal lines are longer than it.
    """
    widths = list(natural)
    while sum(widths) + 2 * (len(widths) - 1) > width:
        widest = max((n for n in range(len(widths)) if may[n]), key=widths.__getitem__)
        if widths[widest] <= 8:
            break
        widths[widest] -= 1
    return widths


def _aligned(titles: Sequence[str], row: Sequence[str], widths: Sequence[int], may: Sequence[bool]) -> str:
    from rich.cells import cell_len

    cells = []
    for title, text, width, short in zip(titles, row, widths, may, strict=True):
        cell = _cut(text, width, end=title in _FROM_THE_END) if short else text
        blanks = " " * (width - cell_len(cell))
        cells.append(blanks + cell if title in _RIGHT else cell + blanks)
    return "  ".join(cells).rstrip()


_RIGHT = ("CALL", "REPEAT", "TIME", "ATTEMPTS", "TOKENS OUT", "COST")
_FROM_THE_END = ("MESSAGE", "STATUS", "KIND")


def _cut(text: str, width: int, *, end: bool) -> str:
    """At most `width` columns wide, `…` where something is missing: at the end, or between both ends.

    The names of files often differ at their ends.
    """
    from rich.cells import cell_len, set_cell_size

    if cell_len(text) <= width:
        return text
    tail = 0 if end else (width - 1) // 2
    back = set_cell_size(text[::-1], tail)[::-1].lstrip()
    return set_cell_size(text, width - 1 - tail).rstrip() + "…" + back


# --- beside a list, on stderr --------------------------------------------------------------------


def _note(text: str) -> None:
    sys.stdout.flush()
    click.echo(text, err=True)


def _note_pending(reader: Reader, id_: str) -> None:
    """If no call has ended: how many are pending, why, and what to do."""
    brief = tables.brief(reader)
    if brief.succeeded or brief.failed or not brief.calls:
        return
    _note(f"{wording.count(brief.calls, 'call')} pending, none has ended")
    for kind, message, count, _ in reader.connection.execute(_LATEST):
        _note(f"latest attempts: {count:,} × {kind}: {one_line(message or '', 400)}")
    if brief.evaluation.status == "running":
        _note("a process is at work on them")
    else:
        _note(f"resume: umwelten eval {brief.evaluation.type} -i {id_} …, as it was begun, with --resume")


# SQLite promises that bare columns beside one max() come from the row of the maximum.
_LATEST = """SELECT error_kind, error_message, count(*) AS n, max(id) FROM attempts
    WHERE id IN (SELECT max(id) FROM attempts GROUP BY call_id) AND error_kind IS NOT NULL
    GROUP BY error_kind ORDER BY n DESC, error_kind LIMIT 3"""


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


def _format(given: str | None, output: Path | None) -> str:
    """The format asked for, or that of the file's ending. Raises UsageError where the two differ."""
    if output is None:
        return given or "markdown"
    told = FORMATS.get(output.suffix.lower())
    if given and told and given != told:
        raise UsageError(
            f"--format {given}: the ending of {output.name!r} is that of {told}",
            "Leave --format away, or give the file another ending.",
        )
    found = given or told
    if found is None:
        raise UsageError(
            f"the ending of {output.name!r} is that of no report format",
            f"Endings: {', '.join(FORMATS)}. Or say the format with --format.",
        )
    return found


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
        raise StoreError(
            f"no evaluation {folder.name!r} in {folder.parent}", _there(folder.parent, folder.name)
        )


def _there(output_dir: Path, name: str = "") -> str:
    known = [path.name for path in evaluations(output_dir)]
    if not known:
        return "There are none yet."
    some = ", ".join(known[:10])
    return f"{_did_you_mean(name, known)}There are {some}{', …' if len(known) > 10 else ''}."


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
