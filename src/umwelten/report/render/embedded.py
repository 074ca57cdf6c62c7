"""The data of an HTML report: calls, plots and pictures, as JSON that no text in it can end.

Answers are whole as long as all of them together, with the records in them, stay below `TEXT_BUDGET`
characters; else each is cut to its share, so that a browser can still open the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TextIO

import msgspec

from umwelten.providers.protocol import Vendor
from umwelten.report.columns import CALL_COLUMNS
from umwelten.report.models import CallResult, ModelRow
from umwelten.report.queries import overviews
from umwelten.report.queries.quantiles import quantiles
from umwelten.report.queries.schema_validation import mark_in_words
from umwelten.report.queries.thumbnails import thumbnails
from umwelten.report.queries.timeline import timeline
from umwelten.report.render.embedded_details import detail_pieces, limits_of
from umwelten.report.render.embedded_scores import score_pieces
from umwelten.report.render.embedded_sent import SentTexts
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import embeddable
from umwelten.report.render.tools_section import words_of
from umwelten.report.schema_fields import Field, compact, fields_of, record_of, schema_of
from umwelten.report.tabular import EVALUATION
from umwelten.text.sanitize import safe

TEXT_BUDGET = 24_000_000
SHORTEST = 160
ROWS = 200_000


def write_data(
    parts: Sequence[ReportSection],
    out: TextIO,
    vendors: Mapping[str, Vendor],
    *,
    short: bool,
    text_budget: int,
) -> None:
    """Write the elements `meta` and `rows`, of opened calls `details`, and with scores `call-scores`."""
    cut = None if short else _cut(parts, text_budget)
    limits = limits_of(() if short else parts)
    sent = SentTexts(() if short else parts, rows=ROWS)
    notes = [] if short else [*limits.notes, *sent.notes]
    meta = _meta(parts, vendors, cut, notes, short=short)
    rows = {"row_columns": list(sent.columns), "rows": sent.rows, "row_of": sent.row_of}
    _write(out, "meta", [embeddable(meta | (rows if sent.columns else {}))])
    _write(out, "rows", ["[", "]"] if short else _rows(parts, cut))
    if not short:
        _write(out, "details", detail_pieces(parts, limits, sent, rows=ROWS))
    if not short and any(part.scores for part in parts):
        _write(out, "call-scores", score_pieces(parts, rows=ROWS))


def _write(out: TextIO, id_: str, pieces: Iterable[str]) -> None:
    out.write(f'<script type="application/json" id="{id_}">')
    out.writelines(pieces)
    out.write("</script>\n")


def _meta(
    parts: Sequence[ReportSection],
    vendors: Mapping[str, Vendor],
    cut: int | None,
    notes: list[str],
    *,
    short: bool,
) -> dict[str, object]:
    prompts = _Prompts()
    return {
        "evaluations": [part.id for part in parts],
        "fields": [
            {"name": field.name, "column": field.column, "type": field.type, "options": field.options}
            for field in _fields(parts)
        ],
        "models": [
            _model(n, row, prompts.number(part, row))
            for n, part in enumerate(parts)
            for row in part.overview.models
        ],
        "spread": [spread for part in parts for spread in _spread(part)],
        "timelines": [timeline(part.reader, vendors=vendors) for part in parts],
        "prompts": prompts.texts,
        "notes": notes,
        "pictures": {} if short else _pictures(parts),
        "calls": sum(part.overview.summary.succeeded + part.overview.summary.failed for part in parts),
        "cut": cut,
    }


def _pictures(parts: Sequence[ReportSection]) -> dict[str, str]:
    return {name: address for part in parts for name, address in thumbnails(part.reader).items()}


class _Prompts:
    """The texts of the prompts, each once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def number(self, part: ReportSection, row: ModelRow) -> int:
        """Where the text of a model's prompt stands."""
        evaluation = part.overview.evaluation
        named = {prompt.name: prompt.text for prompt in evaluation.prompts or ()}
        words = safe(evaluation.prompt if row.prompt is None else named.get(row.prompt, ""))
        if words not in self.texts:
            self.texts.append(words)
        return self.texts.index(words)


