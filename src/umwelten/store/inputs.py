"""The inputs of a plan: how those that are found become rows, and what that does to earlier answers."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, cast

from umwelten.errors import UmweltenError
from umwelten.store import text_file_names
from umwelten.store.background_iterator import STEP, BackgroundIterator
from umwelten.store.database import transaction
from umwelten.store.rows import clean
from umwelten.store.tables import FAILED, SUCCEEDED, call_id, cell_of
from umwelten.types import FoundInput

# Two indexes grow with every input; pages that are written to again and again should stay in memory.
_MANY = ("PRAGMA cache_size = -16000", "PRAGMA wal_autocheckpoint = 8000")
_USUAL = "PRAGMA wal_autocheckpoint = 1000"
ReadHash = Callable[[str, str, str, str], bytes]
"""Gives the hash of what is sent of an input: of its path, its part, the text of the prompt and its name."""

_Row = tuple[str, str, int, str, str]
_Numbered = tuple[int, str, str, int, str, str, str]

_COLUMNS = "INTO inputs (id, name, path, size, stamp, part, stem) VALUES"
_ONE = "(?, ?, ?, ?, ?, ?, ?)"
_INSERT = f"INSERT {_COLUMNS} {_ONE}"
_INSERT_NEW = f"INSERT OR IGNORE {_COLUMNS} {_ONE}"
# One statement for a whole step: the thread of the calls is held up once, not at every row.
_INSERT_STEP = f"INSERT OR IGNORE {_COLUMNS} {', '.join([_ONE] * STEP)}"

# Bytes of a path that are not UTF-8 reach us as lone surrogates, which SQLite can't store. They are
# kept as characters of a private plane, and put back when the path is used.
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN_SURROGATE = re.compile("[\U0010d800-\U0010dfff]")


def write_no_inputs(connection: sqlite3.Connection) -> None:
    """Make the single input 0, "no file", the plan. Needs a transaction."""
    connection.execute("UPDATE inputs SET active = 0 WHERE id <> 0")
    connection.execute(
        "INSERT INTO inputs (id, name, path, size, stamp, stem) VALUES (0, '', '', 0, '', '')"
        " ON CONFLICT (id) DO UPDATE SET active = 1"
    )


class Intake:
    """Inputs that are still being found, taken in step by step while calls about the first ones are made.

    `complete`: all are there. `problem`: why no more could be found. `taken`: how many by steps, as long as
    nobody sets it back. `changed`: earlier inputs are others now, or have gone.
    """

    def __init__(self, connection: sqlite3.Connection, rows: Iterator[_Row], slugs: Iterable[str]) -> None:
        self.complete = False
        self.problem: UmweltenError | None = None
        self.taken = 0
        self.changed = False
        self._connection, self._rows = connection, rows
        self._arrivals = _Arrivals(connection, slugs)
        self._background: BackgroundIterator[_Row] | None = None

    def start(self, ahead: int | None) -> None:
        """Take in so many, or all. Needs a transaction."""
        left = ahead
        while not self.complete and left != 0:
            batch = list(islice(self._rows, STEP if left is None else min(STEP, left)))
            self.complete = not batch
            self._arrivals.insert(batch)
            left = None if left is None else left - len(batch)
        if not self.complete:
            for pragma in _MANY:
                self._connection.execute(pragma)

    def step(self, wait_s: float, arrived: Callable[[], None]) -> bool | None:
        """Take in some more, in a transaction of its own. False: none came in time; None: no more come.

        `arrived` is called when they can be read, and before they are said to be all.
        """
        if self.complete or self.problem is not None:
            return None
        self._background = self._background or BackgroundIterator(self._rows)
        try:
            taken = self._background.take(wait_s)
        except UmweltenError as error:
            self.problem = error
            return True
        if taken is None:
            return False
        batch, last = taken
        self._insert(batch)
        if last:
            self._connection.execute(_USUAL)
        arrived()
        self.complete = last  # last of all: whoever sees it looks for calls once more, and never again
        return True

    def stop(self) -> None:
        """Look for no more."""
        if self._background is not None:
            self._background.stop()

    def _insert(self, batch: list[_Row]) -> None:
        self._connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes is found again
        try:
            with transaction(self._connection):
                self.taken += self._arrivals.insert(batch)
        finally:
            self._connection.execute("PRAGMA synchronous = FULL")


def write_inputs(
    connection: sqlite3.Connection,
    files: Iterable[FoundInput],
    slugs: Iterable[str],
    read_hash: ReadHash,
    ahead: int | None = None,
    *,
    again: bool = False,
) -> Intake:
    """Make these files the plan, in this order. Needs a transaction.

    `ahead`: at most so many new ones are taken in now; the rest is left to the steps of what is returned.
    `again`: known ones are read whatever their stamps, as something else is sent with them.
    """
    rows = ((storable_path(f.name), storable_path(f.path), f.size, f.stamp, f.part) for f in files)
    if connection.execute("SELECT 1 FROM inputs LIMIT 1").fetchone() is None:
        intake = Intake(connection, rows, slugs)
        intake.start(ahead)
        return intake
    same, read, at_end = _compare(connection, rows)
    if at_end and not again and (not read or not _has_inactive(connection)):
        # All that was known is as it was, and what follows is new.
        intake = Intake(connection, chain(read, rows), slugs)
        intake.start(ahead)
        return intake
    _load_scan(connection, same, chain(read, rows))
    connection.execute("UPDATE inputs SET active = 0 WHERE active AND name NOT IN (SELECT name FROM scan)")
    _update_versions(connection, read_hash, again=again)
    connection.execute(
        "UPDATE inputs SET active = 1, path = s.path, size = s.size, stamp = s.stamp, part = s.part"
        " FROM scan s WHERE inputs.name = s.name AND (NOT active OR inputs.path <> s.path"
        " OR inputs.size <> s.size OR inputs.stamp <> s.stamp OR inputs.part <> s.part)"
    )
    intake = Intake(connection, _new_rows(connection), slugs)
    intake.changed = True
    intake.start(None)
    connection.execute("DELETE FROM scan")
    return intake


def _has_inactive(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM inputs WHERE NOT active LIMIT 1").fetchone() is not None


def _compare(connection: sqlite3.Connection, rows: Iterator[_Row]) -> tuple[int, list[_Row], bool]:
    """How many rows are as stored, those that were read beyond them, and whether that is all that is stored.

    A resume mostly finds every file as it was: then a hundred thousand need no table of their own.
    """
    stored = connection.execute("SELECT name, path, size, stamp, part FROM inputs WHERE active ORDER BY id")
    same = 0
    while True:
        batch, old_batch = list(islice(rows, STEP)), stored.fetchmany(STEP)
        if batch and batch == old_batch:
            same += len(batch)
            continue
        pairs = enumerate(zip(batch, old_batch, strict=False))
        alike = next((i for i, (row, old) in pairs if row != old), min(len(batch), len(old_batch)))
        return same + alike, batch[alike:], alike == len(old_batch)


def _load_scan(connection: sqlite3.Connection, same: int, rows: Iterable[_Row]) -> None:
    """The whole scan as a table: the first `same` active inputs, then these rows."""
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS scan"
        " (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT, size INTEGER, stamp TEXT, part TEXT)"
    )
    connection.execute("DELETE FROM scan")
    connection.execute(
        "INSERT INTO scan (name, path, size, stamp, part)"
        " SELECT name, path, size, stamp, part FROM inputs WHERE active ORDER BY id LIMIT ?",
        (same,),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO scan (name, path, size, stamp, part) VALUES (?, ?, ?, ?, ?)", rows
    )


def _new_rows(connection: sqlite3.Connection) -> Iterator[_Row]:
    found = windows(
        connection,
        "SELECT s.n, s.name, s.path, s.size, s.stamp, s.part"
        " FROM scan s LEFT JOIN inputs i ON i.name = s.name"
        " WHERE s.n > ? AND i.id IS NULL ORDER BY s.n LIMIT ?",
    )
    return cast("Iterator[_Row]", found)


def windows(connection: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield rows without their first column, the position; the table may be written to in between."""
    last = -1
    while rows := connection.execute(query, (last, STEP)).fetchall():
        last = rows[-1][0]
        for row in rows:
            yield row[1:]


