"""The steps of a call with tools: its requests, and what came of the tools that they called."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from umwelten.report import stats
from umwelten.report.queries.status import iso
from umwelten.store.steps import read_tool_calls
from umwelten.store.stored_calls import StoredCall
from umwelten.store.tables import SUCCEEDED
from umwelten.tool_calls import UNRESOLVED, ToolCallState, ToolOutcome
from umwelten.types import FrozenStruct, Usage


class StepCall(FrozenStruct):
    """A call of a tool. `tool` is what users call it, `arguments` JSON as the model wrote it.

    `state`: "done", "error", "timeout", "denied", "unknown" (no such tool), "stopped" (it ended the call); of
    a call that is not ended also "pending" (no result yet), and "started", which may run once only and may
    have run. `result` is what the model was told, `error` the traceback. `took_s` is `None` if it was not
    run.
    """

    tool: str
    arguments: str
    state: str
    result: str | None
    error: str | None
    started_at: str | None
    took_s: float | None


class CallStep(FrozenStruct):
    """A request that was answered; without `calls` it is the one that brought the answer.

    `number` counts from 1. `cut`: the limit of tokens ended the model's turn.
    """

    number: int
    run: int
    started_at: str
    response_s: float | None
    served_by: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    reasoning_tokens: int | None
    cost_usd: float | None
    cut: bool
    calls: tuple[StepCall, ...]


_STEPS = """SELECT s.number, s.run_id, s.started_at, s.served_by, s.usage, s.cost_nusd, s.cut,
        (SELECT a.latency_s FROM attempts a WHERE a.call_id = s.call_id AND a.step = s.number
            AND a.run_id = s.run_id AND a.error_kind IS NULL ORDER BY a.id DESC LIMIT 1) AS latency_s
    FROM steps s WHERE s.call_id = :call AND s.number <= :most
        AND s.input_version = (SELECT version FROM inputs WHERE id = :input) ORDER BY s.number"""
_LAST = """SELECT run_id, started_at, latency_s, served_by, input_tokens, output_tokens, cached_tokens,
        reasoning_tokens, cost_nusd
    FROM attempts WHERE call_id = ? AND error_kind IS NULL ORDER BY id DESC LIMIT 1"""
_ALL = 2**31


def call_steps(connection: sqlite3.Connection, call: int, input_id: int) -> tuple[CallStep, ...]:
    """Return the steps of a call about that input, in order; those stored so far if it has not ended."""
    ended = connection.execute("SELECT status, steps FROM current_calls WHERE id = ?", (call,)).fetchone()
    answered = ended is not None and ended["status"] == SUCCEEDED
    most = _ALL if ended is None else (ended["steps"] or 0) - answered
    calls: dict[int, list[StepCall]] = {}
    for number, _, outcome in read_tool_calls(connection, call):
        calls.setdefault(number, []).append(_call(outcome))
    rows = connection.execute(_STEPS, {"call": call, "input": input_id, "most": most}).fetchall()
    steps = [_step(row, calls.get(row["number"], ())) for row in rows]
    last = connection.execute(_LAST, (call,)).fetchone() if answered else None
    return (*steps, *(() if last is None else (_answer(last, most + 1),)))


def tool_sums(steps: Iterable[CallStep], call: StoredCall | None) -> dict[str, Any]:
    """Return what the tools of a call came to; of one that has not ended (`None`), so far."""
    if call is not None:
        calls, errors, seconds = call.tool_calls, call.tool_errors, call.tool_s
    else:
        ended = [one for step in steps for one in step.calls if one.state not in UNRESOLVED]
        calls, errors = len(ended), sum(one.state != ToolCallState.DONE for one in ended)
        seconds = sum(one.took_s or 0.0 for one in ended)
    return {"tool_calls": calls, "tool_errors": errors, "tool_s": stats.rounded(seconds)}


def _step(row: sqlite3.Row, calls: Sequence[StepCall]) -> CallStep:
    usage = msgspec.json.decode(row["usage"], type=Usage)
    return CallStep(
        number=row["number"],
        run=row["run_id"],
        started_at=iso(row["started_at"]),
        response_s=stats.rounded(row["latency_s"]),
        served_by=row["served_by"],
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_usd=stats.usd(row["cost_nusd"]),
        cut=bool(row["cut"]),
        calls=tuple(calls),
    )


def _answer(row: sqlite3.Row, number: int) -> CallStep:
    return CallStep(
        number=number,
        run=row["run_id"],
        started_at=iso(row["started_at"]),
        response_s=stats.rounded(row["latency_s"]),
        served_by=row["served_by"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_tokens=row["cached_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
        cost_usd=stats.usd(row["cost_nusd"]),
        cut=False,
        calls=(),
    )


def _call(outcome: ToolOutcome) -> StepCall:
    return StepCall(
        tool=outcome.tool,
        arguments=outcome.call.arguments,
        state=str(outcome.state),
        result=outcome.text or None if outcome.is_error else outcome.text,
        error=outcome.error,
        started_at=None if outcome.started_at is None else iso(outcome.started_at),
        took_s=stats.rounded(outcome.took_s),
    )
