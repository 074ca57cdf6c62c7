"""The reading side of an evaluation's scores: for reports, gates and comparisons, without a lock."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from umwelten.scoring.columns import KINDS
from umwelten.scoring.score import Part
from umwelten.store.database import NeverStarted, folder_errors, open_for_reading, store_errors
from umwelten.store.scores.records import SETTING_TYPES, StoredScore, StoredScorer, Verdict
from umwelten.store.scores.tables import SCORES

_SCORES = """SELECT call_id, scorer_id, call AS call_key, value, label, passed, reason, unscored, message,
    reference, cost_nusd FROM scores"""

_TEXTS = {
    "scores": ("label", "reason", "message"),
    "parts": ("label", "message"),
    "verdicts": ("label", "reason", "message"),
    "reference_texts": ("text",),
}

_VERDICT = "judge, sample, criterion, value, label, reason, unscored, message, cost_nusd"


_PAGE = 1_000
"""Rows in memory at a time."""


class ScoreValue(NamedTuple):
    """What a score comes to; `call_key` is the key of the call whose answer was scored."""

    call_id: int
    scorer_id: int
    call_key: str
    value: float | None
    passed: bool | None
    unscored: str | None


class PartValue(NamedTuple):
    """The value of a part of a score."""

    call_id: int
    scorer_id: int
    part: str
    value: float | None


def _places(values: Collection[int]) -> str:
    return ", ".join("?" * len(values))


def has_scores(folder: Path) -> bool:
    """Return whether an evaluation's folder has scores."""
    return os.path.lexists(folder / SCORES.name)


class ScoreReader:
    """The scores of an evaluation as committed so far. Close it."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        """Takes over the connection. Use `open`."""
        self.folder, self._connection = folder, connection

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the scores of the folder's evaluation; there are none if it was never scored.

        Raises StoreError.
        """
        with folder_errors(folder), store_errors(folder, SCORES):
            if not has_scores(folder):
                return cls(folder, _none())
            try:
                return cls(folder, open_for_reading(folder, kind=SCORES))
            except NeverStarted:
                return cls(folder, _none())

    def close(self) -> None:
        """Close the file. Twice is fine."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read everything inside as of one moment, also while scores are being written."""
        with store_errors(self.folder, SCORES):
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def part_names(self) -> Iterator[tuple[int, str]]:
        """Yield (scorer, part) of all parts that there are, each once, in their order."""
        statement = "SELECT scorer_id, part FROM parts GROUP BY 1, 2 ORDER BY 1, min(number), 2"
        with store_errors(self.folder, SCORES):
            for scorer, part in self._connection.execute(statement):
                yield int(scorer), part

    def scorers(self) -> tuple[StoredScorer, ...]:
        """Return the scorers, in the order given."""
        with store_errors(self.folder, SCORES):
            return read_scorers(self._connection)

    def settings(self) -> dict[str, Any]:
        """Return how the answers were scored last, by name."""
        with store_errors(self.folder, SCORES):
            return read_settings(self._connection)

    def clusters(self) -> dict[int, str]:
        """Return the cluster of each input; empty where every one is for itself."""
        with store_errors(self.folder, SCORES):
            return dict(self._connection.execute("SELECT input_id, cluster FROM clusters"))

    def scores(self) -> Iterator[StoredScore]:
        """Yield all by call and scorer. Some may be of answers that are out of date: compare `call_key`."""
        with store_errors(self.folder, SCORES):
            for row in self._connection.execute(f"{_SCORES} ORDER BY call_id, scorer_id"):
                yield _score(row)

    def values(self, scorers: Collection[int]) -> Iterator[ScoreValue]:
        """Yield what these scorers said, by call and scorer, page by page: scoring may go on meanwhile."""
        statement = f"""SELECT call_id, scorer_id, call, value, passed, unscored FROM scores
            WHERE (call_id, scorer_id) > (?, ?) AND scorer_id IN ({_places(scorers)})
            ORDER BY call_id, scorer_id LIMIT {_PAGE}"""
        last = (-1, -1)
        while rows := self._page(statement, (*last, *scorers)):
            for call, scorer, key, value, passed, unscored in rows:
                yield ScoreValue(call, scorer, key, value, None if passed is None else bool(passed), unscored)
            last = rows[-1][:2]

    def part_values(self, scorers: Collection[int]) -> Iterator[PartValue]:
        """Yield the values of parts, as `values`."""
        statement = f"""SELECT call_id, scorer_id, number, part, value FROM parts
            WHERE (call_id, scorer_id, number) > (?, ?, ?) AND scorer_id IN ({_places(scorers)})
            ORDER BY call_id, scorer_id, number LIMIT {_PAGE}"""
        last = (-1, -1, -1)
        while rows := self._page(statement, (*last, *scorers)):
            for row in rows:
                yield PartValue(row[0], row[1], row[3], row[4])
            last = rows[-1][:3]

    def _page(self, statement: str, values: tuple[int, ...]) -> list[tuple[Any, ...]]:
        with store_errors(self.folder, SCORES):
            return self._connection.execute(statement, values).fetchall()

    def identities(self) -> Iterator[tuple[int, int, str]]:
        """Yield (call, scorer, identity) of all scores, by call."""
        statement = "SELECT call_id, scorer_id, key FROM scores ORDER BY call_id, scorer_id"
        with store_errors(self.folder, SCORES):
            # Not `yield from`: that closes the query with the generator, maybe after the connection.
            for call, scorer, key in self._connection.execute(statement):
                yield int(call), scorer, key

    def of_call(self, call: int) -> tuple[StoredScore, ...]:
        """Return the scores of one answer, by scorer."""
        with store_errors(self.folder, SCORES):
            rows = self._connection.execute(f"{_SCORES} WHERE call_id = ? ORDER BY scorer_id", (call,))
            return tuple(_score(row) for row in rows)

    def parts(self, call: int, scorer: int) -> tuple[Part, ...]:
        """Return the parts of a score, in order."""
        statement = """SELECT part, value, label, message FROM parts
            WHERE call_id = ? AND scorer_id = ? ORDER BY number"""
        with store_errors(self.folder, SCORES):
            return tuple(
                Part(name=row[0], value=row[1], label=row[2], message=row[3])
                for row in self._connection.execute(statement, (call, scorer))
            )

    def verdicts(self, call: int, scorer: int) -> tuple[Verdict, ...]:
        """Return what the judges said of an answer, by judge and sample."""
        statement = f"""SELECT {_VERDICT} FROM verdicts
            WHERE call_id = ? AND scorer_id = ? ORDER BY judge, sample"""
        with store_errors(self.folder, SCORES):
            return tuple(_verdict(row) for row in self._connection.execute(statement, (call, scorer)))

    def parts_of_all(self) -> Iterator[tuple[int, int, Part]]:
        """Yield (call, scorer, part) of all scores, by call, scorer and number."""
        statement = "SELECT call_id, scorer_id, part, value, label, message FROM parts ORDER BY 1, 2, number"
        with store_errors(self.folder, SCORES):
            for row in self._connection.execute(statement):
                yield row[0], row[1], Part(name=row[2], value=row[3], label=row[4], message=row[5])

    def verdicts_of_all(self, scorer: int | None = None) -> Iterator[tuple[int, int, Verdict]]:
        """Yield (call, scorer, verdict) of all scores, or of those of one scorer, by call and scorer."""
        statement = f"""SELECT call_id, scorer_id, {_VERDICT} FROM verdicts
            WHERE ? IS NULL OR scorer_id = ? ORDER BY 1, 2, judge, sample"""
        with store_errors(self.folder, SCORES):
            for row in self._connection.execute(statement, (scorer, scorer)):
                yield row[0], row[1], _verdict(row[2:])

    def references(self, scorer: int) -> Iterator[Any]:
        """Yield what answers should be by one scorer, each once."""
        statement = """SELECT text FROM reference_texts
            WHERE digest IN (SELECT reference FROM scores WHERE scorer_id = ? AND value IS NOT NULL)"""
        with store_errors(self.folder, SCORES):
            for (text,) in self._connection.execute(statement, (scorer,)):
                yield msgspec.json.decode(text)

    def reference(self, digest: bytes | None) -> Any:
        """Return what an answer should be, `None` if nothing is known of it."""
        with store_errors(self.folder, SCORES):
            row = self._connection.execute(
                "SELECT text FROM reference_texts WHERE digest = ?", (digest,)
            ).fetchone()
            return None if row is None else msgspec.json.decode(row[0])

    def text_lengths(self) -> tuple[int, int]:
        """Return how many characters all texts of scores have (labels, reasons, …), and their number."""
        lengths = {
            table: " + ".join(f"ifnull(length({name}), 0)" for name in names)
            for table, names in _TEXTS.items()
        }
        statement = " UNION ALL ".join(
            f"SELECT total({length}), count(*) FROM {table}" for table, length in lengths.items()
        )
        with store_errors(self.folder, SCORES):
            rows = self._connection.execute(statement).fetchall()
            return sum(int(length) for length, _ in rows), sum(count for _, count in rows)