def _update_versions(connection: sqlite3.Connection, read_hash: ReadHash, *, again: bool) -> None:
    prompts = prompts_by_variant(connection)
    changed = windows(
        connection,
        "SELECT i.id, i.id, i.version, s.path, s.part, s.name FROM inputs i JOIN scan s ON s.name = i.name"
        f" WHERE i.id > ? {'' if again else 'AND i.stamp <> s.stamp'} ORDER BY i.id LIMIT ?",
    )
    for number, version, path, part, name in changed:
        contents = Contents(read_hash, original_path(path), part, prompts, name)
        _update_version(connection, number, version, contents)


_BEGUN = f"""SELECT s.call_id, s.content FROM steps s LEFT JOIN calls c ON c.id = s.call_id
    WHERE s.call_id BETWEEN ? AND ? AND s.number = 1 AND c.status IS NOT {SUCCEEDED}"""

_NO_VERSION = 0
"""An input's versions begin at 1."""


class Contents:
    """The hashes of what would be sent of one input now, by variant; read when they are needed."""

    def __init__(self, read: ReadHash, path: str, part: str, prompts: Mapping[int, str], name: str) -> None:
        self._read, self._path, self._part, self._prompts = read, path, part, prompts
        self._name = name
        self._found: dict[str, bytes | None] = {}

    def of(self, variant: int) -> bytes | None:
        """Return the hash, `None` if the input can't be read."""
        prompt = self._prompts[variant]
        if prompt not in self._found:
            try:
                self._found[prompt] = self._read(self._path, self._part, prompt, self._name)
            except (OSError, UmweltenError):
                # What is wrong with it shows when its calls start; one bad input does not end a resume.
                self._found[prompt] = None
        return self._found[prompt]


