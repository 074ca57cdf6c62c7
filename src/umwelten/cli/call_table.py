"""`eval show ID` on a terminal: a line a call with the beginning of its answer, fitted to the width.

What all calls have in common, as the only model, stands above the table and takes no room in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import count, repeat

from umwelten.cli.table_layout import fitted_table
from umwelten.report.queries import calls, overviews
from umwelten.report.queries.schema_validation import mark_in_words
from umwelten.report.queries.variants import variants
from umwelten.report.status_words import status_text
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.text.sanitize import one_line
from umwelten.types import FrozenStruct

_TEXT = 600
"""Characters of an answer or message that the widest terminals have room for."""
_NAME = 500
_EMPTY = "(empty)"
_WIDE = 120
"""From so many columns on, models are shown with their providers, though their names tell them apart."""


class _Columns(FrozenStruct):
    """Which columns differ from call to call; `names` are what models are called there."""

    files: bool
    models: bool
    prompts: bool
    repeats: bool
    names: dict[str, str]


def call_lines(
    reader: Reader, lines: Iterable[calls.CallSummary], *, width: int, numbered: bool, only_failed: bool
) -> Iterator[str]:
    """Yield the heading and the table. `numbered`: `lines` are all calls that ended, in their order."""
    columns = _columns(reader, width)
    yield one_line(_heading(reader, columns), max(width, 20))
    yield ""
    titles = [*(["#"] if numbered else []), *(["FILE"] if columns.files else [])]
    titles += [*(["MODEL"] if columns.models else []), *(["PROMPT"] if columns.prompts else [])]
    titles += ["REPEAT"] if columns.repeats else []
    titles += ["KIND", "MESSAGE"] if only_failed else ["STATUS", "TIME", "ANSWER"]
    numbers: Iterable[int | None] = count(1) if numbered else repeat(None)
    rows = (
        _cells(reader, line, number, columns, only_failed=only_failed)
        for number, line in zip(numbers, lines, strict=False)
        if not only_failed or line.status == calls.STATUS[2]
    )
    text = "MESSAGE" if only_failed else "ANSWER"
    yield from fitted_table(
        titles, rows, width=width, shrink=("FILE", "MODEL", "PROMPT", text), right=_RIGHT, last=text
    )


_RIGHT = ("#", "REPEAT", "TIME")


def _columns(reader: Reader, width: int) -> _Columns:
    known = variants(reader.connection).values()
    return _Columns(
        files=calls.has_files(reader),
        models=len({one.model for one in known}) > 1,
        prompts=len({one.prompt for one in known}) > 1,
        repeats=reader.spec().repeats > 1,
        names={} if width >= _WIDE else _short_names({one.model for one in known}),
    )


def _short_names(models: Collection[str]) -> dict[str, str]:
    """Models without their providers, and vendors, where that still tells them apart."""
    short = {model: model.partition(":")[2].rpartition("/")[2] for model in models}
    return short if len(set(short.values())) == len(models) and all(short.values()) else {}


def _heading(reader: Reader, columns: _Columns) -> str:
    """`demo: done, 8 failed · 60 calls · ollama:gemma3:12b`."""
    brief = overviews.summary(reader)
    pending = max(brief.calls - brief.succeeded - brief.failed, 0)
    words = status_text(brief.evaluation.status, failed=brief.failed, pending=pending)
    models = brief.evaluation.models
    model = formatting.count(len(models), "model") if columns.models else ", ".join(models)
    return f"{brief.evaluation.id}: {words} · {formatting.count(brief.calls, 'call')} · {model}"


def _cells(
    reader: Reader, line: calls.CallSummary, number: int | None, columns: _Columns, *, only_failed: bool
) -> list[str]:
    cells = [] if number is None else [str(number) if number <= calls.MOST_POSITIONS else ""]
    cells += [one_line(line.file or formatting.UNKNOWN, _NAME)] if columns.files else []
    cells += [one_line(columns.names.get(line.model, line.model), _NAME)] if columns.models else []
    cells += [one_line(line.prompt or formatting.UNKNOWN, _NAME)] if columns.prompts else []
    cells += [str(line.repeat)] if columns.repeats else []
    text = one_line(calls.beginning(reader, line.call, _TEXT), _TEXT) or _EMPTY
    if only_failed:
        return [*cells, line.error_kind or formatting.UNKNOWN, text]
    text = f"{line.error_kind}: {text}" if line.error_kind else text
    return [*cells, _status(line), formatting.seconds(line.response_s), text]


def _status(line: calls.CallSummary) -> str:
    if line.error_kind:
        return "failed"
    word = "ok" if line.status == calls.STATUS[1] else line.status
    return ", ".join((word, *map(mark_in_words, line.marks)))
