"""The evaluations of an output directory, as rows and as text or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

import msgspec

from umwelten.errors import StoreError
from umwelten.records import Derived
from umwelten.report.models import Overview
from umwelten.report.queries import overviews
from umwelten.report.queries.shown_scores import ListedScore, first_score
from umwelten.report.queries.status import iso
from umwelten.store.database import DatabaseError, evaluations, raise_if_interrupted, store_errors
from umwelten.store.derived import owner
from umwelten.store.reader import Reader
from umwelten.store.tags import read_tags
from umwelten.text import formatting
from umwelten.text.sanitize import json_safe, one_line
from umwelten.types import FrozenStruct

DAMAGED = "damaged"


class ListedOwner(FrozenStruct):
    """Whose an evaluation is: `of` is the id of the one whose answers its calls are about."""

    role: str
    of: str
    scorer: str


class ListedEvaluation(FrozenStruct):
    """One evaluation. `done` counts the succeeded calls, `date` is ISO 8601 in UTC.

    `derived` says whose it is, `None` for one of its own.
    What cannot be read has the status "damaged", its folder's date, zero counts and `problem`.
    """

    id: str
    date: str
    type: str | None
    status: str
    models: tuple[str, ...]
    calls: int
    done: int
    failed: int
    cost_usd: float | None
    unpriced_calls: int
    problem: str | None = None
    details: Details | msgspec.UnsetType = msgspec.UNSET
    derived: ListedOwner | None = None
    tags: tuple[str, ...] = ()


class Details(FrozenStruct):
    """What only a closer look shows; the figures are those of a report's summary.

    `score` is there if the evaluation has been scored.
    """

    prompt: str
    system: str | None
    finished_at: str | None
    pending: int
    success_rate: float | None
    wall_s: float
    speedup: float | None
    p50_s: float | None
    p95_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    score: ListedScore | msgspec.UnsetType = msgspec.UNSET


def list_evaluations(output_dir: Path, *, details: bool = False) -> list[ListedEvaluation]:
    """Return the evaluations under a directory, oldest first; damaged ones are listed, not raised.

    Those that belong to another one follow it.
    """
    rows = sorted(
        (_row(folder, details) for folder in evaluations(output_dir)), key=lambda row: (row.date, row.id)
    )
    ids = {row.id for row in rows}
    below: dict[str, list[ListedEvaluation]] = {}
    for row in rows:
        below.setdefault(row.derived.of if row.derived and row.derived.of in ids else "", []).append(row)

    def walk(id: str) -> Iterator[ListedEvaluation]:
        for row in below.get(id, ()):
            yield row
            yield from walk(row.id)

    return list(walk(""))


def depths(rows: Iterable[ListedEvaluation]) -> dict[str, int]:
    """Return how many evaluations each is below, by id; whose it is comes before it."""
    found: dict[str, int] = {}
    for row in rows:
        found[row.id] = found.get(row.derived.of, -1) + 1 if row.derived else 0
    return found


def render_json(rows: Sequence[ListedEvaluation], out: TextIO) -> None:
    """Write a JSON list with one row a line."""
    lines = ",\n ".join(json_safe(msgspec.json.encode(row).decode()) for row in rows)
    out.write(f"[{lines}]\n")


def render_text(rows: Sequence[ListedEvaluation], out: TextIO) -> None:
    """Write an aligned table; the first column is the id, indented below the one that it belongs to."""
    below = depths(rows)
    detailed = any(row.details for row in rows)
    scored = any(row.details and row.details.score for row in rows)
    more = (*_MORE[:-1], *(("SCORE",) if scored else ()), _MORE[-1])
    head = (*_HEAD[:-1], *(more if detailed else ()), _HEAD[-1])
    table = [head]
    for row in rows:
        cells = _cells(row, below[row.id])
        table.append((*cells[:-1], *(_more(row, scored) if detailed else ()), cells[-1]))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        out.write(_align(line, widths) + "\n")


_HEAD = ("ID", "STARTED (UTC)", "TYPE", "STATUS", "CALLS", "FAILED", "COST", "MODELS")
_INDENT = "  "
_MORE = ("PENDING", "ANSWERED", "WALL", "P50", "P95", "TOKENS IN", "TOKENS OUT", "PROMPT")


def _more(row: ListedEvaluation, scored: bool) -> tuple[str, ...]:
    if isinstance(row.details, msgspec.UnsetType):
        return ("",) * (len(_MORE) + scored)
    more = row.details
    times = (formatting.seconds(value) for value in (more.wall_s, more.p50_s, more.p95_s))
    tokens = (formatting.tokens(value) for value in (more.input_tokens, more.output_tokens))
    return (
        str(more.pending),
        formatting.percent(more.success_rate),
        *times,
        *tokens,
        *((_score(more.score or None),) if scored else ()),
        one_line(more.prompt, 50),
    )


def _score(score: ListedScore | None) -> str:
    if score is None:
        return ""
    return f"{score.scorer} {formatting.UNKNOWN if score.mean is None else f'{score.mean:.3f}'}"


def _row(folder: Path, details: bool) -> ListedEvaluation:
    try:
        reader = Reader.open(folder)
    except StoreError as error:
        return _damaged_row(folder, error.message)
    try:
        with store_errors(folder):
            return _read(folder, reader, details)
    except StoreError as error:
        return _damaged_row(folder, error.message)
    except DatabaseError as error:
        raise_if_interrupted(error)
        return _damaged_row(folder, str(error))
    finally:
        reader.close()


def _read(folder: Path, reader: Reader, details: bool) -> ListedEvaluation:
    with overviews.snapshot(reader):
        overview = overviews.summary(reader)
        more = _details(overviews.overview(reader), _first_score(reader)) if details else msgspec.UNSET
    return ListedEvaluation(
        id=folder.name,
        date=overview.evaluation.started_at,
        type=overview.evaluation.type,
        status=overview.evaluation.status,
        models=overview.evaluation.models,
        calls=overview.calls,
        done=overview.succeeded,
        failed=overview.failed,
        cost_usd=overview.cost.total_usd,
        unpriced_calls=overview.cost.unpriced_calls,
        details=more,
        derived=_owner(folder, reader.spec().derived),
        tags=read_tags(reader.connection),
    )


def _owner(folder: Path, derived: Derived | None) -> ListedOwner | None:
    found = None if derived is None else owner(folder, derived)
    if derived is None or found is None:
        return None
    return ListedOwner(role=derived.role, of=found.name, scorer=derived.scorer)


def _first_score(reader: Reader) -> ListedScore | None:
    try:
        return first_score(reader)
    except StoreError:  # the evaluation itself is whole; `eval score` tells what is wrong with its scores
        return None


def _details(overview: Overview, score: ListedScore | None) -> Details:
    evaluation, figures, usage = overview.evaluation, overview.summary, overview.cost.usage
    return Details(
        prompt=evaluation.prompt,
        system=evaluation.system,
        finished_at=evaluation.finished_at,
        pending=figures.pending,
        success_rate=figures.success_rate,
        wall_s=figures.wall_s,
        speedup=figures.speedup,
        p50_s=figures.p50_s,
        p95_s=figures.p95_s,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        score=score or msgspec.UNSET,
    )


def _damaged_row(folder: Path, problem: str) -> ListedEvaluation:
    return ListedEvaluation(
        id=folder.name,
        date=iso(folder.stat().st_mtime),
        type=None,
        status=DAMAGED,
        models=(),
        calls=0,
        done=0,
        failed=0,
        cost_usd=None,
        unpriced_calls=0,
        problem=problem,
    )


def _cells(row: ListedEvaluation, depth: int) -> tuple[str, ...]:
    id_ = _INDENT * depth + one_line(row.id, 200)
    date = row.date[:16].replace("T", " ")
    if row.status == DAMAGED:
        return (id_, date, "", DAMAGED, "", "", "", one_line(row.problem or "", 60))
    cost = formatting.short_cost(row.cost_usd, row.unpriced_calls)
    models = one_line(", ".join(row.models), 60)
    calls = f"{row.done}/{row.calls}"
    return (id_, date, row.type or "", row.status, calls, str(row.failed), cost, models)


def _align(line: Iterable[str], widths: Sequence[int]) -> str:
    right = {4, 5, 6, 7, 8, 9, 10, 11, 12, 13} if len(widths) > len(_HEAD) else {4, 5, 6}
    cells = (
        text.rjust(w) if n in right else text.ljust(w)
        for n, (text, w) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
