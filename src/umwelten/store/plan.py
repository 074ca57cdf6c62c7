"""The plan of an evaluation as it is stored: the inputs that its calls are about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from umwelten.store.database import store_errors
from umwelten.store.inputs import original_path
from umwelten.store.reader import Reader
from umwelten.types import FoundInput

_STEP = 1_000
_NEXT = "SELECT id, name, path, size, stamp, part FROM inputs WHERE active AND id > ? ORDER BY id LIMIT ?"


def planned_inputs(folder: Path) -> Iterator[FoundInput]:
    """Yield the inputs in their order. From any thread, also one after the other: none keeps it open."""
    last = 0
    while True:
        with Reader.open(folder) as reader, store_errors(folder):
            rows = reader.connection.execute(_NEXT, (last, _STEP)).fetchall()
        for row in rows:
            last = row["id"]
            yield FoundInput(
                name=original_path(row["name"]),
                path=original_path(row["path"]),
                size=row["size"],
                stamp=row["stamp"],
                part=row["part"],
            )
        if len(rows) < _STEP:
            return
