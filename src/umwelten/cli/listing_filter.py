"""Which evaluations `eval list` shows, and in which order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from umwelten.errors import UsageError
from umwelten.report.queries.listing import DAMAGED, ListedEvaluation
from umwelten.report.queries.status import EvaluationStatus
from umwelten.types import FrozenStruct

_DAY = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?")
STATUSES = (*EvaluationStatus, DAMAGED)
_SORTS: Mapping[str, Callable[[ListedEvaluation], Any]] = {
    "date": lambda row: (row.date, row.id),
    "id": lambda row: row.id,
    "cost": lambda row: row.cost_usd or 0.0,
    "calls": lambda row: row.calls,
    "failed": lambda row: row.failed,
}


class Wanted(FrozenStruct):
    """What is asked of an evaluation: all that is given must hold. `patterns` are of ids, one must fit."""

    patterns: tuple[str, ...] = ()
    type_: str | None = None
    status: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    model: str | None = None
    since: str | None = None
    until: str | None = None


def select_rows(rows: Sequence[ListedEvaluation], wanted: Wanted) -> list[ListedEvaluation]:
    """Return the rows that are wanted, in their order. Raises `UsageError` for no day, or no status."""
    for flag, day in (("--since", wanted.since), ("--until", wanted.until)):
        if day is not None and not _DAY.fullmatch(day):
            raise UsageError(f"{flag} {day!r} is no day", "Write 2026-11-30, or 2026-11 for a month.")
    for status in wanted.status:
        if status not in STATUSES:
            raise UsageError(f"--status {status!r} is not known", f"There are {', '.join(STATUSES)}.")
    return list(_selected(rows, wanted))


def _selected(rows: Sequence[ListedEvaluation], wanted: Wanted) -> Iterator[ListedEvaluation]:
    since, until, model = wanted.since, wanted.until, wanted.model
    for row in rows:
        if (
            (not wanted.patterns or any(fnmatchcase(row.id, pattern) for pattern in wanted.patterns))
            and wanted.type_ in (None, row.type)
            and (not wanted.status or row.status in wanted.status)
            and set(wanted.tags) <= set(row.tags)
            and (model is None or any(fnmatchcase(name, model) for name in row.models))
            and (since is None or row.date >= since)
            and (until is None or row.date[: len(until)] <= until)
        ):
            yield row


def sort_rows(rows: Sequence[ListedEvaluation], sort: str | None, *, reverse: bool) -> list[ListedEvaluation]:
    """Return the rows sorted; `None`: in their order."""
    found = list(rows) if sort is None else sorted(rows, key=_SORTS[sort])
    return found[::-1] if reverse else found
