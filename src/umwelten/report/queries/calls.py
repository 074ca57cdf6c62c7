"""Single calls of an evaluation, with every attempt; and a line for each call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from umwelten.errors import UsageError
from umwelten.report import stats
from umwelten.report.models import Error
from umwelten.report.queries import overviews
from umwelten.report.queries.current_calls import FAILED, SUCCEEDED, ReportSource
from umwelten.report.queries.status import iso
from umwelten.report.queries.variants import Variant, variants
from umwelten.store.schema import MAX_MODELS, MAX_REPEATS, REPEAT_BITS, call_id
from umwelten.text.sanitize import json_safe
from umwelten.types import FrozenStruct

STATUS = {1: "succeeded", 2: "failed", None: "pending"}


class CallSummary(FrozenStruct):
    """A call in a list. `call` is its id; what a pending call lacks is `None`.

    `prompt` is the name of one of several prompts, `marks` as in `rows.Result`.
    """

    call: int
    file: str | None
    model: str
    prompt: str | None
    repeat: int
    status: str
    response_s: float | None
    attempts: int
    output_tokens: int | None
    cost_usd: float | None
    error_kind: str | None
    marks: tuple[str, ...] = ()


class Attempt(FrozenStruct):
    """One attempt. `outcome` is "answered" or the kind of failure; `partial` came before the failure.

    With the kind "schema", `partial` is the whole answer and `error_code` names the fields that are wrong.
    """

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


class CallDetail(FrozenStruct):
    """A call with all that is stored about it. Tokens and cost are those of all attempts.

    `prompt` is the text that was sent, `prompt_name` its name among several. `data` and `marks` as in
    `rows.Result`; `part` says where in the file at `path` an input is that is not a file.
    """

    call: int
    evaluation: str
    file: str | None
    path: str | None
    part: str | None
    model: str
    served_model: str | None
    repeat: int
    status: str
    prompt: str
    prompt_name: str | None
    system: str | None
    parameters: dict[str, str]
    attachments: tuple[str, ...]
    response: str | None
    data: msgspec.Raw | None
    marks: tuple[str, ...]
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


def lines(source: ReportSource) -> Iterator[CallSummary]:
    """The calls that ended, by file, model and repeat; one at a time."""
    columns = variants(source.connection)
    for row in source.connection.execute(f"{_LINE} WHERE c.id IS NOT NULL {_ORDER}"):
        yield _line(row, columns)


def find(source: ReportSource, words: Sequence[str]) -> tuple[CallSummary, ...]:
    """The calls that the words name: an id, or file, model, prompt, repeat, each of which may be left out.

    Pending calls are found by name too. Raises UsageError if a word names nothing here.
    """
    known = _Known(source.connection)
    if len(words) == 1 and words[0].isdigit() and words[0] not in known.files:
        return _by_id(source, int(words[0]))
    file, columns, repeat = known.sort(words)
    rows = source.connection.execute(
        f"""{_LINE} WHERE (:file IS NULL OR i.id = :file) AND m.id IN ({", ".join(map(str, columns))})
        AND (:repeat IS NULL OR r.n = :repeat) {_ORDER}""",
        {"file": file, "repeat": repeat},
    )
    return tuple(_line(row, columns) for row in rows)


def call_detail(source: ReportSource, line: CallSummary) -> CallDetail:
    """All about the call."""
    connection = source.connection
    evaluation = connection.execute("SELECT id, prompt, system FROM evaluation").fetchone()
    settings = overviews.settings(source)
    row = connection.execute(
        """SELECT i.path, i.part, c.*, a.text, a.reasoning, a.data
        FROM inputs i LEFT JOIN calls c ON c.id = :call
        LEFT JOIN answers a ON a.call_id = c.id WHERE i.id = :input""",
        {"call": line.call, "input": line.call >> _INPUT_SHIFT},
    ).fetchone()
    variant = variants(connection)[(line.call >> REPEAT_BITS) & MAX_MODELS]
    ended, succeeded = line.status != STATUS[None], line.status == STATUS[SUCCEEDED]
    tries = _attempts(connection, line.call)
    return CallDetail(
        call=line.call,
        evaluation=evaluation["id"],
        file=line.file,
        path=row["path"] if line.file is not None else None,
        part=row["part"] or None,
        model=line.model,
        served_model=row["served_model"] if ended else None,
        repeat=line.repeat,
        status=line.status,
        prompt=evaluation["prompt"] if variant.text is None else variant.text,
        prompt_name=variant.prompt,
        system=evaluation["system"],
        parameters=dict(settings.parameters),
        attachments=settings.attachments,
        response=row["text"] if succeeded else None,
        data=msgspec.Raw(row["data"].encode()) if succeeded and row["data"] is not None else None,
        marks=line.marks,
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
        error=overviews.error_of(row, kept=tries[-1].partial if tries else None)
        if line.status == STATUS[FAILED]
        else None,
        attempts=tries,
    )


# --- finding -------------------------------------------------------------------------------------

_INPUT_SHIFT = REPEAT_BITS + MAX_MODELS.bit_length()
_CALL = f"((i.id << {_INPUT_SHIFT}) | (m.id << {REPEAT_BITS}) | r.n)"

# A call whose answer is about older bytes of its file is pending, as in every report.
_LINE = f"""WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r
        WHERE n < (SELECT repeats FROM evaluation))
    SELECT i.id AS input, i.name AS file, m.id AS model_id, r.n AS repeat, c.status,
        c.response_s, c.output_tokens, c.cost_nusd, c.error_kind,
        (SELECT count(*) FROM attempts a WHERE a.call_id = {_CALL}) AS attempts,
        (SELECT marks FROM answers a WHERE a.call_id = c.id AND c.status = {SUCCEEDED}) AS marks
    FROM inputs i CROSS JOIN models m CROSS JOIN r LEFT JOIN calls c
        ON c.id = {_CALL} AND c.input_version = i.version"""
_ORDER = "AND i.active AND m.active ORDER BY i.id, m.id, r.n"


class _Known:
    """The files, models and prompts by name."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._variants = variants(connection)
        self.files = _Files(connection)

    def sort(self, words: Sequence[str]) -> tuple[int | None, dict[int, Variant], int | None]:
        """(input, models × prompts, repeat) of the words, in that order; all of what no word names."""
        left = list(words)
        file = self.files.pop(left)
        columns = _named(_named(self._variants, left, "model"), left, "prompt")
        repeat = int(left.pop(0)) if left and left[0].isdigit() and len(words) > 1 else None
        if left:
            raise UsageError(f"{left[0]!r} is no {self._what()} here", self._hint())
        return file, columns, repeat

    def _what(self) -> str:
        return "file, model, prompt or repeat" if self._names("prompt") else "file, model or repeat"

    def _names(self, what: str) -> list[str]:
        return [name for name in dict.fromkeys(getattr(v, what) for v in self._variants.values()) if name]

    def _hint(self) -> str:
        prompts = self._names("prompt")
        also = f" Prompts: {', '.join(prompts)}." if prompts else ""
        return f"Models: {', '.join(self._names('model'))}.{also} `eval show ID` lists the calls."