def _model(evaluation: int, row: ModelRow, prompt: int) -> dict[str, object]:
    return {
        "evaluation": evaluation,
        "model": row.label,
        "name": row.model,
        "prompt_name": row.prompt,
        "prompt": prompt,
        "cost": row.service.cost_per_1k_usd,
        "p50": row.figures.p50_s,
        "p95": row.figures.p95_s,
        "rate": row.figures.success_rate,
        "speed": row.service.tokens_per_s,
    }


def _spread(part: ReportSection) -> Iterator[Sequence[float] | None]:
    """By model, in the order of "models"."""
    spreads = quantiles(part.reader, part.overview.models)
    return (spreads.get(row.number) for row in part.overview.models)


def _fields(parts: Sequence[ReportSection]) -> tuple[Field, ...]:
    taken = (EVALUATION, *(column.name for column in CALL_COLUMNS))
    return fields_of([schema_of(part.reader) for part in parts], taken=taken)


def _cut(parts: Sequence[ReportSection], text_budget: int) -> int | None:
    """How many characters an answer, and its record, may have here; `None`: all of them."""
    length = calls = 0
    for part in parts:
        characters, answers = overviews.answer_lengths(part.reader)
        length, calls = length + characters, calls + answers
    if length <= text_budget:
        return None
    shares = 2 if any(part.validation for part in parts) else 1
    return max(text_budget // calls // shares, SHORTEST)


def _rows(parts: Sequence[ReportSection], cut: int | None) -> Iterator[str]:
    before = "["
    for row in islice(_all_rows(parts, cut), ROWS):
        yield before + row
        before = ",\n"
    yield "[]" if before == "[" else "]"


def _all_rows(parts: Sequence[ReportSection], cut: int | None) -> Iterator[str]:
    first = 0
    for part in parts:
        number = {row.label: first + n for n, row in enumerate(part.overview.models)}
        first += len(number)
        extended = part.validation is not None or part.overview.tools is not None
        for result in overviews.results(part.reader):
            row = _row(number[result.label], result, cut)
            yield embeddable((*row, *_record(result, cut)) if extended else row)


def _record(result: CallResult, cut: int | None) -> tuple[object, ...]:
    """What a row has at its end where answers have a schema, or tools were offered: the record, marks, with
    the figures of tools, and an answer that failed.
    """
    kept = result.error.answer if result.error is not None else None
    marks = (*words_of(result), *map(mark_in_words, result.marks))
    return _short_record(result.data, cut), marks or 0, safe(kept[:cut]) if kept else 0


def _short_record(data: msgspec.Raw | None, cut: int | None) -> object:
    """The record, its values cut to equal shares of what an answer may have."""
    if data is None or cut is None or len(bytes(data)) <= cut:
        return data
    record = record_of(data)
    share = max(cut // max(len(record), 1), 8)
    return {name: _cut_value(value, share) for name, value in record.items()}


def _cut_value(value: object, share: int) -> object:
    words = value if isinstance(value, str) else compact(value)
    return value if len(words) <= share else f"{words[: share - 1]}…"


def _row(model: int, result: CallResult, cut: int | None) -> tuple[object, ...]:
    metrics, error = result.metrics, result.error
    words = error.message if error else result.response or ""
    return (
        model,
        None if result.file is None else safe(result.file),
        result.repeat,
        error.kind if error else None,
        metrics.response_s,
        metrics.ttft_s,
        metrics.attempts,
        metrics.input_tokens,
        metrics.output_tokens,
        metrics.cost_usd,
        safe(words[:cut]),
        result.finish_reason,
        len(words) if cut is not None and len(words) > cut else 0,
    )
