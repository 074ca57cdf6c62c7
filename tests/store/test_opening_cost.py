"""What it costs to open a database does not grow with it: steps that read answers one by one do it often."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from store.making import files, never, spec
from umwelten.store import database
from umwelten.store.database import open_for_reading
from umwelten.store.store import Store
from umwelten.types import ModelRef


def test_opening_reads_no_table_whole(tmp_path: Path, monkeypatch) -> None:
    steps = []
    for inputs in (10, 5_000):
        folder = tmp_path / str(inputs)
        with Store.create(folder, spec(ModelRef("openai", "a"))) as store:
            store.set_inputs(files(*(f"{n}.txt" for n in range(inputs))), read_hash=never)
        counted: list[int] = []
        monkeypatch.setattr(database, "_STEPS", 100)
        monkeypatch.setattr(database, "_go_on", lambda counted=counted: counted.append(1))
        with closing(open_for_reading(folder)) as connection:
            assert isinstance(connection, sqlite3.Connection)
        steps.append(len(counted))
    assert steps[1] <= steps[0] + 10, steps
