"""From records to rows: the statements that write them and the tuples they take. Pure."""

from __future__ import annotations

import json
import re

import msgspec

from umwelten.records import (
    AttemptRecord,
    CallRecord,
    ChangeRecord,
    CostRecord,
    LimitRecord,
    StepRecord,
    ToolCallsRecord,
    WorkerRecord,
)
from umwelten.store.tables import FAILED, SUCCEEDED
from umwelten.store.text_file_names import inside, is_text_name, text_name
from umwelten.tool_calls import UNRESOLVED, ToolCallState, ToolOutcome
from umwelten.types import LONGEST_NAME, Failure, FailureKind, FrozenStruct, Outcome, Reply, Usage

Row = tuple[object, ...]


class ResultSlot(FrozenStruct):
    """Where a call's result goes: the input's version when it was leased and the text file's name.

    `output` None: no text file is written. `stale` True: an answer of an earlier version is stored, and
    `outdated` is its file, if it has one.
    """

    version: int
    output: str | None
    stale: bool = False
    outdated: str | None = None


class Insert(FrozenStruct):
    """A statement that writes rows: `into`, the rows, `after`. At `most` so many: a copy of each is made."""

    into: str
    row: str
    after: str = ""
    most: int = 64

    def of(self, rows: int) -> str:
        """Return the statement for so many rows at once."""
        return f"{self.into} VALUES {', '.join([self.row] * rows)} {self.after}"


INSERT_ATTEMPT = Insert(into="INSERT INTO attempts", row=f"(NULL{', ?' * 24})")
INSERT_STEP = Insert(into="REPLACE INTO steps", row=f"(?{', ?' * 11})", most=8)
INSERT_TOOL_CALL = Insert(into="REPLACE INTO tool_calls", row=f"(?{', ?' * 11})", most=8)
DELETE_STEPS = "DELETE FROM steps WHERE call_id = ? AND number >= ?"
DELETE_TOOL_CALLS = "DELETE FROM tool_calls WHERE call_id = ? AND step >= ?"
INSERT_LIMIT = Insert(into="INSERT INTO limit_changes", row="(?, ?, ?, ?, ?, ?)")
INSERT_CHANGE = Insert(
    into="INSERT INTO changes (run_id, at, author, via, key, scope, old, new, reason)",
    row="(?, ?, ?, ?, ?, ?, ?, ?, ?)",
)
INSERT_WORKER = Insert(into="REPLACE INTO workers", row=f"(?{', ?' * 9})")
REPLACE_LOST = f"""REPLACE INTO attempts VALUES ((SELECT id FROM attempts WHERE call_id = ? AND number = ?
    AND run_id = ? AND worker IS ? AND error_kind = '{FailureKind.LOST}'){", ?" * 24})"""
UPDATE_COST = "UPDATE calls SET cost_nusd = ? WHERE id = ? AND run_id = ? AND cost_nusd IS NULL"
INSERT_ANSWER = Insert(
    into="REPLACE INTO answers (call_id, text, reasoning, data, marks)", row="(?, ?, ?, ?, ?)", most=8
)
DELETE_ANSWER = "DELETE FROM answers WHERE call_id = ?"

CALL_COLUMNS = tuple(
    re.findall(
        r"\w+",
        """
        id input_id model_id repeat input_version key content status run_id
        started_at response_s ttft_s time_s attempts finish_reason served_model
        input_tokens output_tokens cached_tokens reasoning_tokens cost_nusd
        error_kind error_message output usage_details steps tool_calls tool_errors tool_s sent
        """,
    )
)

# A failure never takes the place of an answer that is still good.
UPSERT_CALL = Insert(
    into=f"INSERT INTO calls ({', '.join(CALL_COLUMNS)})",
    row=f"({', '.join('?' * (len(CALL_COLUMNS) - 1))}, (SELECT id FROM contents WHERE hash = ?))",
    after=f"""
        ON CONFLICT (id) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in CALL_COLUMNS[4:])}
        WHERE calls.status = {FAILED} OR excluded.status = {SUCCEEDED}
           OR calls.input_version <> excluded.input_version
    """,
)


