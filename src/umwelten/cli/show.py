"""`eval show`: calls from what is stored, one whole or a line each."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

import click
import msgspec

from umwelten.cli.pager import paged
from umwelten.cli.scored_calls import WantedScores, show_scored
from umwelten.cli.stored_evaluations import named_folder, nearest_name, open_readers
from umwelten.cli.table_layout import write_table
from umwelten.errors import UsageError
from umwelten.inputs.asked_again import read_again
from umwelten.report.queries import attempts, calls, overviews
from umwelten.report.queries.asked_calls import asked_detail
from umwelten.report.queries.overviews import snapshot
from umwelten.report.queries.schema_validation import validation
from umwelten.report.queries.shown_scores import with_scores
from umwelten.report.queries.status import EvaluationStatus
from umwelten.report.queries.variants import prompts
from umwelten.report.render.call import render_call, render_lines
from umwelten.report.render.schema_section import render_validation
from umwelten.store.asked import AskedSource
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_FAILED = calls.STATUS[2]
_MESSAGE = 2000  # characters of a failure's message in a list
_MOST_NAMES = 20_000  # files among which the nearest one is looked for
_LINES_SENT = 16  # of each text that was sent, on a terminal
_MOST_KINDS = 3  # of failures that are named where no call has ended


def show(
    *,
    id_: str | None,
    words: Sequence[str],
    failed: bool,
    failing: str | None,
    unscored: str | None,
    as_json: bool,
    full: bool = False,
    output_dir: Path | None,
    pager: bool = True,
) -> None:
    """Print one call with its attempts, or a line for each call that the words name.

    Without `id_`, the first of the words is the evaluation's id. `failing`, `unscored`: only such answers, by
    the scorer named, or by any if the text is empty. `full`: what was sent is not cut to the terminal.
    """
    wanted = _wanted(failed, failing, unscored)
    id_, call = _id_and_call(id_, words)
    folder = named_folder(id_, output_dir)
    id_ = folder.name
    with open_readers([folder]) as (reader,), snapshot(reader):
        only, found = _find(reader, id_, call) if call else (None, calls.ended_calls(reader))
        if failed:
            _show_failed(reader, id_, found, as_json, numbered=not call, pager=pager)
        elif wanted is not None:
            show_scored(reader, found, wanted, as_json=as_json)
        elif only is not None:
            detail = _with_asked(reader, calls.call_detail(reader, only))
            _show_one(with_scores(reader, detail), as_json, full=full, pager=pager)
        elif as_json:
            sys.stdout.writelines(f"{calls.as_json(line)}\n" for line in found)
        else:
            _write_lines(reader, found, numbered=not call, pager=pager)
            if not call:
                _note_names(reader, id_)
                _note_records(reader)
                _note_pending(reader, id_)


def _wanted(failed: bool, failing: str | None, unscored: str | None) -> WantedScores | None:
    """What of the scores is asked for. Raises UsageError."""
    if sum((failed, failing is not None, unscored is not None)) > 1:
        raise UsageError(
            "--failed, --failing and --unscored exclude each other", "Give the one that you mean."
        )
    if failing is not None:
        return WantedScores(what="failing", scorer=failing)
    return None if unscored is None else WantedScores(what="unscored", scorer=unscored)


def _id_and_call(id_: str | None, words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """`None`: the evaluation that was started last."""
    return (id_, words) if id_ is not None or not words else (words[0], words[1:])


def _find(
    reader: Reader, id_: str, call: Sequence[str]
) -> tuple[calls.CallSummary | None, Iterator[calls.CallSummary]]:
    """The only call that the words name, `None` if there are several, and all of them. Raises UsageError."""
    try:
        found = calls.find(reader, call)
    except UsageError as error:
        word = next((word for word in call if error.message.startswith(repr(word))), "")
        near = nearest_name(word, calls.names(reader, _MOST_NAMES))
        raise UsageError(error.message, f"{near}{error.hint or ''}") from None
    first = list(islice(found, 2))
    if not first:
        raise UsageError(f"no call {' '.join(call)!r} in {id_!r}", f"umwelten eval show {id_} lists them.")
    return first[0] if len(first) == 1 else None, chain(first, found)


# --- lists of calls ------------------------------------------------------------------------------


def _show_failed(
    reader: Reader,
    id_: str,
    lines: Iterable[calls.CallSummary],
    as_json: bool,
    *,
    numbered: bool,
    pager: bool,
) -> None:
    if sys.stdout.isatty() and not as_json:
        if overviews.summary(reader).failed:
            _write_fitted(reader, lines, numbered=numbered, only_failed=True, pager=pager)
        else:
            _note(f"no failed calls in {id_!r}")
        return
    rows = (calls.failed_call(reader, line) for line in lines if line.status == _FAILED)
    first = next(rows, None)
    failed = chain([] if first is None else [first], rows)
    if as_json:
        sys.stdout.writelines(f"{calls.as_json(line)}\n" for line in failed)
    else:
        several = bool(prompts(reader))
        titles = ("CALL", "FILE", "MODEL", *(("PROMPT",) if several else ()), "KIND", "MESSAGE")
        write_table(titles, (_failed_cells(line, several) for line in failed), shrink=())
    if first is None:
        _note(f"no failed calls in {id_!r}")


def _failed_cells(line: calls.FailedCall, several: bool) -> tuple[str, ...]:
    cells = _cells(line, several)[: 4 if several else 3]
    return (*cells, line.error_kind or formatting.UNKNOWN, one_line(line.error_message, _MESSAGE))


def _write_lines(reader: Reader, lines: Iterable[calls.CallSummary], *, numbered: bool, pager: bool) -> None:
    """Fitted to the terminal for people; other programs get tabs, and every name whole."""
    if sys.stdout.isatty():
        _write_fitted(reader, lines, numbered=numbered, only_failed=False, pager=pager)
    else:
        render_lines(lines, sys.stdout, prompts=bool(prompts(reader)))


def _write_fitted(
    reader: Reader, lines: Iterable[calls.CallSummary], *, numbered: bool, only_failed: bool, pager: bool
) -> None:
    from umwelten.cli.call_table import call_lines  # for terminals only

    width = shutil.get_terminal_size().columns
    with paged(wanted=pager) as out:
        for line in call_lines(reader, lines, width=width, numbered=numbered, only_failed=only_failed):
            out.write(f"{line}\n")


def _cells(line: calls.CallSummary, several: bool) -> list[str]:
    """A call's cells as they are in the list for other programs."""
    text = io.StringIO()
    render_lines((line,), text, prompts=several)
    return text.getvalue().rstrip("\n").split("\n")[-1].split("\t")


