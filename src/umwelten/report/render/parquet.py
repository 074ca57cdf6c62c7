"""The report as Parquet: a row a call, or a row a model when short; texts as they are.

The fields of a schema are typed columns; what has no plain type, or values that do not fit theirs, is JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO

from umwelten.errors import UsageError
from umwelten.report import tabular
from umwelten.report.queries import overviews
from umwelten.report.queries.column_types import convert, fit_types
from umwelten.report.schema_fields import Field
from umwelten.store.reader import Reader

ROWS = 2_000
"""Rows in memory at a time, and in a group of the file."""


def render_parquet(
    readers: Sequence[Reader], out: BinaryIO, *, short: bool = False, full: bool = False
) -> None:
    """Write the rows of all evaluations as one table. Raises UsageError without pyarrow.

    `full` as in `tabular.layout`.
    """
    pyarrow, parquet = parquet_modules()
    shape = tabular.layout(readers, short=short, full=full)
    fields = (*shape.row, *fit_types(shape.fields, readers))
    schema = _schema(pyarrow, shape, fields)
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for reader in readers:
            with overviews.snapshot(reader):
                rows = tabular.rows(reader, shape, short=short)
                while group := list(islice(rows, ROWS)):
                    columns = zip(*(_row(row, values, fields) for row, values in group), strict=True)
                    arrays = [
                        pyarrow.array(column, field.type)
                        for column, field in zip(columns, schema, strict=True)
                    ]
                    writer.write_batch(pyarrow.RecordBatch.from_arrays(arrays, schema=schema))


def check_pyarrow() -> None:
    """Raises UsageError, with advice, if Parquet cannot be written here."""
    parquet_modules()


def _row(row: tuple[object, ...], values: Sequence[object], fields: Sequence[Field]) -> tuple[object, ...]:
    if not fields:
        return row
    return (*row, *(convert(value, field) for value, field in zip(values, fields, strict=True)))


def _schema(pyarrow: Any, shape: tabular.Layout, fields: Sequence[Field]) -> Any:
    kinds = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
    }
    fixed = [(name, kinds[kind]) for name, kind in shape.types.items()]
    return pyarrow.schema([*fixed, *((field.column, _arrow(pyarrow, field)) for field in fields)])


def _arrow(pyarrow: Any, field: Field) -> Any:
    plain = {
        "integer": pyarrow.int64(),
        "number": pyarrow.float64(),
        "boolean": pyarrow.bool_(),
        "date": pyarrow.date32(),
    }
    if field.type == "array":
        return pyarrow.list_(plain.get(field.items or "string", pyarrow.string()))
    return plain.get(field.type, pyarrow.string())


def parquet_modules() -> tuple[Any, Any]:
    """Return `pyarrow` and `pyarrow.parquet`. Raises UsageError, with advice, where they are missing."""
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow, which is not installed",
            "Install it with: pip install 'umwelten[parquet]'",
        ) from None
