"""The report as Parquet: a row a call, or a row a model when short; texts as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO

from umwelten.errors import UsageError
from umwelten.report import tables
from umwelten.report.current import Source
from umwelten.report.flat import CALL_TYPES, MODEL_TYPES, Column, call_row, model_row

ROWS = 2_000
"""Rows in memory at a time, and in a group of the file."""


def render_parquet(readers: Iterable[Source], out: BinaryIO, *, short: bool = False) -> None:
    """Write the rows of all evaluations as one table. Raises UsageError without pyarrow."""
    pyarrow, parquet = _pyarrow()
    types = MODEL_TYPES if short else CALL_TYPES
    schema = _schema(pyarrow, types)
    with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
        for reader in readers:
            with tables.snapshot(reader):
                rows = _models(reader) if short else _calls(reader)
                while group := list(islice(rows, ROWS)):
                    columns = zip(*group, strict=True)
                    arrays = [
                        pyarrow.array(column, field.type)
                        for column, field in zip(columns, schema, strict=True)
                    ]
                    writer.write_batch(pyarrow.RecordBatch.from_arrays(arrays, schema=schema))


def _calls(reader: Source) -> Iterator[tuple[object, ...]]:
    id_ = tables.name(reader)
    return (call_row(id_, result) for result in tables.results(reader))


def _models(reader: Source) -> Iterator[tuple[object, ...]]:
    overview = tables.overview(reader)
    return (model_row(overview.evaluation.id, row) for row in overview.models)


def _schema(pyarrow: Any, types: Mapping[str, Column]) -> Any:
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    return pyarrow.schema([(name, kinds[kind]) for name, kind in types.items()])


def _pyarrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError:
        raise UsageError(
            "--format parquet needs pyarrow, which is not installed",
            "Install it with: pip install 'umwelten[parquet]'",
        ) from None
