"""Runs under a low limit of open files: fewer calls in flight, and no file gets the blame."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from provider import clean_environment, provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no ulimit")


def run(folder: Path, files: int, env: dict[str, str]) -> tuple[int, str]:
    command = 'ulimit -n "$1"; shift; exec "$@"'
    arguments = ["eval", "batch", "-p", "x", "-m", "openai:m", "-i", "a", "--directory", "in"]
    arguments += ["--max-concurrency", "100", "--progress", "plain"]
    done = subprocess.run(
        ["sh", "-c", command, "sh", str(files), sys.executable, "-m", "umwelten", *arguments],
        cwd=folder,
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for number in range(120):
        (tmp_path / "in" / f"{number}.txt").write_text(str(number))
    return tmp_path


def test_a_low_limit_of_open_files_lowers_the_calls_in_flight_and_fails_none(folder: Path) -> None:
    with provider(Profile(default=Behaviour(latency_s=0.05))) as server:
        code, err = run(folder, 64, server.env())
        ledger = server.idle()
        assert ledger.requests == 120
        assert 1 < ledger.peak_in_flight < 64
    assert code == 0, err
    assert err.count("ulimit -n") == 1
    assert "--max-concurrency" in err
    assert len(list((folder / "output" / "a").glob("*.txt"))) == 120


def test_a_limit_that_is_too_low_for_anything_is_an_error_before_anything_starts(folder: Path) -> None:
    with provider() as server:
        code, err = run(folder, 20, server.env())
        assert server.ledger.requests == 0
    assert code == 2
    assert "ulimit -n" in err
    assert not (folder / "output").exists()