def _named(columns: dict[int, Variant], words: list[str], what: str) -> dict[int, Variant]:
    """Those whose `what` the first word is, which is taken off; all of them if it names none."""
    found = {n: one for n, one in columns.items() if words and getattr(one, what) == words[0]}
    if found:
        words.pop(0)
    return found or columns


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


def _by_id(source: ReportSource, number: int) -> tuple[CallSummary, ...]:
    file, model, repeat = (
        number >> _INPUT_SHIFT,
        (number >> REPEAT_BITS) & MAX_MODELS,
        number & MAX_REPEATS,
    )
    rows = source.connection.execute(
        f"{_LINE} WHERE i.id = ? AND m.id = ? AND r.n = ? {_ORDER}", (file, model, repeat)
    )
    columns = variants(source.connection)
    return tuple(_line(row, columns) for row in rows)


def _line(row: sqlite3.Row, columns: Mapping[int, Variant]) -> CallSummary:
    variant = columns[row["model_id"]]
    return CallSummary(
        call=call_id(row["input"], row["model_id"], row["repeat"]),
        file=row["file"] if row["input"] else None,
        model=variant.model,
        prompt=variant.prompt,
        repeat=row["repeat"],
        status=STATUS[row["status"]],
        response_s=stats.rounded(row["response_s"]),
        attempts=row["attempts"],
        output_tokens=row["output_tokens"],
        cost_usd=stats.usd(row["cost_nusd"]),
        error_kind=row["error_kind"],
        marks=tuple(row["marks"].split(",")) if row["marks"] else (),
    )


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
            error=None if row["error_kind"] is None else _why(row),
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


def _why(row: sqlite3.Row) -> Error:
    return Error(kind=row["error_kind"], message=row["error_message"] or "")


def as_json(value: CallSummary | CallDetail) -> str:
    """One line of JSON."""
    return json_safe(msgspec.json.encode(value).decode())