def clean(text: str) -> str:
    """Return the text as SQLite and a UTF-8 file can hold it: no NUL, no lone surrogate."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_optional(text: str | None) -> str | None:
    """Do as `clean` does where there may be no text."""
    return None if text is None else clean(text)


def name(text: str | None) -> str | None:
    """Return what a provider calls something, cut where it is longer than any name."""
    return None if text is None else clean(text[:LONGEST_NAME])


def result_slot(
    stem: str,
    slug: str | None,
    repeat: int,
    version: int,
    *,
    stale: bool = False,
    outdated: str | None = None,
    texts: bool = True,
) -> ResultSlot:
    """Return the slot. `stale`: there is an out-of-date answer, and `outdated` names its file, if any.

    A name once given stays. `texts` False: no text file is to be written.
    """
    kept = outdated if outdated and is_text_name(outdated) else None
    output = (kept or file_name(stem, slug, repeat)) if texts else None
    return ResultSlot(
        version=version, output=output, stale=stale, outdated=(kept or output) if stale else None
    )


def file_name(stem: str, slug: str | None, repeat: int) -> str:
    """Return the name of an answer's text file. `slug` None: it is without the model."""
    return inside(text_name(stem, slug, repeat))


def count(tokens: int | None) -> int | None:
    """Return a number that a provider gave, if it is one that the database can hold."""
    return tokens if tokens is not None and abs(tokens) < 1 << 63 else None


def usage_details(usage: Usage, api: str | None = None) -> str | None:
    """Return the JSON of what has no column of its own, `None` where nothing of it is known.

    `api` as in `Reply`.
    """
    stated: dict[str, object] = {}
    if usage.cache_write_tokens is not None:
        stated["cache_write_tokens"] = usage.cache_write_tokens
    if usage.service_tier is not None:
        stated["service_tier"] = name(usage.service_tier)
    if usage.details:
        stated["details"] = usage.details
    if api is not None:
        stated["api"] = api
    return json_text(stated) if stated else None


def _api(outcome: Outcome) -> str | None:
    return outcome.api if isinstance(outcome, Reply) else None


def attempt_row(record: AttemptRecord, run_id: int) -> Row:
    """Return the values for INSERT_ATTEMPT."""
    outcome, timing = record.outcome, record.timing
    usage = outcome.usage
    if isinstance(outcome, Failure):
        failed: Row = (
            outcome.status,
            str(outcome.kind),
            clean(outcome.message),
            name(outcome.code),
            clean_optional(outcome.partial),
        )
    else:
        failed = (None, None, None, None, None)
    problems = outcome.problems if isinstance(outcome, Failure) else ()
    return (
        record.call.id,
        run_id,
        record.number,
        timing.started_at,
        timing.latency_s,
        timing.ttft_s,
        *failed,
        outcome.hints.retry_after_s,
        name(outcome.request_id),
        count(usage.input_tokens),
        count(usage.output_tokens),
        count(usage.cached_tokens),
        count(usage.reasoning_tokens),
        count(record.cost_nusd),
        clean(json.dumps(msgspec.to_builtins(problems), ensure_ascii=False)) if problems else None,
        usage_details(usage, _api(outcome)),
        name(record.served_by),
        record.step,
        record.worker,
        record.late or None,
    )


def call_row(record: CallRecord, result_slot: ResultSlot, run_id: int) -> Row:
    """Return the values for UPSERT_CALL."""
    call, outcome, timing = record.call, record.outcome, record.timing
    usage, tools = outcome.usage, record.tools
    if isinstance(outcome, Reply):
        status, finish, served = SUCCEEDED, str(outcome.finish_reason), name(outcome.served_model)
        ending: Row = (None, None, result_slot.output)
    else:
        status, finish, served = FAILED, None, None
        ending = (str(outcome.kind), clean(outcome.message), None)
    return (
        call.id,
        0 if call.input is None else call.input.id,
        call.model,
        call.repeat,
        result_slot.version,
        record.key,
        record.content,
        status,
        run_id,
        timing.started_at,
        timing.latency_s,
        timing.ttft_s,
        record.time_s,
        record.attempts,
        finish,
        served,
        count(usage.input_tokens),
        count(usage.output_tokens),
        count(usage.cached_tokens),
        count(usage.reasoning_tokens),
        count(record.cost_nusd),
        *ending,
        usage_details(usage, _api(outcome)),
        *((None,) * 4 if tools is None else (tools.steps, tools.calls, tools.errors, tools.seconds)),
        record.kept or None,
    )


