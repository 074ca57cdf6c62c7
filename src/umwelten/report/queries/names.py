"""Names in an evaluation, for a shell's Tab key: nothing where it cannot be read, and no run is disturbed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from umwelten.errors import StoreError
from umwelten.store.database import open_for_reading
from umwelten.store.like_pattern import literal


def model_names(folder: Path) -> list[str]:
    """Return the models that there ever were, as they were written."""
    return _column(folder, "SELECT DISTINCT name FROM models ORDER BY id")


def file_names(folder: Path, start: str, most: int) -> list[str]:
    """Return the first files whose name starts so, at most so many."""
    query = "SELECT name FROM inputs WHERE id > 0 AND name LIKE ? ESCAPE '\\' ORDER BY id LIMIT ?"
    return _column(folder, query, f"{literal(start)}%", most)


def scorer_names(folder: Path) -> list[str]:
    """Return the scorers, in the order given."""
    from umwelten.store.scores.reader import ScoreReader, has_scores  # not for every Tab key

    if not has_scores(folder):
        return []
    try:
        with ScoreReader.open(folder) as scores:
            return [scorer.name for scorer in scores.scorers()]
    except (StoreError, sqlite3.Error, OSError):
        return []


def _column(folder: Path, query: str, *values: object) -> list[str]:
    try:
        with closing(open_for_reading(folder, untouched=True)) as connection:
            return [str(name) for (name,) in connection.execute(query, values)]
    except (StoreError, sqlite3.Error, OSError):
        return []
