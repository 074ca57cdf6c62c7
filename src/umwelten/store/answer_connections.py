"""Databases of earlier answers that stay open while an evaluation reads them, call by call.

To open one takes a hundred times as long as to read an answer.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from contextvars import ContextVar, Token
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from umwelten.store.database import database, folder_errors, open_for_reading

_open: ContextVar[AnswerConnections | None] = ContextVar("answer_connections", default=None)

Row = tuple[Any, ...]


class AnswerConnections:
    """Keeps the databases that `read_row` reads open, in this context and the tasks and threads it starts.

    A database that was replaced is opened anew. Leaving closes them all.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[Path, tuple[tuple[int, int], sqlite3.Connection]] = {}
        self._token: Token[AnswerConnections | None] | None = None

    def __enter__(self) -> Self:
        self._token = _open.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _open.reset(self._token)
        with self._lock:
            for folder in list(self._connections):
                self._close(folder)

    def row(self, folder: Path, query: str, values: tuple[object, ...]) -> Row | None:
        """Return the first row, `None` without one. Raises StoreError, sqlite3.Error, OSError."""
        with self._lock:
            try:
                found: Row | None = self._connection(folder).execute(query, values).fetchone()
            except BaseException:
                self._close(folder)
                raise
            return found

    def _connection(self, folder: Path) -> sqlite3.Connection:
        status = os.stat(database(folder))  # noqa: PTH116 - for each answer that is read
        file = status.st_dev, status.st_ino
        known = self._connections.get(folder)
        if known is not None and known[0] == file:
            return known[1]
        self._close(folder)
        connection = open_for_reading(folder)
        self._connections[folder] = file, connection
        return connection

    def _close(self, folder: Path) -> None:
        known = self._connections.pop(folder, None)
        if known is not None:
            known[1].close()


def read_row(folder: Path, query: str, values: tuple[object, ...]) -> Row | None:
    """Return the first row of an evaluation's database, `None` without one. Raises StoreError."""
    held = _open.get()
    with folder_errors(folder):
        if held is not None and database(folder).exists():
            return held.row(folder, query, values)
        with closing(open_for_reading(folder)) as connection:
            found: Row | None = connection.execute(query, values).fetchone()
            return found
