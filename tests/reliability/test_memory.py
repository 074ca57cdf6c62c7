"""Memory: bounded by admission when files are large, flat when a run is long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from provider import clean_environment
from reliability.memory import peak_bytes, write_pictures

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="resident memory is asked for in the POSIX way")
def test_large_files_stay_within_their_bound(tmp_path: Path) -> None:
    """28 pictures of 20 MB, all allowed at once: without a bound they would take more than a gigabyte."""
    write_pictures(tmp_path, 28, 20_000_000)
    assert peak_bytes(tmp_path, 28, models="openai:a", in_flight=50) < 1_000_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="memory and handles are read from /proc")
def test_a_long_run_stays_flat_and_adds_up(tmp_path: Path) -> None:
    """Nine seconds of what `python -m benchmarks.soak` does for half an hour."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.15", "--latency", "0.3"],
        cwd=ROOT,
        env=clean_environment({"TMPDIR": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["problems"] == []
