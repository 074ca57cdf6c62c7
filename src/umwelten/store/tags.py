"""The tags of an evaluation: words of the user's, to select and sum up evaluations by."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import msgspec

from umwelten.errors import StoreError, UsageError
from umwelten.store.database import (
    check_own_files,
    folder_errors,
    has_database,
    open_database,
    transaction,
)
from umwelten.store.rows import json_text

_TAG = re.compile(r"[^\s,\x00-\x1f\x7f](?:[^,\x00-\x1f\x7f]{0,62}[^\s,\x00-\x1f\x7f])?")


def check_tags(given: Iterable[str]) -> tuple[str, ...]:
    """Return the tags, each once. Raises `UsageError` for what cannot be one."""
    found = tuple(dict.fromkeys(given))
    for tag in found:
        if not _TAG.fullmatch(tag):
            raise UsageError(
                f"{tag!r} cannot be a tag",
                "Use at most 64 characters on one line, without commas, and no blank at either end.",
            )
    return found


def read_tags(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the tags of an evaluation. Raises StoreError for what no umwelten has stored."""
    row = connection.execute("SELECT tags FROM evaluation").fetchone()
    try:
        return () if row is None else tuple(msgspec.json.decode(row[0], type=list[str]))
    except (msgspec.MsgspecError, TypeError) as error:
        raise StoreError(f"the tags of the evaluation cannot be read: {error}") from error


def add_tags(
    connection: sqlite3.Connection, tags: Iterable[str], without: Iterable[str] = ()
) -> tuple[str, ...]:
    """Add tags and take others away; returns what there is then. Needs a transaction."""
    gone = set(without)
    found = tuple(tag for tag in dict.fromkeys((*read_tags(connection), *tags)) if tag not in gone)
    connection.execute("UPDATE evaluation SET tags = ?", (json_text(list(found)),))
    return found


def change_tags(folder: Path, add: Iterable[str], remove: Iterable[str]) -> tuple[str, ...]:
    """Change the tags of the evaluation in a folder, also while a run is at work on it. Raises StoreError."""
    check_own_files(folder)
    if not has_database(folder):
        raise StoreError(f"no evaluation in {folder}", "umwelten eval list shows those there are")
    with folder_errors(folder), closing(open_database(folder)) as connection, transaction(connection):
        return add_tags(connection, add, remove)
