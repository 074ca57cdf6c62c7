"""The grid inputs × models × repeats: what is in it, what is done, what comes next."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any, cast

from umwelten.errors import UmweltenError
from umwelten.store import names
from umwelten.store.records import Scanned
from umwelten.store.rows import FAILED, SUCCEEDED, Place, clean, place
from umwelten.store.schema import MODEL_BITS, REPEAT_BITS, call_id
from umwelten.types import Call, Frozen, Input

_BATCH = 1000
_Row = tuple[str, str, int, str]

# Bytes of a path that are not UTF-8 reach us as lone surrogates, which SQLite can't store. They are
# kept as characters of a private plane, and put back when the path is used.
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN_SURROGATE = re.compile("[\U0010d800-\U0010dfff]")


class Counts(Frozen):
    """Cells of the active grid. An answer to bytes that have changed since counts as pending."""

    total: int
    succeeded: int
    failed: int
    pending: int


def count_cells(connection: sqlite3.Connection, repeats: int) -> Counts:
    """The figures of now."""
    cells, counted = _counted(connection, repeats)
    succeeded = sum(counted.get((model, SUCCEEDED), 0) for model in cells)
    failed = sum(counted.get((model, FAILED), 0) for model in cells)
    total = sum(cells.values())
    return Counts(total=total, succeeded=succeeded, failed=failed, pending=total - succeeded - failed)


def to_do(connection: sqlite3.Connection, repeats: int) -> dict[int, int]:
    """Cells without a good answer, pending or failed, by model."""
    cells, counted = _counted(connection, repeats)
    return {model: number - counted.get((model, SUCCEEDED), 0) for model, number in cells.items()}


def _counted(
    connection: sqlite3.Connection, repeats: int
) -> tuple[dict[int, int], dict[tuple[int, int], int]]:
    """Cells by active model, and those that ended by model and status."""
    inputs = connection.execute("SELECT count(*) FROM inputs WHERE active").fetchone()[0]
    models = [row[0] for row in connection.execute("SELECT id FROM models WHERE active")]
    found = connection.execute(
        "SELECT c.model_id, c.status, count(*) FROM calls c JOIN inputs i ON i.id = c.input_id"
        " WHERE i.active AND c.input_version = i.version AND c.repeat <= ? GROUP BY c.model_id, c.status",
        (repeats,),
    )
    counted = {(model, status): number for model, status, number in found}
    return dict.fromkeys(models, inputs * repeats), counted


# --- inputs ----------------------------------------------------------------------------------


def write_no_inputs(connection: sqlite3.Connection) -> None:
    """The plan is the single input 0, "no file". Needs a transaction."""
    connection.execute("UPDATE inputs SET active = 0 WHERE id <> 0")
    connection.execute(
        "INSERT INTO inputs VALUES (0, '', '', 0, '', 1, '', 1) ON CONFLICT (id) DO UPDATE SET active = 1"
    )


def write_inputs(
    connection: sqlite3.Connection,
    files: Iterable[Scanned],
    slugs: Iterable[str],
    read_hash: Callable[[str], bytes],
) -> None:
    """The plan is these files, in this order. Needs a transaction."""
    rows = ((_storable(f.name), _storable(f.path), f.size, f.stamp) for f in files)
    arrivals = _Arrivals(connection, slugs)
    if connection.execute("SELECT 1 FROM inputs LIMIT 1").fetchone() is None:
        arrivals.insert(rows)
        return
    last, rest = _known(connection, rows)
    if rest is None:
        return
    _load_scan(connection, last, rest)
    connection.execute("UPDATE inputs SET active = 0 WHERE active AND name NOT IN (SELECT name FROM scan)")
    _update_versions(connection, read_hash)
    connection.execute(
        "UPDATE inputs SET active = 1, path = s.path, size = s.size, stamp = s.stamp FROM scan s"
        " WHERE inputs.name = s.name AND (NOT active OR inputs.path <> s.path OR inputs.size <> s.size"
        " OR inputs.stamp <> s.stamp)"
    )
    arrivals.insert(_unknown(connection))
    connection.execute("DELETE FROM scan")


def _known(connection: sqlite3.Connection, rows: Iterator[_Row]) -> tuple[int, Iterator[_Row] | None]:
    """How far the scan finds what is stored, and the rest of it; `None`: nothing has changed at all.

    A resume mostly finds every file as it was: then a hundred thousand need no table of their own.
    """
    stored = connection.execute("SELECT name, path, size, stamp, id FROM inputs WHERE active ORDER BY id")
    last = -1
    for row in rows:
        known = stored.fetchone()
        if known is None or known[:4] != row:
            return last, chain((row,), rows)
        last = known[4]
    return last, None if stored.fetchone() is None else rows


def _load_scan(connection: sqlite3.Connection, last: int, rows: Iterable[_Row]) -> None:
    """The whole scan as a table: the active inputs up to `last`, then these rows."""
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS scan"
        " (n INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, path TEXT, size INTEGER, stamp TEXT)"
    )
    connection.execute("DELETE FROM scan")
    connection.execute(
        "INSERT INTO scan (name, path, size, stamp)"
        " SELECT name, path, size, stamp FROM inputs WHERE active AND id <= ? ORDER BY id",
        (last,),
    )
    connection.executemany("INSERT OR IGNORE INTO scan (name, path, size, stamp) VALUES (?, ?, ?, ?)", rows)


def _unknown(connection: sqlite3.Connection) -> Iterator[_Row]:
    found = _windows(
        connection,
        "SELECT s.n, s.name, s.path, s.size, s.stamp FROM scan s LEFT JOIN inputs i ON i.name = s.name"
        " WHERE s.n > ? AND i.id IS NULL ORDER BY s.n LIMIT ?",
    )
    return cast("Iterator[_Row]", found)


def _windows(connection: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Rows without their first column, the position; the table may be written to in between."""
    last = -1
    while found := connection.execute(query, (last, _BATCH)).fetchall():
        last = found[-1][0]
        for row in found:
            yield row[1:]


