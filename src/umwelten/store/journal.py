"""The log of a database that SQLite keeps beside it, and its index: who reads leaves none behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path


def journal_of(path: Path) -> Path:
    """Return the file of a database's log."""
    return path.with_name(f"{path.name}-wal")


def put_log_away(path: Path) -> bool:
    """Have SQLite move what was committed last into the file, and remove the log; return if one is left.

    It does so with the last connection. One that read while a run ended was the last, and could not.
    """
    address = path.resolve().as_uri() + "?mode=rw"
    with (
        suppress(OSError, sqlite3.Error),
        closing(sqlite3.connect(address, uri=True, timeout=0, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA user_version").fetchone()
    return journal_of(path).exists()


class TidyConnection(sqlite3.Connection):
    """A connection that reads, and takes away the empty log that it made.

    SQLite does that with the last connection, and only then: a run that has begun meanwhile keeps its own.
    """

    made_log_of: Path | None = None

    def close(self) -> None:
        """Close it. Twice is fine."""
        super().close()
        path, self.made_log_of = self.made_log_of, None
        if path is None:
            return
        with suppress(OSError):  # removed meanwhile
            if not journal_of(path).stat().st_size:
                put_log_away(path)
