"""A report's calls and models as flat rows, for CSV, Parquet and data frames: see `columns`.

The first column is the evaluation's id. Where answers have scores, these follow the answer; where they have a
schema, its fields come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from umwelten.report.columns import CALL_COLUMNS, MODEL_COLUMNS, PROMPT, CellType, ReportColumn
from umwelten.report.models import CallResult
from umwelten.report.queries import overviews
from umwelten.report.queries.call_scores import CallScores, call_scores, open_scores
from umwelten.report.queries.score_overview import column_of, read_overview
from umwelten.report.queries.variants import prompts
from umwelten.report.schema_fields import Field, fields_of, record_of, schema_of
from umwelten.report.score_table_columns import ModelScores, call_columns, model_columns
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

EVALUATION = "evaluation"


class Layout(FrozenStruct):
    """Which columns the rows of some evaluations have: `plain` ones after the id, scores, the fields'."""

    plain: tuple[ReportColumn[Any], ...]
    fields: tuple[Field, ...]
    scores: tuple[ReportColumn[Any], ...] = ()

    @property
    def types(self) -> Mapping[str, CellType]:
        """The types of all columns but the fields', by name."""
        return {EVALUATION: str} | {column.name: column.type for column in (*self.plain, *self.scores)}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns in order."""
        return (*self.types, *(field.column for field in self.fields))


def layout(readers: Sequence[Reader], *, short: bool) -> Layout:
    """The columns for all of these evaluations under one header. Short: a row a model."""
    columns: tuple[ReportColumn[Any], ...] = MODEL_COLUMNS if short else CALL_COLUMNS
    scores: tuple[ReportColumn[Any], ...] = model_columns(readers) if short else call_columns(readers)
    several_prompts = any(prompts(reader) for reader in readers)
    tools = any(reader.spec().request.tools is not None for reader in readers)
    schemas = () if short else tuple(schema_of(reader) for reader in readers)
    taken = (
        EVALUATION,
        *(column.name for column in (*CALL_COLUMNS, *scores) if tools or not column.of_tools),
    )
    return Layout(
        plain=tuple(
            column
            for column in columns
            if (several_prompts or column.name != PROMPT) and (tools or not column.of_tools)
        ),
        fields=fields_of(schemas, taken=taken),
        scores=scores,
    )


def rows(reader: Reader, shape: Layout, *, short: bool) -> Iterator[tuple[tuple[object, ...], list[object]]]:
    """For each call or model the values of `types` and, as they are in the record, those of the fields."""
    id_, read = overviews.name(reader), [column.value for column in shape.plain]
    read_scores = [column.value for column in shape.scores]
    if short:
        for row, figures in _models(reader, with_scores=bool(read_scores)):
            yield (id_, *(value(row) for value in read), *(value(figures) for value in read_scores)), []
        return
    names = [field.name for field in shape.fields]
    for call, scores in _calls(reader, with_scores=bool(read_scores)):
        cells = (id_, *(value(call) for value in read), *(value(scores) for value in read_scores))
        yield cells, _values(call, names)


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
