"""What an evaluation keeps of how it was started."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from umwelten.store.database import folder_errors, open_for_reading
from umwelten.store.inputs import original_path
from umwelten.store.reader import Reader


def latest_given(folder: Path) -> str | None:
    """Return the options of the latest run as JSON, `None` if none were kept. Raises StoreError."""
    query = "SELECT given FROM runs WHERE given <> '{}' ORDER BY id DESC LIMIT 1"
    with folder_errors(folder), closing(open_for_reading(folder)) as connection:
        row = connection.execute(query).fetchone()
    return None if row is None else str(row[0])


def stored_files(reader: Reader) -> list[tuple[str, str]]:
    """Return path and name of each input of the latest plan, in order."""
    rows = reader.connection.execute("SELECT name, path FROM inputs WHERE active AND id > 0 ORDER BY id")
    return [(original_path(path), str(name)) for name, path in rows]


def made_by(reader: Reader) -> str:
    """Return the version of umwelten that made an evaluation."""
    return str(reader.connection.execute("SELECT umwelten FROM evaluation").fetchone()[0])
