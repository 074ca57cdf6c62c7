"""The evaluations of an output directory, opened to be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from umwelten.errors import StoreError
from umwelten.evaluation.spec import check_id
from umwelten.report.queries.overviews import snapshot
from umwelten.store.database import database, evaluations, has_database, store_errors
from umwelten.store.reader import Reader

Stamp = tuple[int, ...]


def stamp(folder: Path) -> Stamp:
    """Return what changes when the evaluation's database does. Raises StoreError if there is none."""
    try:
        status = database(folder).stat()
    except OSError as error:
        raise _gone(folder) from error
    found = [status.st_ino, status.st_size, status.st_mtime_ns]
    with suppress(OSError):
        log = Path(f"{database(folder)}-wal").stat()
        # An empty one is left by those who read, and says nothing.
        found += [log.st_size, log.st_mtime_ns] if log.st_size else []
    return tuple(found)


class Readers:
    """The evaluations of an output directory, by id."""

    def __init__(self, output_dir: Path) -> None:
        self.output_dir = output_dir

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
        """The evaluation as of one moment. Raises StoreError.

        It is opened for each question, in some milliseconds: a connection that stays open would keep a run
        that ends from putting its log away.
        """
        folder = self.folder(id_)
        with Reader.open(folder) as reader, store_errors(folder), snapshot(reader):
            yield reader


def identity(folder: Path) -> object:
    """What tells a database from another one that has taken its place."""
    try:
        status = database(folder).stat()
    except OSError as error:
        raise _gone(folder) from error
    # Where nothing can be written, SQLite takes the file as one that never changes: on a share it may.
    fixed = () if os.access(folder, os.W_OK) else (status.st_size, status.st_mtime_ns)
    return (status.st_dev, status.st_ino, *fixed)


def _gone(folder: Path) -> StoreError:
    return StoreError(f"no evaluation {folder.name!r} in {folder.parent}")
