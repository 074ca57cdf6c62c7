"""Real runs, watched and changed at their sockets; in the background; and from Python."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import umwelten
from livekit import served
from provider import Provider, clean_environment, provider
from umwelten.cli.app import main
from umwelten.evaluation.run_state import RunPhase
from umwelten.live.client import Run, RunGone, all_runs
from umwelten.live.run_folder import run_folder
from umwelten.simulate.faultserver import Profile
from umwelten.simulate.faultserver.profile import Behaviour

SLOW = Profile(default=Behaviour(latency_s=0.15))
PATIENCE_S = 30.0
T = Any


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Provider]:
    """A provider that takes its time, and a folder with files to work in."""
    texts = tmp_path / "texts"
    texts.mkdir()
    for n in range(60):
        (texts / f"{n}.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", os.devnull)
    with provider(SLOW) as served:
        for name, value in served.env().items():
            monkeypatch.setenv(name, value)
        yield served


def until(look: Callable[[], T]) -> T:
    """What it returns, once that is true."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def the_run() -> Run:
    return until(all_runs)[0]


def run_files() -> Path:
    folder = run_folder()
    assert folder is not None
    return folder


BATCH = ("eval", "batch", "-p", "Summarise", "-m", "openai:a", "--directory", "texts", "-i", "scans")


def umwelten_command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "umwelten", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env=clean_environment(_settings()), timeout=60, **options
    )


def _settings() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if name.endswith(("_API_KEY", "_BASE_URL", "_HOST"))
    }


def test_a_run_in_the_background_outlives_its_terminal_and_can_be_steered(server: Provider) -> None:
    done = umwelten_command(*BATCH, "--max-concurrency", "2", "--detach", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stderr) == (0, "")
    launched = json.loads(done.stdout)
    assert set(launched) == {"id", "pid", "socket", "log"}
    assert launched["id"] == "scans"
    run = the_run()
    assert run.file.pid == launched["pid"]
    assert Path(launched["socket"]).is_socket()
    assert os.getsid(launched["pid"]) == launched["pid"] != os.getsid(0)
    assert Path(launched["log"]).stat().st_mode & 0o077 == 0
    change = run.change("PATCH", "/settings", {"key": "max_concurrency", "value": "5", "reason": "idle"})
    assert (change.old, change.new, change.journalled) == (2, 5, True)
    until(lambda: run.state().in_flight > 2)
    run.change("POST", "/pause", {})
    until(lambda: run.state().quiet)
    before = server.idle().requests
    assert run.state().phase is RunPhase.PAUSED
    (call, *_) = json.loads(run.get("/calls", status="succeeded", limit=3))["calls"]
    assert call["model"] == "openai:a"
    assert "answer" not in json.loads(run.get(f"/calls/{call['call']}"))
    assert "Summarise" in json.loads(run.get(f"/calls/{call['call']}", text=1))["answer"]
    assert server.idle().requests == before
    run.change("POST", "/resume", {})
    run.change("POST", "/stop", {"now": True})
    until(lambda: not all_runs())
    assert not list(run_files().glob("*.sock"))
    assert until(lambda: "scans" in Path(launched["log"]).read_text())


def test_a_run_in_the_background_that_cannot_begin(
    server: Provider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("umwelten.cli.app.standard_streams.prepare", lambda: None)
    for flag in ("--no-control", "--dry-run", "--estimate=2"):
        monkeypatch.setattr("sys.argv", ["umwelten", *BATCH, "--detach", flag])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert flag.partition("=")[0] in capsys.readouterr().err
    done = umwelten_command(*BATCH[:-4], "--directory", "nowhere", "--detach", stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_killed_run_is_dead_and_its_changes_are_kept(server: Provider) -> None:
    command = [sys.executable, "-m", "umwelten", *BATCH]
    with subprocess.Popen(
        command, env=clean_environment(_settings()), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    ) as child:
        run = the_run()
        assert run.change("PATCH", "/settings", {"key": "retries", "value": 2, "author": "ada"}).journalled
        os.kill(child.pid, signal.SIGKILL)
    assert run.is_dead
    with pytest.raises(RunGone, match="dead"):
        run.state()
    results = umwelten.open("scans")
    with served(results.folder, id="next") as after:
        after.run()
        assert [each.id for each in all_runs()] == ["next"]
        assert len(list(run_files().glob("*.sock"))) == 1
    with sqlite3.connect(results.folder / "evaluation.db") as connection:
        assert connection.execute("SELECT key, new, author FROM changes").fetchall() == [
            ("retries", "2", "ada")
        ]


def test_from_python(server: Provider) -> None:
    server.use(Profile(default=Behaviour(latency_s=0.03)))
    job = umwelten.batch("Summarise", "openai:a", directory="texts", id="scans", control=False)
    assert job.status() is None
    with pytest.raises(umwelten.UsageError, match="not under way"):
        job.pause()
    seen = []
    for _ in job:
        seen.append(job.status())
        if len(seen) == 1:
            (ceiling,) = job.set(provider_concurrency={"openai": 8})
            assert (ceiling.scope, ceiling.new) == ("openai", 8)
            raised, retries = job.set(max_concurrency=20, retries=0, reason="hurry")
            assert (raised.old, raised.new, raised.journalled) == (1, 20, True)
            assert retries.new == 0
            with pytest.raises(umwelten.UsageError, match="retries"):
                job.set(retries=-1)
            assert job.pause(for_s=60).key == "pause"
            assert job.resume().key == "resume"
            assert not all_runs()
    last = job.status()
    assert last is not None
    assert (last.phase, last.done) == (RunPhase.ENDED, 60)
    assert [change.reason for change in last.changes[:3]] == ["", "hurry", "hurry"]
    assert server.ledger.peak_in_flight <= 8
    with pytest.raises(umwelten.UsageError, match="ended"):
        job.resume()


def test_runs_of_python_can_be_reached_too(server: Provider) -> None:
    job = umwelten.batch("Summarise", "openai:a", directory="texts", id="scans")
    thread = threading.Thread(target=job.wait)
    thread.start()
    run = the_run()
    assert run.state().id == "scans"
    assert run.change("POST", "/stop", {"now": True, "reason": "enough"}).key == "stop"
    thread.join(PATIENCE_S)
    assert not all_runs()
    assert job.wait().status in ("stopped", "interrupted")


def test_an_exception_leaves_no_files(server: Provider) -> None:
    def stop(event: umwelten.Event) -> None:
        if all_runs():
            raise KeyboardInterrupt

    job = umwelten.batch("Summarise", "openai:a", directory="texts", on_event=stop)
    with pytest.raises(BaseException):  # noqa: B017
        job.wait()
    assert not all_runs()
