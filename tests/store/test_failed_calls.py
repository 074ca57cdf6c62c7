"""The calls that a run gave up, as the store tells them."""

from __future__ import annotations

import sqlite3

from umwelten.store.failed_calls import failed_calls
from umwelten.store.tables import MIGRATIONS, call_id


def test_a_call_that_failed_without_an_attempt_in_its_run_has_the_lane_of_its_last_one() -> None:
    """As where its tools could not be run again: it was counted in that lane."""
    with sqlite3.connect(":memory:") as db:
        for migration in MIGRATIONS:
            db.executescript(migration)
        number = call_id(1, 1, 1)
        db.execute("INSERT INTO inputs (id, name, path, size, stamp, stem) VALUES (1, 'a', 'a', 1, '', 'a')")
        db.execute(
            """INSERT INTO calls (id, input_id, model_id, repeat, input_version, key, content, status, run_id,
                 started_at, response_s, time_s, attempts, error_kind)
               VALUES (?, 1, 1, 1, 1, '', x'', 2, 2, 0, 0, 0, 0, 'tools')""",
            (number,),
        )
        for lane in ("one", "two"):
            db.execute(
                "INSERT INTO attempts (call_id, run_id, number, started_at, latency_s, served_by) "
                "VALUES (?, 1, 1, 0, 0, ?)",
                (number, lane),
            )
        (found,) = failed_calls(db, 2)
    assert (found.lane, found.kind, found.model) == ("two", "tools", 1)