def _update_version(connection: sqlite3.Connection, number: int, version: int, contents: Contents) -> None:
    """Compare what would be sent with what was; answers to the same keep counting, the others don't."""
    cells = (call_id(number, 0, 0), call_id(number + 1, 0, 0) - 1)
    answered = f"FROM calls WHERE id BETWEEN ? AND ? AND status = {SUCCEEDED}"
    sent = connection.execute(
        f"SELECT DISTINCT model_id, content, input_version {answered}", cells
    ).fetchall()
    same = {(variant, content) for variant, content, _ in sent if contents.of(variant) == content}
    current = {(variant, content) for variant, content, seen in sent if seen == version}
    if not (current and current <= same):
        version += 1
        connection.execute("UPDATE inputs SET version = ? WHERE id = ?", (version, number))
        for variant, content in same:
            connection.execute(
                "UPDATE calls SET input_version = ?"
                f" WHERE id BETWEEN ? AND ? AND status = {SUCCEEDED} AND model_id = ? AND content = ?",
                (version, *cells, variant, content),
            )
    _update_conversations(connection, cells, version, contents)


def _update_conversations(
    connection: sqlite3.Connection, cells: tuple[int, int], version: int, contents: Contents
) -> None:
    """Conversations without an answer go on if the same would be sent; the others begin anew."""
    for call, content in connection.execute(_BEGUN, cells).fetchall():
        is_same = contents.of(cell_of(call)[1]) == content
        seen = version if is_same else _NO_VERSION
        connection.execute("UPDATE steps SET input_version = ? WHERE call_id = ?", (seen, call))
        if is_same:  # how it failed still tells whether it may go on
            connection.execute(
                f"UPDATE calls SET input_version = ? WHERE id = ? AND status = {FAILED} AND content = ?",
                (version, call, content),
            )