def _update_versions(connection: sqlite3.Connection, read_hash: Callable[[str], bytes]) -> None:
    changed = _windows(
        connection,
        "SELECT i.id, i.id, i.version, s.path FROM inputs i JOIN scan s ON s.name = i.name"
        " WHERE i.id > ? AND i.stamp <> s.stamp ORDER BY i.id LIMIT ?",
    )
    for number, version, path in changed:
        _update_version(connection, number, version, partial(read_hash, _usable(path)))


def _update_version(
    connection: sqlite3.Connection, number: int, version: int, digest: Callable[[], bytes]
) -> None:
    """Compare the file's bytes with those its answers are about; these keep counting, the others don't."""
    cells = (call_id(number, 0, 0), call_id(number + 1, 0, 0) - 1)
    answered = f"FROM calls WHERE id BETWEEN ? AND ? AND status = {SUCCEEDED}"
    known = connection.execute(f"SELECT DISTINCT content, input_version {answered}", cells).fetchall()
    content = _content(digest) if known else None
    if known and {old for old, seen in known if seen == version} == {content}:
        return
    connection.execute("UPDATE inputs SET version = ? WHERE id = ?", (version + 1, number))
    if content is not None:
        connection.execute(
            "UPDATE calls SET input_version = ?"
            f" WHERE id BETWEEN ? AND ? AND status = {SUCCEEDED} AND content = ?",
            (version + 1, *cells, content),
        )


def _content(digest: Callable[[], bytes]) -> bytes | None:
    try:
        return digest()
    except (OSError, UmweltenError):
        # What is wrong with the file shows when its calls start; one bad file does not end a resume.
        return None


