"""Results as tables of other libraries: a row a call, as in the csv report, a row a score, or a row a model.

Whole numbers, texts and truth values that are missing are the library's own null; the fields of a schema
have the types that it says, as far as all values fit them, else they are JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.api.answer_score import AnswerScore
from umwelten.errors import UsageError
from umwelten.report import tabular
from umwelten.report.queries import overviews
from umwelten.report.queries.column_types import convert, fit_types
from umwelten.report.ranking_table_columns import RANKING_COLUMNS, ranking_rows
from umwelten.report.render import leaderboard_tables
from umwelten.report.schema_fields import Field
from umwelten.scoring.leaderboard import Leaderboard
from umwelten.scoring.ranking.ranking import Ranking
from umwelten.store.database import store_errors
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

_OF_ANSWER = ("model", "file", "prompt", "repeat")
_OF_SCORES: Mapping[str, str] = dict.fromkeys((*_OF_ANSWER, "scorer"), "string") | {
    "repeat": "integer",
    "value": "number",
    "passed": "boolean",
    **dict.fromkeys(("label", "reason", "unscored", "message"), "string"),
}
_KINDS: Mapping[type, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}


class Column(FrozenStruct):
    """A column: `kind` is "string", "integer", "number", "boolean", "date" or "array" of `items`."""

    name: str
    kind: str
    items: str
    values: list[Any]


def to_arrow(columns: list[Column]) -> pyarrow.Table:
    """As a `pyarrow.Table`."""
    arrow = _import_library("pyarrow", "to_arrow")
    kinds = {
        "string": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "date": arrow.date32(),
    }
    types = [_type(column, kinds, arrow.list_) for column in columns]
    arrays = [arrow.array(column.values, kind) for column, kind in zip(columns, types, strict=True)]
    table: pyarrow.Table = arrow.table(arrays, names=[column.name for column in columns])
    return table


def to_polars(columns: list[Column]) -> polars.DataFrame:
    """As a `polars.DataFrame`."""
    frames = _import_library("polars", "to_polars")
    kinds = {
        "string": frames.String,
        "integer": frames.Int64,
        "number": frames.Float64,
        "boolean": frames.Boolean,
        "date": frames.Date,
    }
    found: polars.DataFrame = frames.DataFrame(
        [
            frames.Series(column.name, column.values, dtype=_type(column, kinds, frames.List))
            for column in columns
        ]
    )
    return found


def to_pandas(columns: list[Column]) -> pandas.DataFrame:
    """As a `pandas.DataFrame`."""
    frames = _import_library("pandas", "to_pandas")
    kinds = {
        "string": "string",
        "integer": "Int64",
        "number": "float64",
        "boolean": "boolean",
        "date": "datetime64[s]",
    }
    found: pandas.DataFrame = frames.DataFrame(
        {
            column.name: frames.Series(column.values, dtype=_type(column, kinds, lambda _: "object"))
            for column in columns
        }
    )
    return found


def _type(column: Column, kinds: Mapping[str, Any], list_of: Callable[[Any], Any]) -> Any:
    if column.kind == "array":
        return list_of(kinds.get(column.items, kinds["string"]))
    return kinds.get(column.kind, kinds["string"])


def score_columns(scores: Iterable[AnswerScore[Any]]) -> list[Column]:
    """Return the columns of a table with a row a score."""
    columns = [Column(name=name, kind=kind, items="", values=[]) for name, kind in _OF_SCORES.items()]
    for score in scores:
        for column in columns:
            source = score.answer if column.name in _OF_ANSWER else score
            column.values.append(getattr(source, column.name))
    return columns


def ranking_columns(ranking: Ranking) -> list[Column]:
    """Return the columns of a table with a row a contestant: who it is, then those of the csv report."""
    names = dict.fromkeys(("model", "prompt", "evaluation"), "string")
    columns = [Column(name=name, kind=kind, items="", values=[]) for name, kind in names.items()]
    figures = [column for column in RANKING_COLUMNS if column.name != "of"]
    columns += [Column(name=each.name, kind=_KINDS[each.type], items="", values=[]) for each in figures]
    for row in ranking_rows(ranking):
        own = (row.contestant.model, row.contestant.prompt, row.contestant.evaluation)
        for column, cell in zip(columns, (*own, *(each.value(row) for each in figures)), strict=True):
            column.values.append(cell)
    return columns


def leaderboard_columns(board: Leaderboard) -> list[Column]:
    """Return the columns of a table with a row a model, as in the csv file of a leaderboard."""
    kinds = leaderboard_tables.columns(board)
    columns = [Column(name=name, kind=_KINDS[kind], items="", values=[]) for name, kind in kinds.items()]
    for row in leaderboard_tables.rows(board):
        for column, cell in zip(columns, row, strict=True):
            column.values.append(cell)
    return columns


def call_columns(folder: Path, *, full: bool = False) -> list[Column]:
    """Return the columns of a table with a row a call; `full` as in `tabular.layout`."""
    with Reader.open(folder) as reader, store_errors(folder), overviews.snapshot(reader):
        shape = tabular.layout([reader], short=False, full=full)
        fields = (*shape.row, *fit_types(shape.fields, [reader]))
        columns = [
            Column(name=name, kind=_KINDS[kind], items="", values=[]) for name, kind in shape.types.items()
        ]
        columns += [
            Column(name=field.column, kind=field.type, items=field.items or "", values=[]) for field in fields
        ]
        for row, values in tabular.rows(reader, shape, short=False):
            cells = (*row, *_convert_values(values, fields))
            for column, cell in zip(columns, cells, strict=True):
                column.values.append(cell)
    return columns


def _convert_values(values: Any, fields: tuple[Field, ...]) -> tuple[Any, ...]:
    return tuple(convert(value, field) for value, field in zip(values, fields, strict=True)) if fields else ()


def _import_library(name: str, what: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(
            f"{what} needs {name}, which is not installed", f"Install it with: pip install {name}"
        ) from None
