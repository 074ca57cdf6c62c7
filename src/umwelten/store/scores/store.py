"""The writing side of an evaluation's scores: one process at a time, under a lock of its own."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from umwelten.scoring.score import Score
from umwelten.store.database import check_own_files, folder_errors, open_database, store_errors, transaction
from umwelten.store.folder_lock import lock
from umwelten.store.rows import clean, clean_optional
from umwelten.store.scores.reader import read_scorers, read_settings
from umwelten.store.scores.records import ScoreRecord, StoredScorer, columns_of
from umwelten.store.scores.tables import SCORES

GROUP_SIZE = 1_000
"""Records a transaction: each waits for the disk once, and a kill loses at most so many, which are computed
again."""

_INSERT_SCORE = f"INSERT OR REPLACE INTO scores VALUES ({', '.join('?' * 13)})"
_INSERT_PART = f"INSERT OR REPLACE INTO parts VALUES ({', '.join('?' * 7)})"
_INSERT_VERDICT = f"INSERT OR REPLACE INTO verdicts VALUES ({', '.join('?' * 11)})"
_INSERT_REFERENCE = "INSERT OR IGNORE INTO reference_texts VALUES (?, ?)"
_OF_CALL = "WHERE call_id = ? AND scorer_id = ?"


class ScoreStore:
    """The scores of the evaluation in a folder, open to be written. Close it."""

    def __init__(self, folder: Path, connection: sqlite3.Connection, resources: ExitStack) -> None:
        """Takes over the connection. Use `open`."""
        self.folder, self._connection, self._resources = folder, connection, resources
        self._waiting: list[ScoreRecord] = []
        self._references: dict[bytes, str] = {}
        self._run = 0

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Open the scores, made and migrated as needed.

        Raises EvaluationBusy if another process scores the evaluation, StoreError for a damaged database or
        one of a newer umwelten.
        """
        with folder_errors(folder), store_errors(folder, SCORES), ExitStack() as resources:
            check_own_files(folder, kind=SCORES)
            folder_lock = lock(folder, SCORES)
            resources.callback(folder_lock.release)
            connection = open_database(folder, SCORES)
            resources.callback(connection.close)
            opened = cls(folder, connection, resources.pop_all())
            opened._begin()
            return opened

    def close(self) -> None:
        """Write what was handed over and give the lock back. Twice is fine."""
        try:
            if self._run:
                self.flush()
                with store_errors(self.folder, SCORES):
                    self._connection.execute(
                        "UPDATE runs SET ended_at = ? WHERE id = ?", (time.time(), self._run)
                    )
                self._run = 0
        finally:
            self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> None:
        row = self._connection.execute(
            "INSERT INTO runs (pid, started_at) VALUES (?, ?) RETURNING id", (os.getpid(), time.time())
        ).fetchone()
        self._run = row[0]

    # --- what the answers are scored by ---

    @property
    def scorers(self) -> tuple[StoredScorer, ...]:
        """The scorers that are stored."""
        with store_errors(self.folder, SCORES):
            return read_scorers(self._connection)

    def settings(self) -> dict[str, Any]:
        """Return how the answers were scored last, by name."""
        with store_errors(self.folder, SCORES):
            return read_settings(self._connection)

    def write_settings(self, settings: Mapping[str, Any]) -> None:
        """Keep how the answers are scored; values are JSON, `None` removes one."""
        with store_errors(self.folder, SCORES), transaction(self._connection):
            for name, value in settings.items():
                self._connection.execute("DELETE FROM settings WHERE name = ?", (name,))
                if value is not None:
                    text = clean(msgspec.json.encode(value).decode())
                    self._connection.execute("INSERT INTO settings VALUES (?, ?)", (name, text))

    def write_scorers(self, scorers: Sequence[StoredScorer]) -> dict[str, int]:
        """Store these, each in the place of one of its name; returns their ids by name.

        Scores by a definition that gave other values are removed; a changed threshold is applied to those
        that are there.
        """
        with store_errors(self.folder, SCORES), transaction(self._connection):
            known = {scorer.name: scorer for scorer in read_scorers(self._connection)}
            return {scorer.name: self._write_scorer(scorer, known.get(scorer.name)) for scorer in scorers}

    def _write_scorer(self, scorer: StoredScorer, before: StoredScorer | None) -> int:
        values = (
            scorer.type,
            clean(msgspec.json.encode(scorer.table, enc_hook=str).decode()),
            scorer.digest,
            int(scorer.graded),
            scorer.low,
            scorer.high,
            scorer.at_least,
            scorer.weight,
            scorer.judge,
        )
        if before is None:
            statement = f"INSERT INTO scorers VALUES (NULL, {', '.join('?' * 10)}) RETURNING id"
            return int(self._connection.execute(statement, (scorer.name, *values)).fetchone()[0])
        self._connection.execute(
            "UPDATE scorers SET type = ?, definition = ?, digest = ?, graded = ?, low = ?, high = ?,"
            " at_least = ?, weight = ?, judge = ? WHERE id = ?",
            (*values, before.id),
        )
        # Without a threshold, functions and tables say themselves what passes: they are asked again.
        unsaid = scorer.at_least is None and before.at_least is not None and scorer.type != "judge"
        if before.digest != scorer.digest or unsaid:
            for table in ("scores", "parts", "verdicts"):
                self._connection.execute(f"DELETE FROM {table} WHERE scorer_id = ?", (before.id,))
        elif before.at_least != scorer.at_least and scorer.type != "judge":
            self._connection.execute(
                "UPDATE scores SET passed = value >= ? WHERE scorer_id = ?", (scorer.at_least, before.id)
            )
        return before.id

    def remove_scorers(self, names: Sequence[str]) -> None:
        """Remove these with their scores."""
        with store_errors(self.folder, SCORES), transaction(self._connection):
            for name in names:
                for table in ("scores", "parts", "verdicts"):
                    self._connection.execute(
                        f"DELETE FROM {table} WHERE scorer_id IN (SELECT id FROM scorers WHERE name = ?)",
                        (name,),
                    )
                self._connection.execute("DELETE FROM scorers WHERE name = ?", (name,))

    def discard(self, scorer: int, calls: Sequence[int]) -> None:
        """Remove the scores of these calls by one scorer: they are to do again."""
        self.flush()
        with store_errors(self.folder, SCORES), transaction(self._connection):
            for table in ("scores", "parts", "verdicts"):
                cells = [(call, scorer) for call in calls]
                self._connection.executemany(f"DELETE FROM {table} {_OF_CALL}", cells)

    def write_clusters(self, clusters: Iterable[tuple[int, str]] | None) -> None:
        """Store which inputs belong together, as (input, cluster); `None`: each is for itself."""
        with store_errors(self.folder, SCORES), transaction(self._connection):
            self._connection.execute("DELETE FROM clusters")
            rows = ((number, clean(cluster)) for number, cluster in clusters or ())
            self._connection.executemany("INSERT OR REPLACE INTO clusters VALUES (?, ?)", rows)

    # --- scores ---

    def put(self, record: ScoreRecord, reference: str | None = None) -> None:
        """Hand over a score; `reference` is what the answer should be, as JSON. Written with others."""
        self._waiting.append(record)
        if reference is not None and record.reference is not None:
            self._references[record.reference] = reference
        if len(self._waiting) >= GROUP_SIZE:
            self.flush()

    def flush(self) -> None:
        """Write what was handed over."""
        if not self._waiting:
            return
        now = time.time()
        with store_errors(self.folder, SCORES), transaction(self._connection):
            cells = [(record.call_id, record.scorer_id) for record in self._waiting]
            for table in ("parts", "verdicts"):
                self._connection.executemany(f"DELETE FROM {table} {_OF_CALL}", cells)
            references = [(digest, clean(text)) for digest, text in self._references.items()]
            self._connection.executemany(_INSERT_REFERENCE, references)
            self._connection.executemany(_INSERT_SCORE, [_score_row(record, now) for record in self._waiting])
            self._connection.executemany(_INSERT_PART, _part_rows(self._waiting))
            self._connection.executemany(_INSERT_VERDICT, _verdict_rows(self._waiting))
        self._waiting.clear()
        self._references.clear()


