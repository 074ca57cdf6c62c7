"""The calls that a run gave up."""

from __future__ import annotations

import sqlite3

from umwelten.store.tables import FAILED, cell_of
from umwelten.types import FrozenStruct


class FailedCall(FrozenStruct):
    """A call that was given up, by its cell. `lane` made its last attempt; "" where that is not known."""

    id: int
    input: int
    model: int
    repeat: int
    kind: str
    lane: str


def failed_calls(
    connection: sqlite3.Connection, run_id: int, *, kind: str = "", input_name: str = ""
) -> list[FailedCall]:
    """Return the calls that this run gave up, all or those of a kind of failure or about an input."""
    rows = connection.execute(
        """SELECT c.id, coalesce(c.error_kind, ''), coalesce((SELECT a.served_by FROM attempts a
             WHERE a.call_id = c.id ORDER BY a.id DESC LIMIT 1), '')
           FROM calls c CROSS JOIN inputs i ON i.id = c.input_id
           WHERE c.status = ? AND c.run_id = ? AND (? = '' OR c.error_kind = ?) AND (? = '' OR i.name = ?)""",
        (FAILED, run_id, kind, kind, input_name, input_name),
    )
    return [
        FailedCall(id=number, input=cell[0], model=cell[1], repeat=cell[2], kind=failure, lane=lane)
        for number, failure, lane in map(tuple, rows)
        for cell in (cell_of(number),)
    ]


def spent_before(connection: sqlite3.Connection, run_id: int) -> int:
    """Return the sum of the known costs of the attempts of other runs, in nano-USD."""
    query = "SELECT coalesce(sum(cost_nusd), 0) FROM attempts WHERE run_id <> ?"
    return int(connection.execute(query, (run_id,)).fetchone()[0])
