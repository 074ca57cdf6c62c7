"""The reading side: for reports, lists and further steps, without a lock, while a run continues or after."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from umwelten.phrases import Phrase
from umwelten.records import StoredSpec
from umwelten.store.database import NeverStarted, folder_errors, open_for_reading
from umwelten.store.settings import read_settings
from umwelten.store.views import create_current_views


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
                    raise NeverStarted(
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
