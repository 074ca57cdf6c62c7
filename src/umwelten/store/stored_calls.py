"""Calls that ended, as values: what every reader of single calls takes, from one query.

Only current ones (`store.views`). `call_rows` reads in one statement, which sees one moment; the others page
by page, so that a slow reader keeps no writer from cutting its log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from umwelten.choices import RowRule
from umwelten.records import Recall
from umwelten.store.answer_connections import read_row
from umwelten.store.database import folder_errors, open_for_reading
from umwelten.store.reader import Reader
from umwelten.store.tables import SUCCEEDED, call_id
from umwelten.store.views import FROM_CURRENT_ANSWERS
from umwelten.types import Usage

ANSWER_PART = "answer "
"""How the part of an input begins that is an answer of another evaluation; the number of its call follows."""

PAGE = 32
"""Calls in memory at a time. Each may hold an answer of many kilobytes; a page costs a look-up by rowid."""


_COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


class StoredCall(msgspec.Struct, frozen=True, array_like=True):
    """A current call that ended. `None` is "not known", or that there is none.

    Durations are seconds: `response_s` and `ttft_s` of the last attempt; `time_s`, tokens and `cost_nusd`
    (nano-USD) of all. An answer that was taken over has no attempts, no times and no tokens, and a cost of 0.
    `file` and `path` are the input's, `part` where in the file it is; `prompt` is the name of one of several
    prompts. `text`, `reasoning`, `data` (the record in it, as JSON) and `marks` are the answer's; `partial`
    is what the last attempt of a failed call had got. `key` is the call's identity.
    `steps` are the requests that were answered, `tool_s` the seconds of all `tool_calls`; `None` where no
    tools were offered.
    """

    id: int
    input_id: int
    model_id: int
    repeat: int
    status: int
    response_s: float | None
    ttft_s: float | None
    time_s: float
    attempts: int
    finish_reason: str | None
    served_model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost_nusd: int | None
    usage_details: str | None
    steps: int | None
    tool_calls: int | None
    tool_errors: int | None
    tool_s: float | None
    error_kind: str | None
    error_message: str | None
    output: str | None
    model: str
    provider: str
    slug: str
    prompt: str | None
    file: str | None
    path: str
    part: str
    text: str | None
    reasoning: str | None
    data: str | None
    marks: str | None
    partial: str | None
    key: str
    input_size: int
    input_stamp: str

    @property
    def succeeded(self) -> bool:
        """Whether it was answered."""
        return self.status == SUCCEEDED

    @property
    def usage(self) -> Usage:
        """The tokens of the last attempt; its cost is part of `cost_nusd`."""
        stated = msgspec.json.decode(self.usage_details, type=dict[str, Any]) if self.usage_details else {}
        counts = {name: getattr(self, name) for name in _COUNTS}
        return msgspec.convert(stated | counts, Usage)

    @property
    def mark_names(self) -> tuple[str, ...]:
        """What it took to get the record."""
        return tuple(self.marks.split(",")) if self.marks else ()


_ANSWER = frozenset({"text", "reasoning", "data", "marks"})
_PARTIAL = f"""CASE WHEN c.status <> {SUCCEEDED} THEN
    (SELECT f.partial FROM attempts f WHERE f.call_id = c.id ORDER BY f.id DESC LIMIT 1) END"""


def _columns(answer: str, *, reasoning: bool) -> str:
    """The columns of a StoredCall; `answer` is the name of what has those of the answer."""
    special = {"partial": _PARTIAL} if reasoning else {"partial": _PARTIAL, "reasoning": "NULL"}
    return ", ".join(
        special.get(name) or f"{answer if name in _ANSWER else 'c'}.{name}"
        for name in StoredCall.__struct_fields__
    )


WITH_ANSWERS = f"LEFT JOIN answers a ON a.call_id = c.id AND c.status = {SUCCEEDED}"
"""Follows `current_calls c`, for the columns of their answers."""

_WHOLE = _columns("a", reasoning=True)
_CALLS = f"SELECT {_WHOLE} FROM current_calls c {WITH_ANSWERS} WHERE (:status IS NULL OR c.status = :status)"
# Reasoning may be many times as long as the answer, and most readers have no use for it.
_BRIEF_CALLS = f"SELECT {_columns('a', reasoning=False)} FROM current_calls c {WITH_ANSWERS} ORDER BY c.id"
_ANSWERS = f"SELECT {_columns('c', reasoning=False)} FROM current_answers c WHERE true"


def call_rows(reader: Reader) -> Iterator[StoredCall]:
    """Yield all by input, model and repeat, in one statement; without `reasoning`."""
    return (_made(row) for row in tuple_cursor(reader).execute(_BRIEF_CALLS))


def stored_call(reader: Reader, call: int) -> StoredCall | None:
    """Return the call with this number, or `None` if it is pending."""
    row = reader.connection.execute(f"{_CALLS} AND c.id = :id", {"status": None, "id": call}).fetchone()
    return None if row is None else _made(tuple(row))


def stored_calls(
    reader: Reader, status: int | None = None, *, start: int = 0, limit: int = -1
) -> Iterator[StoredCall]:
    """Yield those with this status, or all, by input, model and repeat, page by page, from `start` on."""
    return _pages(reader, _CALLS, {"status": status}, start, limit)


def stored_answers(reader: Reader) -> Iterator[StoredCall]:
    """Yield those that have a good answer by input, model and repeat, page by page; without `reasoning`."""
    return _pages(reader, _ANSWERS, {}, 0, -1)


def answers_about(reader: Reader, input_id: int) -> list[StoredCall]:
    """Return the good answers about the input with this number, by model and repeat; without `reasoning`."""
    ends = (call_id(input_id, 0, 0), call_id(input_id + 1, 0, 0))
    query = f"{_ANSWERS} AND c.id >= ? AND c.id < ? ORDER BY c.id"
    return [_made(row) for row in tuple_cursor(reader).execute(query, ends).fetchall()]


class ScorableAnswer(msgspec.Struct, frozen=True, array_like=True):
    """A good answer, and what tells whether its input is still what was sent.

    `key` is the call's, `content` the hash of what was sent of the input, `stamp` the input's.
    """

    call: StoredCall
    key: str
    content: bytes
    stamp: str


def scorable_answers(reader: Reader) -> Iterator[ScorableAnswer]:
    """Yield the good answers by input, model and repeat, page by page; without `reasoning`."""
    query = f"""SELECT c.key, c.content, (SELECT stamp FROM inputs i WHERE i.id = c.input_id),
        {_columns("c", reasoning=False)} FROM current_answers c WHERE c.id > ? ORDER BY c.id LIMIT {PAGE}"""
    cursor, last = tuple_cursor(reader), -1
    while rows := cursor.execute(query, (last,)).fetchall():
        for key, content, stamp, *columns in rows:
            yield ScorableAnswer(call=_made(tuple(columns)), key=key, content=content, stamp=stamp)
        last = rows[-1][3]


def scorable_answer(reader: Reader, call: int) -> ScorableAnswer | None:
    """Return the good answer to the call with this number, `None` if it has none."""
    query = f"""SELECT c.key, c.content, (SELECT stamp FROM inputs i WHERE i.id = c.input_id),
        {_columns("c", reasoning=False)} FROM current_answers c WHERE c.id = ?"""
    row = tuple_cursor(reader).execute(query, (call,)).fetchone()
    if row is None:
        return None
    return ScorableAnswer(call=_made(tuple(row[3:])), key=row[0], content=row[1], stamp=row[2])


class JudgeCall(msgspec.Struct, frozen=True, array_like=True):
    """A call that ended of an evaluation that asks judges, as far as it tells what they said."""

    model: str
    prompt: str | None
    repeat: int
    status: int
    text: str | None
    data: str | None
    marks: str | None
    error_kind: str | None
    error_code: str | None
    error_message: str | None
    cost_nusd: int | None

    @property
    def succeeded(self) -> bool:
        """Whether it was answered."""
        return self.status == SUCCEEDED


JUDGE_CALL = """c.model, c.prompt, c.repeat, c.status, a.text, a.data, a.marks, c.error_kind,
    (SELECT t.error_code FROM attempts t WHERE t.call_id = c.id ORDER BY t.id DESC LIMIT 1),
    c.error_message, c.cost_nusd"""
"""The columns of a `JudgeCall`, of `current_calls c` `WITH_ANSWERS`."""


class VerdictCall(JudgeCall, frozen=True):
    """A call that ended of an evaluation over another one's answers: `judged` is the call it is about."""

    judged: int


