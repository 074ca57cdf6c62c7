"""Kill -9 while tools are run, in short; `make torture` does it at length."""

from __future__ import annotations

from pathlib import Path

from reliability import tool_kills


def test_no_stored_step_is_paid_for_twice_and_no_tool_that_may_run_once_runs_twice(tmp_path: Path) -> None:
    figures = tool_kills.torture(tmp_path, kills=2, files=8, tool_s=0.3, latency_s=0.15, once=True)
    assert figures.good, figures
