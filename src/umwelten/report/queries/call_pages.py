"""Pages of calls by keyset: a page costs the same at the start and in the middle of a million."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Literal

from umwelten.errors import UsageError
from umwelten.report import stats
from umwelten.report.queries.calls import STATUS
from umwelten.store.like_pattern import literal
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED, MAX_MODELS, MAX_REPEATS, SUCCEEDED, call_id, call_id_sql, cell_of
from umwelten.types import FrozenStruct

PENDING = "pending"
Order = Literal["call", "ended", "duration", "cost"]
EXCERPT = 200
"""Characters of an answer in a list."""

_SUCCEEDED_TEXT = f"CASE WHEN c.status = {SUCCEEDED} THEN a.text ELSE c.error_message END"
_VALUES: dict[str, str] = {
    "ended": "c.started_at + coalesce(c.response_s, 0.0)",
    "duration": "coalesce(c.response_s, -1.0)",
    "cost": "coalesce(c.cost_nusd, -1)",
}
_STATUS = {name: number for number, name in STATUS.items() if number is not None}


class CallFilter(FrozenStruct):
    """Which calls: all that is given must hold. `input` and `words` are looked for as they are, in any case.

    `status` is "succeeded", "failed" or "pending"; `words` must all be in the answer or in the failure's
    message.
    """

    model: str | None = None
    prompt: str | None = None
    status: str | None = None
    kind: str | None = None
    input: str | None = None
    words: tuple[str, ...] = ()


class PageCall(FrozenStruct):
    """A call in a page. Times are Unix seconds, durations seconds; `text` is the start of the answer, or of
    what failed. What a pending call lacks is `None`.
    """

    call: int
    file: str | None
    model: str
    prompt: str | None
    repeat: int
    status: str
    kind: str | None
    ended_at: float | None
    response_s: float | None
    attempts: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    text: str
    length: int


class CallPage(FrozenStruct):
    """`before` and `after` lead to the pages beside it; `None`: there is none.

    `share`: about how much of all calls comes before this page, from 0 to 1; by the order of calls alone.
    """

    calls: tuple[PageCall, ...]
    before: str | None
    after: str | None
    share: float | None


def call_page(
    reader: Reader,
    wanted: CallFilter = CallFilter(),  # noqa: B008 - it is frozen
    *,
    order: Order = "call",
    descending: bool = False,
    after: str | None = None,
    before: str | None = None,
    at: float | None = None,
    limit: int = 100,
) -> CallPage:
    """Return the calls after or before a place that another page named, or from a share `at` of all on.

    Raises UsageError for a place that no page names.
    """
    if wanted.status == PENDING:
        return _pending_page(reader.connection, wanted, after=after, limit=limit)
    connection = reader.connection
    backwards = before is not None
    place = _place(before or after)
    if place is None and at is not None and at > 0:
        place = _share_place(connection, wanted, order, descending, at)
    rows = _ids(connection, wanted, order, descending != backwards, place, limit + 1)
    more = len(rows) > limit
    rows = rows[:limit]
    if backwards:
        rows.reverse()
    has_before = more if backwards else place is not None
    has_after = True if backwards else more
    calls = _calls(connection, [call for _, call in rows])
    return CallPage(
        calls=calls,
        before=_name(rows[0]) if rows and has_before else None,
        after=_name(rows[-1]) if rows and has_after else None,
        share=_share(connection, rows[0][1], descending) if rows and order == "call" else None,
    )


def neighbours(
    reader: Reader, call: int, wanted: CallFilter, *, order: Order = "call", descending: bool = False
) -> tuple[int | None, int | None]:
    """Return the calls before and after one, among those that are wanted; `None`: there is none."""
    connection = reader.connection
    value = _VALUES.get(order, "c.id")
    row = connection.execute(f"SELECT {value} FROM current_calls c WHERE c.id = ?", (call,)).fetchone()
    if row is None or wanted.status == PENDING:
        return None, None
    place = (row[0], call)
    found = (_ids(connection, wanted, order, way, place, 1) for way in (not descending, descending))
    back, on = (rows[0][1] if rows else None for rows in found)
    return back, on


def count(reader: Reader, wanted: CallFilter) -> int:
    """Return how many calls that ended are wanted; it reads all that it cannot leave out."""
    conditions, values = _conditions(reader.connection, wanted)
    row = reader.connection.execute(
        f"SELECT count(*) FROM current_calls c WHERE {conditions}", values
    ).fetchone()
    return int(row[0])


# --- the keys of a page --------------------------------------------------------------------------

_Key = tuple[Any, int]


def _ids(
    connection: sqlite3.Connection,
    wanted: CallFilter,
    order: str,
    descending: bool,
    place: _Key | None,
    limit: int,
) -> list[_Key]:
    """Return (value, call) of the next ones. The ids first: what is shown is read of these alone."""
    conditions, values = _conditions(connection, wanted)
    way, beyond = ("DESC", "<") if descending else ("ASC", ">")
    value = _VALUES.get(order)
    if value is None:
        if place is not None:
            conditions += f" AND c.id {beyond} ?"
            values = [*values, place[1]]
        sql = f"SELECT c.id, c.id FROM current_calls c WHERE {conditions} ORDER BY c.id {way} LIMIT ?"
    else:
        if place is not None:
            conditions += f" AND ({value}, c.id) {beyond} (?, ?)"
            values = [*values, *place]
        sql = f"""SELECT {value}, c.id FROM current_calls c WHERE {conditions}
            ORDER BY 1 {way}, 2 {way} LIMIT ?"""
    return [tuple(row) for row in connection.execute(sql, (*values, limit))]


def _conditions(connection: sqlite3.Connection, wanted: CallFilter) -> tuple[str, list[Any]]:
    parts, values = ["1"], list[Any]()
    if wanted.model is not None or wanted.prompt is not None:
        parts.append(f"c.model_id IN ({', '.join(map(str, _models(connection, wanted))) or 'NULL'})")
    if wanted.status is not None:
        if wanted.status not in _STATUS:
            raise UsageError(f"{wanted.status!r} is no status", f"Known: {', '.join(_STATUS)}, {PENDING}.")
        parts.append(f"c.status = {_STATUS[wanted.status]}")
    if wanted.kind is not None:
        parts.append("c.error_kind = ?")
        values.append(wanted.kind)
    if wanted.input:
        parts.append("c.file LIKE ? ESCAPE '\\'")
        values.append(_like(wanted.input))
    for word in wanted.words:
        parts.append(
            f"""CASE WHEN c.status = {FAILED} THEN c.error_message LIKE ? ESCAPE '\\'
            ELSE EXISTS (SELECT 1 FROM answers a WHERE a.call_id = c.id AND a.text LIKE ? ESCAPE '\\') END"""
        )
        values += [_like(word)] * 2
    return " AND ".join(parts), values


def _models(connection: sqlite3.Connection, wanted: CallFilter) -> list[int]:
    rows = connection.execute(
        """SELECT m.id FROM models m LEFT JOIN prompts p ON p.id = m.prompt_id
        WHERE m.active AND (:model IS NULL OR m.name = :model) AND (:prompt IS NULL OR p.name = :prompt)""",
        {"model": wanted.model, "prompt": wanted.prompt},
    )
    return [int(row[0]) for row in rows]


def _like(text: str) -> str:
    return f"%{literal(text)}%"


def _name(key: _Key) -> str:
    # A float's shortest text is read back as the same number.
    return f"{key[0]!r}~{key[1]}"


def _place(text: str | None) -> _Key | None:
    if text is None:
        return None
    value, _, call = text.partition("~")
    try:
        number = float(value) if any(mark in value for mark in ".en") else int(value)
        key = (number, int(call))
    except ValueError:
        raise UsageError(f"{text[:60]!r} is no place in a list of calls") from None
    if not all(abs(one) < 1 << 63 for one in key):
        raise UsageError(f"{text[:60]!r} is no place in a list of calls")
    return key


def _share_place(
    connection: sqlite3.Connection, wanted: CallFilter, order: str, descending: bool, at: float
) -> _Key | None:
    """Return the place before which a share of the calls is; by the order of calls without counting any."""
    at = min(max(at, 0.0), 1.0)
    if order == "call":
        ends = _ends(connection)
        if ends is None:
            return None
        first, last = cell_of(ends[0])[0], cell_of(ends[1])[0]
        number = round(first + (last - first) * (1 - at if descending else at))
        # The last page is a whole one: calls of the last inputs, not what comes after them.
        return (0, call_id(number, MAX_MODELS, MAX_REPEATS) if descending else call_id(number, 0, 0))
    conditions, values = _conditions(connection, wanted)
    total = connection.execute(f"SELECT count(*) FROM current_calls c WHERE {conditions}", values).fetchone()[
        0
    ]
    way = "DESC" if descending else "ASC"
    row = connection.execute(
        f"""SELECT {_VALUES[order]}, c.id FROM current_calls c WHERE {conditions}
        ORDER BY 1 {way}, 2 {way} LIMIT 1 OFFSET ?""",
        (*values, max(min(int(total * at), total - 1) - 1, 0)),
    ).fetchone()
    return None if row is None else tuple(row)


def _ends(connection: sqlite3.Connection) -> tuple[int, int] | None:
    # Each in a query of its own: asked for both at once, SQLite reads the whole table.
    row = connection.execute("SELECT (SELECT min(id) FROM calls), (SELECT max(id) FROM calls)").fetchone()
    return None if row[0] is None else (int(row[0]), int(row[1]))


def _share(connection: sqlite3.Connection, call: int, descending: bool) -> float | None:
    ends = _ends(connection)
    if ends is None or ends[0] == ends[1]:
        return 0.0
    share = min(max((call - ends[0]) / (ends[1] - ends[0]), 0.0), 1.0)
    return round(1 - share if descending else share, 4)


# --- what is shown of them -----------------------------------------------------------------------


def _calls(connection: sqlite3.Connection, ids: Sequence[int]) -> tuple[PageCall, ...]:
    if not ids:
        return ()
    rows = connection.execute(
        f"""SELECT c.id, c.file, c.model, c.prompt, c.repeat, c.status, c.error_kind,
            c.started_at + coalesce(c.response_s, 0) AS ended_at, c.response_s, c.attempts, c.input_tokens,
            c.output_tokens, c.cost_nusd, substr({_SUCCEEDED_TEXT}, 1, {EXCERPT}) AS text,
            length({_SUCCEEDED_TEXT}) AS length
        FROM current_calls c LEFT JOIN answers a ON a.call_id = c.id
        WHERE c.id IN ({", ".join(map(str, ids))})"""
    )
    found = {row["id"]: _call(row) for row in rows}
    return tuple(found[call] for call in ids if call in found)


def _call(row: sqlite3.Row) -> PageCall:
    return PageCall(
        call=row["id"],
        file=row["file"],
        model=row["model"],
        prompt=row["prompt"],
        repeat=row["repeat"],
        status=STATUS[row["status"]],
        kind=row["error_kind"],
        ended_at=row["ended_at"],
        response_s=stats.rounded(row["response_s"]),
        attempts=row["attempts"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost_usd=stats.usd(row["cost_nusd"]),
        text=row["text"] or "",
        length=row["length"] or 0,
    )


_CELL = call_id_sql("i.id", "m.id", "r.n")


def _pending_page(
    connection: sqlite3.Connection, wanted: CallFilter, *, after: str | None, limit: int
) -> CallPage:
    """Cells of the grid without a row in `calls`, by file, model and repeat; only forwards."""
    place = _place(after)
    last = -1 if place is None else place[1]
    models = _models(connection, wanted)
    rows = connection.execute(
        f"""WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r
            WHERE n < (SELECT repeats FROM evaluation))
        SELECT {_CELL} AS id, nullif(i.name, '') AS file, m.name AS model,
            (SELECT p.name FROM prompts p WHERE p.id = m.prompt_id) AS prompt, r.n AS repeat,
            (SELECT count(*) FROM attempts a WHERE a.call_id = {_CELL}) AS attempts
        FROM inputs i CROSS JOIN models m CROSS JOIN r LEFT JOIN calls c
            ON c.id = {_CELL} AND c.input_version = i.version
        WHERE c.id IS NULL AND i.active AND m.active AND i.id >= ? AND {_CELL} > ?
            AND m.id IN ({", ".join(map(str, models)) or "NULL"}) AND (? = '' OR i.name LIKE ? ESCAPE '\\')
        ORDER BY i.id, m.id, r.n LIMIT ?""",
        (cell_of(max(last, 0))[0], last, wanted.input or "", _like(wanted.input or ""), limit + 1),
    ).fetchall()
    calls = tuple(
        PageCall(
            call=row["id"],
            file=row["file"],
            model=row["model"],
            prompt=row["prompt"],
            repeat=row["repeat"],
            status=PENDING,
            kind=None,
            ended_at=None,
            response_s=None,
            attempts=row["attempts"],
            input_tokens=None,
            output_tokens=None,
            cost_usd=None,
            text="",
            length=0,
        )
        for row in rows[:limit]
    )
    more = len(rows) > limit
    return CallPage(calls=calls, before=None, after=_name((0, calls[-1].call)) if more else None, share=None)
