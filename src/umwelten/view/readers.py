"""Read-only connections to evaluations: for each thread its own, kept for some time."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from umwelten.errors import StoreError
from umwelten.evaluation.spec import check_id
from umwelten.report.queries.overviews import snapshot
from umwelten.store.database import database, evaluations, has_database, store_errors
from umwelten.store.reader import Reader

_MOST = 4
"""Open evaluations a thread: each has a cache of 2 MB."""
_KEPT_S = 30.0
"""A plan may change: what was read of it on opening is read again after that time."""

Stamp = tuple[int, ...]


def stamp(folder: Path) -> Stamp:
    """Return what changes when the evaluation's database does. Raises OSError if there is none."""
    status = database(folder).stat()
    found = [status.st_ino, status.st_size, status.st_mtime_ns]
    try:
        log = Path(f"{database(folder)}-wal").stat()
        found += [log.st_size, log.st_mtime_ns]
    except OSError:
        pass
    return tuple(found)


class Readers:
    """The evaluations of an output directory, by id."""

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir
        self._own = threading.local()

    def ids(self) -> list[str]:
        """Return the ids of those that are there now."""
        return [folder.name for folder in evaluations(self.output_dir)]

    def folder(self, id_: str) -> Path:
        """Return the evaluation's folder. Raises StoreError if there is none, and UsageError."""
        folder = self.output_dir / check_id(id_)
        if not has_database(folder):
            raise StoreError(f"no evaluation {id_!r} in {self.output_dir}")
        return folder

    @contextmanager
    def open(self, id_: str) -> Iterator[Reader]:
        """The evaluation as of one moment. Raises StoreError."""
        folder = self.folder(id_)
        reader = self._kept(id_, folder)
        try:
            with store_errors(folder), snapshot(reader):
                yield reader
        except BaseException:
            self._drop(id_)
            raise

    def _kept(self, id_: str, folder: Path) -> Reader:
        cache: dict[str, tuple[object, float, Reader]] = self._own.__dict__.setdefault("cache", {})
        known = cache.get(id_)
        if known is not None and known[0] == identity(folder) and time.monotonic() - known[1] < _KEPT_S:
            cache[id_] = cache.pop(id_)  # the one that is used last is dropped last
            return known[2]
        self._drop(id_)
        while len(cache) >= _MOST:
            self._drop(next(iter(cache)))
        reader = Reader.open(folder)
        cache[id_] = (identity(folder), time.monotonic(), reader)
        return reader

    def _drop(self, id_: str) -> None:
        known = self._own.__dict__.setdefault("cache", {}).pop(id_, None)
        if known is not None:
            known[2].close()


def identity(folder: Path) -> object:
    """What tells a database from another one that has taken its place."""
    try:
        status = database(folder).stat()
    except OSError as error:
        raise StoreError(f"no evaluation {folder.name!r} in {folder.parent}") from error
    # Where nothing can be written, SQLite takes the file as one that never changes: on a share it may.
    fixed = () if os.access(folder, os.W_OK) else (status.st_size, status.st_mtime_ns)
    return (status.st_dev, status.st_ino, *fixed)
