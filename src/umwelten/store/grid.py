"""The grid inputs × models × repeats: what is in it, what is done, what comes next."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from umwelten.store.inputs import original_path
from umwelten.store.rows import ResultSlot, json_text, result_slot
from umwelten.store.tables import FAILED, SUCCEEDED, call_id, call_id_sql
from umwelten.types import Call, FrozenStruct, Input


class Counts(FrozenStruct):
    """Cells of the active grid. An answer to bytes that have changed since counts as pending."""

    total: int
    succeeded: int
    failed: int
    pending: int


def standing(connection: sqlite3.Connection, repeats: int) -> tuple[Counts, dict[int, int]]:
    """Return the figures of now, and the cells without a good answer, pending or failed, by variant."""
    inputs = connection.execute("SELECT count(*) FROM inputs WHERE active").fetchone()[0]
    models = [row[0] for row in connection.execute("SELECT id FROM models WHERE active")]
    rows = connection.execute(
        "SELECT model_id, status, count(*) FROM current_calls GROUP BY model_id, status"
    ).fetchall()
    answered = {model: number for model, status, number in rows if status == SUCCEEDED}
    succeeded = sum(answered.values())
    failed = sum(number for _, status, number in rows if status == FAILED)
    total = len(models) * inputs * repeats
    counts = Counts(total=total, succeeded=succeeded, failed=failed, pending=total - succeeded - failed)
    return counts, {model: inputs * repeats - answered.get(model, 0) for model in models}


# --- what comes next -------------------------------------------------------------------------

_CELLS = f"""FROM inputs i CROSS JOIN repeats r
    LEFT JOIN calls c ON c.id = {call_id_sql("i.id", ":model", "r.n")}
    WHERE i.active AND (c.id IS NULL OR c.status = {FAILED} OR c.input_version <> i.version)"""

_PENDING = f"""
    SELECT i.id, r.n, i.name, i.path, i.size, i.stamp, i.part, i.version, i.stem,
           c.status = {SUCCEEDED}, c.output {_CELLS}
      AND i.id >= :input AND (i.id > :input OR r.n > :repeat)
    ORDER BY i.id, r.n LIMIT :n
"""

_BY_SIZE = f"""
    SELECT i.id, r.n, i.name, i.size {_CELLS}
    -- Equal sizes in an order that has nothing to do with their names, but is the same each time.
    ORDER BY i.size DESC, (i.id * 2654435761 + r.n * 40503) % 4294967296, i.id, r.n
"""


def by_size(connection: sqlite3.Connection, model: int) -> Iterator[tuple[int, int, str, int]]:
    """Yield the pending cells of a model as (input, repeat, name, size), the largest first."""
    return iter(connection.execute(_BY_SIZE, {"model": model}))


_FAILED = f"""FROM current_calls WHERE model_id = :model AND status = {FAILED}
    AND (:kinds = '[]' OR error_kind IN (SELECT value FROM json_each(:kinds)))"""


def failed_count(connection: sqlite3.Connection, model: int, kinds: Sequence[str]) -> int:
    """Return how many cells of a variant failed, of these kinds or of all."""
    values = {"model": model, "kinds": json_text(list(kinds))}
    return int(connection.execute(f"SELECT count(*) {_FAILED}", values).fetchone()[0])


def failed_cells(
    connection: sqlite3.Connection, model: int, kinds: Sequence[str], n: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield the failed cells of a variant as (input, repeat), up to `n` at a time, each once."""
    values: dict[str, object] = {"model": model, "kinds": json_text(list(kinds)), "n": n, "last": -1}
    query = f"""SELECT id, input_id, repeat {_FAILED} AND id > :last ORDER BY id LIMIT :n"""
    while rows := connection.execute(query, values).fetchall():
        values["last"] = rows[-1][0]
        yield [(row[1], row[2]) for row in rows]


class Cursor:
    """Walks the pending cells of one model, each once. Cells behind it are never looked at again, so a
    cell is handed out once whatever becomes of it, and the cost of a step doesn't depend on its place."""

    def __init__(
        self, connection: sqlite3.Connection, model: int, slug: str | None, *, texts: bool = True
    ) -> None:
        """`slug` None: names of text files are without the model. `texts` False: there are none."""
        self._connection, self._model, self._slug, self._texts = connection, model, slug, texts
        self._input, self._repeat = 0, 0
        self._ended: int | None = None

    def take(self, n: int, inputs: int) -> list[tuple[Call, ResultSlot]]:
        """Return up to `n` further cells in the order (input, repeat).

        `inputs` is another number whenever further ones may be there: else the end is not looked for twice.
        """
        if self._ended == inputs:
            return []
        position = {"model": self._model, "input": self._input, "repeat": self._repeat, "n": n}
        rows = self._connection.execute(_PENDING, position).fetchall()
        self._ended = inputs if len(rows) < n else None
        if rows:
            self._input, self._repeat = rows[-1][0], rows[-1][1]
        return [self._cell(*row) for row in rows]

    def at(self, number: int, repeat: int) -> list[tuple[Call, ResultSlot]]:
        """Return that cell if it is pending, wherever the cursor is."""
        position = {"model": self._model, "input": number, "repeat": repeat - 1, "n": 1}
        rows = self._connection.execute(_PENDING, position).fetchall()
        return [self._cell(*row) for row in rows if row[:2] == (number, repeat)]

    def _cell(
        self,
        number: int,
        repeat: int,
        name: str,
        path: str,
        size: int,
        stamp: str,
        part: str,
        version: int,
        stem: str,
        stale: int | None,
        outdated: str | None,
    ) -> tuple[Call, ResultSlot]:
        source = (
            Input(id=number, name=name, path=original_path(path), size=size, stamp=stamp, part=part)
            if number
            else None
        )
        call = Call(id=call_id(number, self._model, repeat), model=self._model, input=source, repeat=repeat)
        slot = result_slot(
            stem, self._slug, repeat, version, stale=bool(stale), outdated=outdated, texts=self._texts
        )
        return call, slot


def write_repeats(connection: sqlite3.Connection, repeats: int) -> None:
    """Set up `repeats` on a connection that is to walk with cursors."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS repeats (n INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM repeats")
    connection.executemany("INSERT INTO repeats VALUES (?)", ((n,) for n in range(1, repeats + 1)))


def slot_of(
    connection: sqlite3.Connection, call: Call, slug: str | None, *, texts: bool = True
) -> ResultSlot:
    """Return where the result of a call belongs. `slug` and `texts` as in `Cursor`."""
    number = 0 if call.input is None else call.input.id
    version, stem = connection.execute("SELECT version, stem FROM inputs WHERE id = ?", (number,)).fetchone()
    found = connection.execute(
        f"SELECT output FROM calls WHERE id = ? AND input_version <> ? AND status = {SUCCEEDED}",
        (call.id, version),
    ).fetchone()
    outdated = None if found is None else found[0]
    return result_slot(
        stem, slug, call.repeat, version, stale=found is not None, outdated=outdated, texts=texts
    )
