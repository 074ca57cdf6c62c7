"""The leaderboard of a suite as a table of plain values, a row a model: CSV and Parquet.

Columns: suite, place, model, prompt, mean, se, low, high, missing (tasks, with a comma between them),
cost_usd, unpriced, p50_s; then of each task `task.NAME` (its value), `task.NAME.low`, `task.NAME.high`,
`task.NAME.scored` and `task.NAME.planned`. What is not known is empty, or null.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from typing import BinaryIO, TextIO

from umwelten.report.render.csv import BOM, csv_cells, harmless
from umwelten.report.render.parquet import parquet_modules
from umwelten.scoring.leaderboard import Leaderboard, TaskValue

_COLUMNS: Mapping[str, type] = {
    "suite": str,
    "place": int,
    "model": str,
    "prompt": str,
    "mean": float,
    "se": float,
    "low": float,
    "high": float,
    "missing": str,
    "cost_usd": float,
    "unpriced": int,
    "p50_s": float,
}
_OF_TASK: Mapping[str, type] = {"mean": float, "low": float, "high": float, "scored": int, "planned": int}


def write_csv(board: Leaderboard, out: TextIO) -> None:
    """Write the rows after the mark by which Excel knows UTF-8."""
    out.write(BOM)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(harmless, columns(board)))
    for row in rows(board):
        writer.writerow(csv_cells(row))


def write_parquet(board: Leaderboard, out: BinaryIO) -> None:
    """Write the rows. Raises UsageError without pyarrow."""
    pyarrow, parquet = parquet_modules()
    kinds = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in columns(board).items()])
    values = [*rows(board)]
    arrays = [pyarrow.array([row[place] for row in values], field.type) for place, field in enumerate(schema)]
    parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), out, compression="zstd")


def columns(board: Leaderboard) -> dict[str, type]:
    """Return the columns, with the type of each."""
    of_tasks = {
        f"task.{task.name}" + ("" if name == "mean" else f".{name}"): kind
        for task in board.tasks
        for name, kind in _OF_TASK.items()
    }
    return {**_COLUMNS, **of_tasks}


def rows(board: Leaderboard) -> Iterator[list[object]]:
    """Yield the rows, a value a column."""
    for place, row in zip(board.places, board.rows, strict=True):
        own = {
            "suite": board.suite,
            "place": place,
            "missing": ", ".join(row.missing),
        }
        values = [own[name] if name in own else getattr(row, name) for name in _COLUMNS]
        for task in board.tasks:
            values += _of_task(row.tasks.get(task.name))
        yield values


def _of_task(value: TaskValue | None) -> list[object]:
    return [None if value is None else getattr(value, name) for name in _OF_TASK]
