"""The reading side: for reports, lists and further steps, without a lock, while a run goes on or after.

`open_for_reading` is the one way to a database that is not to be changed; `Reader` adds the settings and the
views of what counts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from umwelten.errors import StoreError
from umwelten.phrases import Phrase
from umwelten.records import StoredSpec
from umwelten.store.database import connect, database, folder_errors, schema_version
from umwelten.store.settings import read_settings
from umwelten.store.views import OLD_SCHEMAS, create_current_views

DatabaseError = sqlite3.DatabaseError
"""What reading a damaged database may raise at any time; see `store.database.store_errors`."""


class Reader:
    """An evaluation as committed so far. `connection` is read only, with `sqlite3.Row`s and the views."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, spec: StoredSpec) -> None:
        """Takes over the connection. Use `open`."""
        self.folder, self.connection, self._spec = folder, connection, spec

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder's evaluation.

        Raises StoreError, with advice, if there is none, or one that is damaged or of a newer umwelten.
        """
        with folder_errors(folder):
            connection = open_for_reading(folder)
            try:
                spec = read_settings(connection)
                if spec is None:
                    raise StoreError(
                        f"the evaluation in {folder} was never started", Phrase("run it with {option:resume}")
                    )
                create_current_views(connection)
            except BaseException:
                connection.close()
                raise
        connection.row_factory = sqlite3.Row
        return cls(folder, connection, spec)

    def spec(self) -> StoredSpec:
        """Return the settings, with the models and repeats of the latest plan."""
        return self._spec

    def close(self) -> None:
        """Close the file. Twice is fine."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def evaluations(output_dir: Path) -> Iterator[Path]:
    """Yield the folders under `output_dir` that hold an evaluation, by name."""
    if output_dir.is_dir():
        yield from sorted(folder for folder in output_dir.iterdir() if database(folder).is_file())


def open_for_reading(folder: Path, *, untouched: bool = False) -> sqlite3.Connection:
    """Open the folder's database, which cannot be changed through it.

    It needs no lock and sees what is committed. What an earlier umwelten made looks like the present schema,
    and stays as it is. `untouched`: read the file as it lies there, without its log; not even the index of
    the log is written to the folder, and what a run wrote last may be missing.

    Raises StoreError if there is none, or one of a newer umwelten; sqlite3.Error if it is damaged.
    """
    path = database(folder)
    if not path.is_file():
        raise StoreError(f"no evaluation in {folder}", "umwelten eval list shows those there are")
    address = path.resolve().as_uri() + "?mode=ro"
    if untouched:
        return _open(f"{address}&immutable=1", folder)
    try:
        return _open(address, folder)
    except sqlite3.OperationalError:
        # A folder that can't be written to has no place for the index of the journal; without a journal
        # the file itself has everything.
        if _has_journal(path):
            raise
        return _open(f"{address}&immutable=1", folder)


def _open(address: str, folder: Path) -> sqlite3.Connection:
    connection = connect(address, uri=True)
    try:
        version = schema_version(connection, folder)
        if version == 0:
            raise StoreError(
                f"the evaluation in {folder} was never started", Phrase("run it again with {option:resume}")
            )
        for script in OLD_SCHEMAS[version:]:
            connection.executescript(script)
    except BaseException:
        connection.close()
        raise
    return connection


def _has_journal(path: Path) -> bool:
    journal = path.with_name(path.name + "-wal")
    return journal.exists() and journal.stat().st_size > 0
