"""An evaluation's database: where it is, and how it is opened, to be written or to be read.

`open_for_reading` is the one way to a database that is not to be changed. Nothing here needs more of the
package than the schema: the shell's completion starts here.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from umwelten.errors import StoreError
from umwelten.phrases import Phrase, Wording
from umwelten.store.journal import TidyConnection, journal_of
from umwelten.store.schema_check import foreign_object
from umwelten.store.tables import MAX_INPUTS, MAX_MODELS, MIGRATIONS
from umwelten.store.views import OLD_SCHEMAS, create_current_views

DatabaseError = sqlite3.DatabaseError
"""What reading a damaged database may raise at any time; `store_errors` makes a StoreError of it."""

VALUE_ERRORS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a stored value of the wrong type comes to, wherever it is used; see `raise_if_damaged`."""

DATABASE, LOCK = "evaluation.db", "evaluation.lock"
# At the end of a journal that names another one. SQLite would delete what it names, wherever that is; a
# journal of a single database, as all of ours are, names none.
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")
_MOST_BYTES = 256_000_000  # of a row: a reply has 64 MB at most, of which its text and its record are kept
# Steps of SQLite between two looks at whether the user wants to stop: some milliseconds.
_STEPS = 200_000
APPLICATION_ID = 0x756D7774  # "umwt"


class NeverStarted(StoreError):
    """There is a database, and no migration has made a table in it: a kill came first."""


class DatabaseKind(NamedTuple):
    """One of the databases in an evaluation's folder.

    `remade`: what to do about one that is damaged. `work`: what a process does that holds its lock.
    `bounds`: (what, table, least, most) of the numbers of rows that others are made of.
    `otherwise`: what else there is to do where its place is taken or not ours. `subject`: what the database
    is of, where that is no evaluation.
    """

    name: str
    lock: str
    application_id: int
    migrations: tuple[str, ...]
    remade: Wording
    work: str
    bounds: tuple[tuple[str, str, int, int], ...] = ()
    otherwise: Wording = Phrase(", or use another {option:id}")
    subject: str | None = None

    @property
    def journal(self) -> str:
        return f"{self.name}-journal"

    @property
    def files(self) -> tuple[str, ...]:
        """The names of all its files."""
        return (self.name, f"{self.name}-wal", f"{self.name}-shm", self.journal, self.lock)


_OLDEST_SQLITE = (3, 37, 0)  # STRICT
_BUSY_S = 5.0  # another program may have the file open for a moment

# What sqlite3 has no adapter for it asks for a method that adapts it, by an exception each time. These two
# need none, and half of a call's columns are one of them: it was a twentieth of a call's cost.
_AS_THEY_ARE: dict[type, Any] = {type(None): {}.get, bytes: bytes}
for _kind, _adapter in _AS_THEY_ARE.items():
    if (_kind, sqlite3.PrepareProtocol) not in sqlite3.adapters:
        sqlite3.register_adapter(_kind, _adapter)

_RESTORE = Phrase(
    "restore it from a backup, or start over with {option:overwrite} (the old folder is moved aside)"
)
EVALUATION = DatabaseKind(
    DATABASE,
    LOCK,
    APPLICATION_ID,
    MIGRATIONS,
    _RESTORE,
    "works on",
    (("model", "models", 1, MAX_MODELS), ("input", "inputs", 0, MAX_INPUTS)),
)
"""The evidence: what was asked and answered."""


def database(folder: Path) -> Path:
    """Return where a folder's database is."""
    return folder / DATABASE


def has_database(folder: Path) -> bool:
    """Return whether a folder has anything by the database's name, which may yet not be one."""
    return os.path.lexists(database(folder))


def check_own_files(folder: Path, *names: str, writing: bool = True, kind: DatabaseKind = EVALUATION) -> None:
    """See that the folder and umwelten's own files in it are what they should be, as far as they are there.

    Raises StoreError for a link, which would have us write elsewhere, and for what is no regular file.
    `names`: look at these alone. `writing`: otherwise the database may have a second name, as in a snapshot.
    """
    _refuse_link(str(folder))
    for name in names or kind.files:
        status = _refuse_link(f"{folder}/{name}", kind)
        if status is None:
            continue
        if not stat.S_ISREG(status.st_mode):
            raise StoreError(f"{folder / name} is not a regular file", _not_ours(kind))
        # SQLite writes the index of its log even for a reader.
        if status.st_nlink > 1 and (writing or name not in (kind.name, kind.lock)):
            hint = Phrase("copy the folder (cp -r) and use the copy{otherwise}", otherwise=kind.otherwise)
            raise StoreError(f"{folder / name} is a hard link: the same file has another name", hint)
    journal = folder / kind.journal
    if not names and journal.exists():
        with journal.open("rb") as file:
            file.seek(max(0, journal.stat().st_size - len(_NAMES_ANOTHER)))
            if file.read() == _NAMES_ANOTHER:
                raise StoreError(f"{journal} leads to files elsewhere", _not_ours(kind))


