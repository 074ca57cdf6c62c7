"""Answers about the same input side by side, of one evaluation or of two whose inputs have the same names."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence

from umwelten.report.queries.calls import STATUS
from umwelten.report.queries.variants import variants
from umwelten.store.like_pattern import literal
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED, call_id
from umwelten.types import FrozenStruct

LONGEST = 20_000
"""Characters of an answer that is compared; the call itself has all."""
_MOST_ANSWERS = 400
_MOST_SEEN = 3_000
"""Inputs that are looked at for one page of those whose answers differ."""


class SideColumn(FrozenStruct):
    """A column: a model, with several prompts one of them. `evaluation` is its place among those compared."""

    evaluation: int
    model: str
    prompt: str | None


class SideAnswer(FrozenStruct):
    """An answer, or why there is none. `length` is that of the whole text."""

    call: int
    status: str
    kind: str | None
    text: str
    length: int


class SideRow(FrozenStruct):
    """An input and a repeat with an answer a column, `None` for a pending one. `same`: all answers are alike,
    but for white space; `None` where there are not two.
    """

    file: str | None
    repeat: int
    answers: tuple[SideAnswer | None, ...]
    same: bool | None


class SidePage(FrozenStruct):
    """`after` leads on, `None` if that is all. `left_out`: further repeats of each input."""

    columns: tuple[SideColumn, ...]
    rows: tuple[SideRow, ...]
    after: int | None
    left_out: int


def side_by_side(
    readers: Sequence[Reader],
    *,
    after: int = -1,
    limit: int = 10,
    input: str = "",
    differing: bool = False,
    repeat: int | None = None,
) -> SidePage:
    """Return a page of inputs of the first evaluation, after the input `after`, that have an answer there.

    `input`: a text in their names; `differing`: only those whose answers are not all alike.
    """
    own = [variants(reader.connection) for reader in readers]
    columns = [(n, number, one) for n, found in enumerate(own) for number, one in found.items()]
    repeats = [reader.spec().repeats for reader in readers]
    shown = max(1, min(*repeats, _MOST_ANSWERS // max(len(columns), 1)))
    wanted = [repeat] if repeat is not None else list(range(1, shown + 1))
    limit = max(1, min(limit, _MOST_ANSWERS // max(len(columns) * len(wanted), 1)))
    rows: list[SideRow] = []
    seen, taken, last, more = 0, 0, after, True
    like = f"%{literal(input)}%"
    while taken < limit and seen < _MOST_SEEN:
        found = (
            readers[0]
            .connection.execute(
                """SELECT id, name FROM inputs WHERE active AND id > ? AND (? = '' OR name LIKE ? ESCAPE '\\')
            ORDER BY id LIMIT 50""",
                (last, input, like),
            )
            .fetchall()
        )
        if not found:
            more = False
            break
        for number, name in found:
            last, seen = number, seen + 1
            made = _rows(readers, columns, number, name, wanted)
            made = [row for row in made if not differing or row.same is False]
            if made:
                rows += made
                taken += 1
                if taken == limit:
                    break
    return SidePage(
        columns=tuple(SideColumn(evaluation=n, model=one.model, prompt=one.prompt) for n, _, one in columns),
        rows=tuple(rows),
        after=last if more else None,
        left_out=0 if repeat is not None else repeats[0] - shown,
    )


def _rows(
    readers: Sequence[Reader],
    columns: Sequence[tuple[int, int, object]],
    number: int,
    name: str,
    repeats: Sequence[int],
) -> list[SideRow]:
    numbers = [number, *(_number(reader, name) for reader in readers[1:])]
    rows = []
    found: list[dict[int, _Read]] = []
    for place, reader in enumerate(readers):
        own = [
            call_id(numbers[place], model, repeat)
            for at, model, _ in columns
            if at == place and numbers[place] >= 0
            for repeat in repeats
        ]
        found.append(_answers(reader.connection, own))
    for repeat in repeats:
        read = [
            found[place].get(call_id(numbers[place], model, repeat)) if numbers[place] >= 0 else None
            for place, model, _ in columns
        ]
        if any(read):
            answers = tuple(None if one is None else one[0] for one in read)
            rows.append(SideRow(file=name or None, repeat=repeat, answers=answers, same=_same(read)))
    return rows


def _number(reader: Reader, name: str) -> int:
    row = reader.connection.execute("SELECT id FROM inputs WHERE active AND name = ?", (name,)).fetchone()
    return -1 if row is None else int(row[0])


_Read = tuple[SideAnswer, bytes | None]
"""An answer, and the digest of its words: the whole text, of which an answer has the start alone."""


def _answers(connection: sqlite3.Connection, calls: Sequence[int]) -> dict[int, _Read]:
    if not calls:
        return {}
    rows = connection.execute(
        f"""SELECT c.id, c.status, c.error_kind,
            CASE WHEN c.status = {FAILED} THEN c.error_message ELSE a.text END AS text
        FROM current_calls c LEFT JOIN answers a ON a.call_id = c.id
        WHERE c.id IN ({", ".join(map(str, calls))})"""
    )
    found: dict[int, _Read] = {}
    for call, status, kind, text in rows:
        text = text or ""
        answer = SideAnswer(
            call=call, status=STATUS[status], kind=kind, text=text[:LONGEST], length=len(text)
        )
        found[call] = answer, _digest(text) if kind is None else None
    return found


def _digest(text: str) -> bytes:
    return hashlib.sha256(" ".join(text.split()).encode(errors="surrogatepass")).digest()


def _same(read: Sequence[_Read | None]) -> bool | None:
    digests = [one[1] for one in read if one is not None and one[1] is not None]
    return None if len(digests) < 2 else len(set(digests)) == 1
