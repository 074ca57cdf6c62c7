"""Single calls of an evaluation, with every attempt; and a line for each call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from umwelten.errors import UsageError
from umwelten.report import stats, tables
from umwelten.report.current import SUCCEEDED, Source
from umwelten.report.inert import json_safe
from umwelten.report.rows import Error
from umwelten.report.status import iso
from umwelten.store.schema import MAX_MODELS, MAX_REPEATS, REPEAT_BITS, call_id
from umwelten.types import Frozen

STATUS = {1: "succeeded", 2: "failed", None: "pending"}


class Line(Frozen):
    """A call in a list. `call` is its id; what a pending call lacks is `None`."""

    call: int
    file: str | None
    model: str
    repeat: int
    status: str
    response_s: float | None
    attempts: int
    output_tokens: int | None
    cost_usd: float | None
    error_kind: str | None


class Attempt(Frozen):
    """One attempt. `outcome` is "answered" or the kind of failure; `partial` came before the failure."""

    number: int
    run: int
    started_at: str
    response_s: float
    ttft_s: float | None
    outcome: str
    http_status: int | None
    error: Error | None
    error_code: str | None
    partial: str | None
    retry_after_s: float | None
    request_id: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None


class Whole(Frozen):
    """A call with all that is stored about it. Tokens and cost are those of all attempts."""

    call: int
    evaluation: str
    file: str | None
    path: str | None
    model: str
    served_model: str | None
    repeat: int
    status: str
    prompt: str
    system: str | None
    parameters: dict[str, str]
    attachments: tuple[str, ...]
    response: str | None
    reasoning: str | None
    output: str | None
    finish_reason: str | None
    response_s: float | None
    ttft_s: float | None
    time_s: float | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    error: Error | None
    attempts: tuple[Attempt, ...]


def lines(source: Source) -> Iterator[Line]:
    """The calls that ended, by file, model and repeat; one at a time."""
    for row in source.connection.execute(f"{_LINE} WHERE c.id IS NOT NULL {_ORDER}"):
        yield _line(row)


def find(source: Source, words: Sequence[str]) -> tuple[Line, ...]:
    """The calls that the words name: an id, or file, model and repeat, each of which may be left out.

    Pending calls are found by name too. Raises UsageError if a word names nothing here.
    """
    known = _Known(source.connection)
    if len(words) == 1 and words[0].isdigit() and words[0] not in known.files:
        return _by_id(source, int(words[0]))
    file, model, repeat = known.sort(words)
    rows = source.connection.execute(
        f"""{_LINE} WHERE (:file IS NULL OR i.id = :file) AND (:model IS NULL OR m.id = :model)
        AND (:repeat IS NULL OR r.n = :repeat) {_ORDER}""",
        {"file": file, "model": model, "repeat": repeat},
    )
    return tuple(map(_line, rows))


def whole(source: Source, line: Line) -> Whole:
    """All about the call."""
    connection = source.connection
    evaluation = connection.execute("SELECT id, prompt, system FROM evaluation").fetchone()
    settings = tables.settings(source)
    row = connection.execute(
        """SELECT i.path, c.*, a.text, a.reasoning FROM inputs i LEFT JOIN calls c ON c.id = :call
        LEFT JOIN answers a ON a.call_id = c.id WHERE i.id = :input""",
        {"call": line.call, "input": line.call >> (REPEAT_BITS + MAX_MODELS.bit_length())},
    ).fetchone()
    ended = line.status != STATUS[None]
    return Whole(
        call=line.call,
        evaluation=evaluation["id"],
        file=line.file,
        path=row["path"] if line.file is not None else None,
        model=line.model,
        served_model=row["served_model"] if ended else None,
        repeat=line.repeat,
        status=line.status,
        prompt=evaluation["prompt"],
        system=evaluation["system"],
        parameters=dict(settings.parameters),
        attachments=settings.attachments,
        response=row["text"] if line.status == STATUS[SUCCEEDED] else None,
        reasoning=row["reasoning"] if ended else None,
        output=row["output"] if ended else None,
        finish_reason=row["finish_reason"] if ended else None,
        response_s=line.response_s,
        ttft_s=stats.rounded(row["ttft_s"]) if ended else None,
        time_s=stats.rounded(row["time_s"]) if ended else None,
        input_tokens=row["input_tokens"] if ended else None,
        output_tokens=line.output_tokens,
        cached_tokens=row["cached_tokens"] if ended else None,
        reasoning_tokens=row["reasoning_tokens"] if ended else None,
        cost_usd=line.cost_usd,
        error=_error(row) if line.status == "failed" else None,
        attempts=_attempts(connection, line.call),
    )


# --- finding -------------------------------------------------------------------------------------

# A call whose answer is about older bytes of its file is pending, as in every report.
_LINE = f"""WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r
        WHERE n < (SELECT repeats FROM evaluation))
    SELECT i.id AS input, i.name AS file, m.id AS model_id, m.name AS model, r.n AS repeat, c.status,
        c.response_s, c.output_tokens, c.cost_nusd, c.error_kind,
        (SELECT count(*) FROM attempts a WHERE
            a.call_id = (i.id << {REPEAT_BITS + MAX_MODELS.bit_length()}) | (m.id << {REPEAT_BITS}) | r.n)
            AS attempts
    FROM inputs i CROSS JOIN models m CROSS JOIN r LEFT JOIN calls c
        ON c.id = (i.id << {REPEAT_BITS + MAX_MODELS.bit_length()}) | (m.id << {REPEAT_BITS}) | r.n
        AND c.input_version = i.version"""
_ORDER = "AND i.active AND m.active ORDER BY i.id, m.id, r.n"


class _Known:
    """The files and models by name."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("SELECT name, id FROM models WHERE active")
        self.models: dict[str, int] = dict(map(tuple, rows))
        self.files = _Files(connection)

    def sort(self, words: Sequence[str]) -> tuple[int | None, int | None, int | None]:
        """(input, model, repeat) of the words, in that order."""
        left = list(words)
        file = self.files.pop(left)
        model = self.models.get(left[0]) if left else None
        if model is not None:
            left.pop(0)
        repeat = int(left.pop(0)) if left and left[0].isdigit() and len(words) > 1 else None
        if left:
            raise UsageError(f"{left[0]!r} is no file, model or repeat here", self._hint())
        return file, model, repeat

    def _hint(self) -> str:
        return f"Models: {', '.join(self.models)}. `eval show ID` lists the calls."


