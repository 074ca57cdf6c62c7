"""An evaluation's folder: its lock, and its database opened and brought up to date."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.errors import EvaluationBusy, StoreError
from umwelten.phrases import Phrase
from umwelten.store.schema import MIGRATIONS, VIEWS

if TYPE_CHECKING:
    from filelock import BaseFileLock

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
    """Where a folder's database is."""
    return folder / DATABASE


@contextmanager
def reported(folder: Path) -> Iterator[None]:
    """Turn what SQLite raises into a StoreError that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{database(folder)} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{database(folder)} is damaged: {error}", _RESTORE) from error


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """`reported`, and the same for what the file system raises."""
    try:
        with reported(folder):
            yield
    except OSError as error:
        raise StoreError(f"{folder} cannot be used: {error.strerror or error}") from error


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and on disk afterwards."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.rollback()
        raise


def lock(folder: Path) -> BaseFileLock:
    """Make the folder and take its lock, which the operating system gives back when the process ends.

    Raises EvaluationBusy at once if another process (or Store) has it.
    """
    # Not needed to read, and it takes longer to import than the rest of the store.
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    held = FileLock(folder / LOCK, timeout=0, thread_local=False)
    try:
        held.acquire()
    except Timeout:
        pid = _last_pid(folder)
        who = "another process" if pid is None else f"process {pid}"
        raise EvaluationBusy(
            f"{who} works on evaluation {folder.name!r}",
            Phrase("wait until it has ended, or use another {option:id}"),
            argument="id",
        ) from None
    return held


def open_database(folder: Path) -> sqlite3.Connection:
    """The connection that writes: made and migrated as needed. Statements commit by themselves."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or later is needed")
    connection = _connect(str(database(folder)))
    try:
        version = _version(connection, folder)  # before anything is changed in a file that isn't ours
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def open_second(folder: Path) -> sqlite3.Connection:
    """A further connection of the same process."""
    return _connect(str(database(folder)))


def open_read_only(folder: Path) -> sqlite3.Connection:
    """A connection that can't change anything. It needs no lock and sees what is committed.

    What an earlier umwelten made looks like the present schema, and stays as it is.
    """
    path = database(folder)
    if not path.is_file():
        raise StoreError(f"no evaluation in {folder}", "umwelten eval list shows those there are")
    address = path.resolve().as_uri() + "?mode=ro"
    try:
        connection, version = _connect_read_only(address, folder)
    except sqlite3.OperationalError:
        # A folder that can't be written to has no place for the index of the journal; without a journal
        # the file itself has everything.
        if _has_journal(path):
            raise
        connection, version = _connect_read_only(address + "&immutable=1", folder)
    if version == 0:
        connection.close()
        raise StoreError(
            f"the evaluation in {folder} was never started", Phrase("run it again with {option:resume}")
        )
    for script in VIEWS[version:]:
        connection.executescript(script)
    return connection


def move_aside(folder: Path) -> Path:
    """Rename the folder to `<name>.replaced-<time>` and return where it is now. Its lock must be held."""
    stem = f"{folder.name}.replaced-{time.strftime('%Y%m%dT%H%M%S')}"
    target, number = folder.with_name(stem), 1
    while target.exists():
        number += 1
        target = folder.with_name(f"{stem}-{number}")
    return folder.rename(target)


def _connect(address: str, *, uri: bool = False) -> sqlite3.Connection:
    # Used by one thread after the other: made here, written to in the writer's thread, closed here.
    return sqlite3.connect(address, timeout=_BUSY_S, isolation_level=None, check_same_thread=False, uri=uri)


def _connect_read_only(address: str, folder: Path) -> tuple[sqlite3.Connection, int]:
    connection = _connect(address, uri=True)
    try:
        return connection, _version(connection, folder)
    except BaseException:
        connection.close()
        raise


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


def _version(connection: sqlite3.Connection, folder: Path) -> int:
    """How many migrations the database has had. Raises StoreError if it isn't ours or is a newer one."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if application != APPLICATION_ID and (version or tables):
        raise StoreError(f"{database(folder)} is not a database of umwelten", _RESTORE)
    known = len(MIGRATIONS)
    if version > known:
        raise StoreError(
            f"{database(folder)} was made by a newer umwelten (schema {version}, this one knows {known})",
            "upgrade umwelten",
        )
    return version


def _has_journal(path: Path) -> bool:
    journal = path.with_name(path.name + "-wal")
    return journal.exists() and journal.stat().st_size > 0


def _last_pid(folder: Path) -> int | None:
    """The process of the latest run, if neither has ended."""
    try:
        with closing(open_read_only(folder)) as connection:
            row = connection.execute("SELECT pid, ended_at FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    except (StoreError, sqlite3.Error):
        return None
    # The run of a process that was killed has no end either, and the next one may not have its row yet.
    return None if row is None or row[1] is not None or not _lives(row[0]) else int(row[0])


def _lives(pid: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 is not harmless
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