def verdict_calls(reader: Reader) -> Iterator[VerdictCall]:
    """Yield the calls that ended of an evaluation over answers, by the call that each is about."""
    query = f"""SELECT {JUDGE_CALL}, CAST(substr(c.part, {len(ANSWER_PART) + 1}) AS INTEGER) AS judged
        FROM current_calls c {WITH_ANSWERS} WHERE c.part LIKE '{ANSWER_PART}%' ORDER BY judged, c.id"""
    return (msgspec.convert(tuple(row), VerdictCall) for row in tuple_cursor(reader).execute(query))


def input_named(reader: Reader, name: str) -> tuple[str, str, str] | None:
    """Return path, part and stamp of the input of that name, `None` if there is none."""
    row = reader.connection.execute(
        "SELECT path, part, stamp FROM inputs WHERE name = ? AND id > 0", (name,)
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2])


def answer_about(reader: Reader, name: str, model: str) -> tuple[str, str | None] | None:
    """Return text and record of a model's first answer about the input of that name, if there is one."""
    query = """SELECT text, data FROM current_answers
        WHERE input_id = (SELECT id FROM inputs WHERE name = ?) AND model = ? AND repeat = 1
        ORDER BY id LIMIT 1"""
    row = reader.connection.execute(query, (name, model)).fetchone()
    return None if row is None else (row[0], row[1])


