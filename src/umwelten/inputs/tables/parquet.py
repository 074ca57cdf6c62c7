"""Rows of parquet files, read in batches; needs `pyarrow`, which is imported only here."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from umwelten.errors import InputError, read_error

_BATCH_BYTES = 4 << 20
_BATCH_ROWS = 1024
_KEPT = 4
_BUFFER = 1 << 20


def column_names(path: str) -> tuple[str, ...]:
    """Return the columns of a file, in order. Raises `InputError` if it is damaged or `pyarrow` missing."""
    with _ParquetFile(path) as file, file.guarded():
        names = tuple(file.parquet.schema_arrow.names)
    twice, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise InputError(f"{path}: two columns are named {twice!r}")
    return names


def parquet_rows(path: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield every row with its row group and its index in that. Memory: one batch and its pages."""
    with _ParquetFile(path) as file:
        for group in range(file.parquet.num_row_groups):
            index = 0
            for batch in file.batches(group):
                for row in file.rows_of(batch):
                    yield group, index, row
                    index += 1


def parquet_row(path: str, group: int, index: int) -> dict[str, Any]:
    """Return one row. Raises `InputError` if the file does not have it (any more)."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise read_error(path, error) from error
    return _pages(path, status.st_size, status.st_mtime_ns, status.st_ino).row(group, index)


@lru_cache(maxsize=2)
def _pages(path: str, size: int, mtime_ns: int, inode: int) -> _Pages:
    return _Pages(path)


class _ParquetFile:
    """An open file. Errors of pyarrow are raised as `InputError`."""

    def __init__(self, path: str) -> None:
        try:
            pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
        except ImportError:
            raise InputError(
                f"cannot read {path}: pyarrow is not installed", "Install it: pip install 'umwelten[parquet]'"
            ) from None
        self.path = path
        self._errors = (pyarrow.ArrowException, OSError, ValueError)
        try:
            # Read page by page: a row group can be larger than memory.
            self.parquet = parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
        except self._errors as error:
            raise self._damage_error(error) from error

    def __enter__(self) -> _ParquetFile:
        return self

    def __exit__(self, *error: object) -> None:
        self.parquet.close()

    def batches(self, group: int) -> Iterator[Any]:
        """Yield the batches of a row group; each but the last has `batch_rows` rows."""
        with self.guarded():
            yield from self.parquet.iter_batches(
                batch_size=self.batch_rows(group), row_groups=[group], use_threads=False
            )

    def rows_of(self, batch: Any) -> list[dict[str, Any]]:
        """Return the rows of a batch. Texts are decoded here, and times converted."""
        with self.guarded():
            rows: list[dict[str, Any]] = _plain(batch).to_pylist()
        return rows

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Raise what pyarrow raises as `InputError`."""
        try:
            yield
        except (*self._errors, KeyError, IndexError, OverflowError) as error:
            raise self._damage_error(error) from error

    def batch_rows(self, group: int) -> int:
        """Return how many rows of a row group make a batch of a few megabytes."""
        about = self.parquet.metadata.row_group(group)
        row_bytes: int = about.total_byte_size // max(about.num_rows, 1) + 1
        return max(1, min(_BATCH_ROWS, _BATCH_BYTES // row_bytes))

    def _damage_error(self, error: Exception) -> InputError:
        lines = str(error).splitlines() or [type(error).__name__]
        return InputError(f"{self.path} cannot be read as parquet: {lines[0]}")


class _Pages:
    """Reads rows by number. They are mostly read in order, so it continues there and caches a few batches."""

    def __init__(self, path: str) -> None:
        self._file = _ParquetFile(path)
        self._lock = threading.Lock()
        self._batches_by_number: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._group, self._next = -1, 0
        self._batches: Iterator[Any] = iter(())

    def row(self, group: int, index: int) -> dict[str, Any]:
        """Return the row. Raises `InputError` if there is none."""
        with self._lock:
            if group >= self._file.parquet.num_row_groups:
                raise self._gone_error()
            number, offset = divmod(index, self._file.batch_rows(group))
            batch = self._batch(group, number)
            if offset >= batch.num_rows:
                raise self._gone_error()
            return self._file.rows_of(batch.slice(offset, 1))[0]

    def _batch(self, group: int, number: int) -> Any:
        if (group, number) not in self._batches_by_number and (group != self._group or number < self._next):
            self._group, self._next, self._batches = group, 0, self._file.batches(group)
        while (group, number) not in self._batches_by_number:
            batch = next(self._batches, None)
            if batch is None:
                raise self._gone_error()
            self._batches_by_number[group, self._next] = batch
            self._next += 1
            if len(self._batches_by_number) > _KEPT:
                self._batches_by_number.popitem(last=False)
        self._batches_by_number.move_to_end((group, number))
        return self._batches_by_number[group, number]

    def _gone_error(self) -> InputError:
        return InputError(f"{self._file.path} changed: the row is no longer there")


def _plain(batch: Any) -> Any:
    """Return the batch with times in microseconds, the finest resolution of Python's types."""
    pa = import_module("pyarrow")
    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            times = batch.column(index).cast(pa.timestamp("us", field.type.tz), safe=False)
        elif pa.types.is_duration(field.type) and field.type.unit == "ns":
            times = batch.column(index).cast(pa.duration("us"), safe=False)
        else:
            continue
        batch = batch.set_column(index, field.name, times)
    return batch
