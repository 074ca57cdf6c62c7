"""Text files that are gone, or that a kill or a full disk has kept from being written, are written again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from umwelten.store.database import transaction
from umwelten.store.missing_texts import MissingTexts
from umwelten.store.rows import result_slot
from umwelten.store.tables import SUCCEEDED, cell_of
from umwelten.store.text_file_names import is_text_name
from umwelten.store.text_files import TextFiles

_GOOD_TEXTS = f"""
    SELECT c.id, c.output, a.text <> '', a.data IS NOT NULL FROM calls c
    JOIN inputs i ON i.id = c.input_id JOIN answers a ON a.call_id = c.id
    WHERE c.id > ? AND c.status = {SUCCEEDED} AND c.input_version = i.version ORDER BY c.id LIMIT 500
"""


def repair(
    connection: sqlite3.Connection, text_files: TextFiles, named: bool, missing: MissingTexts
) -> Iterator[None]:
    """Go through the good answers step by step, in the thread that writes. `named`: names hold the model."""
    text_files.clear()
    last = -1
    while rows := connection.execute(_GOOD_TEXTS, (last,)).fetchall():
        last = rows[-1][0]
        for call, stored, expected, data in rows:
            # The name was read, and the database may come from somebody else.
            output = stored if is_text_name(stored) else _computed_name(connection, call, named)
            if output != stored or text_files.is_missing(output, expected, data):
                _write(connection, text_files, call, stored, output, missing)
        yield


def _write(
    connection: sqlite3.Connection,
    text_files: TextFiles,
    call: int,
    stored: object,
    output: str,
    missing: MissingTexts,
) -> None:
    query = "SELECT text, data FROM answers WHERE call_id = ?"
    try:
        name = text_files.write(output, *connection.execute(query, (call,)).fetchone())
    except OSError as error:
        missing.add(output, error)
        return
    missing.remove(output)
    if name != stored:
        with transaction(connection):
            connection.execute("UPDATE calls SET output = ? WHERE id = ?", (name, call))


def _computed_name(connection: sqlite3.Connection, call: int, named: bool) -> str:
    number, model, repeat = cell_of(call)
    query = "SELECT i.stem, m.slug FROM inputs i LEFT JOIN models m ON m.id = ? WHERE i.id = ?"
    stem, slug = connection.execute(query, (model, number)).fetchone()
    return result_slot(stem, slug if named else None, repeat, 0, None).output