# --- beside a list, on stderr --------------------------------------------------------------------


def _note(text: str) -> None:
    sys.stdout.flush()
    click.echo(text, err=True)


def _note_names(reader: Reader, id_: str) -> None:
    """On a terminal: how to see one whole."""
    if sys.stdout.isatty() and next(calls.ended_calls(reader), None) is not None:
        _note(f"one of them whole: umwelten eval show {id_} NUMBER, or a part of its file and model")


def _note_pending(reader: Reader, id_: str) -> None:
    """If no call has ended: how many are pending, why, and what to do."""
    brief = overviews.summary(reader)
    if brief.succeeded or brief.failed or not brief.calls:
        return
    _note(f"{formatting.count(brief.calls, 'call')} pending, none has ended")
    for latest in attempts.latest_failures(reader, _MOST_KINDS):
        _note(f"latest attempts: {latest.calls:,} × {latest.kind}: {one_line(latest.message, 400)}")
    if brief.evaluation.status == EvaluationStatus.RUNNING:
        _note("a process is running them")
    else:
        _note(f"resume: umwelten eval resume {id_}")


def _note_records(reader: Reader) -> None:
    """Beside the list, so that other programs are not given what is no call."""
    found = validation(reader)
    if found is not None:
        sys.stdout.flush()
        render_validation(found, sys.stderr)


def _with_asked(reader: Reader, call: calls.CallDetail) -> calls.CallDetail:
    """Read what was not kept from the input, as long as that is the same."""
    if call.asked.source != AskedSource.NOT_KEPT:
        return call
    return msgspec.structs.replace(call, asked=asked_detail(read_again(reader, call.call)))


def _show_one(call: calls.CallDetail, as_json: bool, *, full: bool, pager: bool) -> None:
    if as_json:
        sys.stdout.write(f"{calls.as_json(call)}\n")
        return
    cut = None if full or not sys.stdout.isatty() else _LINES_SENT
    with paged(wanted=pager) as out:
        render_call(call, out, most_lines=cut, whole="--full shows all")
