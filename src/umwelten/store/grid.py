"""The grid inputs × models × repeats: what is in it, what is done, what comes next."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from umwelten.store.inputs import usable_path
from umwelten.store.rows import FAILED, SUCCEEDED, ResultSlot, result_slot
from umwelten.store.schema import MODEL_BITS, REPEAT_BITS, call_id
from umwelten.types import Call, FrozenStruct, Input


class Counts(FrozenStruct):
    """Cells of the active grid. An answer to bytes that have changed since counts as pending."""

    total: int
    succeeded: int
    failed: int
    pending: int


def standing(connection: sqlite3.Connection, repeats: int) -> tuple[Counts, dict[int, int]]:
    """The figures of now, and the cells without a good answer, pending or failed, by variant."""
    inputs = connection.execute("SELECT count(*) FROM inputs WHERE active").fetchone()[0]
    models = [row[0] for row in connection.execute("SELECT id FROM models WHERE active")]
    found = connection.execute(
        "SELECT c.model_id, c.status, count(*) FROM calls c JOIN inputs i ON i.id = c.input_id"
        " WHERE i.active AND c.input_version = i.version AND c.repeat <= ? GROUP BY c.model_id, c.status",
        (repeats,),
    )
    counted = {(model, status): number for model, status, number in found}
    succeeded = sum(counted.get((model, SUCCEEDED), 0) for model in models)
    failed = sum(counted.get((model, FAILED), 0) for model in models)
    total = len(models) * inputs * repeats
    counts = Counts(total=total, succeeded=succeeded, failed=failed, pending=total - succeeded - failed)
    return counts, {model: inputs * repeats - counted.get((model, SUCCEEDED), 0) for model in models}


# --- what comes next -------------------------------------------------------------------------

_PENDING = f"""
    SELECT i.id, r.n, i.name, i.path, i.size, i.stamp, i.part, i.version, i.stem, c.output
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
        self._ended: int | None = None

    def take(self, n: int, inputs: int) -> list[tuple[Call, ResultSlot]]:
        """Up to `n` further cells in the order (input, repeat).

        `inputs` is another number whenever further ones may be there: else the end is not looked for twice.
        """
        if self._ended == inputs:
            return []
        position = {"model": self._model, "input": self._input, "repeat": self._repeat, "n": n}
        found = self._connection.execute(_PENDING, position).fetchall()
        self._ended = inputs if len(found) < n else None
        if found:
            self._input, self._repeat = found[-1][0], found[-1][1]
        return [self._cell(*row) for row in found]

    def at(self, number: int, repeat: int) -> list[tuple[Call, ResultSlot]]:
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
        part: str,
        version: int,
        stem: str,
        kept: str | None,
    ) -> tuple[Call, ResultSlot]:
        source = (
            Input(id=number, name=name, path=usable_path(path), size=size, stamp=stamp, part=part)
            if number
            else None
        )
        call = Call(id=call_id(number, self._model, repeat), model=self._model, input=source, repeat=repeat)
        return call, result_slot(stem, self._slug, repeat, version, kept)


def write_repeats(connection: sqlite3.Connection, repeats: int) -> None:
    """Set up `repeats` on a connection that is to walk with cursors."""
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS repeats (n INTEGER PRIMARY KEY)")
    connection.execute("DELETE FROM repeats")
    connection.executemany("INSERT INTO repeats VALUES (?)", ((n,) for n in range(1, repeats + 1)))