def prompts_by_variant(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the text of the prompt of every variant that there ever was."""
    rows = connection.execute(
        "SELECT m.id, coalesce(p.text, (SELECT prompt FROM evaluation))"
        " FROM models m LEFT JOIN prompts p ON p.id = m.prompt_id"
    )
    return dict(rows.fetchall())


class _Arrivals:
    """Puts new files into `inputs`, each with its number and a stem that no other has."""

    def __init__(self, connection: sqlite3.Connection, slugs: Iterable[str]) -> None:
        self._connection, self._stems = connection, text_file_names.Stems(slugs)
        self._next: int = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM inputs").fetchone()[0]
        self._folded_ready = False

    def insert(self, batch: list[_Row]) -> int:
        """At most `STEP`; returns how many they were without those whose name came before."""
        numbered = [(number, *row, self._first_stem(row[0])) for number, row in enumerate(batch, self._next)]
        self._next += len(batch)
        if len(batch) == STEP:
            cursor = self._connection.execute(_INSERT_STEP, tuple(chain.from_iterable(numbered)))
        else:
            cursor = self._connection.executemany(_INSERT_NEW, numbered)
        inserted = cursor.rowcount
        return inserted if inserted == len(batch) else inserted + self._insert_refused(numbered)

    def _first_stem(self, name: str) -> str:
        stem = self._stems.first(name)
        if stem.isascii() or self._claim(stem):
            return stem
        return next(other for other in self._stems.others(name) if other.isascii() or self._claim(other))

    def _insert_refused(self, numbered: list[_Numbered]) -> int:
        """The few of a batch whose name came before (they stay out) or whose stem did (it is varied)."""
        first, last = numbered[0][0], numbered[-1][0]
        rows = self._connection.execute("SELECT id FROM inputs WHERE id BETWEEN ? AND ?", (first, last))
        present = {number for (number,) in rows}
        return sum(self._insert_varied(row) for row in numbered if row[0] not in present)

    def _insert_varied(self, row: _Numbered) -> bool:
        if has_input(self._connection, row[1]):
            return False
        for stem in self._stems.others(row[1]):
            taken = self._connection.execute(
                "SELECT 1 FROM inputs WHERE stem = ? COLLATE NOCASE", (stem,)
            ).fetchone()
            if taken is None and (stem.isascii() or self._claim(stem)):
                self._connection.execute(_INSERT, (*row[:6], stem))
                return True
        raise AssertionError("alternatives do not end")

    def _claim(self, stem: str) -> bool:
        """SQLite ignores the case of ASCII alone; file systems that do, of all letters."""
        if not self._folded_ready:
            self._load_folded()
        return (
            self._connection.execute(
                "INSERT OR IGNORE INTO folded VALUES (?)", (text_file_names.fold(stem),)
            ).rowcount
            == 1
        )

    def _load_folded(self) -> None:
        self._folded_ready = True
        self._connection.execute(
            "CREATE TEMP TABLE IF NOT EXISTS folded (stem TEXT PRIMARY KEY) WITHOUT ROWID"
        )
        self._connection.execute("DELETE FROM folded")
        stored = self._connection.execute("SELECT stem FROM inputs WHERE stem GLOB '*[^ -~]*'")
        for (stem,) in stored:
            self._connection.execute("INSERT OR IGNORE INTO folded VALUES (?)", (text_file_names.fold(stem),))


def storable_path(path: str) -> str:
    """Return the path as it is stored; see `original_path`."""
    if path.isascii():
        return path  # no file system has a NUL in a name
    return clean(_SURROGATE.sub(lambda match: chr(ord(match[0]) + 0x100000), path))


def has_input(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether an input has this name, in the latest plan or not."""
    return connection.execute("SELECT 1 FROM inputs WHERE name = ?", (name,)).fetchone() is not None


def original_path(path: str) -> str:
    """Return the path as it was before it was stored."""
    if path.isascii():
        return path
    return _HIDDEN_SURROGATE.sub(lambda match: chr(ord(match[0]) - 0x100000), path)


def path_text(path: str) -> str:
    r"""Return a stored path as text for reports: bytes that are not UTF-8 as `\xe9`."""
    if path.isascii():
        return path
    return _HIDDEN_SURROGATE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", path)