def remove_own_files(folder: Path) -> None:
    """Take an evaluation back that was just begun: also its folder, if nothing else is in it."""
    with suppress(OSError):
        for name in EVALUATION.files:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def check_directories(folder: Path) -> None:
    """See that no directory within the folder is a link: text files would be written elsewhere."""
    for path, directories, _ in os.walk(folder):
        for name in directories:
            _refuse_link(f"{path}/{name}")


def _not_ours(kind: DatabaseKind) -> Phrase:
    return Phrase("umwelten did not make it so: remove it{otherwise}", otherwise=kind.otherwise)


def _refuse_link(path: str, kind: DatabaseKind = EVALUATION) -> os.stat_result | None:
    """Return what the file is, `None` if there is none. Raises StoreError for a link."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(status.st_mode):
        raise StoreError(f"{Path(path)} is a link to {Path(path).readlink()}", _not_ours(kind))
    return status


def evaluations(output_dir: Path) -> Iterator[Path]:
    """Yield the folders under `output_dir` that hold an evaluation, by name."""
    if output_dir.is_dir():
        yield from sorted(folder for folder in output_dir.iterdir() if has_database(folder))


@contextmanager
def store_errors(folder: Path, kind: DatabaseKind = EVALUATION) -> Iterator[None]:
    """Turn what SQLite raises into a StoreError that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise_if_interrupted(error)
        raise StoreError(f"{folder / kind.name} cannot be used: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{folder / kind.name} is damaged: {damage(error)}", kind.remade) from error
    except VALUE_ERRORS as error:
        raise_if_damaged(folder, error, kind)
        raise


def raise_if_damaged(folder: Path, error: Exception, kind: DatabaseKind = EVALUATION) -> None:
    """Raise StoreError if the database holds a value that its tables do not allow: that led to the error.

    So did JSON that cannot be read. All values are looked at, so this is for what would else be a crash.
    """
    # By its name: the shell's completion comes by here, and need not wait for the import.
    problem: object = error if type(error).__module__ == "msgspec" else "ok"
    with suppress(StoreError, OSError):
        try:
            with closing(open_for_reading(folder, kind=kind)) as connection:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                problem = found if found != "ok" else problem
        except sqlite3.Error as broken:
            raise_if_interrupted(broken)
            problem = broken
    if problem != "ok":
        raise StoreError(f"{folder / kind.name} is damaged: {problem}", kind.remade) from error


def damage(error: sqlite3.Error) -> str:
    """Return what is wrong with a database that SQLite refuses, in words."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_TOOBIG:
        return f"a row has more than {_MOST_BYTES // 1_000_000} MB"
    return str(error)


def raise_if_interrupted(error: sqlite3.Error) -> None:
    """Raise KeyboardInterrupt if that is what ended the query: SQLite lets no exception through."""
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        raise KeyboardInterrupt from error


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


def open_database(folder: Path, kind: DatabaseKind = EVALUATION) -> sqlite3.Connection:
    """Open the connection that writes: made and migrated as needed. Statements commit by themselves."""
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or later is needed")
    connection = _connect(str(folder / kind.name))
    try:
        version = _schema_version(
            connection, folder, kind
        )  # before anything is changed in a file that isn't ours
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _migrate(connection, version, kind)
    except BaseException:
        connection.close()
        raise
    return connection


def open_second(folder: Path) -> sqlite3.Connection:
    """Open a further connection of the process that writes; it has the views of `store.views`."""
    connection = _connect(str(database(folder)))
    try:
        create_current_views(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_for_reading(
    folder: Path, *, untouched: bool = False, kind: DatabaseKind = EVALUATION
) -> sqlite3.Connection:
    """Open the folder's database, which cannot be changed through it.

    It needs no lock and sees what is committed. What an earlier umwelten made looks like the present schema,
    and stays as it is. `untouched`: read the file as it lies there, without its log; not even the index of
    the log is written to the folder, and what a run wrote last may be missing.

    Raises StoreError if there is none, or one of a newer umwelten; sqlite3.Error if it is damaged.
    """
    check_own_files(folder, writing=False, kind=kind)
    path = folder / kind.name
    if not path.is_file():
        raise StoreError(f"no evaluation in {folder}", "umwelten eval list shows those there are")
    address = path.resolve().as_uri() + "?mode=ro"
    if untouched:
        return _open_checked(f"{address}&immutable=1", folder, kind)
    had_log = journal_of(path).exists()
    try:
        connection = _open_checked(address, folder, kind)
        if not had_log:
            connection.made_log_of = path
        return connection
    except sqlite3.OperationalError:
        # A folder that can't be written to has no place for the index of the journal; without a journal
        # the file itself has everything.
        if _has_journal(path):
            raise
        return _open_checked(f"{address}&immutable=1", folder, kind)


def _connect(address: str, *, uri: bool = False) -> TidyConnection:
    """Connect as every connection of ours: statements commit by themselves, any thread may use it."""
    # Used by one thread after the other: made here, written to in the writer's thread, closed here.
    connection = sqlite3.connect(
        address,
        timeout=_BUSY_S,
        isolation_level=None,
        check_same_thread=False,
        uri=uri,
        factory=TidyConnection,
    )
    # The database may come from somebody else.
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MOST_BYTES)
    connection.set_progress_handler(_go_on, _STEPS)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    return connection


def _go_on() -> bool:
    """Let a query go on. As this is Python, a signal's handler runs here; its exception ends the query."""
    return False