class _Arrivals:
    """Puts new files into `inputs`, each with its number and a stem that no other has."""

    def __init__(self, connection: sqlite3.Connection, slugs: Iterable[str]) -> None:
        self._connection, self._stems = connection, names.Stems(slugs)
        self._next: int = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM inputs").fetchone()[0]
        self._folded_ready = False

    def insert(self, rows: Iterable[_Row]) -> None:
        rows = iter(rows)
        while batch := list(islice(rows, _BATCH)):
            numbered = [
                (number, *row, self._first_stem(row[0])) for number, row in enumerate(batch, self._next)
            ]
            self._next += len(batch)
            inserted = self._connection.executemany(
                "INSERT OR IGNORE INTO inputs (id, name, path, size, stamp, stem) VALUES (?, ?, ?, ?, ?, ?)",
                numbered,
            ).rowcount
            if inserted < len(batch):
                self._insert_refused(numbered)

    def _first_stem(self, name: str) -> str:
        stem = self._stems.first(name)
        if stem.isascii() or self._claim(stem):
            return stem
        return next(other for other in self._stems.others(name) if other.isascii() or self._claim(other))

    def _insert_refused(self, numbered: list[tuple[int, str, str, int, str, str]]) -> None:
        """The few of a batch whose name came before (they stay out) or whose stem did (it is varied)."""
        first, last = numbered[0][0], numbered[-1][0]
        found = self._connection.execute("SELECT id FROM inputs WHERE id BETWEEN ? AND ?", (first, last))
        present = {number for (number,) in found}
        for row in numbered:
            if row[0] not in present:
                self._insert_varied(row)

    def _insert_varied(self, row: tuple[int, str, str, int, str, str]) -> None:
        if self._connection.execute("SELECT 1 FROM inputs WHERE name = ?", (row[1],)).fetchone():
            return
        for stem in self._stems.others(row[1]):
            taken = self._connection.execute(
                "SELECT 1 FROM inputs WHERE stem = ? COLLATE NOCASE", (stem,)
            ).fetchone()
            if taken is None and (stem.isascii() or self._claim(stem)):
                self._connection.execute(
                    "INSERT INTO inputs (id, name, path, size, stamp, stem) VALUES (?, ?, ?, ?, ?, ?)",
                    (*row[:5], stem),
                )
                return

    def _claim(self, stem: str) -> bool:
        """SQLite ignores the case of ASCII alone; file systems that do, of all letters."""
        if not self._folded_ready:
            self._load_folded()
        return (
            self._connection.execute("INSERT OR IGNORE INTO folded VALUES (?)", (names.fold(stem),)).rowcount
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
            self._connection.execute("INSERT OR IGNORE INTO folded VALUES (?)", (names.fold(stem),))


# --- what comes next -------------------------------------------------------------------------

_PENDING = f"""
    SELECT i.id, r.n, i.name, i.path, i.size, i.stamp, i.version, i.stem, c.output
    FROM inputs i CROSS JOIN repeats r
    LEFT JOIN calls c ON c.id = ((i.id << {MODEL_BITS + REPEAT_BITS}) | (:model << {REPEAT_BITS}) | r.n)
    WHERE i.id >= :input AND (i.id > :input OR r.n > :repeat) AND i.active
      AND (c.id IS NULL OR c.status = {FAILED} OR c.input_version <> i.version)
    ORDER BY i.id, r.n LIMIT :n
"""

_BY_SIZE = f"""
    SELECT i.id, r.n, i.name, i.size FROM inputs i CROSS JOIN repeats r
    LEFT JOIN calls c ON c.id = ((i.id << {MODEL_BITS + REPEAT_BITS}) | (:model << {REPEAT_BITS}) | r.n)
    WHERE i.active AND (c.id IS NULL OR c.status = {FAILED} OR c.input_version <> i.version)
    -- Equal sizes in an order that has nothing to do with their names, but is the same each time.
    ORDER BY i.size DESC, (i.id * 2654435761 + r.n * 40503) % 4294967296, i.id, r.n
"""


def by_size(connection: sqlite3.Connection, model: int) -> Iterator[tuple[int, int, str, int]]:
    """The pending cells of a model as (input, repeat, name, size), the largest first."""
    return iter(connection.execute(_BY_SIZE, {"model": model}))


class Cursor:
    """Walks the pending cells of one model, each once. Cells behind it are never looked at again, so a
    cell is handed out once whatever becomes of it, and the cost of a step doesn't depend on its place."""

    def __init__(self, connection: sqlite3.Connection, model: int, slug: str | None) -> None:
        self._connection, self._model, self._slug = connection, model, slug
        self._input, self._repeat = 0, 0
        self._at_end = False

    def go_on(self) -> None:
        """Look for further cells although the end was reached: the inputs have changed."""
        self._at_end = False

    def take(self, n: int) -> list[tuple[Call, Place]]:
        """Up to `n` further cells in the order (input, repeat)."""
        if self._at_end:
            return []
        position = {"model": self._model, "input": self._input, "repeat": self._repeat, "n": n}
        found = self._connection.execute(_PENDING, position).fetchall()
        self._at_end = len(found) < n
        if found:
            self._input, self._repeat = found[-1][0], found[-1][1]
        return [self._cell(*row) for row in found]

    def at(self, number: int, repeat: int) -> list[tuple[Call, Place]]:
        """That cell if it is pending, wherever the cursor is."""
        position = {"model": self._model, "input": number, "repeat": repeat - 1, "n": 1}
        found = self._connection.execute(_PENDING, position).fetchall()
        return [self._cell(*row) for row in found if row[:2] == (number, repeat)]

    def _cell(
        self,
        number: int,
        repeat: int,
        name: str,
        path: str,
        size: int,
        stamp: str,
        version: int,
        stem: str,
        kept: str | None,
    ) -> tuple[Call, Place]:
        source = Input(id=number, name=name, path=_usable(path), size=size, stamp=stamp) if number else None
        call = Call(id=call_id(number, self._model, repeat), model=self._model, input=source, repeat=repeat)
        return call, place(stem, self._slug, repeat, version, kept)


def write_repeats(connection: sqlite3.Connection, repeats: int) -> None:
    """Set up `repeats` on a connection that is to walk with cursors."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS repeats (n INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM repeats")
    connection.executemany("INSERT INTO repeats VALUES (?)", ((n,) for n in range(1, repeats + 1)))


def _storable(path: str) -> str:
    if path.isascii():
        return path  # no file system has a NUL in a name
    return clean(_SURROGATE.sub(lambda found: chr(ord(found[0]) + 0x100000), path))


def _usable(path: str) -> str:
    if path.isascii():
        return path
    return _HIDDEN_SURROGATE.sub(lambda found: chr(ord(found[0]) - 0x100000), path)