def _score_row(record: ScoreRecord, now: float) -> tuple[object, ...]:
    value, label, passed, reason, unscored, message = columns_of(record.result)
    return (
        record.call_id,
        record.scorer_id,
        record.call_key,
        record.key,
        value,
        _clean(label),
        passed,
        _clean(reason),
        unscored,
        _clean(message),
        record.reference,
        now,
        record.cost_nusd,
    )


def _part_rows(records: Iterable[ScoreRecord]) -> Iterator[tuple[object, ...]]:
    for record in records:
        if isinstance(record.result, Score):
            for number, part in enumerate(record.result.parts):
                texts = clean(part.name), part.value, _clean(part.label), _clean(part.message)
                yield record.call_id, record.scorer_id, number, *texts


def _verdict_rows(records: Iterable[ScoreRecord]) -> Iterator[tuple[object, ...]]:
    for record in records:
        for verdict in record.verdicts:
            yield (
                record.call_id,
                record.scorer_id,
                verdict.judge,
                verdict.sample,
                verdict.criterion,
                verdict.value,
                _clean(verdict.label),
                _clean(verdict.reason),
                verdict.unscored,
                _clean(verdict.message),
                verdict.cost_nusd,
            )


def _clean(text: object) -> str | None:
    return clean_optional(text if text is None else str(text))
