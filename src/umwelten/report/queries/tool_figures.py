"""What the models of an evaluation did with the tools that they were offered: by model, and by tool."""

from __future__ import annotations

import sqlite3
from collections import Counter

from umwelten.report import stats
from umwelten.report.models import ModelToolFigures, ToolFigures, ToolUse
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED, SUCCEEDED
from umwelten.tool_calls import LAST_TURN, UNRESOLVED, ToolCallState, ToolSettings

_MOST_UNKNOWN = 10
"""Names that models made up, of which a table has so many."""

BUILT_ON = f"t.step < c.steps + (c.status = {FAILED})"
"""Which rows `t` of `tool_calls` count for a call `c` that ended, as SQL.

Its answer has no row there; what has, after that, is left over from a conversation that was begun anew.
"""

_RESOLVED = f"t.state NOT IN ({', '.join(repr(str(state)) for state in UNRESOLVED)})"
_ENDED = f"FROM current_calls c CROSS JOIN tool_calls t ON t.call_id = c.id WHERE {BUILT_ON} AND {_RESOLVED}"

_BY_TOOL = f"""SELECT t.tool, count(*) AS calls, sum(t.state <> '{ToolCallState.DONE}'),
        sum(t.state = '{ToolCallState.TIMEOUT}'), count(t.took_s)
    {_ENDED} GROUP BY t.tool ORDER BY calls DESC, t.tool"""
_TIMES = f"SELECT t.tool, t.took_s {_ENDED} AND t.took_s IS NOT NULL ORDER BY t.tool, t.took_s"
_BY_MODEL = f"""SELECT c.model_id, count(*) AS asked, total(c.steps) AS steps,
    total(c.tool_calls) AS tool_calls, total(c.tool_errors) AS tool_errors, total(c.tool_s) AS tool_s,
    sum(c.status = {SUCCEEDED}) AS answered,
    sum((SELECT instr(',' || a.marks || ',', ',{LAST_TURN},') > 0 FROM answers a
        WHERE a.call_id = c.id AND c.status = {SUCCEEDED})) AS last_turns
    FROM current_calls c WHERE c.steps IS NOT NULL GROUP BY c.model_id"""


def tool_use(reader: Reader) -> ToolUse | None:
    """Return what became of an evaluation's tools; `None` where none were offered."""
    offered = reader.spec().request.tools
    if offered is None:
        return None
    return ToolUse(
        tools=_tools(reader.connection, offered),
        models=_models(reader.connection),
        never_allowed=offered.choice == "none" or offered.max_steps == 1,
    )


def _tools(connection: sqlite3.Connection, offered: ToolSettings) -> tuple[ToolFigures, ...]:
    """Those that were offered in their order, then names that models made up."""
    found = {row[0]: tuple(row)[1:] for row in connection.execute(_BY_TOOL)}
    medians = _medians(connection, {name: row[-1] for name, row in found.items()})
    sources = {tool.name: tool.source for tool in offered.tools}
    unknown = [name for name in found if name not in sources][:_MOST_UNKNOWN]

    def figures(name: str) -> ToolFigures:
        calls, errors, timeouts, _ = found.get(name, (0, 0, 0, 0))
        return ToolFigures(
            tool=name,
            source=sources.get(name),
            calls=calls,
            errors=errors,
            timeouts=timeouts,
            p50_s=stats.rounded(medians.get(name)),
        )

    return tuple(map(figures, (*sources, *unknown)))


def _medians(connection: sqlite3.Connection, run: dict[str, int]) -> dict[str, float]:
    """Return the median time of each tool by nearest rank, as everywhere, of its calls that were run.

    From one sorted walk: a window in SQL takes six times as long.
    """
    medians, seen = dict[str, float](), Counter[str]()
    for tool, took_s in connection.execute(_TIMES):
        if seen[tool] == stats.rank(50, run[tool]):
            medians[tool] = took_s
        seen[tool] += 1
    return medians


def _models(connection: sqlite3.Connection) -> dict[int, ModelToolFigures]:
    rows = connection.execute(_BY_MODEL)
    return {
        row["model_id"]: ModelToolFigures(
            asked=row["asked"],
            answered=row["answered"],
            steps=int(row["steps"]),
            tool_calls=int(row["tool_calls"]),
            tool_errors=int(row["tool_errors"]),
            tool_s=round(row["tool_s"], stats.DIGITS),
            last_turns=row["last_turns"] or 0,
        )
        for row in rows
    }
