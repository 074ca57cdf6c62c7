"""Whoever reads an evaluation leaves no log beside it; what a run has beside its database stays."""

from __future__ import annotations

from pathlib import Path

from report.making import two_models
from umwelten.store.database import database, open_for_reading
from umwelten.store.journal import journal_of
from umwelten.store.reader import Reader


def beside(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith("evaluation.db-")}


def test_a_reader_takes_away_the_log_that_it_made(tmp_path: Path) -> None:
    two_models(tmp_path / "demo")
    connection = open_for_reading(tmp_path / "demo")
    assert connection.execute("SELECT count(*) FROM calls").fetchone()[0] > 0
    assert journal_of(database(tmp_path / "demo")).exists()
    connection.close()
    connection.close()
    assert beside(tmp_path / "demo") == set()


def test_one_reader_leaves_the_log_of_another(tmp_path: Path) -> None:
    two_models(tmp_path / "demo")
    with Reader.open(tmp_path / "demo") as first:
        with Reader.open(tmp_path / "demo") as second:
            assert second.connection.execute("SELECT count(*) FROM calls").fetchone()[0] > 0
        assert first.connection.execute("SELECT count(*) FROM calls").fetchone()[0] > 0
    assert beside(tmp_path / "demo") == set()
