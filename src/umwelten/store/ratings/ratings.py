"""Ratings and comments: read, written, and exported as the table that a judge is checked against."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from umwelten.errors import StoreError, UsageError
from umwelten.store.database import (
    NeverStarted,
    check_own_files,
    folder_errors,
    open_database,
    open_for_reading,
    store_errors,
    transaction,
)
from umwelten.store.ratings.tables import RATINGS
from umwelten.store.reader import Reader
from umwelten.store.rows import clean
from umwelten.store.tables import SUCCEEDED
from umwelten.types import FrozenStruct

SCALES = {"1-5": (1.0, 5.0), "pass/fail": (0.0, 1.0)}
"""The lowest and the highest value of each."""
LONGEST_COMMENT = 10_000


class Rating(FrozenStruct):
    """What somebody said of an answer. `value` is on the scale, `None` for a comment alone."""

    call: int
    scale: str
    value: float | None
    comment: str
    at: float


class RatedAnswer(FrozenStruct):
    """A rating with the names of its answer, as a judge's table has them."""

    file: str
    model: str
    prompt: str
    repeat: int
    rating: Rating


def rate(reader: Reader, call: int, *, scale: str, value: float | None, comment: str) -> Rating | None:
    """Keep a rating of the call's answer in place of an earlier one; with nothing in it, remove that.

    Returns what is kept. Raises UsageError for a value that is none and a call without an answer, StoreError
    if it cannot be written.
    """
    if scale not in SCALES:
        raise UsageError(f"{scale[:40]!r} is no scale", f"Known: {', '.join(SCALES)}.")
    low, high = SCALES[scale]
    if value is not None and not (low <= value <= high and float(value).is_integer()):
        raise UsageError(
            f"{value!r} is no rating on the scale {scale}",
            f"It must be a whole number from {low:g} to {high:g}.",
        )
    if len(comment) > LONGEST_COMMENT:
        raise UsageError(f"the comment has {len(comment):,} characters", f"{LONGEST_COMMENT:,} are allowed.")
    own = _key(reader, call)
    if own is None:
        raise UsageError(f"call {call} has no answer", "Only answers can be rated, of calls that succeeded.")
    rating = Rating(call=call, scale=scale, value=value, comment=clean(comment.strip()), at=time.time())
    kept = value is not None or bool(rating.comment)
    folder = reader.folder
    try:
        with folder_errors(folder), store_errors(folder, RATINGS):
            check_own_files(folder, kind=RATINGS)
            with closing(open_database(folder, RATINGS)) as connection, transaction(connection):
                if kept:
                    connection.execute(
                        "INSERT OR REPLACE INTO ratings VALUES (?, ?, ?, ?, ?, ?)",
                        (call, own, scale, value, rating.comment, rating.at),
                    )
                else:
                    connection.execute("DELETE FROM ratings WHERE call_id = ?", (call,))
    except StoreError as error:
        raise StoreError(f"the rating cannot be kept: {error.message}", error.hint) from error
    return rating if kept else None


def ratings(reader: Reader, only: int | None = None) -> dict[int, Rating]:
    """Return the ratings of the answers that count now, by call; `only`: of this one. Raises StoreError."""
    with closing(_open(reader.folder)) as connection, store_errors(reader.folder, RATINGS):
        rows = connection.execute(
            "SELECT call_id, key, scale, value, comment, at FROM ratings "
            "WHERE :only IS NULL OR call_id = :only ORDER BY 1",
            {"only": only},
        )
        found: dict[int, Rating] = {}
        for call, key, scale, value, comment, at in rows:
            if _key(reader, call) == key:
                found[call] = Rating(call=call, scale=scale, value=value, comment=comment, at=at)
        return found


def rated_answers(reader: Reader, scale: str | None = None) -> tuple[str, list[RatedAnswer], int]:
    """Return the scale, the answers that were rated on it by call, and how many ratings are on another one.

    Without `scale` it is that of the latest rating.
    """
    found = [one for one in ratings(reader).values() if one.value is not None]
    if scale is None:
        scale = max(found, key=lambda one: one.at).scale if found else "1-5"
    own = [one for one in found if one.scale == scale]
    names = reader.connection
    rows = []
    for one in own:
        file, model, prompt, repeat = names.execute(
            "SELECT file, model, prompt, repeat FROM current_calls WHERE id = ?", (one.call,)
        ).fetchone()
        rows.append(RatedAnswer(file=file or "", model=model, prompt=prompt or "", repeat=repeat, rating=one))
    return scale, rows, len(found) - len(own)


def _key(reader: Reader, call: int) -> str | None:
    """Return the key of the call's answer, `None` without one: a failed call keeps its key when retried."""
    row = reader.connection.execute(
        f"SELECT key FROM current_calls WHERE id = ? AND status = {SUCCEEDED}", (call,)
    ).fetchone()
    return None if row is None else str(row[0])


def _open(folder: Path) -> sqlite3.Connection:
    if os.path.lexists(folder / RATINGS.name):
        with folder_errors(folder), store_errors(folder, RATINGS):
            try:
                return open_for_reading(folder, kind=RATINGS)
            except NeverStarted:
                pass
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for script in RATINGS.migrations:
        connection.executescript(script)
    return connection
