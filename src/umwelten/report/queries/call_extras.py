"""What only an opened call shows: its attempts and its reasoning. Calls are numbered from 0."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from umwelten.report import stats
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED, SUCCEEDED

_NUMBERED = """WITH numbered AS
    (SELECT id, status, attempts, row_number() OVER (ORDER BY id) - 1 AS n FROM current_calls)"""
# Of a call that was answered at once, its figures say all.
_TOLD = f"(numbered.attempts > 1 OR numbered.status = {FAILED})"
_ATTEMPTS = f"""{_NUMBERED} SELECT n, t.number, coalesce(t.error_kind, 'answered'), t.latency_s,
    t.http_status, substr(t.error_message, 1, :longest)
    FROM numbered CROSS JOIN attempts t ON t.call_id = numbered.id
    WHERE {_TOLD} ORDER BY n, t.id LIMIT :most"""
_COUNT = (
    f"SELECT count(*) FROM current_calls numbered JOIN attempts t ON t.call_id = numbered.id WHERE {_TOLD}"
)
_REASONING = f"""{_NUMBERED} SELECT n, substr(a.reasoning, 1, :longest) FROM numbered
    CROSS JOIN answers a ON a.call_id = numbered.id
    WHERE numbered.status = {SUCCEEDED} AND a.reasoning <> '' ORDER BY n"""

AttemptLine = tuple[int, str, float | None, int | None, str | None]
"""Number, "answered" or the kind of failure, seconds, HTTP status, message."""


def attempt_count(reader: Reader) -> int:
    """Return how many attempts there are of calls that failed or took several."""
    return int(reader.connection.execute(_COUNT).fetchone()[0])


def attempts_by_call(reader: Reader, *, most: int, longest: int) -> Iterator[tuple[int, list[AttemptLine]]]:
    """Yield a call's number and its attempts in order; only of calls that failed or took several.

    `most` attempts in all, messages of `longest` characters.
    """
    rows = reader.connection.execute(_ATTEMPTS, {"most": most, "longest": longest})
    for n, own in groupby(rows, key=lambda row: row[0]):
        yield n, [(row[1], row[2], stats.rounded(row[3]), row[4], row[5]) for row in own]


def reasoning_lengths(reader: Reader) -> tuple[int, int]:
    """Return how many characters of reasoning there are, and in how many answers."""
    row = reader.connection.execute(
        "SELECT total(length(reasoning)), count(*) FROM current_answers WHERE reasoning <> ''"
    ).fetchone()
    return int(row[0]), row[1]


def reasoning_by_call(reader: Reader, *, longest: int) -> Iterator[tuple[int, str]]:
    """Yield a call's number and its reasoning, `longest` characters of it."""
    rows = reader.connection.execute(_REASONING, {"longest": longest})
    return ((n, text) for n, text in rows)


def kept_size(reader: Reader) -> tuple[int, int]:
    """Return how many bytes of texts that were sent are kept, and how many texts these are."""
    row = reader.connection.execute(
        """SELECT total(size), count(*) FROM contents
        WHERE id NOT IN (SELECT sent FROM calls WHERE sent IS NOT NULL)"""
    ).fetchone()
    return int(row[0]), row[1]


def kept_questions(reader: Reader) -> Iterator[tuple[int, int, str | None]]:
    """Yield number, id and file of each call whose question is kept."""
    rows = reader.connection.execute(
        """SELECT n, id, file FROM (SELECT id, file, sent, row_number() OVER (ORDER BY id) - 1 AS n
        FROM current_calls) WHERE sent IS NOT NULL ORDER BY n"""
    )
    return ((n, call, file) for n, call, file in rows)
