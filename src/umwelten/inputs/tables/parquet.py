"""Parquet files as rows, a batch at a time; needs `pyarrow`, which is loaded only here."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from umwelten.errors import InputError

_BATCH_BYTES = 4 << 20
_BATCH_ROWS = 1024
_KEPT = 4
_BUFFER = 1 << 20


def column_names(path: str) -> tuple[str, ...]:
    """The columns of a file, in order. Errors: `InputError` when it is damaged or `pyarrow` is missing."""
    with _ParquetFile(path) as file:
        names = tuple(file.parquet.schema_arrow.names)
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        raise InputError(f"{path}: two columns are called {twice!r}")
    return names


def parquet_rows(path: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Every row with its row group and its number in that, from 0. Memory: one batch and its pages."""
    with _ParquetFile(path) as file:
        for group in range(file.parquet.num_row_groups):
            index = 0
            for batch in file.batches(group):
                for row in _plain(batch).to_pylist():
                    yield group, index, row
                    index += 1


def parquet_row(path: str, group: int, index: int) -> dict[str, Any]:
    """One row. Errors: `InputError` when the file has no such row (any more)."""
    try:
        found = Path(path).stat()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return _pages(path, found.st_size, found.st_mtime_ns, found.st_ino).row(group, index)


@lru_cache(maxsize=2)
def _pages(path: str, size: int, mtime_ns: int, inode: int) -> _Pages:
    return _Pages(path)


class _ParquetFile:
    """An open file. Errors of its libraries come out as `InputError`."""

    def __init__(self, path: str) -> None:
        try:
            pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        except ImportError:
            raise InputError(
                f"to read {path}, a package is missing", "Install it: pip install 'umwelten[parquet]'"
            ) from None
        self.path = path
        self._errors = (pyarrow.ArrowException, OSError, ValueError)
        try:
            # Read page by page: a row group can be larger than memory.
            self.parquet = parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
        except self._errors as error:
            raise self._damaged(error) from error

    def __enter__(self) -> _ParquetFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.parquet.close()

    def batches(self, group: int) -> Iterator[Any]:
        """The batches of a row group; `batch_rows` in each but the last."""
        try:
            yield from self.parquet.iter_batches(
                batch_size=self.batch_rows(group), row_groups=[group], use_threads=False
            )
        except self._errors as error:
            raise self._damaged(error) from error

    def batch_rows(self, group: int) -> int:
        """So many that a batch stays at a few megabytes."""
        about = self.parquet.metadata.row_group(group)
        row_bytes: int = about.total_byte_size // max(about.num_rows, 1) + 1
        return max(1, min(_BATCH_ROWS, _BATCH_BYTES // row_bytes))

    def _damaged(self, error: Exception) -> InputError:
        lines = str(error).splitlines() or [type(error).__name__]
        return InputError(f"{self.path} cannot be read as parquet: {lines[0]}")


class _Pages:
    """Reads rows by number. They mostly come in order: it goes on where it was, with a few batches kept."""

    def __init__(self, path: str) -> None:
        self._file = _ParquetFile(path)
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._group, self._next = -1, 0
        self._batches: Iterator[Any] = iter(())

    def row(self, group: int, index: int) -> dict[str, Any]:
        """The row as a mapping. Errors: `InputError` when there is none."""
        with self._lock:
            if group >= self._file.parquet.num_row_groups:
                raise self._gone()
            number, place = divmod(index, self._file.batch_rows(group))
            batch = self._batch(group, number)
            if place >= batch.num_rows:
                raise self._gone()
            row: dict[str, Any] = _plain(batch.slice(place, 1)).to_pylist()[0]
            return row

    def _batch(self, group: int, number: int) -> Any:
        if (group, number) not in self._kept and (group != self._group or number < self._next):
            self._group, self._next, self._batches = group, 0, self._file.batches(group)
        while (group, number) not in self._kept:
            batch = next(self._batches, None)
            if batch is None:
                raise self._gone()
            self._kept[group, self._next] = batch
            self._next += 1
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end((group, number))
        return self._kept[group, number]

    def _gone(self) -> InputError:
        return InputError(f"{self._file.path} changed: the row is no longer there")


def _plain(batch: Any) -> Any:
    """The batch with times in microseconds, the finest that Python has."""
    pa = import_module("pyarrow")
    for at, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            times = batch.column(at).cast(pa.timestamp("us", field.type.tz), safe=False)
        elif pa.types.is_duration(field.type) and field.type.unit == "ns":
            times = batch.column(at).cast(pa.duration("us"), safe=False)
        else:
            continue
        batch = batch.set_column(at, field.name, times)
    return batch
