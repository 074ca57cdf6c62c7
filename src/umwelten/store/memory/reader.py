"""The reading side of a memory store: for recall, lists and exports, without a lock."""

from __future__ import annotations

import os
import re
import sqlite3
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from umwelten.errors import StoreError
from umwelten.store.database import NeverStarted, folder_errors, open_for_reading, store_errors
from umwelten.store.memory.facts import Fact, check_type, scope_form
from umwelten.store.memory.tables import KNOWN, KNOWN_AT, check_name, memory_folder, memory_kind, store_names
from umwelten.text.suggestions import closest, did_you_mean

_COLUMNS = ", ".join(
    "(SELECT count(*) FROM mentions m WHERE m.fact_id = facts.id)" if name == "inputs" else name
    for name in Fact.__struct_fields__
)
_WORD = re.compile(r"[\w\u0300-\u036f]+")  # with the accents that have no letter of their own
_SIGN = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")  # Chinese and Japanese
_MOST_WORDS = 200
"""Words of a text by which facts are found: a long text's first ones tell what it is about."""

_PAGE = 1_000


def has_store(output_dir: Path, name: str) -> bool:
    """Return whether there is a store with this name. Raises UsageError for what cannot be one."""
    return os.path.lexists(memory_folder(output_dir) / memory_kind(check_name(name)).name)


class MemoryReader:
    """A memory store as committed so far. Close it."""

    def __init__(self, name: str, folder: Path, connection: sqlite3.Connection | None) -> None:
        """Takes over the connection. Use `open`."""
        self.name, self.folder, self._kind = name, folder, memory_kind(name)
        self._connection = connection

    @classmethod
    def open(cls, output_dir: Path, name: str, *, missing: bool = False) -> Self:
        """Open the store. `missing`: it may not be there, and then nothing is known.

        Raises UsageError for a name that cannot be one, StoreError.
        """
        kind, folder = memory_kind(check_name(name)), memory_folder(output_dir)
        if not has_store(output_dir, name):
            if missing:
                return cls(name, folder, None)
            near = did_you_mean(closest(name, store_names(output_dir)), "{!r}")
            raise StoreError(
                f"there is no memory store {name!r} in {folder}",
                near or f"umwelten memory learn {name} … makes it.",
            )
        with folder_errors(folder), store_errors(folder, kind):
            try:
                return cls(name, folder, open_for_reading(folder, kind=kind))
            except NeverStarted:
                return cls(name, folder, None)

    def close(self) -> None:
        """Close the file. Twice is fine."""
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def seq(self) -> int:
        """Return the number of the latest change, 0 before the first."""
        rows = self._rows("SELECT seq FROM changes")
        return int(rows[0][0]) if rows else 0

    def facts(self, scope: str | None = None, type: str | None = None) -> Iterator[Fact]:
        """Yield what is known, by scope, the newest first; of one scope or type alone if given.

        Raises UsageError for a type that there is not.
        """
        if type is not None:
            check_type(type)
        wanted = [KNOWN]
        values: dict[str, object] = {}
        for column, value in (("scope", scope), ("type", type)):
            if value is not None:
                wanted.append(f"{column} = :{column}")
                values[column] = scope_form(value)
        return self._facts(" AND ".join(wanted), values)

    def known_at(self, scope: str, seq: int) -> list[tuple[int, str]]:
        """Return what was known of a scope after that change, as (number, text), the newest first."""
        query = f"SELECT id, text FROM facts WHERE scope = :scope AND {KNOWN_AT} ORDER BY id DESC"
        return [(row[0], row[1]) for row in self._rows(query, {"scope": scope_form(scope), "seq": seq})]

    def longest_scope(self, seq: int) -> int:
        """Return the bytes of all facts of the scope with most of them, as of that change."""
        query = f"""SELECT coalesce(max(size), 0) FROM
            (SELECT sum(length(CAST(text AS BLOB)) + 3) AS size FROM facts WHERE {KNOWN_AT} GROUP BY scope)"""
        rows = self._rows(query, {"seq": seq})
        return int(rows[0][0]) if rows else 0

    def scopes(self) -> list[tuple[str, int]]:
        """Return the scopes with the number of their known facts, by name."""
        query = f"SELECT scope, count(*) FROM facts WHERE {KNOWN} GROUP BY scope ORDER BY scope"
        return [(row[0], row[1]) for row in self._rows(query)]

    def search(self, words: str, scope: str | None = None, most: int = 20) -> list[Fact]:
        """Return the known facts that have most to do with these words, the best first."""
        one = "" if scope is None else "AND scope = :scope"
        values: dict[str, object] = {} if scope is None else {"scope": scope_form(scope)}
        texts = self._rows(f"SELECT id, text FROM facts WHERE {KNOWN} {one} ORDER BY id DESC", values)
        found = best(texts, words)[:most]
        by_id = {fact.id: fact for fact in self._facts(_among(found), {})} if found else {}
        return [by_id[fact_id] for fact_id in found if fact_id in by_id]

    def history(self, fact_id: int) -> list[Fact]:
        """Return a fact with those that it took the place of and those that took its place, the oldest first.

        Empty: there is no such fact.
        """
        query = """WITH RECURSIVE chain(id) AS (
              SELECT id FROM facts WHERE id = :id
              UNION SELECT f.superseded_by FROM facts f JOIN chain c ON f.id = c.id
                WHERE f.superseded_by IS NOT NULL
              UNION SELECT f.id FROM facts f JOIN chain c ON f.superseded_by = c.id
            ) SELECT id FROM chain ORDER BY id"""
        try:
            ids = [row[0] for row in self._rows(query, {"id": fact_id})]
        except OverflowError:
            return []
        return sorted(self._facts(_among(ids), {}), key=lambda fact: fact.id) if ids else []

    def all_facts(self) -> Iterator[Fact]:
        """Yield all facts, also those that are not known any more, in the order in which they came."""
        last = 0
        while rows := self._rows(
            f"SELECT {_COLUMNS} FROM facts WHERE id > :last ORDER BY id LIMIT {_PAGE}", {"last": last}
        ):
            for row in rows:
                yield _made(row)
            last = int(rows[-1][0])

    def _facts(self, wanted: str, values: dict[str, object]) -> Iterator[Fact]:
        query = f"SELECT {_COLUMNS} FROM facts WHERE {wanted} ORDER BY scope, id DESC"
        if self._connection is None:
            return
        with store_errors(self.folder, self._kind):
            for row in self._connection.execute(query, values):
                yield _made(row)

    def _rows(self, query: str, values: dict[str, object] | None = None) -> list[tuple[Any, ...]]:
        if self._connection is None:
            return []
        with store_errors(self.folder, self._kind):
            return self._connection.execute(query, values or {}).fetchall()


