"""An evaluation's database: where it is, and how it is opened to be written and brought up to date."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from umwelten.errors import StoreError
from umwelten.phrases import Phrase
from umwelten.store.schema import MIGRATIONS
from umwelten.store.views import create_current_views

DATABASE, LOCK = "evaluation.db", "evaluation.lock"
APPLICATION_ID = 0x756D7774  # "umwt"
_OLDEST_SQLITE = (3, 37, 0)  # STRICT
_BUSY_S = 5.0  # another program may have the file open for a moment

# What sqlite3 has no adapter for it asks for a method that adapts it, by an exception each time. These two
# need none, and half of a call's columns are one of them: it was a twentieth of a call's cost.
_AS_THEY_ARE: dict[type, Any] = {type(None): {}.get, bytes: bytes}
for _kind, _adapter in _AS_THEY_ARE.items():
    if (_kind, sqlite3.PrepareProtocol) not in sqlite3.adapters:
        sqlite3.register_adapter(_kind, _adapter)

_RESTORE = Phrase(
    "restore it from a backup, or start the id afresh with {option:overwrite} (the old folder is kept aside)"
)


def database(folder: Path) -> Path:
    """Return where a folder's database is."""
    return folder / DATABASE


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Turn what SQLite raises into a StoreError that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{database(folder)} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{database(folder)} is damaged: {error}", _RESTORE) from error


@contextmanager
def folder_errors(folder: Path) -> Iterator[None]:
    """Do as `store_errors` does, and the same for what the file system raises."""
    try:
        with store_errors(folder):
            yield
    except OSError as error:
        raise StoreError(f"{folder} cannot be used: {error.strerror or error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one transaction: all or nothing, and on disk afterwards."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.rollback()
        raise


def open_database(folder: Path) -> sqlite3.Connection:
    """Open the connection that writes: made and migrated as needed. Statements commit by themselves."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or later is needed")
    connection = connect(str(database(folder)))
    try:
        version = schema_version(connection, folder)  # before anything is changed in a file that isn't ours
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def open_second(folder: Path) -> sqlite3.Connection:
    """Open a further connection of the process that writes; it has the views of `store.views`."""
    connection = connect(str(database(folder)))
    try:
        create_current_views(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(address: str, *, uri: bool = False) -> sqlite3.Connection:
    """Connect as every connection of ours: statements commit by themselves, any thread may use it."""
    # Used by one thread after the other: made here, written to in the writer's thread, closed here.
    return sqlite3.connect(address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=uri)


def schema_version(connection: sqlite3.Connection, folder: Path) -> int:
    """Return how many migrations the database has had; 0 is an empty file.

    Raises StoreError if it isn't ours or is of a newer umwelten.
    """
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if version or tables:
            raise StoreError(f"{database(folder)} is not a database of umwelten", _RESTORE)
    known = len(MIGRATIONS)
    if version > known:
        raise StoreError(
            f"{database(folder)} was made by a newer umwelten (schema {version}, this one knows {known})",
            "upgrade umwelten",
        )
    return version


def move_aside(folder: Path) -> Path:
    """Rename the folder to `<name>.replaced-<time>` and return where it is now. Its lock must be held."""
    stem = f"{folder.name}.replaced-{time.strftime('%Y%m%dT%H%M%S')}"
    target, number = folder.with_name(stem), 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{stem}-{number}")
    return folder.rename(target)


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    for number in range(version, len(MIGRATIONS)):
        script = (
            f"BEGIN IMMEDIATE; {MIGRATIONS[number]};"
            f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number + 1}; COMMIT;"
        )
        try:
            connection.executescript(script)
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
