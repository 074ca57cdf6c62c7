"""A report's calls and models as flat rows, for CSV, Parquet and data frames: see `columns`.

The first column is the evaluation's id. Where answers have a schema, its fields follow the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from umwelten.report.columns import CALL_COLUMNS, MODEL_COLUMNS, PROMPT, CellType, ReportColumn
from umwelten.report.models import CallResult
from umwelten.report.queries import overviews
from umwelten.report.queries.variants import prompts
from umwelten.report.schema_fields import Field, fields_of, record_of, schema_of
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

EVALUATION = "evaluation"


class Layout(FrozenStruct):
    """Which columns the rows of some evaluations have: `plain` ones after the id, then the fields'."""

    plain: tuple[ReportColumn[Any], ...]
    fields: tuple[Field, ...]

    @property
    def types(self) -> Mapping[str, CellType]:
        """The types of all columns but the fields', by name."""
        return {EVALUATION: str} | {column.name: column.type for column in self.plain}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all columns in order."""
        return (*self.types, *(field.column for field in self.fields))


def layout(readers: Sequence[Reader], *, short: bool) -> Layout:
    """The columns for all of these evaluations under one header. Short: a row a model."""
    columns: tuple[ReportColumn[Any], ...] = MODEL_COLUMNS if short else CALL_COLUMNS
    several_prompts = any(prompts(reader) for reader in readers)
    schemas = () if short else tuple(schema_of(reader) for reader in readers)
    return Layout(
        plain=tuple(column for column in columns if several_prompts or column.name != PROMPT),
        fields=fields_of(schemas, taken=(EVALUATION, *(column.name for column in CALL_COLUMNS))),
    )


def rows(reader: Reader, shape: Layout, *, short: bool) -> Iterator[tuple[tuple[object, ...], list[object]]]:
    """For each call or model the values of `types` and, as they are in the record, those of the fields."""
    id_, read = overviews.name(reader), [column.value for column in shape.plain]
    if short:
        models = overviews.overview(reader).models
        return (((id_, *(value(row) for value in read)), []) for row in models)
    names = [field.name for field in shape.fields]
    return (
        ((id_, *(value(call) for value in read)), _values(call, names)) for call in overviews.results(reader)
    )


def _values(call: CallResult, names: Sequence[str]) -> list[object]:
    if not names:
        return []
    record = record_of(call.data)
    return [record.get(name) for name in names]