def _made(row: tuple[Any, ...]) -> Fact:
    return msgspec.convert(dict(zip(Fact.__struct_fields__, row, strict=True)), Fact)


def _among(ids: Sequence[int]) -> str:
    return f"id IN ({', '.join(str(int(number)) for number in ids)})"


class Ranking:
    """Texts by the words that they share with others, for one thread at a time.

    By bm25 over these texts alone: so what is found does not depend on what is stored of others, or later.
    """

    def __init__(self, texts: Sequence[tuple[Any, ...]]) -> None:
        """Each is (number, text)."""
        self._texts = texts
        self._connection: sqlite3.Connection | None = sqlite3.connect(":memory:", check_same_thread=False)
        try:
            self._connection.execute("CREATE VIRTUAL TABLE texts USING fts5 (text, tokenize = 'porter')")
        except sqlite3.OperationalError:
            self._connection.close()
            self._connection = None
            return
        self._connection.executemany(
            "INSERT INTO texts (rowid, text) VALUES (?, ?)",
            ((number, _words(text)) for number, text in texts),
        )

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def best(self, about: str) -> list[int]:
        """Return the numbers of the texts that share words with `about`, the best first."""
        words = list(dict.fromkeys(_WORD.findall(_words(about))))[:_MOST_WORDS]
        if not words or not self._texts:
            return []
        if self._connection is None:
            return _like(self._texts, words)
        query = " OR ".join(f'"{word}"' for word in words)
        rows = self._connection.execute(
            "SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY bm25(texts), rowid DESC", (query,)
        )
        return [row[0] for row in rows]


def best(texts: Sequence[tuple[Any, ...]], about: str) -> list[int]:
    """Return the numbers of the texts that share words with `about`, the best first."""
    return Ranking(texts).best(about) if texts else []


def _words(text: str) -> str:
    """Return a text as its words are compared: without case, each Chinese and Japanese sign a word."""
    # SQLite's own folding is another: to it, ß is no ss.
    folded = unicodedata.normalize("NFC", text.casefold())
    return folded if folded.isascii() else _SIGN.sub(r" \g<0> ", folded)


def _like(texts: Sequence[tuple[Any, ...]], words: Sequence[str]) -> list[int]:
    """As `best` where SQLite lacks FTS5: by the number of words that occur."""
    shaped = [(_words(text), number) for number, text in texts]
    counts = [(sum(word in text for word in words), number) for text, number in shaped]
    return [number for count, number in sorted(counts, key=lambda pair: (-pair[0], -pair[1])) if count]
