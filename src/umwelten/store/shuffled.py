"""Inputs in a random order that is the same each time, however many they are."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice

from umwelten.store.inputs import original_path, storable_path
from umwelten.types import FoundInput

_STEP = 1_000


def shuffle_key(seed: int, name: str) -> bytes:
    """Return what inputs are put in order by: their names alone decide, not which others there are."""
    return hashlib.blake2b(f"{seed} {name}".encode(errors="surrogatepass"), digest_size=16).digest()


def shuffled(files: Iterable[FoundInput], seed: int) -> Iterator[FoundInput]:
    """Yield all inputs in another order. They wait in a temporary file, not in memory."""
    # Nothing but a file without a name, which SQLite makes and removes.
    with closing(sqlite3.connect("", isolation_level=None, check_same_thread=False)) as connection:
        connection.execute(
            "CREATE TABLE inputs (key BLOB, name TEXT, path TEXT, size INTEGER, stamp TEXT, part TEXT)"
        )
        rows = (
            (shuffle_key(seed, f.name), storable_path(f.name), storable_path(f.path), f.size, f.stamp, f.part)
            for f in files
        )
        connection.execute("BEGIN")
        while batch := list(islice(rows, _STEP)):
            connection.executemany("INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)", batch)
        connection.execute("COMMIT")
        query = "SELECT name, path, size, stamp, part FROM inputs ORDER BY key, name"
        for name, path, size, stamp, part in connection.execute(query):
            yield FoundInput(
                name=original_path(name), path=original_path(path), size=size, stamp=stamp, part=part
            )