def input_names(reader: Reader) -> Iterator[str]:
    """Yield the names of the inputs of the latest plan."""
    for row in reader.connection.execute("SELECT name FROM inputs WHERE active AND id > 0"):
        yield row[0]


def numbered_inputs(reader: Reader) -> Iterator[tuple[int, str]]:
    """Yield number and name of the inputs of the latest plan."""
    query = "SELECT id, name FROM inputs WHERE active AND id > 0 ORDER BY id"
    return ((row[0], row[1]) for row in reader.connection.execute(query))


def costs_by_column(reader: Reader) -> Iterator[tuple[str, str | None, int | None]]:
    """Yield model, prompt and what all their calls that ended cost, `None` where that of some is unknown."""
    query = """SELECT model, prompt, CASE WHEN count(cost_nusd) = count(*) THEN sum(cost_nusd) END
        FROM current_calls GROUP BY model, prompt"""
    return ((row[0], row[1], row[2]) for row in reader.connection.execute(query))


def call_count(reader: Reader, status: int | None = None) -> int:
    """Return how many there are with this status, or of all."""
    query = "SELECT count(*) FROM current_calls WHERE (:status IS NULL OR status = :status)"
    return int(reader.connection.execute(query, {"status": status}).fetchone()[0])


class StoredAnswer(msgspec.Struct, frozen=True, array_like=True):
    """A good answer, and what its call was about, for a step that takes it up.

    `prompt` is the text of the call's prompt. `file`, `path`, `part`, `stamp` and `content` (hash of what was
    sent) are those of its input, `path` for `store.inputs.original_path`; `key` is the call's identity,
    `row_rule` that of `RequestSettings`. `text` and `data` are the answer's, `recall` is what its evaluation
    recalls.
    """

    text: str
    data: str | None
    file: str | None
    path: str
    part: str
    stamp: str
    content: bytes
    key: str
    prompt: str
    row_rule: RowRule
    recall: Recall | None = None


_STORED_ANSWER = f"""SELECT a.text, a.data, nullif(i.name, ''), i.path, i.part, i.stamp, c.content, c.key,
    coalesce((SELECT p.text FROM prompts p WHERE p.id = m.prompt_id), (SELECT prompt FROM evaluation)),
    (SELECT options FROM evaluation) {FROM_CURRENT_ANSWERS} AND c.id = ?"""


