"""What the torture proves at length, in short: a kill while facts are learnt loses and doubles nothing."""

from __future__ import annotations

from pathlib import Path

from memory import kills


def test_a_killed_run_goes_on_to_the_facts_of_an_undisturbed_one(tmp_path: Path) -> None:
    rows = kills.make_rows(40, 8, doubled=0.0)
    figures = kills.kill_learning(tmp_path, rows=rows, kills=1, merge="update", latency_s=0.05)
    assert figures.good, kills.as_json(figures)
