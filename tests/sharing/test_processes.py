"""Runs of the command line that share an account, in short: `benchmarks.torture --parts sharing` does all."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from sharing import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="peers are told by SO_PEERCRED")


def test_another_run_takes_over_from_one_that_is_killed(tmp_path: Path) -> None:
    # Two seconds are promised, which `make torture` measures.
    processes.lost_owner(tmp_path, signal.SIGKILL, calls=40, taken_over_s=20.0)


def test_a_folder_that_cannot_be_made_is_a_note_and_no_failure(tmp_path: Path) -> None:
    processes.no_folder(tmp_path)