def stored_answer(folder: Path, call: int) -> StoredAnswer | None:
    """Return the answer to the call with this number, or `None` if it has no good one. Raises StoreError."""
    row = read_row(folder, _STORED_ANSWER, (call,))
    if row is None:
        return None
    options = {} if row[9] is None else msgspec.json.decode(row[9], type=dict[str, Any])
    return msgspec.convert((*row[:9], options.get("row_rule", 1), options.get("recall")), StoredAnswer)


class StoredInput(msgspec.Struct, frozen=True, array_like=True):
    """An input as it is stored: `path` for `store.inputs.original_path`; `row_rule` as in `StoredAnswer`."""

    path: str
    part: str
    row_rule: RowRule


def first_input(folder: Path) -> StoredInput | None:
    """Return the first input of an evaluation's latest plan, `None` if it has none. Raises StoreError."""
    query = "SELECT path, part, (SELECT options FROM evaluation) FROM inputs WHERE active ORDER BY id LIMIT 1"
    with folder_errors(folder), closing(open_for_reading(folder)) as connection:
        row = connection.execute(query).fetchone()
    return None if row is None else msgspec.convert((*row[:2], _row_rule(row[2])), StoredInput)


def _row_rule(options: str | None) -> object:
    return 1 if options is None else msgspec.json.decode(options, type=dict[str, Any]).get("row_rule", 1)


def has_reused(reader: Reader) -> bool:
    """Return whether any run took answers over from other evaluations."""
    query = "SELECT 1 FROM runs WHERE settings LIKE '%\"reused\"%' LIMIT 1"
    return reader.connection.execute(query).fetchone() is not None


class Arrivals:
    """The calls in the order in which they were committed: earlier runs' answers, then those of this run."""

    QUERY = f"""SELECT t.id, {_WHOLE}
        FROM attempts t CROSS JOIN current_calls c ON c.id = t.call_id {WITH_ANSWERS}
        WHERE t.id > ? AND (c.status = {SUCCEEDED} OR c.run_id = ?)
        AND t.id = (SELECT max(l.id) FROM attempts l WHERE l.call_id = t.call_id)
        ORDER BY t.id LIMIT {PAGE}"""

    # What was taken over has no attempts, and was there before the run began.
    REUSED = f"""SELECT c.id, {_WHOLE} FROM current_calls c {WITH_ANSWERS}
        WHERE c.id > ? AND c.attempts = 0 AND c.status = {SUCCEEDED} ORDER BY c.id LIMIT {PAGE}"""

    def __init__(self, reader: Reader) -> None:
        self._connection, self._last = reader.connection, 0
        self._reused: int | None = 0 if has_reused(reader) else None
        self._run = self._connection.execute("SELECT max(id) FROM runs").fetchone()[0]

    def take(self) -> list[StoredCall]:
        """Return those that came since the last time, a page at most; none if there are none."""
        if self._reused is not None:
            rows = self._connection.execute(self.REUSED, (self._reused,)).fetchall()
            self._reused = rows[-1][0] if rows else None
            if rows:
                return [_made(tuple(row)[1:]) for row in rows]
        rows = self._connection.execute(self.QUERY, (self._last, self._run)).fetchall()
        if rows:
            self._last = rows[-1][0]
        return [_made(tuple(row)[1:]) for row in rows]


def _made(row: tuple[object, ...]) -> StoredCall:
    """Raises msgspec's ValidationError for a value of another type: the file may come from somebody else."""
    return msgspec.convert(row, StoredCall)


def tuple_cursor(reader: Reader) -> sqlite3.Cursor:
    """Return a cursor whose rows are tuples, of which values are made in less time."""
    cursor = reader.connection.cursor()
    cursor.row_factory = None
    return cursor


def _pages(
    reader: Reader, head: str, values: Mapping[str, object], start: int, limit: int
) -> Iterator[StoredCall]:
    query = f"{head} AND c.id > :last ORDER BY c.id LIMIT :size OFFSET :offset"
    cursor, last, offset = tuple_cursor(reader), -1, start
    while limit:
        size = PAGE if limit < 0 else min(PAGE, limit)
        page = {**values, "last": last, "size": size, "offset": offset}
        rows = cursor.execute(query, page).fetchall()
        for row in rows:
            yield _made(row)
        if not rows:
            return
        last, offset, limit = rows[-1][0], 0, limit - len(rows)
