"""Whether a database has the tables that umwelten makes, and nothing else that SQLite would run.

A database may come from somebody else. A trigger in it would be run by our statements, and a view in place
of a table by our queries. Neither is anything that umwelten has made, in any version.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from functools import cache

_QUERY = "SELECT type, name, tbl_name, sql FROM sqlite_schema"
_Object = tuple[str, str, str, str | None]

# Comments are no part of what a statement does, and have changed between versions. Strings and quoted names
# are matched so that nothing within them is taken for a comment; each is kept as it is.
_TOKEN = re.compile(
    r"""(?P<left_out>\s+|--[^\n]*|/\*.*?\*/)|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^]]*\]|[\w$]+|.""",
    re.DOTALL,
)
# Other programs add indexes and statistics, which change how fast an answer is found and nothing else. Not so
# an index that is unique (it refuses rows), or one of expressions (they are run).
_STATISTICS = re.compile(r"sqlite_stat[0-9]\Z")
_NAME = r'(?:[A-Za-z_][\w$]*|"[^"]+"|`[^`]+`|\[[^]]+\])'
_COLUMN = rf"{_NAME}(?: (?:ASC|DESC))?"
_PLAIN_INDEX = re.compile(
    rf"CREATE INDEX {_NAME} ON {_NAME} \( {_COLUMN}(?: , {_COLUMN})* \)\Z", re.IGNORECASE
)


def foreign_object(connection: sqlite3.Connection, migrations: tuple[str, ...]) -> str | None:
    """Return what a database that had those migrations has beyond or unlike what umwelten makes.

    That is "the trigger x", `None`: nothing. Comments and blanks may differ; plain indexes and the tables of
    ANALYZE may be added.
    """
    expected = _expected(migrations)
    found: list[_Object] = connection.execute(_QUERY).fetchall()
    if set(found) == expected.keys():
        return None
    missing = {(kind, name): _words(sql) for kind, name, _, sql in expected}
    for row in found:
        kind, name, table, sql = row
        if row in expected or missing.get((kind, name)) == _words(sql):
            missing.pop((kind, name), None)
        elif not _is_harmless(kind, name, table, sql):
            return f"the {kind} {name!r}" + " in another form" * ((kind, name) in missing)
    return next((f"no {kind} {name!r}" for kind, name in missing if kind == "table"), None)


def _is_harmless(kind: str, name: str, table: str, sql: str | None) -> bool:
    if kind == "table":
        return _STATISTICS.match(name) is not None
    if kind != "index":
        return False
    pattern, text = (_STATISTICS, table) if sql is None else (_PLAIN_INDEX, _words(sql))
    return pattern.match(text) is not None


@cache
def _expected(migrations: tuple[str, ...]) -> dict[_Object, None]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for script in migrations:
            connection.executescript(script)
        return dict.fromkeys(connection.execute(_QUERY).fetchall())


def _words(sql: object) -> str:
    tokens = _TOKEN.finditer(sql) if isinstance(sql, str) else ()
    return " ".join(token[0] for token in tokens if token["left_out"] is None)
