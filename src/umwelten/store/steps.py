"""Conversations of calls with tools: read back to go on with them, or to show them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import msgspec

from umwelten.records import BegunCall, ToolTotals
from umwelten.store.tables import FAILED, SUCCEEDED
from umwelten.tool_calls import (
    UNRESOLVED,
    ModelTurn,
    ToolCall,
    ToolCallState,
    ToolOutcome,
    ToolResults,
)
from umwelten.types import Usage, add_usage, context_tokens, steps_in

_STEPS = """SELECT s.number, s.turn, s.cut, s.usage, s.cost_nusd, s.served_by, s.started_at, s.key, s.content,
    s.run_id FROM steps s WHERE s.call_id = :call AND s.input_version = :version ORDER BY s.number"""
_TOOL_CALLS = """SELECT step, place, id, name, tool, arguments, state, result, error, started_at, took_s
    FROM tool_calls WHERE call_id = ? ORDER BY step, place"""
_ENDED = f"""SELECT error_kind FROM calls WHERE id = :call AND input_version = :version
    AND status IN ({SUCCEEDED}, {FAILED}) AND run_id >= :run"""
"""A conversation that a later run began after that end has not ended."""


def read_tool_calls(connection: sqlite3.Connection, call: int) -> Iterator[tuple[int, int, ToolOutcome]]:
    """Yield a call's calls of tools as (step, place, outcome), in their order."""
    for (
        step,
        place,
        id,
        name,
        tool,
        arguments,
        state,
        result,
        error,
        started_at,
        took_s,
    ) in connection.execute(_TOOL_CALLS, (call,)):
        yield (
            step,
            place,
            ToolOutcome(
                call=ToolCall(id=id, name=name, arguments=arguments),
                tool=tool,
                state=msgspec.convert(state, ToolCallState),
                text=result or "",
                error=error,
                started_at=started_at,
                took_s=took_s,
            ),
        )


def read_begun(connection: sqlite3.Connection, call: int, version: int) -> BegunCall | None:
    """Return how far a call about that version of its input had got; `None` if it has no whole step."""
    where = {"call": call, "version": version}
    rows = connection.execute(_STEPS, where).fetchall()
    # Steps are written in their order: one that is missing is one that never was.
    rows = [row for number, row in enumerate(rows, 1) if row[0] == number]
    if not rows:
        return None
    calls: dict[int, dict[int, ToolOutcome]] = {}
    for step, place, outcome in read_tool_calls(connection, call):
        calls.setdefault(step, {})[place] = outcome
    turns: list[ModelTurn | ToolResults] = []
    usage, cost, total = Usage(input_tokens=0, output_tokens=0), 0, 0
    errors, seconds, known = 0, 0.0, True
    ended: dict[int, ToolOutcome] = {}
    running: tuple[str, ...] = ()
    for number, raw, cut, stated, cost_nusd, *_ in rows:
        outcomes = calls.get(number, {})
        used = msgspec.json.decode(stated, type=Usage)
        usage = used if number == 1 else add_usage(usage, used)
        known, cost = known and cost_nusd is not None, cost + (cost_nusd or 0)
        asked = tuple(outcomes[place].call for place in sorted(outcomes))
        turns.append(ModelTurn(raw=raw, calls=asked, cut=bool(cut), context_tokens=context_tokens(used)))
        ended = {place: one for place, one in outcomes.items() if one.state not in UNRESOLVED}
        running = tuple(one.tool for one in outcomes.values() if one.state is ToolCallState.STARTED)
        total += len(ended)
        errors += sum(one.is_error for one in ended.values())
        seconds += sum(one.took_s or 0.0 for one in ended.values())
        if len(ended) < len(outcomes):
            break
        if outcomes:
            turns.append(ToolResults(results=tuple(ended[place].result for place in sorted(ended))))
    failed = connection.execute(_ENDED, where | {"run": max(row[9] for row in rows)}).fetchone()
    return BegunCall(
        key=rows[0][7],
        content=rows[0][8],
        turns=tuple(turns),
        outcomes=ended if isinstance(turns[-1], ModelTurn) else {},
        totals=ToolTotals(
            steps=steps_in(turns),
            calls=total,
            errors=errors,
            seconds=seconds,
        ),
        usage=usage,
        cost_nusd=cost if known else None,
        served_by=rows[-1][5],
        started_at=rows[0][6],
        running=running,
        tools=tuple(
            dict.fromkeys(one.tool for few in calls.values() for one in few.values() if _may_have_run(one))
        ),
        failed_as=None if failed is None else failed[0],
    )


def _may_have_run(outcome: ToolOutcome) -> bool:
    """Return whether its tool was started, as far as that is stored: of those that may run once, always."""
    return outcome.state is ToolCallState.STARTED or outcome.started_at is not None
