"""Calls of a run that goes on, a few rows at a time, whatever their number and the size of their answers."""

from __future__ import annotations

import sqlite3
from typing import Any

from umwelten.report import stats
from umwelten.report.queries.calls import STATUS
from umwelten.report.queries.variants import variants
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED, SUCCEEDED

MOST = 500
"""Rows of a page at most: below 300 KB, unless files have names of more than 400 characters."""

_MESSAGE = 2_000
_ANSWER = 100_000
"""Characters and bytes that are read of what others wrote. The whole is in `eval show`."""

_STATUS = {"succeeded": SUCCEEDED, "failed": FAILED}
ENDED = tuple(_STATUS)


def call_rows(
    reader: Reader,
    *,
    status: str | None = None,
    model: str | None = None,
    kind: str | None = None,
    after: int = 0,
    limit: int = 100,
    text: bool = False,
) -> list[dict[str, Any]]:
    """Return the next calls that ended, in the order of their numbers, after that one.

    `status` is one of `ENDED`, `model` as it was asked for, `kind` that of a failure. `text`: with the
    messages of failures, which may quote what models wrote.
    """
    columns = variants(reader.connection)
    numbers = [number for number, variant in columns.items() if model in (None, variant.model)]
    if not numbers:
        return []
    rows = reader.connection.execute(
        f"""SELECT c.id, c.model_id, c.repeat, c.status, c.started_at, c.response_s, c.time_s, c.attempts,
            c.input_tokens, c.output_tokens, c.cost_nusd, c.finish_reason, c.error_kind,
            {f"substr(c.error_message, 1, {_MESSAGE})" if text else "NULL"} AS message,
            CASE WHEN i.id > 0 THEN i.name END AS file
        FROM calls c JOIN inputs i ON i.id = c.input_id
        WHERE c.id > :after AND c.model_id IN ({", ".join(map(str, numbers))})
            AND (:status IS NULL OR c.status = :status) AND (:kind IS NULL OR c.error_kind = :kind)
        ORDER BY c.id LIMIT :limit""",
        {
            "after": after,
            "status": None if status is None else _STATUS[status],
            "kind": kind,
            "limit": min(limit, MOST),
        },
    )
    return [_row(row, columns[row["model_id"]], text) for row in rows]


def call_row(reader: Reader, call: int, *, text: bool = False) -> dict[str, Any] | None:
    """Return a call that ended, with its attempts, `None` if there is none; `text`: with others' words."""
    found = call_rows(reader, after=call - 1, limit=1, text=text)
    if not found or found[0]["call"] != call:
        return None
    attempts = reader.connection.execute(
        f"""SELECT number, started_at, latency_s, ttft_s, http_status, error_kind, cost_nusd, served_by,
            {f"substr(error_message, 1, {_MESSAGE})" if text else "NULL"} AS message
        FROM attempts WHERE call_id = ? ORDER BY id DESC LIMIT 100""",
        (call,),
    )
    row: dict[str, Any] = {**found[0], "attempts_made": [_attempt(each, text) for each in attempts][::-1]}
    if text:
        row["answer"], row["answer_bytes"] = _answer(reader.connection, call)
    return row


def _row(row: sqlite3.Row, variant: Any, text: bool) -> dict[str, Any]:
    found = {
        "call": row["id"],
        "file": row["file"],
        "model": variant.model,
        "prompt": variant.prompt,
        "repeat": row["repeat"],
        "status": STATUS[row["status"]],
        "started_at": row["started_at"],
        "response_s": stats.rounded(row["response_s"]),
        "time_s": stats.rounded(row["time_s"]),
        "attempts": row["attempts"],
        "input_tokens": row["input_tokens"],
        "output_tokens": row["output_tokens"],
        "cost_usd": stats.usd(row["cost_nusd"]),
        "finish_reason": row["finish_reason"],
        "error_kind": row["error_kind"],
    }
    return {**found, "error_message": row["message"]} if text else found


def _attempt(row: sqlite3.Row, text: bool) -> dict[str, Any]:
    found = {
        "number": row["number"],
        "started_at": row["started_at"],
        "response_s": stats.rounded(row["latency_s"]),
        "ttft_s": stats.rounded(row["ttft_s"]),
        "outcome": row["error_kind"] or "answered",
        "http_status": row["http_status"],
        "cost_usd": stats.usd(row["cost_nusd"]),
        "served_by": row["served_by"],
    }
    return {**found, "message": row["message"]} if text else found


def _answer(connection: sqlite3.Connection, call: int) -> tuple[str | None, int]:
    """Return the beginning of an answer, and its length in bytes. The rest of it is not read."""
    try:
        with connection.blobopen("answers", "text", call, readonly=True) as blob:
            return blob.read(_ANSWER).decode("utf-8", "ignore"), len(blob)
    except sqlite3.OperationalError:  # there is none
        return None, 0
