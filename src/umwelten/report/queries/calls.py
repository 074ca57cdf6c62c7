"""Single calls of an evaluation, with every attempt; and a line for each call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from umwelten.prompts.messages import readable
from umwelten.report import stats
from umwelten.report.models import Error
from umwelten.report.queries import overviews
from umwelten.report.queries.asked_calls import AskedDetail, asked_detail
from umwelten.report.queries.call_names import KnownNames, is_number
from umwelten.report.queries.call_steps import CallStep, call_steps, tool_sums
from umwelten.report.queries.reported_settings import parameter_texts, reported_settings
from umwelten.report.queries.status import iso
from umwelten.report.queries.variants import variants
from umwelten.report.queries.workers import AttemptWorker, worker_of
from umwelten.store.asked import asked
from umwelten.store.inputs import path_text
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import StoredCall, stored_call
from umwelten.store.tables import FAILED, SUCCEEDED, call_id_sql, cell_of
from umwelten.text.sanitize import json_safe
from umwelten.types import FrozenStruct

STATUS = {SUCCEEDED: "succeeded", FAILED: "failed", None: "pending"}


class CallSummary(FrozenStruct):
    """A call in a list. `call` is its id; what a pending call lacks is `None`.

    `prompt` is the name of one of several prompts, `marks` as in `CallResult`.
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


class FailedCall(CallSummary):
    """A failed call in a list, with its message."""

    error_message: str = ""


class UsageDetails(FrozenStruct, omit_defaults=True):
    """What else a reply states that changes its cost; `details` are counts by `types.UsageDetail`.

    `api` is the API that answered, where it is not the provider's usual one: "responses".
    """

    cache_write_tokens: int | None = None
    service_tier: str | None = None
    details: dict[str, int] = msgspec.field(default_factory=dict)
    api: str | None = None


class Attempt(FrozenStruct):
    """One attempt. `outcome` is "answered" or the kind of failure; `partial` came before the failure.

    With the kind "schema", `partial` is the whole answer and `error_code` names the fields that are wrong.
    `served_by` is the lane that made it: an account or a host; `None` in what an earlier version stored.
    `hedge`: it was sent while the one before was under way, which took long. `step` is there where tools were
    offered: the number of the request that it was for. `worker` is there where another process made it, and
    `late` where it ended after it had been given up as lost.
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
    usage_details: UsageDetails | msgspec.UnsetType = msgspec.UNSET
    served_by: str | None = None
    hedge: bool = False
    step: int | msgspec.UnsetType = msgspec.UNSET
    worker: AttemptWorker | msgspec.UnsetType = msgspec.UNSET
    late: bool | msgspec.UnsetType = msgspec.UNSET


class CallDetail(FrozenStruct, kw_only=True):
    """A call with all that is stored about it. Tokens and cost are those of all attempts.

    `prompt` is the prompt's text, `prompt_name` its name among several, `asked` what was sent. `data` and
    `marks` as in `CallResult`; `part` says where in the file at `path` an input is that is not a file. A
    pending call has no more than what it asks for, and perhaps attempts. `variant` is there if the model has
    one.

    `steps` are there where tools were offered, with the sums over them; of a pending call those that are
    stored, from which it continues.
    """

    call: int
    evaluation: str
    file: str | None
    path: str | None
    part: str | None
    model: str
    variant: str | msgspec.UnsetType = msgspec.UNSET
    served_model: str | None = None
    repeat: int
    status: str
    prompt: str
    prompt_name: str | None
    system: str | None
    parameters: dict[str, str]
    attachments: tuple[str, ...]
    asked: AskedDetail
    response: str | None = None
    data: msgspec.Raw | None = None
    marks: tuple[str, ...] = ()
    reasoning: str | None = None
    output: str | None = None
    finish_reason: str | None = None
    response_s: float | None = None
    ttft_s: float | None = None
    time_s: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_usd: float | None = None
    usage_details: UsageDetails | msgspec.UnsetType = msgspec.UNSET
    error: Error | None = None
    attempts: tuple[Attempt, ...]
    steps: tuple[CallStep, ...] | msgspec.UnsetType = msgspec.UNSET
    tool_calls: int | msgspec.UnsetType | None = msgspec.UNSET
    tool_errors: int | msgspec.UnsetType | None = msgspec.UNSET
    tool_s: float | msgspec.UnsetType | None = msgspec.UNSET


def ended_calls(reader: Reader) -> Iterator[CallSummary]:
    """Yield the calls that ended, by file, model and repeat; one at a time."""
    return map(_summary, reader.connection.execute(_ENDED))


def has_files(reader: Reader) -> bool:
    """Return whether its calls are about files or rows, and not about the prompt alone."""
    return (
        reader.connection.execute("SELECT 1 FROM inputs WHERE active AND id > 0 LIMIT 1").fetchone()
        is not None
    )


def beginning(reader: Reader, call: int, characters: int) -> str:
    """Return how a call's answer begins, or the message of its failure."""
    row = reader.connection.execute(
        """SELECT CASE WHEN c.error_kind IS NULL THEN
                (SELECT substr(text, 1, :most) FROM answers WHERE call_id = c.id)
            ELSE substr(c.error_message, 1, :most) END FROM calls c WHERE c.id = :call""",
        {"call": call, "most": characters},
    ).fetchone()
    return "" if row is None else row[0] or ""


