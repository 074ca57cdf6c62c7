"""Text files that are gone, or that a kill or a full disk has kept from being written, are written again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from umwelten.store.database import transaction
from umwelten.store.missing_texts import MissingTexts
from umwelten.store.rows import file_name
from umwelten.store.tables import SUCCEEDED, cell_of
from umwelten.store.text_file_names import is_text_name
from umwelten.store.text_files import TextFiles

_STEP = 500
GOOD_TEXTS = f"""
    SELECT c.id, c.output, a.text <> '', a.data IS NOT NULL FROM calls c
    JOIN inputs i ON i.id = c.input_id JOIN answers a ON a.call_id = c.id
    WHERE c.id > ? AND c.status = {SUCCEEDED} AND c.input_version = i.version
    ORDER BY c.id LIMIT {_STEP}
"""


def repair(
    connection: sqlite3.Connection,
    text_files: TextFiles,
    named: bool,
    missing: MissingTexts,
    *,
    anew: bool = True,
) -> Iterator[None]:
    """Go through the good answers step by step, in the thread that writes. `named`: names hold the model.

    `anew` False: answers that were stored without a text file stay without.
    """
    text_files.clear()
    last = -1
    while rows := connection.execute(GOOD_TEXTS, (last,)).fetchall():
        last = rows[-1][0]
        wanted = [
            # The name was read, and the database may come from somebody else.
            (call, stored, stored if is_text_name(stored) else computed_name(connection, call, named))
            for call, stored, expected, data in rows
            if (anew or stored is not None)
            and (not is_text_name(stored) or text_files.is_missing(stored, expected, data))
        ]
        # First the names: whoever removes the evaluation must know of every file.
        _rename(connection, [(name, call) for call, stored, name in wanted if name != stored])
        moved = [_write(connection, text_files, call, name, missing) for call, _, name in wanted]
        _rename(connection, [move for move in moved if move is not None])
        yield


def _rename(connection: sqlite3.Connection, moved: Sequence[tuple[str, int]]) -> None:
    if moved:
        with transaction(connection):
            connection.executemany("UPDATE calls SET output = ? WHERE id = ?", moved)


def _write(
    connection: sqlite3.Connection, text_files: TextFiles, call: int, output: str, missing: MissingTexts
) -> tuple[str, int] | None:
    """The file's new name and its call, where it could not have the name it was to have."""
    try:
        name = text_files.write(output, *answer_text(connection, call))
    except OSError as error:
        missing.add(output, error)
        return None
    missing.remove(output)
    return None if name == output else (name, call)


def answer_text(connection: sqlite3.Connection, call: int) -> tuple[str, str | None]:
    """Return the text of a stored answer and the record in it, `None` where there is none."""
    text, data = connection.execute("SELECT text, data FROM answers WHERE call_id = ?", (call,)).fetchone()
    return text, data


def computed_name(connection: sqlite3.Connection, call: int, named: bool) -> str:
    """Return the name of an answer's text file that has none yet. `named`: with the model."""
    number, model, repeat = cell_of(call)
    query = "SELECT i.stem, m.slug FROM inputs i LEFT JOIN models m ON m.id = ? WHERE i.id = ?"
    stem, slug = connection.execute(query, (model, number)).fetchone()
    return file_name(stem, slug if named else None, repeat)
