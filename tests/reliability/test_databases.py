"""A few databases of strangers. `python -m benchmarks.databases` tries thousands."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reliability import databases
from umwelten.store import database

pytestmark = pytest.mark.skipif(os.name == "nt", reason="FIFOs and timers of POSIX")

# The first once ended in a crash: names, numbers and texts of other types, rows that nothing refers to.
SEEDS = (30, 1028, 2036, 10104, 20092, 30260, *range(6))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return databases.sound(tmp_path_factory.mktemp("databases") / "sound")


def test_a_sound_database_is_read_by_all_without_an_error(sound: Path, tmp_path: Path) -> None:
    assert databases.attempt(tmp_path, sound, None) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_database_of_strangers_ends_in_words_or_a_right_answer(
    sound: Path, tmp_path: Path, seed: int
) -> None:
    assert databases.attempt(tmp_path, sound, seed) == []


@pytest.mark.parametrize(
    "column", ["answers.text", "calls.error_message", "evaluation.prompt", "inputs.name"]
)
def test_a_value_that_no_reply_has_is_an_error_in_words(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """Whoever reads it; with a limit of 2 MB, as 256 MB take a while to write."""
    monkeypatch.setattr(database, "_MOST_BYTES", 2_000_000)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sound, tmp_path / "output" / databases.ID)
    table, name = column.split(".")
    with closing(sqlite3.connect(tmp_path / "output" / databases.ID / "evaluation.db")) as connection:
        connection.execute(
            f"UPDATE {table} SET {name} = hex(zeroblob(2000000)) "
            f"WHERE rowid = (SELECT max(rowid) FROM {table})"
        )
        connection.commit()
    told = list(databases.read_all(tmp_path / "output", sound=True))
    assert len(told) >= 3
    assert [problem for problem in told if " is damaged: a row has more than 2 MB" not in problem] == []