def names(reader: Reader, most_files: int) -> list[str]:
    """Return the names of models, prompts and files that `find` knows; at most so many files, the first."""
    rows = reader.connection.execute(
        "SELECT name FROM inputs WHERE id > 0 AND active ORDER BY id LIMIT ?", (most_files,)
    )
    columns = variants(reader.connection).values()
    known = [name for variant in columns for name in (variant.model, variant.prompt) if name]
    return list(dict.fromkeys([*known, *(name for (name,) in rows)]))


def failed_call(reader: Reader, line: CallSummary) -> FailedCall:
    """Return the failed call of that line with its message."""
    call = stored_call(reader, line.call)
    message = "" if call is None else call.error_message or ""
    return FailedCall(**msgspec.structs.asdict(line), error_message=message)


def find(reader: Reader, words: Sequence[str]) -> Iterator[CallSummary]:
    """Return the calls that the words name: a place in the list, an id, or file, model, prompt and repeat.

    As far as they are given, and by a part of the name that no other file or model has.
    They come one at a time, pending ones too if they are named. Raises UsageError if a word names nothing
    here.
    """
    known = KnownNames(reader.connection)
    if len(words) == 1 and is_number(words[0]) and words[0] not in known.files:
        number = int(words[0])
        return by_id(reader, number) if number > MOST_POSITIONS else _by_position(reader, number)
    file, columns, repeat = known.sort(words)
    rows = reader.connection.execute(
        f"""{_CELLS} WHERE (:file IS NULL OR i.id = :file) AND m.id IN ({", ".join(map(str, columns))})
        AND (:repeat IS NULL OR r.n = :repeat) {_ORDER}""",
        {"file": file, "repeat": repeat},
    )
    return map(_summary, rows)


def call_detail(reader: Reader, line: CallSummary) -> CallDetail:
    """Return all about the call of that line."""
    connection = reader.connection
    evaluation = connection.execute("SELECT id, prompt FROM evaluation").fetchone()
    settings = reported_settings(reader)
    input_id, model_id, _ = cell_of(line.call)
    path, part = connection.execute("SELECT path, part FROM inputs WHERE id = ?", (input_id,)).fetchone()
    variant, call = variants(connection)[model_id], stored_call(reader, line.call)
    sent = reader.spec().request.of(variant.ref)
    steps = () if sent.tools is None else call_steps(connection, line.call, input_id)
    return CallDetail(
        call=line.call,
        evaluation=evaluation["id"],
        file=line.file,
        path=path_text(path) if line.file is not None else None,
        part=part or None,
        model=line.model,
        variant=variant.ref.variant or msgspec.UNSET,
        repeat=line.repeat,
        status=line.status,
        prompt=readable(evaluation["prompt"] if variant.text is None else variant.text),
        prompt_name=variant.prompt,
        system=sent.system,
        parameters=dict(parameter_texts(sent.parameters) if variant.ref.variant else settings.parameters),
        attachments=settings.attachments,
        asked=asked_detail(asked(reader, line.call)),
        attempts=_attempts(connection, line.call, has_tools=sent.tools is not None),
        **({} if call is None else _ending(call)),
        **({} if sent.tools is None else {"steps": steps, **tool_sums(steps, call)}),
    )


def _ending(call: StoredCall) -> dict[str, Any]:
    """What only a call that ended has."""
    result = overviews.call_result(call)
    return {
        "served_model": call.served_model,
        "response": result.response,
        "data": result.data,
        "marks": result.marks,
        "reasoning": call.reasoning,
        "output": call.output,
        "finish_reason": result.finish_reason,
        "response_s": result.metrics.response_s,
        "ttft_s": result.metrics.ttft_s,
        "time_s": stats.rounded(call.time_s),
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cached_tokens": call.cached_tokens,
        "reasoning_tokens": call.reasoning_tokens,
        "cost_usd": result.metrics.cost_usd,
        "usage_details": _details(call.usage_details),
        "error": result.error,
    }


