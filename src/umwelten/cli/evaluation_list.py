"""`eval list` on a terminal: fitted to its width, with a status in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from umwelten.cli.table_layout import cut, fitted_table
from umwelten.report.queries.listing import DAMAGED, ListedEvaluation, depths
from umwelten.report.status_words import status_text
from umwelten.store.derived import JUDGE, RANK
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_WIDE, _NARROW = 100, 72
"""From so many columns on, there is room for the year and the type; and for the cost."""
_INDENT = "  "
_ROLES = {JUDGE: "judge", RANK: "ranking"}


def list_lines(rows: Sequence[ListedEvaluation], width: int) -> Iterator[str]:
    """Yield the lines. The newest comes last, where the terminal's reader is after a long list."""
    wide, below = width >= _WIDE, depths(rows)
    titles = ["ID", "STARTED (UTC)", *(["TYPE"] if wide else []), "STATUS", "CALLS", "COST", "MODELS"]
    cells = [_cells(row, below[row.id], wide=wide) for row in rows]
    if width < _NARROW:
        titles, cells = [*titles[:-2], titles[-1]], [[*row[:-2], row[-1]] for row in cells]
    # An id is typed again, and a status is what the list is for: names of models give first.
    head, *lines = fitted_table(
        titles, cells, width=width, shrink=("MODELS",), right=("CALLS", "COST"), keep=("ID", "STATUS")
    )
    yield head
    for row, line in zip(rows, lines, strict=True):
        yield line
        for more in _details(row):
            yield cut(f"{_INDENT * (below[row.id] + 1)}{more}", width, end=True)


def _cells(row: ListedEvaluation, depth: int, *, wide: bool) -> list[str]:
    id_ = _INDENT * depth + one_line(row.id, 200)
    # Without seconds, and in a narrow terminal without the year.
    started = row.date[:16].replace("T", " ")[0 if wide else 5 :]
    if row.status == DAMAGED:
        return [id_, started, *([""] if wide else []), DAMAGED, "", "", one_line(row.problem or "", 200)]
    cost = formatting.short_cost(row.cost_usd, row.unpriced_calls)
    pending = max(row.calls - row.done - row.failed, 0)
    status = status_text(row.status, failed=row.failed, pending=pending)
    calls = f"{row.done:,}/{row.calls:,}"
    return [id_, started, *([_type(row)] if wide else []), status, calls, cost, _models(row)]


def _type(row: ListedEvaluation) -> str:
    """What it was made for, where it belongs to another one: all of those are batches."""
    return _ROLES.get(row.derived.role, row.type or "") if row.derived else row.type or ""


def _models(row: ListedEvaluation) -> str:
    names = one_line(", ".join(row.models), 200)
    return names if len(row.models) < 2 else f"{len(row.models)}: {names}"


def _details(row: ListedEvaluation) -> Iterator[str]:
    if isinstance(row.details, msgspec.UnsetType):
        return
    more = row.details
    times = (formatting.seconds(value) for value in (more.wall_s, more.p50_s, more.p95_s))
    tokens = (formatting.tokens(value) for value in (more.input_tokens, more.output_tokens))
    parts = [f"{formatting.percent(more.success_rate)} answered"]
    parts += ["{} in all, p50 {}, p95 {}".format(*times), "tokens {} in, {} out".format(*tokens)]
    if not isinstance(more.score, msgspec.UnsetType):
        mean = formatting.UNKNOWN if more.score.mean is None else f"{more.score.mean:.3f}"
        parts.append(f"{one_line(more.score.scorer, 40)} {mean}")
    yield " · ".join(parts)
    yield one_line(more.prompt, 200)
