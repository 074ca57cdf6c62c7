"""The reading side: for reports, lists and further steps, without a lock, while a run continues or after."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from umwelten.errors import StoreError
from umwelten.phrases import Phrase
from umwelten.records import StoredSpec
from umwelten.store.database import database, folder_errors, open_for_reading
from umwelten.store.settings import read_settings
from umwelten.store.views import create_current_views


class Reader:
    """An evaluation as committed so far. `connection` is read only, with `sqlite3.Row`s and the views."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, spec: StoredSpec) -> None:
        """Takes over the connection. Use `open`."""
        self.folder, self.connection, self._spec = folder, connection, spec
        self._leaves_journal = False

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the folder's evaluation.

        Raises StoreError, with advice, if there is none, or one that is damaged or of a newer umwelten.
        """
        had_journal = _journal(folder).exists()
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
        reader = cls(folder, connection, spec)
        reader._leaves_journal = not had_journal and _journal(folder).exists()
        return reader

    def spec(self) -> StoredSpec:
        """Return the settings, with the models and repeats of the latest plan."""
        return self._spec

    def close(self) -> None:
        """Close the file. Twice is fine."""
        self.connection.close()
        if self._leaves_journal:
            self._leaves_journal = False
            _drop_empty_journal(self.folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def put_log_away(folder: Path) -> bool:
    """Have SQLite move what a run committed last into the file, and remove the log; returns if one is left.

    It does so with the last connection. One that read while the run ended was the last, and could not.
    """
    address = database(folder).resolve().as_uri() + "?mode=rw"
    with (
        suppress(OSError, sqlite3.Error),
        closing(sqlite3.connect(address, uri=True, timeout=0, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA user_version").fetchone()
    return _journal(folder).exists()


def _journal(folder: Path) -> Path:
    return database(folder).with_name(f"{database(folder).name}-wal")


def _drop_empty_journal(folder: Path) -> None:
    """Remove the empty journal and its index, which reading makes and only one that may write takes away.

    SQLite does that with the last connection, and only then: a run that has begun meanwhile keeps its own.
    """
    try:
        if _journal(folder).stat().st_size:
            return
    except OSError:
        return  # removed meanwhile
    put_log_away(folder)
