"""A report's calls and models as flat rows, for CSV, Parquet and data frames: see `columns`.

The first column is the evaluation's id. Where answers have scores, these follow the answer; then comes what
was asked, with the columns of rows as `row.NAME`; where answers have a schema, its fields come last.

When short, an evaluation that was made to rank has a row a contestant, not one for each of its judges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from umwelten.report.columns import CALL_COLUMNS, MODEL_COLUMNS, PROMPT, CellType, ReportColumn
from umwelten.report.models import CallResult
from umwelten.report.queries import overviews
from umwelten.report.queries.call_scores import CallScores, call_scores, open_scores
from umwelten.report.queries.rankings import own_ranking
from umwelten.report.queries.score_overview import column_of, read_overview
from umwelten.report.queries.sent_columns import (
    SentCall,
    row_fields,
    row_values,
    sent_calls,
    text_columns,
)
from umwelten.report.queries.variants import prompts
from umwelten.report.ranking_table_columns import RANKING_COLUMNS, RankingRow, has_prompts, ranking_rows
from umwelten.report.schema_fields import Field, fields_of, record_of, schema_of
from umwelten.report.score_table_columns import ModelScores, call_columns, model_columns
from umwelten.scoring.ranking.ranking import Ranking
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

EVALUATION = "evaluation"
CONTESTANT = ("model", PROMPT)
"""The columns of models that contestants have as well."""


class Layout(FrozenStruct):
    """Which columns the rows of some evaluations have: `plain` ones after the id, scores, texts that were
    sent, those of a ranking's contestants, those of the rows that were asked about, and the fields'.
    """

    plain: tuple[ReportColumn[Any], ...]
    fields: tuple[Field, ...]
    scores: tuple[ReportColumn[Any], ...] = ()
    sent: tuple[ReportColumn[SentCall], ...] = ()
    ranking: tuple[ReportColumn[RankingRow], ...] = ()
    row: tuple[Field, ...] = ()

    @property
    def types(self) -> Mapping[str, CellType]:
        """The types of all columns but those of rows and fields, by name."""
        columns = (*self.plain, *self.scores, *self.sent, *self.ranking)
        return {EVALUATION: str} | {column.name: column.type for column in columns}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns in order."""
        return (*self.types, *(field.column for field in (*self.row, *self.fields)))


def layout(readers: Sequence[Reader], *, short: bool, full: bool = False) -> Layout:
    """The columns for all of these evaluations under one header. Short: a row a model.

    `full`: with all texts that were sent, reasoning and failed attempts.
    """
    columns: tuple[ReportColumn[Any], ...] = MODEL_COLUMNS if short else CALL_COLUMNS
    scores: tuple[ReportColumn[Any], ...] = model_columns(readers) if short else call_columns(readers)
    ranked = [found for reader in readers if (found := own_ranking(reader)) is not None] if short else []
    several_prompts = any(prompts(reader) for reader in readers) or has_prompts(ranked)
    if ranked and len(ranked) == len(readers):
        # The figures of the judges' calls are those of no contestant.
        columns = tuple(column for column in columns if column.name in CONTESTANT)
    tools = any(reader.spec().request.tools is not None for reader in readers)
    schemas = () if short else tuple(schema_of(reader) for reader in readers)
    sent = () if short else text_columns(readers, full=full)
    row = () if short else row_fields(readers)
    taken = (
        EVALUATION,
        *(column.name for column in (*CALL_COLUMNS, *scores, *sent) if tools or not column.of_tools),
        *(field.column for field in row),
    )
    return Layout(
        plain=tuple(
            column
            for column in columns
            if (several_prompts or column.name != PROMPT) and (tools or not column.of_tools)
        ),
        fields=fields_of(schemas, taken=taken),
        scores=scores,
        sent=sent,
        ranking=RANKING_COLUMNS if ranked else (),
        row=row,
    )


def rows(reader: Reader, shape: Layout, *, short: bool) -> Iterator[tuple[tuple[object, ...], list[object]]]:
    """For each call or model the values of `types`, then those of rows and fields."""
    id_, read = overviews.name(reader), [column.value for column in shape.plain]
    read_scores = [column.value for column in shape.scores]
    if short:
        ranking = own_ranking(reader) if shape.ranking else None
        if ranking is not None:
            yield from ((cells, []) for cells in _contestants(id_, ranking, shape))
            return
        no_contestant = [None] * len(shape.ranking)
        for row, figures in _models(reader, with_scores=bool(read_scores)):
            scored = (value(figures) for value in read_scores)
            yield (id_, *(value(row) for value in read), *scored, *no_contestant), []
        return
    names, texts = [field.name for field in shape.fields], [column.value for column in shape.sent]
    found = _calls(reader, with_scores=bool(read_scores))
    for (call, scores), sent in zip(found, _sent(reader, shape), strict=False):
        cells = (id_, *(value(call) for value in read), *(value(scores) for value in read_scores))
        if sent is None:
            yield cells, _values(call, names)
        else:
            own = row_values(sent, shape.row)
            yield (*cells, *(value(sent) for value in texts)), [*own, *_values(call, names)]


def _contestants(id_: str, ranking: Ranking, shape: Layout) -> Iterator[tuple[object, ...]]:
    for row in ranking_rows(ranking):
        known = {CONTESTANT[0]: row.contestant.model, CONTESTANT[1]: row.contestant.prompt}
        plain = (known.get(column.name) for column in shape.plain)
        figures = (column.value(row) for column in shape.ranking)
        yield (id_, *plain, *repeat(None, len(shape.scores)), *figures)


def _sent(reader: Reader, shape: Layout) -> Iterator[SentCall | None]:
    """What was sent, by call, if a column wants it."""
    return sent_calls(reader) if shape.sent or shape.row else repeat(None)


def _models(reader: Reader, *, with_scores: bool) -> Iterator[tuple[Any, ModelScores]]:
    models = overviews.overview(reader).models
    found = None
    if with_scores:
        with open_scores(reader) as scores:
            found = None if scores is None else read_overview(reader, scores, models)
    for row in models:
        column = column_of(row)
        figures = {} if found is None else found.figures
        yield row, {name: own[column] for name, own in figures.items() if column in own}


def _calls(reader: Reader, *, with_scores: bool) -> Iterator[tuple[CallResult, CallScores]]:
    nothing: CallScores = {}
    results = overviews.results(reader)
    if not with_scores:
        yield from zip(results, repeat(nothing))
        return
    with open_scores(reader) as scores:
        if scores is None:
            yield from zip(results, repeat(nothing))
        else:
            yield from zip(results, call_scores(reader, scores), strict=True)


def _values(call: CallResult, names: Sequence[str]) -> list[object]:
    if not names:
        return []
    record = record_of(call.data)
    return [record.get(name) for name in names]
