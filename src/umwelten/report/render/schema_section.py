"""How well answers kept to their schema, for people: as HTML, Markdown and lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from umwelten.report.queries.schema_validation import TAKEN, FieldFigures, Records, Validation, in_words
from umwelten.report.render import agreement_section
from umwelten.report.render.markup import table, text
from umwelten.report.render.value_words import values_in_words
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

HEAD = ("field", "type", "valid", "missing", "wrong", "values", "most often wrong")
MODEL_HEAD = ("model", "valid", "at once", *TAKEN.values(), "failed")
_ON_A_LINE = 3
"""Values of a field on a line of a terminal."""


def summary_of(figures: Validation) -> str:
    """`48 valid (3 repaired), 2 failed; 6 retries of answers that did not fit, $0.002`."""
    line = in_words(figures.records) or "none yet"
    if figures.extra_attempts:
        retries = f"{figures.extra_attempts:,} {'retry' if figures.extra_attempts == 1 else 'retries'}"
        line += f"; {retries} of answers that did not fit, {_cost(figures)}"
    if figures.unreadable:
        line += f"; {formatting.count(figures.unreadable, 'answer')} wrong as a whole"
    return line


def _cost(figures: Validation) -> str:
    return "cost unknown" if figures.extra_cost_usd is None else formatting.money(figures.extra_cost_usd)


def as_html(figures: Validation, of: str = "") -> str:
    """A sentence and tables. `of`: the evaluation's id, where there are several."""
    fields = [
        [*(text(cell) for cell in row[:2]), *row[2:5], text(row[5]), text(row[6])]
        for row in map(_field, figures.fields)
    ]
    by_model = [[text(model.label), *_counts(model.records)] for model in figures.models]
    models = table(MODEL_HEAD, by_model, name="Records by model") if len(by_model) > 1 else ""
    return (
        f"<p>{text(f'{of}: ' if of else '')}{text(summary_of(figures))}.</p>\n"
        + _fields_table(fields)
        + (f"<h3>By model</h3>\n{models}" if models else "")
        + agreement_section.as_html(figures)
    )


def _fields_table(rows: Sequence[Sequence[str]]) -> str:
    # Words come first, as in every table of the page; then figures.
    order = (0, 1, 5, 6, 2, 3, 4)
    head = [HEAD[n] for n in order]
    return table(head, [[row[n] for n in order] for row in rows], name="Fields", words=4)


def markdown_rows(figures: Validation) -> Iterator[tuple[str, ...]]:
    """The fields, for `HEAD`; foreign text as it is."""
    return map(_field, figures.fields)


def model_rows(figures: Validation) -> Iterator[tuple[str, ...]]:
    """The models, for `MODEL_HEAD`; foreign text as it is."""
    return ((model.label, *_counts(model.records)) for model in figures.models)


def render_validation(figures: Validation, out: TextIO) -> None:
    """Lines for a terminal."""
    out.write(f"\nrecords: {summary_of(figures)}\n")
    fields = [_field(row, _ON_A_LINE) for row in figures.fields]
    rows = [tuple(title.upper() for title in HEAD), *fields]
    rows = [tuple(one_line(cell, 60) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if 2 <= n <= 4 else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        out.write(f"  {'  '.join(cells)}".rstrip() + "\n")


def _field(row: FieldFigures, most: int | None = None) -> tuple[str, ...]:
    counts = (f"{row.valid:,}", f"{row.missing:,}", f"{row.wrong:,}")
    return (row.field, row.type, *counts, values_in_words(row, row.type, most), row.message or "")


def _counts(records: Records) -> tuple[str, ...]:
    return tuple(f"{getattr(records, name):,}" for name in Records.__struct_fields__)
