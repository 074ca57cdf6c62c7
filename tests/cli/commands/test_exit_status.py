"""How a run ends: quickly, by signal, with its output cut off."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from forked import FORKS
from provider import clean_environment, provider
from reliability.runs import Process
from umwelten.cli.exit_status import gravest
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from work import of_command


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(8):
        (tmp_path / "in" / f"{n}.txt").write_text(f"text {n}\n")
    return tmp_path


def _start(folder: Path, env: dict[str, str], *more: str) -> Process:
    command = [
        "eval",
        "batch",
        "-p",
        "go",
        "-m",
        "openai:a",
        "-i",
        "s",
        "--directory",
        "in",
        "--max-concurrency",
        "2",
    ]
    words = ["-m", "umwelten", *command, "--progress", "plain", *more]
    return FORKS.start(words, cwd=folder, env=clean_environment(env))


def _report(cli) -> dict:
    code, out, err = cli("eval", "report", "-i", "s", "--format", "json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_lets_calls_in_flight_finish(cli, texts, number):
    with provider(Profile(default=Behaviour(latency_s=0.6))) as server:
        with _start(texts, server.env()) as process:
            server.await_requests(2)
            process.send_signal(number)
            _, err = process.communicate(timeout=20)
        assert process.returncode == 130, err
        assert server.idle().requests == 2
        assert "umwelten eval resume" in err
        report = _report(cli)
        assert report["summary"]["succeeded"] == 2
        assert report["summary"]["pending"] == 6
        assert report["evaluation"]["status"] == "interrupted"
        server.use(Profile())
        with _start(texts, server.env(), "--resume") as process:
            _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        assert server.idle().requests == 8


def test_two_interrupts_end_at_once(cli, texts):
    with provider(Profile(default=Behaviour(fault="hang"))) as server:
        with _start(texts, server.env()) as process:
            server.await_requests(2)
            process.send_signal(signal.SIGINT)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            sent = time.monotonic()
            process.communicate(timeout=20)
            took = time.monotonic() - sent
        assert process.returncode == 130
        assert took < 8.0  # the first signal alone leaves the calls 10 s
    assert _report(cli)["summary"]["pending"] == 8


def test_the_process_ends_soon_after_its_last_answer(cli, texts):
    with provider(Profile(default=Behaviour(latency_s=0.1))) as server:
        with _start(texts, server.env()) as process:
            process.communicate(timeout=30)
            ended = time.time()
        assert process.returncode == 0
        last = max(result.stat().st_mtime for result in (texts / "output" / "s").glob("*.txt"))
    # 0.3 s are promised: `benchmarks/moments.py` has the time. By mistake, connections would be waited for,
    # which are kept for 15 s.
    assert ended - last < 5.0


def test_a_killed_run_goes_on_where_it_was(cli, texts):
    with provider(Profile(default=Behaviour(latency_s=0.2))) as server:
        with _start(texts, server.env()) as process:
            server.await_requests(5)
            process.kill()
            process.communicate()
        assert _report(cli)["summary"]["succeeded"] >= 2
        with _start(texts, server.env(), "--resume") as process:
            _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        # At most the two in flight and those not yet committed were asked again.
        assert server.idle().requests <= 8 + 4
    report = _report(cli)
    assert report["summary"]["succeeded"] == 8


def test_a_second_process_on_one_id_is_refused(cli, texts):
    with provider(Profile(default=Behaviour(latency_s=0.5))) as server:
        with _start(texts, server.env()) as first:
            server.await_requests(1)
            first.send_signal(signal.SIGSTOP)  # it would be over before a slow second one has started
            with _start(texts, server.env(), "--resume") as second:
                _, err = second.communicate(timeout=20)
            first.send_signal(signal.SIGCONT)
            assert second.returncode == 2
            assert str(first.pid) in err
            first.communicate(timeout=30)
        assert first.returncode == 0
        assert server.idle().requests == 8


def test_a_reader_that_goes_away_does_no_harm(texts):
    with provider(Profile(default=Behaviour(text="word " * 20_000))) as server:
        command = [
            sys.executable,
            "-m",
            "umwelten",
            "eval",
            "run",
            "-p",
            "go",
            "-m",
            "openai:a,openai:b",
            "-i",
            "s",
        ]
        with subprocess.Popen(
            command,
            cwd=texts,
            env=clean_environment(server.env()),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.read(10)
            process.stdout.close()
            err = process.stderr.read().decode()
            process.wait(20)
        assert "Traceback" not in err
        assert server.idle().requests == 2
    assert len(list((texts / "output" / "s").glob("*.txt"))) == 2


def test_help_answers_before_anything_large_is_loaded(tmp_path):
    work = of_command(["--help"], cwd=tmp_path)
    # Half as many again as there are. 150 ms are promised: `benchmarks/moments.py` has the time.
    assert work.calls < 14_000
    large = {"aiohttp", "asyncio", "dotenv", "json", "logging", "msgspec", "rich", "sqlite3", "ssl"}
    assert not work.modules & large


def test_a_straggler_holds_up_nobody(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for n in range(5):
        (tmp_path / "in" / f"{n}.txt").write_text(f"number {n}\n")
    slow = Profile(
        default=Behaviour(latency_s=0.1), rules=(Rule(prompt="number 1", behaviour=Behaviour(latency_s=1.5)),)
    )
    with provider(slow) as server, _start(tmp_path, server.env()) as process:
        _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        ends = [(record.done_s or 0.0, "number 1" in record.prompt) for record in server.idle().records]
    assert [is_slow for _, is_slow in sorted(ends)] == [False] * 4 + [True]
    assert (tmp_path / "output" / "s" / "1.txt.txt").exists()


def test_of_several_statuses_the_gravest_counts() -> None:
    assert gravest([]) == 0
    assert gravest([0, 3, 1]) == 3
    assert gravest([1, 4, 3]) == 4  # an unwritten report hides no missed gate
    assert gravest([4, 130, 1]) == 130