def step_row(record: StepRecord, version: int, run_id: int) -> Row:
    """Return the values for INSERT_STEP."""
    usage = msgspec.structs.replace(record.usage, service_tier=name(record.usage.service_tier))
    return (
        record.call.id,
        record.number,
        version,
        run_id,
        record.started_at,
        record.key,
        record.content,
        record.turn.raw,
        record.turn.cut,
        json_text(usage),
        count(record.cost_nusd),
        name(record.served_by),
    )


def started_rows(record: StepRecord) -> list[Row]:
    """Return the values for INSERT_TOOL_CALL of calls that are to be run, or are not run at all."""
    outcomes = record.results or tuple(
        ToolOutcome(call=call, tool=tool, state=ToolCallState.PENDING, text="")
        for call, tool in zip(record.turn.calls, record.names, strict=True)
    )
    return [_tool_call_row(record.call.id, record.number, *one) for one in enumerate(outcomes)]


def outcome_rows(record: ToolCallsRecord) -> list[Row]:
    """Return the values for INSERT_TOOL_CALL of calls that ended."""
    pairs = zip(record.places, record.outcomes, strict=True)
    return [_tool_call_row(record.call.id, record.step, *pair) for pair in pairs]


def _tool_call_row(call: int, step: int, place: int, outcome: ToolOutcome) -> Row:
    asked, ended = outcome.call, outcome.state not in UNRESOLVED
    return (
        call,
        step,
        place,
        clean(asked.id[:LONGEST_NAME]),
        clean(asked.name[:LONGEST_NAME]),
        clean(outcome.tool[:LONGEST_NAME]),
        clean(asked.arguments),
        str(outcome.state),
        clean(outcome.text) if ended else None,
        clean_optional(outcome.error),
        outcome.started_at,
        outcome.took_s,
    )


def answer_row(call: int, reply: Reply, text: str) -> Row:
    """Return the values for INSERT_ANSWER; `text` is the reply's, cleaned."""
    marks = ",".join(reply.marks) or None
    return (call, text, clean_optional(reply.reasoning), clean_optional(reply.data), marks)


def limit_row(record: LimitRecord, run_id: int) -> Row:
    """Return the values for INSERT_LIMIT."""
    return (run_id, record.at, clean(record.lane), record.limit, record.in_flight, clean(record.reason))


def change_row(record: ChangeRecord, run_id: int) -> Row:
    """Return the values for INSERT_CHANGE."""
    said = (record.author, record.via, record.key, record.scope, record.old, record.new, record.reason)
    return (run_id, record.at, *map(clean, said))


def late_row(record: AttemptRecord, run_id: int) -> Row:
    """Return the values for REPLACE_LOST."""
    lost = (record.call.id, record.number, run_id, record.worker)
    return (*lost, *attempt_row(record, run_id))


def cost_row(record: CostRecord, run_id: int) -> Row:
    """Return the values for UPDATE_COST."""
    return (record.cost_nusd, record.call.id, run_id)


def worker_row(record: WorkerRecord, run_id: int) -> Row:
    """Return the values for INSERT_WORKER."""
    return (
        run_id,
        record.number,
        clean(record.node),
        clean(record.address),
        record.pid,
        record.joined_at,
        record.left_at,
        clean(record.why),
        record.calls,
        record.cpu_s,
    )


def json_text(value: object) -> str:
    """Return stable JSON for a TEXT column."""
    return clean(msgspec.json.encode(value, order="deterministic").decode())
