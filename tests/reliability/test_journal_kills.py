"""Kill -9 after changes of a run, in short; `make torture` does it at length."""

from __future__ import annotations

from pathlib import Path

from reliability import journal_kills


def test_a_change_that_is_said_to_be_stored_survives_a_kill(tmp_path: Path) -> None:
    figures = journal_kills.torture(tmp_path, kills=2)
    assert figures.good, figures
