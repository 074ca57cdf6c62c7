"""Terminals that die, readers that leave, machines that sleep: nothing is lost and nothing hangs."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provider import clean_environment, provider
from reliability.runs import finish, rows, run, start, succeeded, summary, wait_for, write_texts
from umwelten.simulate.faultserver.profile import Behaviour, Profile

FILES = 12


@pytest.mark.parametrize("progress", ["rich", "plain"])
def test_a_terminal_that_dies_ends_the_run_as_a_hangup_does(tmp_path: Path, progress: str) -> None:
    write_texts(tmp_path, FILES)
    with provider(Profile(default=Behaviour(latency_s=0.4))) as server:
        ours, theirs = pty.openpty()
        command = ("eval", "batch", "-p", "go", "-m", "openai:a", "-i", "s", "--directory", "in")
        process = subprocess.Popen(
            [sys.executable, "-m", "umwelten", *command, "--max-concurrency", "2", "--progress", progress],
            cwd=tmp_path,
            env=clean_environment({**server.env(), "TERM": "xterm"}),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        server.await_requests(3)
        os.close(ours)
        # A session without a terminal of its own gets no signal from that: the shell sends it.
        process.send_signal(signal.SIGHUP)
        process.wait(20)
        assert process.returncode == 130
        answered = server.idle().answered
        assert succeeded(tmp_path) == answered < FILES
        assert rows(tmp_path, "SELECT status FROM runs") == [("interrupted",)]
        server.use(Profile())
        code, err = run(tmp_path, server.env(), "--resume")
        assert code == 0, err
        assert server.idle().answered == FILES


@pytest.mark.parametrize("progress", ["plain", "json", "rich"])
def test_nobody_reading_what_is_said_costs_no_answer(tmp_path: Path, progress: str) -> None:
    write_texts(tmp_path, FILES)
    with provider(Profile(default=Behaviour(latency_s=0.05))) as server:
        with start(tmp_path, server.env(), "--progress", progress, "-v") as process:
            assert process.stderr is not None
            assert process.stdout is not None
            process.stderr.close()
            process.stdout.close()
            process.wait(30)
        assert server.idle().answered == FILES
    assert succeeded(tmp_path) == FILES
    assert rows(tmp_path, "SELECT status FROM runs") == [("complete",)]


def test_a_run_that_slept_longer_than_the_time_out_goes_on(tmp_path: Path) -> None:
    """As when a laptop is closed: the clock jumps, what was in flight is late, the rest is not."""
    write_texts(tmp_path, FILES)
    with provider(Profile(default=Behaviour(latency_s=0.3))) as server:
        with start(tmp_path, server.env(), "--max-concurrency", "3", "--timeout", "1s") as process:
            server.await_requests(4)
            process.send_signal(signal.SIGSTOP)
            time.sleep(2.5)
            process.send_signal(signal.SIGCONT)
            code, err = finish(process, 30)
        assert code == 0, err
        # The three that were under way are asked again at most.
        assert server.idle().requests <= FILES + 3
    assert summary(tmp_path)["succeeded"] == FILES
    assert summary(tmp_path)["failed"] == 0


SET_BACK = """
import time
_real, _calls = time.time, iter(range(10 ** 9))
time.time = lambda: _real() - (0 if next(_calls) < {after} else 3600)
"""


@pytest.mark.parametrize("after", [0, 25])
def test_a_clock_that_is_set_back_shortens_no_run(tmp_path: Path, after: int) -> None:
    write_texts(tmp_path, FILES)
    (tmp_path / "sitecustomize.py").write_text(SET_BACK.format(after=after))
    with provider(Profile(default=Behaviour(latency_s=0.05))) as server:
        env = {**server.env(), "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
        code, err = run(tmp_path, env, "--max-concurrency", "3")
        assert code == 0, err
    found = summary(tmp_path)
    assert 0.05 * FILES / 3 <= found["wall_s"] < 60  # an hour, if it went by that clock
    assert found["sequential_s"] <= 3.5 * found["wall_s"]
    assert rows(tmp_path, "SELECT count(*) FROM attempts WHERE latency_s < 0") == [(0,)]
    outside = """SELECT count(*) FROM attempts a JOIN runs r ON r.id = a.run_id
        WHERE a.started_at < r.started_at OR a.started_at > r.ended_at"""
    assert rows(tmp_path, outside) == [(0,)]


def test_a_hangup_under_nohup_is_ignored(tmp_path: Path) -> None:
    write_texts(tmp_path, 4)
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    with provider(Profile(default=Behaviour(latency_s=0.3))) as server:
        with start(tmp_path, server.env(), before=ignore) as process:
            server.await_requests(2)
            process.send_signal(signal.SIGHUP)
            code, err = finish(process)
        assert code == 0, err
    assert succeeded(tmp_path) == 4


def test_an_interrupt_while_a_run_is_prepared_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    write_texts(tmp_path, 3000)
    with provider(Profile()) as server:
        for _ in range(3):
            with start(tmp_path, server.env(), fresh=True) as process:
                wait_for((tmp_path / "output" / "s").is_dir)
                process.send_signal(signal.SIGINT)
                code, err = finish(process)
            assert code in (130, -signal.SIGINT), err
            assert "Traceback" not in err
            code, err = run(tmp_path, server.env(), "--resume", "--max-files", "2")
            assert code == 0, err