def _none() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for script in SCORES.migrations:
        connection.executescript(script)
    return connection


def read_scorers(connection: sqlite3.Connection) -> tuple[StoredScorer, ...]:
    """Return the scorers, in the order given."""
    rows = connection.execute(
        "SELECT id, name, type, definition, digest, graded, low, high, at_least, weight, judge"
        " FROM scorers ORDER BY id"
    )
    return tuple(
        StoredScorer(
            id=row[0],
            name=row[1],
            type=row[2],
            table=msgspec.json.decode(row[3], type=dict[str, Any]),
            digest=row[4],
            graded=bool(row[5]),
            low=row[6],
            high=row[7],
            at_least=row[8],
            weight=row[9],
            judge=row[10],
        )
        for row in rows
    )


def read_settings(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return how the answers were scored last, by name. Raises `msgspec.ValidationError`."""
    found = {}
    for name, value in connection.execute("SELECT name, value FROM settings"):
        found[name] = msgspec.json.decode(value)
        msgspec.convert(found[name], SETTING_TYPES.get(name, Any))
    return found


def _score(row: tuple[Any, ...]) -> StoredScore:
    value, unscored = row[3], row[7]
    # SQLite does not look at the checks of a table in a database that is only read.
    if (value is None) == (unscored is None):
        raise msgspec.ValidationError("an answer has a score and none, or neither")
    if not (value is None or 0 <= value <= 1):
        raise msgspec.ValidationError(f"a score is {value!r}: it must be from 0 to 1")
    if not (unscored is None or unscored in KINDS):
        raise msgspec.ValidationError(f"an answer is unscored as {unscored!r}: one of {', '.join(KINDS)}")
    return StoredScore(
        call_id=row[0],
        scorer_id=row[1],
        call_key=row[2],
        value=row[3],
        label=row[4],
        passed=None if row[5] is None else bool(row[5]),
        reason=row[6],
        unscored=row[7],
        message=row[8],
        reference=row[9],
        cost_nusd=row[10],
    )


def _verdict(row: tuple[Any, ...]) -> Verdict:
    return Verdict(
        judge=row[0],
        sample=row[1],
        criterion=row[2],
        value=row[3],
        label=row[4],
        reason=row[5],
        unscored=row[6],
        message=row[7],
        cost_nusd=row[8],
    )