class _Files:
    """The inputs' names, asked one by one: there may be a million."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __contains__(self, name: str) -> bool:
        return self.number(name) is not None

    def number(self, name: str) -> int | None:
        row = self._connection.execute(
            "SELECT id FROM inputs WHERE name = ? AND active AND id > 0", (name,)
        ).fetchone()
        return None if row is None else int(row[0])

    def pop(self, words: list[str]) -> int | None:
        """The number of the file that the first word names, which is taken off; `None` if it names none."""
        number = self.number(words[0]) if words else None
        if number is not None:
            words.pop(0)
        return number


def _by_id(source: Source, number: int) -> tuple[Line, ...]:
    bits = MAX_MODELS.bit_length()
    file, model, repeat = (
        number >> (REPEAT_BITS + bits),
        (number >> REPEAT_BITS) & MAX_MODELS,
        number & MAX_REPEATS,
    )
    rows = source.connection.execute(
        f"{_LINE} WHERE i.id = ? AND m.id = ? AND r.n = ? {_ORDER}", (file, model, repeat)
    )
    return tuple(map(_line, rows))


def _line(row: sqlite3.Row) -> Line:
    return Line(
        call=call_id(row["input"], row["model_id"], row["repeat"]),
        file=row["file"] if row["input"] else None,
        model=row["model"],
        repeat=row["repeat"],
        status=STATUS[row["status"]],
        response_s=stats.rounded(row["response_s"]),
        attempts=row["attempts"],
        output_tokens=row["output_tokens"],
        cost_usd=stats.usd(row["cost_nusd"]),
        error_kind=row["error_kind"],
    )


def _error(row: sqlite3.Row) -> Error | None:
    if row["error_kind"] is None:
        return None
    return Error(kind=row["error_kind"], message=row["error_message"] or "")


def _attempts(connection: sqlite3.Connection, call: int) -> tuple[Attempt, ...]:
    rows = connection.execute("SELECT * FROM attempts WHERE call_id = ? ORDER BY id", (call,))
    return tuple(
        Attempt(
            number=row["number"],
            run=row["run_id"],
            started_at=iso(row["started_at"]),
            response_s=round(row["latency_s"], stats.DIGITS),
            ttft_s=stats.rounded(row["ttft_s"]),
            outcome=row["error_kind"] or "answered",
            http_status=row["http_status"],
            error=_error(row),
            error_code=row["error_code"],
            partial=row["partial"],
            retry_after_s=row["retry_after_s"],
            request_id=row["request_id"],
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cached_tokens=row["cached_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
            cost_usd=stats.usd(row["cost_nusd"]),
        )
        for row in rows
    )


def as_json(value: Line | Whole) -> str:
    """One line of JSON."""
    return json_safe(msgspec.json.encode(value).decode())
