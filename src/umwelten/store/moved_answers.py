"""Answers that go with their row where it has moved within its table, or has got another name.

An input is known by its name, and a row without a name of its own is called by its number: where one is
inserted, all below it are called otherwise, although the same is asked about them. So an answer that counts
no more, because its input is gone or something else is sent of it now, goes to an input that has none and of
which the same is sent to the same model. Every answer still belongs to one call.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping

from umwelten.store.inputs import Contents, ReadHash, original_path, prompts_by_variant, windows
from umwelten.store.tables import SUCCEEDED, call_id, cell_of
from umwelten.store.text_file_names import inside, is_text_name, text_name
from umwelten.store.text_files import TextFiles

Movable = Callable[[str], bool]
"""Tells of a prompt's text whether its questions do without the name of the input."""

_TABLES = """
    CREATE TEMP TABLE free (
      model_id INTEGER, content BLOB, repeat INTEGER, id INTEGER,
      PRIMARY KEY (model_id, content, repeat, id)
    ) WITHOUT ROWID;
    CREATE TEMP TABLE moves (
      old INTEGER PRIMARY KEY, new INTEGER NOT NULL UNIQUE, input_id INTEGER, version INTEGER, output TEXT
    );
"""
_FREE = f"""
    INSERT INTO free SELECT c.model_id, c.content, c.repeat, c.id
    FROM calls c JOIN inputs i ON i.id = c.input_id
    WHERE c.status = {SUCCEEDED} AND i.part <> '' AND (NOT i.active OR c.input_version <> i.version)
"""
_PLANNED = """
    SELECT id, id, version, stem, path, part, name FROM inputs
    WHERE active AND part <> '' AND id > ? ORDER BY id LIMIT ?
"""
_ANSWERED = f"""
    SELECT model_id, repeat FROM calls WHERE id BETWEEN ? AND ? AND status = {SUCCEEDED} AND input_version = ?
"""
_FIRST = "SELECT id FROM free WHERE model_id = ? AND content = ? AND repeat = ? ORDER BY id LIMIT 1"
_TAKE = "DELETE FROM free WHERE model_id = ? AND content = ? AND repeat = ? AND id = ?"
# Old and new numbers overlap, so all step aside first. What was in a new place, and is not moved, is gone.
_APPLY = """
    DELETE FROM answers WHERE call_id IN (SELECT new FROM moves) AND call_id NOT IN (SELECT old FROM moves);
    DELETE FROM calls WHERE id IN (SELECT new FROM moves) AND id NOT IN (SELECT old FROM moves);
    DELETE FROM steps WHERE call_id IN (SELECT new FROM moves EXCEPT SELECT old FROM moves);
    DELETE FROM tool_calls WHERE call_id IN (SELECT new FROM moves EXCEPT SELECT old FROM moves);
    UPDATE calls SET id = -id WHERE id IN (SELECT old FROM moves);
    UPDATE answers SET call_id = -call_id WHERE call_id IN (SELECT old FROM moves);
    UPDATE attempts SET call_id = -call_id WHERE call_id IN (SELECT old FROM moves);
    UPDATE steps SET call_id = -call_id WHERE call_id IN (SELECT old FROM moves);
    UPDATE tool_calls SET call_id = -call_id WHERE call_id IN (SELECT old FROM moves);
    UPDATE calls SET id = m.new, input_id = m.input_id, input_version = m.version, output = m.output
      FROM moves m WHERE calls.id = -m.old;
    UPDATE answers SET call_id = m.new FROM moves m WHERE call_id = -m.old;
    UPDATE attempts SET call_id = m.new FROM moves m WHERE call_id = -m.old;
    UPDATE steps SET call_id = m.new, input_version = m.version FROM moves m WHERE call_id = -m.old;
    UPDATE tool_calls SET call_id = m.new FROM moves m WHERE call_id = -m.old;
"""
_TEXTS = """
    SELECT output FROM calls WHERE output IS NOT NULL
    AND (id IN (SELECT old FROM moves) OR id IN (SELECT new FROM moves))
"""


def move_answers(
    connection: sqlite3.Connection,
    read_hash: ReadHash,
    movable: Movable,
    text_files: TextFiles,
    *,
    texts: bool = True,
) -> None:
    """Give the answers that are free to the planned inputs they fit. Needs a transaction.

    Text files of answers that move are removed from the folder; the next run writes those that are missing.
    `texts` False: it writes none, and an answer that moves has none from then on.
    """
    prompts = prompts_by_variant(connection)
    active = [variant for (variant,) in connection.execute("SELECT id FROM models WHERE active ORDER BY id")]
    variants = [variant for variant in active if movable(prompts[variant])]
    if not variants:
        return
    _run(connection, _TABLES)
    try:
        if connection.execute(_FREE).rowcount:
            _find_moves(connection, read_hash, prompts, variants)
            for (output,) in connection.execute(_TEXTS).fetchall():
                if is_text_name(output):
                    text_files.remove(output, data=True)
            if not texts:
                connection.execute("UPDATE moves SET output = NULL")
            _run(connection, _APPLY)
    finally:
        _run(connection, "DROP TABLE free; DROP TABLE moves;")


def _run(connection: sqlite3.Connection, statements: str) -> None:
    """Run several statements in the transaction that is open; `executescript` would end it."""
    for statement in statements.split(";\n" if ";\n" in statements else ";"):
        if statement.strip():
            connection.execute(statement)


def _find_moves(
    connection: sqlite3.Connection, read_hash: ReadHash, prompts: Mapping[int, str], variants: list[int]
) -> None:
    (repeats,) = connection.execute("SELECT repeats FROM evaluation").fetchone()
    for number, version, stem, path, part, name in windows(connection, _PLANNED):
        cells = (call_id(number, 0, 0), call_id(number + 1, 0, 0) - 1)
        answered = set(connection.execute(_ANSWERED, (*cells, version)).fetchall())
        contents = Contents(read_hash, original_path(path), part, prompts, name)
        for variant, repeat in _missing(variants, repeats, answered):
            wanted = (variant, contents.of(variant), repeat)
            found = connection.execute(_FIRST, wanted).fetchone()
            if found is not None:
                connection.execute(_TAKE, (*wanted, *found))
                output = _text_name(connection, found[0], stem)
                new = call_id(number, variant, repeat)
                connection.execute(
                    "INSERT INTO moves VALUES (?, ?, ?, ?, ?)", (found[0], new, number, version, output)
                )


def _missing(variants: list[int], repeats: int, answered: set[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    cells = ((variant, repeat) for variant in variants for repeat in range(1, repeats + 1))
    return (cell for cell in cells if cell not in answered)


def _text_name(connection: sqlite3.Connection, call: int, stem: str) -> str | None:
    """Return the name of an answer's text file under another stem: with the model if it had that in it.

    `None` if there is no file: a run that writes it names it as all others.
    """
    _, variant, repeat = cell_of(call)
    old_stem, output, slug = connection.execute(
        "SELECT i.stem, c.output, m.slug FROM calls c JOIN inputs i ON i.id = c.input_id"
        " JOIN models m ON m.id = ? WHERE c.id = ?",
        (variant, call),
    ).fetchone()
    if output is None:
        return None
    named = None if output == text_name(old_stem, None, repeat) else slug
    return inside(text_name(stem, named, repeat))
