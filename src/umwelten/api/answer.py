"""One call's answer as the library gives it, and the statements that read answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic

import msgspec

from umwelten.report import stats
from umwelten.report.queries.current_calls import CURRENT, FAILED, SUCCEEDED
from umwelten.types import FrozenStruct, Usage

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

PAGE = 32
"""Answers in memory at a time."""

_SHOWN = 60


class Failure(FrozenStruct):
    """Why a call failed: its kind, as in the table of failures, and the provider's message."""

    kind: str
    message: str


class Answer(msgspec.Struct, Generic[T], frozen=True, kw_only=True, dict=True):
    """How one call ended. `None` means "not known", or that there is none.

    `model` is `provider:model`; `file` the input's name, `prompt` that of one of several prompts. `text`
    is the answer, `data` the record in it where a schema asked for one; `partial` what a failed call had
    got. `marks` say what it took to get the record: "fenced", "mended", "coerced", "asked again".
    `cost_usd` and `usage` are those of all attempts, `response_s` and `ttft_s` of the last.
    """

    model: str
    file: str | None
    prompt: str | None
    repeat: int
    text: str | None
    data: dict[str, Any] | None
    marks: tuple[str, ...]
    reasoning: str | None
    partial: str | None
    finish_reason: str | None
    usage: Usage
    cost_usd: float | None
    response_s: float
    ttft_s: float | None
    attempts: int
    error: Failure | None
    _shape: type[T] | None = None

    def __repr__(self) -> str:
        about = " ".join(part for part in (self.model, self.file, self.prompt) if part)
        said = f"{self.error.kind}: {self.error.message}" if self.error else self.text or ""
        return f"<Answer {about} {self.repeat}: {said[:_SHOWN]!r}{'…' if len(said) > _SHOWN else ''}>"

    @property
    def ok(self) -> bool:
        """Whether the call succeeded."""
        return self.error is None

    @cached_property
    def record(self) -> T:
        """`data` as an instance of the class that was given as `schema`.

        Raises `TypeError` where no class was given, `ValueError` where the call has no record.
        """
        if self._shape is None:
            raise TypeError("record needs a Pydantic class as schema; data is the record as a dict")
        if self.data is None:
            raise ValueError(f"this call has no record: {self.error.message if self.error else 'no schema'}")
        # As JSON, which a strict class reads with fewer demands: a date is a text there.
        made: T = self._shape.model_validate_json(msgspec.json.encode(self.data))  # type: ignore[attr-defined]
        return made


# --- reading -------------------------------------------------------------------------------------

_COLUMNS = """c.*, m.name AS model, i.name AS file, a.text, a.reasoning, a.data, a.marks,
    (SELECT p.name FROM prompts p WHERE p.id = m.prompt_id) AS prompt, CASE c.status WHEN 2 THEN
    (SELECT f.partial FROM attempts f WHERE f.call_id = c.id ORDER BY f.id DESC LIMIT 1) END AS partial"""
_ANSWER = "LEFT JOIN answers a ON a.call_id = c.id"

EITHER = ""
GOOD, BAD = f" AND c.status = {SUCCEEDED}", f" AND c.status = {FAILED}"


def count(connection: sqlite3.Connection, which: str) -> int:
    """How many current calls there are of those that ended: all, `GOOD` or `BAD` ones."""
    found = connection.execute(f"SELECT count(*) FROM {CURRENT.format(tail='')}{which}").fetchone()
    return int(found[0])


def stored(
    connection: sqlite3.Connection, which: str, shape: type[T] | None, *, start: int = 0, limit: int = -1
) -> Iterator[Answer[T]]:
    """The current calls by input, model, repeat, from the `start`-th on, page by page.

    No read stays open in between, so that a slow reader keeps no writer from tidying up.
    """
    head = f"SELECT {_COLUMNS} FROM {CURRENT.format(tail=_ANSWER)}{which}"
    last, offset = -1, start
    while limit:
        size = PAGE if limit < 0 else min(PAGE, limit)
        rows = connection.execute(
            f"{head} AND c.id > ? ORDER BY c.id LIMIT ? OFFSET ?", (last, size, offset)
        ).fetchall()
        for row in rows:
            yield answer(row, shape)
        if len(rows) < size:
            return
        last, offset, limit = rows[-1]["id"], 0, limit - size


class Arrivals:
    """The calls in the order in which they were committed: earlier runs' answers, then those of this run."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._last = connection, 0
        self._run = connection.execute("SELECT max(id) FROM runs").fetchone()[0]
        self._query = f"""SELECT t.id AS attempt_id, {_COLUMNS}
            FROM attempts t CROSS JOIN {CURRENT.format(tail=_ANSWER)} AND c.id = t.call_id AND t.id > ?
            AND (c.status = {SUCCEEDED} OR c.run_id = ?)
            AND t.id = (SELECT max(l.id) FROM attempts l WHERE l.call_id = t.call_id)
            ORDER BY t.id LIMIT {PAGE}"""

    def take(self, shape: type[T] | None) -> list[Answer[T]]:
        """Those that came since the last time, a page at most; none if there are none."""
        rows = self._connection.execute(self._query, (self._last, self._run)).fetchall()
        if rows:
            self._last = rows[-1]["attempt_id"]
        return [answer(row, shape) for row in rows]


def answer(row: sqlite3.Row, shape: type[T] | None) -> Answer[T]:
    """The answer of one row."""
    good = row["status"] == SUCCEEDED
    return Answer(
        model=row["model"],
        file=row["file"] if row["input_id"] else None,
        prompt=row["prompt"] or None,
        repeat=row["repeat"],
        text=row["text"] if good else None,
        data=msgspec.json.decode(row["data"]) if good and row["data"] else None,
        marks=tuple(row["marks"].split(",")) if good and row["marks"] else (),
        reasoning=row["reasoning"] if good else None,
        partial=row["partial"],
        finish_reason=row["finish_reason"],
        usage=Usage(
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cached_tokens=row["cached_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
        ),
        cost_usd=stats.usd(row["cost_nusd"]),
        response_s=row["response_s"],
        ttft_s=row["ttft_s"],
        attempts=row["attempts"],
        error=None
        if good
        else Failure(kind=row["error_kind"] or "server", message=row["error_message"] or ""),
        _shape=shape,
    )