def _schema_version(connection: sqlite3.Connection, folder: Path, kind: DatabaseKind) -> int:
    """Return how many migrations the database has had; 0 is an empty file.

    Raises StoreError if it isn't ours or is of a newer umwelten, or holds what no umwelten has made.
    """
    connection.execute("BEGIN")  # another process may just be at its migrations
    try:
        return _checked_version(connection, folder / kind.name, kind)
    except VALUE_ERRORS as error:  # a name or a statement that is no text
        raise StoreError(f"{folder / kind.name} is damaged: {error}", kind.remade) from error
    finally:
        with suppress(sqlite3.Error):
            connection.rollback()


def _checked_version(connection: sqlite3.Connection, path: Path, kind: DatabaseKind) -> int:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != kind.application_id:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if version or tables:
            raise StoreError(f"{path} is not a database of umwelten", kind.remade)
    known = len(kind.migrations)
    if version > known:
        raise StoreError(
            f"{path} was made by a newer umwelten (schema {version}, this one knows {known})",
            "upgrade umwelten",
        )
    foreign = "a version below 0" if version < 0 else foreign_object(connection, kind.migrations[:version])
    if foreign is None and version:
        foreign = _impossible_number(connection, kind)
    if foreign is not None:
        raise StoreError(f"{path} is damaged or was changed: it has {foreign}", kind.remade)
    return version


def _impossible_number(connection: sqlite3.Connection, kind: DatabaseKind) -> str | None:
    """Return the first number of a model or input that no call's number has room for: "the model 5000"."""
    for name, table, least, most in kind.bounds:
        # Each in a query of its own: asked for both at once, SQLite reads the whole table.
        ends = f"SELECT (SELECT min(id) FROM {table}), (SELECT max(id) FROM {table})"
        numbers = connection.execute(ends).fetchone()
        for number in numbers:
            if number is not None and not least <= number <= most:
                return f"the {name} {number}"
    return None


def _open_checked(address: str, folder: Path, kind: DatabaseKind) -> TidyConnection:
    connection = _connect(address, uri=True)
    try:
        version = _schema_version(connection, folder, kind)
        if version == 0:
            raise NeverStarted(
                f"the evaluation in {folder} was never started", Phrase("run it again with {option:resume}")
            )
        for script in OLD_SCHEMAS[version:] if kind is EVALUATION else ():
            connection.executescript(script)
    except BaseException:
        connection.close()
        raise
    return connection


def _has_journal(path: Path) -> bool:
    journal = journal_of(path)
    return journal.exists() and journal.stat().st_size > 0


def _migrate(connection: sqlite3.Connection, version: int, kind: DatabaseKind) -> None:
    for number in range(version, len(kind.migrations)):
        script = (
            f"BEGIN IMMEDIATE; {kind.migrations[number]};"
            f"PRAGMA application_id = {kind.application_id}; PRAGMA user_version = {number + 1}; COMMIT;"
        )
        try:
            connection.executescript(script)
        except BaseException:
            with suppress(sqlite3.Error):
                connection.rollback()
            raise
