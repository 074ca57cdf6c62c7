"""Scores that no umwelten wrote: an error that names the file, whatever is asked for."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.scoredkit import evaluate, score, write_table

from umwelten.errors import StoreError
from umwelten.report.output_files import render
from umwelten.store.reader import Reader

TABLE = [{"n": "1", "want": "Paris", "a": "Paris"}, {"n": "2", "want": "Rome", "a": "Oslo"}]
DAMAGE = {
    "value": "UPDATE scores SET value = 7",
    "nothing": "UPDATE scores SET value = NULL",
    "kind": "UPDATE scores SET value = NULL, unscored = 'odd'",
    "definition": "UPDATE scorers SET definition = '[1]'",
    "gates": """UPDATE settings SET value = '[{"x": 1}]' WHERE name = 'gates'""",
    "judges": """INSERT INTO settings (name, value) VALUES ('judges', '{"right": {"cost_nusd": 3}}')""",
}


@pytest.fixture
def damaged(tmp_path: Path) -> Callable[[str], Path]:
    folder = evaluate(write_table(tmp_path / "q.csv", TABLE), {"p:a": "a"}, output=tmp_path)
    score(folder, "right=exact", gates=["right >= 0.9"])

    def damage(statement: str) -> Path:
        with closing(sqlite3.connect(folder / "scores.db")) as connection, connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            assert connection.execute(statement).rowcount
        return folder

    return damage


@pytest.mark.parametrize("format_", ["json", "junit", "markdown"])
@pytest.mark.parametrize("statement", [*DAMAGE.values()], ids=[*DAMAGE])
def test_a_report_of_damaged_scores_names_the_file(damaged, statement: str, format_: str) -> None:
    folder = damaged(statement)
    with Reader.open(folder) as reader, pytest.raises(StoreError, match=r"scores\.db is damaged"):
        render(format_, [reader], io.StringIO())
