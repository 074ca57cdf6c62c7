"""What the attempts of an evaluation have cost, by day and model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from umwelten.store.reader import Reader
from umwelten.store.tables import model_id_sql
from umwelten.types import FailureKind, FrozenStruct

_LIKELY = f"""CASE WHEN a.error_kind IN ('{FailureKind.SUPERSEDED}', '{FailureKind.LOST}')
    THEN (SELECT max(o.cost_nusd) FROM attempts o WHERE o.call_id = a.call_id) END"""
_IS_UNKNOWN = f"""a.cost_nusd IS NULL AND (a.error_kind IS NULL OR a.output_tokens > 0 OR a.input_tokens > 0
    OR a.error_kind = '{FailureKind.LOST}' AND {_LIKELY} IS NULL)"""
_PAID = f"""SELECT strftime('%Y-%m-%d', a.started_at, 'unixepoch') AS day, m.name, m.provider,
    count(*), total(coalesce(a.cost_nusd, {_LIKELY})),
    sum({_IS_UNKNOWN}),
    sum(coalesce(a.input_tokens, 0)), sum(coalesce(a.output_tokens, 0))
    FROM attempts a CROSS JOIN models m ON m.id = {model_id_sql("a.call_id")}"""
_BY = "GROUP BY day, m.id ORDER BY day, m.id"
_EACH = "SELECT id, call_id, number, started_at FROM attempts ORDER BY id"


class Spent(FrozenStruct):
    """What the attempts of one day at one model came to. `unknown` counts those whose cost is not known."""

    day: str
    model: str
    provider: str
    attempts: int
    cost_nusd: int
    unknown: int
    input_tokens: int
    output_tokens: int


def spending(reader: Reader, *, besides: set[bytes] | None = None) -> Iterator[Spent]:
    """Yield what was paid. `besides`: attempts that were counted already; those counted now are added.

    A copy of an evaluation has the attempts of its original, which were paid once.
    """
    connection = reader.connection
    cursor = connection.cursor()
    cursor.row_factory = None
    if besides is None:
        rows = cursor.execute(f"{_PAID} {_BY}").fetchall()
    else:
        cursor.execute("CREATE TEMP TABLE paid (id INTEGER PRIMARY KEY)")
        cursor.executemany("INSERT INTO paid VALUES (?)", _new(reader, besides))
        query = f"{_PAID} WHERE a.id IN (SELECT id FROM paid) {_BY}"
        rows = cursor.execute(query).fetchall()
        cursor.execute("DROP TABLE paid")
    for row in rows:
        yield msgspec.convert([*row[:4], int(row[4]), *row[5:]], _Row).spent()


class _Row(msgspec.Struct, array_like=True):
    day: str
    model: str
    provider: str
    attempts: int
    cost_nusd: int
    unknown: int
    input_tokens: int
    output_tokens: int

    def spent(self) -> Spent:
        return Spent(**msgspec.structs.asdict(self))


def _new(reader: Reader, counted: set[bytes]) -> Iterator[tuple[int]]:
    for attempt, call, number, started in reader.connection.execute(_EACH):
        key = hashlib.blake2b(repr((call, number, started)).encode(), digest_size=12).digest()
        if key not in counted:
            counted.add(key)
            yield (attempt,)


def origin(reader: Reader) -> str:
    """Return what an evaluation and its copies have in common."""
    row = reader.connection.execute("SELECT created_at, settings_hash FROM evaluation").fetchone()
    return f"{row[0]} {bytes(row[1]).hex()}"