MOST_POSITIONS = 65_535
"""Numbers up to this are places in the list of calls that ended: ids of calls begin above."""

# --- finding -------------------------------------------------------------------------------------

_CALL = call_id_sql("i.id", "m.id", "r.n")
_FIGURES = """c.status, CASE WHEN c.attempts > 0 THEN c.response_s END AS response_s, c.output_tokens,
    c.cost_nusd, c.error_kind"""
_MARKS = f"(SELECT marks FROM answers a WHERE a.call_id = c.id AND c.status = {SUCCEEDED}) AS marks"

_ENDED = f"""SELECT c.id, c.file, c.model, c.prompt, c.repeat, {_FIGURES}, {_MARKS},
        (SELECT count(*) FROM attempts a WHERE a.call_id = c.id) AS attempts
    FROM current_calls c ORDER BY c.id"""

# All cells of the grid. A call whose answer is about older bytes of its file is pending, as everywhere.
_CELLS = f"""WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r
        WHERE n < (SELECT repeats FROM evaluation))
    SELECT {_CALL} AS id, nullif(i.name, '') AS file, m.name AS model,
        (SELECT p.name FROM prompts p WHERE p.id = m.prompt_id) AS prompt, r.n AS repeat,
        {_FIGURES}, {_MARKS}, (SELECT count(*) FROM attempts a WHERE a.call_id = {_CALL}) AS attempts
    FROM inputs i CROSS JOIN models m CROSS JOIN r LEFT JOIN calls c
        ON c.id = {_CALL} AND c.input_version = i.version"""
_ORDER = "AND i.active AND m.active ORDER BY i.id, m.id, r.n"


def _by_position(reader: Reader, number: int) -> Iterator[CallSummary]:
    """The call in that place of the list of those that ended, from 1."""
    return map(_summary, reader.connection.execute(f"{_ENDED} LIMIT 1 OFFSET ?", (max(number - 1, 0),)))


def by_id(reader: Reader, number: int) -> Iterator[CallSummary]:
    """Return the call of that id, pending or not; none if the plan has no such call."""
    rows = reader.connection.execute(
        f"{_CELLS} WHERE i.id = ? AND m.id = ? AND r.n = ? {_ORDER}", cell_of(number)
    )
    return map(_summary, rows)


def _summary(row: sqlite3.Row) -> CallSummary:
    return CallSummary(
        call=row["id"],
        file=row["file"],
        model=row["model"],
        prompt=row["prompt"],
        repeat=row["repeat"],
        status=STATUS[row["status"]],
        response_s=stats.rounded(row["response_s"]),
        attempts=row["attempts"],
        output_tokens=row["output_tokens"],
        cost_usd=stats.usd(row["cost_nusd"]),
        error_kind=row["error_kind"],
        marks=tuple(row["marks"].split(",")) if row["marks"] else (),
    )


def _attempts(connection: sqlite3.Connection, call: int, *, has_tools: bool) -> tuple[Attempt, ...]:
    rows = connection.execute("SELECT * FROM attempts WHERE call_id = ? ORDER BY id", (call,)).fetchall()
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
            usage_details=_details(row["usage_details"]),
            served_by=row["served_by"],
            hedge=_is_hedge(row, rows),
            step=row["step"] if has_tools else msgspec.UNSET,
            worker=msgspec.UNSET if row["worker"] is None else worker_of(connection, row),
            late=bool(row["late"]) or msgspec.UNSET,
        )
        for row in rows
    )


_DRIFT = 0.001
"""Of a latency: by so much may the clock of the day go wrong beside the one that latencies are taken with."""


def _is_hedge(row: sqlite3.Row, rows: Sequence[sqlite3.Row]) -> bool:
    """Return whether the attempt before was under way when it started, and had not been given up."""
    run, number = row["run_id"], row["number"]
    before = [r for r in rows if r["run_id"] == run and r["number"] == number - 1 and not r["late"]]
    return any(row["started_at"] < r["started_at"] + (1 - _DRIFT) * r["latency_s"] for r in before)


def _details(stored: str | None) -> UsageDetails | msgspec.UnsetType:
    return msgspec.json.decode(stored, type=UsageDetails) if stored else msgspec.UNSET


def _why(row: sqlite3.Row) -> Error:
    return Error(kind=row["error_kind"], message=row["error_message"] or "")


def as_json(value: CallSummary | CallDetail) -> str:
    """Return one line of JSON."""
    return json_safe(msgspec.json.encode(value).decode())
