"""What a connection sees beside the tables: TEMP views, which belong to it alone. The file gets none.

`current_calls` are the calls that count: of active inputs and models, within the repeats asked for, about
the file's bytes of now. It has the columns of `calls`, and `model`, `provider`, `slug`, `prompt` (the name of
one of several prompts, NULL where there is one alone), `file` (NULL where there is none), `path`, `part`,
`input_size` and `input_stamp`. `response_s` is NULL where no attempt was made, because the answer was taken
over from another evaluation.
`current_answers` are those of them that succeeded, with `text`, `reasoning`, `data` and `marks` too.
"""

from __future__ import annotations

import sqlite3

from umwelten.store.rows import CALL_COLUMNS
from umwelten.store.tables import SUCCEEDED

OLD_SCHEMAS: tuple[str, ...] = (
    "",
    """
    CREATE TEMP TABLE attributions (run_id INTEGER, lane TEXT, reason TEXT, seconds REAL);
    """,
    """
    CREATE TEMP VIEW inputs AS SELECT *, '' AS part FROM main.inputs;
    CREATE TEMP VIEW evaluation AS
      SELECT *, '' AS schema, '{}' AS options, '' AS tools, '[]' AS tags FROM main.evaluation;
    CREATE TEMP VIEW answers AS SELECT *, NULL AS data, NULL AS marks FROM main.answers;
    CREATE TEMP VIEW models AS SELECT *, 0 AS prompt_id, '' AS variant FROM main.models;
    CREATE TEMP TABLE prompts (id INTEGER PRIMARY KEY, name TEXT, text TEXT);
    """,
    """
    CREATE TEMP VIEW attempts AS
      SELECT *, NULL AS problems, NULL AS usage_details, NULL AS served_by, 1 AS step, NULL AS worker,
        NULL AS late
      FROM main.attempts;
    """,
    """
    -- Where the migration before is missing as well, the view of it has this column.
    CREATE TEMP VIEW IF NOT EXISTS attempts AS
      SELECT *, NULL AS usage_details, NULL AS served_by, 1 AS step, NULL AS worker, NULL AS late
      FROM main.attempts;
    CREATE TEMP VIEW calls AS
      SELECT *, NULL AS usage_details, NULL AS steps, NULL AS tool_calls, NULL AS tool_errors, NULL AS tool_s,
        NULL AS sent
      FROM main.calls;
    """,
    """
    CREATE TEMP VIEW IF NOT EXISTS attempts AS
      SELECT *, NULL AS served_by, 1 AS step, NULL AS worker, NULL AS late
      FROM main.attempts;
    """,
    """
    CREATE TEMP VIEW IF NOT EXISTS models AS SELECT *, '' AS variant FROM main.models;
    CREATE TEMP TABLE variants (name TEXT PRIMARY KEY, system TEXT, parameters TEXT);
    """,
    """
    CREATE TEMP VIEW IF NOT EXISTS evaluation AS SELECT *, '' AS tools, '[]' AS tags FROM main.evaluation;
    CREATE TEMP VIEW IF NOT EXISTS attempts AS
      SELECT *, 1 AS step, NULL AS worker, NULL AS late
      FROM main.attempts;
    CREATE TEMP VIEW IF NOT EXISTS calls AS
      SELECT *, NULL AS steps, NULL AS tool_calls, NULL AS tool_errors, NULL AS tool_s, NULL AS sent
      FROM main.calls;
    CREATE TEMP TABLE steps (
      call_id INTEGER, number INTEGER, input_version INTEGER, run_id INTEGER, started_at REAL, key TEXT,
      content BLOB, turn BLOB,
      cut INTEGER, usage TEXT, cost_nusd INTEGER, served_by TEXT);
    CREATE TEMP TABLE tool_calls (
      call_id INTEGER, step INTEGER, place INTEGER, id TEXT, name TEXT, tool TEXT, arguments TEXT, state TEXT,
      result TEXT, error TEXT, started_at REAL, took_s REAL);
    """,
    """
    CREATE TEMP VIEW IF NOT EXISTS evaluation AS SELECT *, '[]' AS tags FROM main.evaluation;
    CREATE TEMP VIEW runs AS SELECT *, '{}' AS given FROM main.runs;
    CREATE TEMP TABLE changes (
      id INTEGER PRIMARY KEY, run_id INTEGER, at REAL, author TEXT, via TEXT, key TEXT, scope TEXT, old TEXT,
      new TEXT, reason TEXT);
    """,
    """
    CREATE TEMP VIEW IF NOT EXISTS calls AS SELECT *, NULL AS sent FROM main.calls;
    CREATE TEMP TABLE contents (id INTEGER PRIMARY KEY, hash BLOB, size INTEGER, data BLOB);
    """,
    """
    CREATE TEMP VIEW IF NOT EXISTS attempts AS
      SELECT *, NULL AS worker, NULL AS late
      FROM main.attempts;
    CREATE TEMP TABLE workers (
      run_id INTEGER, worker INTEGER, node TEXT, address TEXT, pid INTEGER, joined_at REAL, left_at REAL,
      why TEXT, calls INTEGER, cpu_s REAL);
    """,
)
"""What makes a database that has not had the migration of that place read as if it had, unchanged."""

# CROSS JOIN keeps SQLite from reordering: calls in order of their id need no sorting. The views are flattened
# into the query that names them, so its conditions find calls by rowid.
# A call that was taken over was never asked here: it has no response time.
_OF_CALL = ", ".join(
    "CASE WHEN c.attempts > 0 THEN c.response_s END AS response_s" if name == "response_s" else f"c.{name}"
    for name in CALL_COLUMNS
)
_COLUMNS = f"""{_OF_CALL}, m.name AS model, m.provider, m.slug,
    (SELECT p.name FROM prompts p WHERE p.id = m.prompt_id) AS prompt,
    nullif(i.name, '') AS file, i.path, i.part, i.size AS input_size, i.stamp AS input_stamp"""
_TABLES = """calls c
    CROSS JOIN models m ON m.id = c.model_id AND m.active
    CROSS JOIN inputs i ON i.id = c.input_id AND i.active"""
_CONDITION = "c.repeat <= (SELECT repeats FROM evaluation) AND c.input_version = i.version"

_CURRENT_CALLS = f"SELECT {_COLUMNS} FROM {_TABLES} WHERE {_CONDITION}"
FROM_CURRENT_ANSWERS = f"""FROM {_TABLES} CROSS JOIN answers a ON a.call_id = c.id
    WHERE c.status = {SUCCEEDED} AND {_CONDITION}"""
"""What follows the columns in a query for a single answer: for one, making the views would take too long.

The names are c, m, i and a for call, model, input and answer.
"""
# Not from `current_calls`: a view in a view takes twice as long to prepare.
_CURRENT_ANSWERS = f"SELECT {_COLUMNS}, a.text, a.reasoning, a.data, a.marks {FROM_CURRENT_ANSWERS}"


def create_current_views(connection: sqlite3.Connection) -> None:
    """Give the connection `current_calls` and `current_answers`."""
    connection.execute("BEGIN")  # as one change of the TEMP schema they take two thirds of the time
    connection.execute(f"CREATE TEMP VIEW current_calls AS {_CURRENT_CALLS}")
    connection.execute(f"CREATE TEMP VIEW current_answers AS {_CURRENT_ANSWERS}")
    connection.execute("COMMIT")
