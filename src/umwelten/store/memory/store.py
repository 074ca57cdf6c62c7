"""The writing side of a memory store: one process at a time, under a lock of its own."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from umwelten.store.database import check_own_files, folder_errors, open_database, store_errors, transaction
from umwelten.store.folder_lock import FolderLock, lock
from umwelten.store.memory.facts import MAX_FACT, LearntInput, NewFact, norm, scope_form
from umwelten.store.memory.tables import KNOWN, check_name, memory_folder, memory_kind
from umwelten.store.rows import clean, clean_optional

_INSERT = """INSERT INTO facts (scope, type, text, norm, seq, at, by_hand,
    source_eval, source_call, source_name, quote) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"""
_END = f"""UPDATE facts SET ended_seq = ?, ended_at = ?, ended = ?, superseded_by = ?
    WHERE id = ? AND {KNOWN}"""
_KNOWN_ID = f"SELECT id FROM facts WHERE scope = ? AND norm = ? AND {KNOWN}"
_INPUT = """INSERT INTO inputs (evaluation, name, call, scope, seq, found, unquoted, cut)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (evaluation, name) DO UPDATE SET call = excluded.call, scope = excluded.scope,
    seq = excluded.seq, found = excluded.found, unquoted = excluded.unquoted, cut = excluded.cut
    RETURNING id"""
_UNSAID = f"""SELECT f.id, (SELECT n.id FROM facts n JOIN mentions o ON o.fact_id = n.id
        WHERE o.input_id = m.input_id AND n.seq = :seq AND n.{KNOWN} ORDER BY n.id LIMIT 1)
    FROM dropped m JOIN facts f ON f.id = m.fact_id
    WHERE f.{KNOWN} AND NOT f.by_hand AND NOT EXISTS (SELECT 1 FROM mentions o WHERE o.fact_id = f.id)
    GROUP BY f.id"""
# Facts in whose place another was put that has ended: those that are said all the same, the nearest ones.
# By scope, for which there is an index: both are of the same.
_STILL_SAID = """WITH RECURSIVE before(id, said) AS (
      SELECT :ended, 0
      UNION SELECT f.id, f.by_hand OR EXISTS (SELECT 1 FROM mentions m WHERE m.fact_id = f.id)
        FROM before b JOIN facts f ON f.superseded_by = b.id
        WHERE NOT b.said AND f.ended = 'updated' AND f.scope = (SELECT scope FROM facts WHERE id = :ended)
    ) SELECT id FROM before WHERE said ORDER BY id"""
_SAME_KNOWN = f"""SELECT k.id FROM facts k JOIN facts f ON k.scope = f.scope AND k.norm = f.norm
    WHERE f.id = ? AND k.{KNOWN}"""
_AGAIN = """INSERT INTO facts (scope, type, text, norm, seq, at, by_hand,
    source_eval, source_call, source_name, quote)
    SELECT scope, type, text, norm, :seq, :now, by_hand, source_eval, source_call, source_name, quote
    FROM facts WHERE id = :id RETURNING id"""


class Update(NamedTuple):
    """What is done about a fact that an input says: it takes the place of `old`, as `text`.

    `old` `None`: it is added. `text` `None`: nothing is, as the fact `old` says the same.
    """

    fact: NewFact
    old: int | None = None
    text: str | None = None


class Taken(NamedTuple):
    """How many facts were `added`, were `known` already, and took the place of others or `ended`."""

    added: int = 0
    known: int = 0
    updated: int = 0
    ended: int = 0

    def __add__(self, other: object) -> Taken:
        """Return the sums."""
        assert isinstance(other, Taken)
        return Taken(*(one + more for one, more in zip(self, other, strict=True)))


class MemoryStore:
    """A memory store, open to be written. Close it."""

    def __init__(
        self,
        name: str,
        folder: Path,
        connection: sqlite3.Connection,
        folder_lock: FolderLock,
        resources: ExitStack,
    ) -> None:
        """Takes over the connection and the lock. Use `open`."""
        self._lock = folder_lock
        self.name, self.folder, self.kind = name, folder, memory_kind(name)
        self._connection, self._resources = connection, resources
        self._run, self._fresh = 0, False

    @classmethod
    def open(cls, output_dir: Path, name: str) -> Self:
        """Open the store, made and migrated as needed.

        Raises UsageError for a name that cannot be one, EvaluationBusy if another process changes it,
        StoreError for a damaged database or one of a newer umwelten.
        """
        kind, folder = memory_kind(check_name(name)), memory_folder(output_dir)
        with folder_errors(folder), store_errors(folder, kind), ExitStack() as resources:
            check_own_files(folder, kind=kind)
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder_lock = lock(folder, kind)
            resources.callback(folder_lock.release)
            fresh = not (folder / kind.name).exists()
            _make_private(folder / kind.name)
            connection = open_database(folder, kind)
            resources.callback(connection.close)
            # What is cleared is to be gone from the file as well.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("CREATE TEMP TABLE dropped (fact_id INTEGER, input_id INTEGER)")
            opened = cls(name, folder, connection, folder_lock, resources.pop_all())
            opened._fresh = fresh
            opened._begin()
            return opened

    def close(self) -> None:
        """Close the file and give the lock back. Twice is fine."""
        try:
            if self._run:
                with store_errors(self.folder, self.kind):
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

    def withdraw(self) -> None:
        """Close the store; one that was just made is taken back, as nothing came of what it was made for."""
        if self._fresh and self._run:
            self._run = 0
            self._connection.close()
            # Under the lock, whose file stays: another process may wait for it.
            for name in self.kind.files:
                if name != self.kind.lock:
                    (self.folder / name).unlink(missing_ok=True)
        self.close()

    def _begin(self) -> None:
        row = self._connection.execute(
            "INSERT INTO runs (pid, started_at) VALUES (?, ?) RETURNING id", (os.getpid(), time.time())
        ).fetchone()
        self._run = row[0]

    # --- what is learnt ---

    def call_of(self, evaluation: str, name: str) -> str | None:
        """Return the key of the call whose answer about that input was taken in last."""
        with store_errors(self.folder, self.kind):
            row = self._connection.execute(
                "SELECT call FROM inputs WHERE evaluation = ? AND name = ?", (evaluation, name)
            ).fetchone()
        return None if row is None else str(row[0])

    def seq(self) -> int:
        """Return the number of the latest change."""
        with store_errors(self.folder, self.kind):
            return int(self._connection.execute("SELECT seq FROM changes").fetchone()[0])

    def known(self, scope: str) -> list[tuple[int, str]]:
        """Return the known facts of a scope as (number, text), the newest first."""
        with store_errors(self.folder, self.kind):
            return self._connection.execute(
                f"SELECT id, text FROM facts WHERE scope = ? AND {KNOWN} ORDER BY id DESC",
                (scope_form(scope),),
            ).fetchall()

    def take(self, inputs: Sequence[LearntInput], updates: Sequence[Sequence[Update]] | None = None) -> Taken:
        """Take in what was learnt from inputs, all in one transaction.

        What an earlier version of an input said, and no input says any more, ends. `updates`: what is done
        about each of their facts; `None`: it is added, unless it is known.
        """
        total = Taken()
        with store_errors(self.folder, self.kind), transaction(self._connection):
            seq, now = self._next_seq(), time.time()
            self._connection.execute("DELETE FROM dropped")
            for number, learnt in enumerate(inputs):
                done = [Update(fact) for fact in learnt.facts] if updates is None else updates[number]
                total += self._take_one(learnt, done, seq, now)
            total += Taken(ended=self._end_unsaid(seq, now))
        return total

    def _take_one(self, learnt: LearntInput, updates: Sequence[Update], seq: int, now: float) -> Taken:
        row = self._connection.execute(
            _INPUT,
            (
                learnt.evaluation,
                clean(learnt.name),
                learnt.call,
                scope_form(learnt.scope),
                seq,
                learnt.found,
                learnt.unquoted,
                learnt.cut,
            ),
        ).fetchone()
        number = row[0]
        self._connection.execute(
            "INSERT INTO dropped SELECT fact_id, input_id FROM mentions WHERE input_id = ?", (number,)
        )
        self._connection.execute("DELETE FROM mentions WHERE input_id = ?", (number,))
        added = known = updated = 0
        for update in updates:
            fact_id, is_new = self._apply(learnt, update, seq, now)
            if fact_id is None:
                continue
            added += is_new
            known += not is_new
            updated += is_new and update.old is not None
            self._connection.execute("INSERT OR IGNORE INTO mentions VALUES (?, ?)", (fact_id, number))
        return Taken(added, known, updated)

    def _apply(self, learnt: LearntInput, update: Update, seq: int, now: float) -> tuple[int | None, bool]:
        """Return the number of the fact that says it from now on, and whether it is new."""
        fact, scope = update.fact, scope_form(learnt.scope)
        if update.old is not None and update.text is None:
            return update.old, False
        text = clean(update.text if update.text is not None else fact.text)[:MAX_FACT]
        form = norm(text)
        if not form:
            return None, False
        found = self._connection.execute(_KNOWN_ID, (scope, form)).fetchone()
        if found is not None:
            if update.old not in (None, found[0]):
                self._connection.execute(_END, (seq, now, "updated", found[0], update.old))
            return int(found[0]), False
        source = (learnt.evaluation, learnt.call, clean(learnt.name), clean_optional(fact.quote))
        fact_id = self._connection.execute(
            _INSERT, (scope, clean(fact.type), text, form, seq, now, 0, *source)
        ).fetchone()[0]
        if update.old is not None:
            self._connection.execute(_END, (seq, now, "updated", fact_id, update.old))
        return int(fact_id), True

    def _end_unsaid(self, seq: int, now: float) -> int:
        rows = self._connection.execute(_UNSAID, {"seq": seq}).fetchall()
        for fact_id, successor in rows:
            self._connection.execute(_END, (seq, now, "changed", successor, fact_id))
        for fact_id, _ in rows:
            self._bring_back(fact_id, seq, now)
        return len(rows)

    def _bring_back(self, ended: int, seq: int, now: float) -> None:
        """Let what a fact took the place of be known again, as far as it is still said."""
        for (number,) in self._connection.execute(_STILL_SAID, {"ended": ended}).fetchall():
            found = self._connection.execute(_SAME_KNOWN, (number,)).fetchone()
            if found is None:
                values = {"id": number, "seq": seq, "now": now}
                found = self._connection.execute(_AGAIN, values).fetchone()
            self._connection.execute(
                "INSERT OR IGNORE INTO mentions SELECT ?, input_id FROM mentions WHERE fact_id = ?",
                (found[0], number),
            )
            self._connection.execute("UPDATE facts SET superseded_by = ? WHERE id = ?", (found[0], ended))

    # --- by hand ---

    def add(self, facts: Iterable[tuple[str, NewFact]]) -> Taken:
        """Add facts by hand, as (scope, fact); one that is known stays, and counts as added by hand."""
        added = known = 0
        with store_errors(self.folder, self.kind), transaction(self._connection):
            seq, now = self._next_seq(), time.time()
            for scope, fact in facts:
                text = clean(fact.text)[:MAX_FACT]
                at = now if fact.at is None else fact.at
                row = (scope_form(scope), clean(fact.type), text, norm(text), seq, at, 1)
                found = self._connection.execute(_KNOWN_ID, (row[0], row[3])).fetchone()
                if found is not None:
                    self._connection.execute("UPDATE facts SET by_hand = 1 WHERE id = ?", found)
                    known += 1
                    continue
                source = (fact.source_eval, fact.source_call, fact.source_name, (fact.quote or "")[:MAX_FACT])
                self._connection.execute(_INSERT, (*row, *(clean(each) if each else None for each in source)))
                added += 1
        return Taken(added=added, known=known)

    def delete(self, ids: Iterable[int]) -> list[int]:
        """End these facts; returns those that were known. They stay in the history."""
        ended = []
        with store_errors(self.folder, self.kind), transaction(self._connection):
            seq, now = self._next_seq(), time.time()
            for fact_id in ids:
                if self._connection.execute(_END, (seq, now, "deleted", None, fact_id)).rowcount:
                    ended.append(fact_id)
        return ended

    def clear(self, scope: str | None = None) -> int:
        """Remove all facts of a scope, or of all, with their history, for good; returns how many."""
        with store_errors(self.folder, self.kind), transaction(self._connection):
            self._next_seq()
            one = "" if scope is None else "WHERE scope = :scope"
            values = {} if scope is None else {"scope": scope_form(scope)}
            self._connection.execute(
                f"DELETE FROM mentions WHERE fact_id IN (SELECT id FROM facts {one})", values
            )
            # Learnt again, its answers are taken in again.
            self._connection.execute(f"DELETE FROM inputs {one}", values)
            gone = self._connection.execute(f"DELETE FROM facts {one}", values).rowcount
        with store_errors(self.folder, self.kind):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def _next_seq(self) -> int:
        self._lock.check()
        return int(self._connection.execute("UPDATE changes SET seq = seq + 1 RETURNING seq").fetchone()[0])


def _make_private(path: Path) -> None:
    """Make the file of a new database, for this user alone; SQLite's further files become like it."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
