"""Corners in which runs once went wrong."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from provider import clean_environment, provider
from umwelten.simulate.faultserver import Behaviour, Bucket, Profile, Rule

UMWELTEN = [sys.executable, "-m", "umwelten"]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(4):
        (tmp_path / "in" / f"{n}.txt").write_text(f"text {n}\n")
    return tmp_path


def _report(cli, id_: str) -> dict:
    code, out, err = cli("eval", "report", "-i", id_, "--format", "json")
    assert code == 0, err
    return json.loads(out)


def on_a_terminal(arguments: list[str], cwd: Path, env: dict[str, str], timeout_s: float = 30.0) -> str:
    """What a terminal shows of a command's stdout and stderr, raw."""
    reading, writing = pty.openpty()
    environ = {**clean_environment(env), "TERM": "xterm"}
    with subprocess.Popen(
        [*UMWELTEN, *arguments], cwd=cwd, env=environ, stdin=writing, stdout=writing, stderr=writing
    ) as process:
        os.close(writing)
        shown, deadline = b"", time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if select.select([reading], [], [], 0.1)[0]:
                try:
                    shown += os.read(reading, 65536)
                except OSError:
                    break
            elif process.poll() is not None:
                break
        process.kill()
    os.close(reading)
    return shown.decode()


def test_streamed_answers_are_not_mixed_on_a_terminal(tmp_path):
    profile = Profile(
        default=Behaviour(text="{model} one two three four end-{model}", chunks=6, chunk_gap_s=0.02)
    )
    with provider(profile) as server:
        command = ["eval", "run", "-p", "hi", "-m", "openai:aa,openai:bb,openai:cc", "--progress", "none"]
        shown = on_a_terminal(command, tmp_path, server.env()).replace("\r\n", "\n")
    for model in ("aa", "bb", "cc"):
        assert f"==> openai:{model} <==\n{model} one two three four end-{model}\n" in shown


def test_the_resume_command_works_as_printed_without_an_id(cli, tmp_path):
    with provider(Profile(rules=(Rule(first=1, behaviour=Behaviour(fault=400)),))) as server:
        code, _, err = cli("eval", "run", "-p", "hi", "-m", "openai:a", env=server.env())
        assert code == 1
        line = next(line for line in err.splitlines() if "eval resume" in line)
        command = shlex.split(line[line.index("umwelten") :])[1:]
        code, _, err = cli(*command, env=server.env())
        assert code == 0, err
        assert server.idle().requests == 2
    assert len(list((tmp_path / "output").iterdir())) == 1


def test_resume_without_an_id_is_refused(cli):
    with provider() as server:
        code, _, err = cli("eval", "run", "-p", "hi", "-m", "openai:a", "--resume", env=server.env())
    assert code == 2
    assert "--id" in err


def test_figures_add_up_when_a_resumed_run_is_stopped(cli, texts):
    batch = (
        "eval",
        "batch",
        "-p",
        "go",
        "-m",
        "openai:a",
        "-i",
        "f",
        "--directory",
        "in",
        "--progress",
        "none",
    )
    bad = tuple(Rule(prompt=f"text {n}", behaviour=Behaviour(fault=400)) for n in (1, 2))
    with provider(Profile(rules=bad)) as server:
        assert cli(*batch, env=server.env())[0] == 1
        server.use(Profile(default=Behaviour(fault=401)))
        code, _, err = cli(*batch, "--resume", env=server.env())
    assert code == 3
    assert "2 of 4 calls succeeded (2 in earlier runs), 2 pending" in err
    assert "umwelten eval resume f" in err


def test_a_cap_that_cannot_be_kept_is_refused(cli, texts):
    with provider() as server:
        code, _, err = cli(
            "eval", "run", "-p", "hi", "-m", "openai:nobody", "--max-cost", "1", env=server.env()
        )
        assert server.idle().requests == 0
    assert code == 2
    assert "openai:nobody" in err
    assert "umwelten.toml" in err


def test_a_cap_holds_over_all_runs_of_an_evaluation(cli, texts):
    (texts / "umwelten.toml").write_text('[prices."openai:a"]\ninput = 1.0\noutput = 1000.0\n')
    batch = (
        "eval",
        "batch",
        "-p",
        "go",
        "-m",
        "openai:a",
        "-i",
        "f",
        "--directory",
        "in",
        "--max-tokens",
        "100",
    )
    with provider(Profile(default=Behaviour(input_tokens=10, output_tokens=100))) as server:
        assert cli(*batch, "--max-cost", "0.25", env=server.env())[0] == 3
        assert cli(*batch, "--max-cost", "0.25", "--resume", env=server.env())[0] == 3
        assert server.idle().requests == 2


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">/dev/full", "2>/dev/full"])
def test_a_closed_or_full_stream_does_no_harm(texts, closed):
    with provider() as server:
        command = shlex.join([*UMWELTEN, "eval", "run", "-p", "hi", "-m", "openai:a", "-i", "s"])
        done = subprocess.run(
            ["bash", "-c", f"{command} {closed}"],
            cwd=texts,
            env=clean_environment(server.env()),
            capture_output=True,
            timeout=30,
        )
        assert server.idle().requests == 1
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert (texts / "output" / "s" / "openai_a.txt").exists()


@pytest.mark.parametrize(
    "arguments", [[b"-p", b"\xff", b"-m", b"openai:a"], [b"-p", b"x", b"-m", b"openai:\xff"]]
)
def test_arguments_that_are_no_text_are_refused(tmp_path, arguments):
    with provider() as server:
        done = subprocess.run(
            [*UMWELTEN, "eval", "run", *arguments],
            cwd=tmp_path,
            env=clean_environment(server.env()),
            capture_output=True,
            timeout=30,
        )
        assert server.idle().requests == 0
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"UTF-8" in done.stderr


@pytest.mark.parametrize("model", ["local:smolm2", "local:/no/model.gguf"])
def test_a_local_model_that_is_not_there_is_refused_before_anything_starts(cli, tmp_path, model):
    code, _, err = cli("eval", "run", "-p", "hi", "-m", model)
    assert code == 2, err
    assert not (tmp_path / "output").exists()


def test_ceilings_of_providers_alone_set_how_many_run(cli, texts):
    with provider(Profile(default=Behaviour(latency_s=0.2))) as server:
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", "openai:a", "--directory", "in"),
            *("--provider-concurrency", "openai=3"),
            env=server.env(),
        )
        assert code == 0, err
        assert server.idle().peak_in_flight == 3


def test_a_database_that_is_destroyed_ends_the_run(texts):
    for n in range(4, 600):
        (texts / "in" / f"{n}.txt").write_text(f"text {n}\n")
    with provider(Profile(default=Behaviour(latency_s=0.05))) as server:
        command = [
            "eval",
            "batch",
            "-p",
            "go",
            "-m",
            "openai:a",
            "-i",
            "d",
            "--directory",
            "in",
            "--concurrent",
        ]
        with subprocess.Popen(
            [*UMWELTEN, *command],
            cwd=texts,
            env=clean_environment(server.env()),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            server.await_requests(20)
            for path in (texts / "output" / "d").glob("evaluation.db*"):
                path.write_bytes(b"this is no database" * 5000)
            _, err = process.communicate(timeout=40)
    assert process.returncode in (2, 3), err.decode()
    assert b"damaged" in err
    assert b"Traceback" not in err


def test_dry_run_counts_what_is_answered_and_refuses_what_a_run_would(cli, texts):
    batch = ("eval", "batch", "-p", "go", "-m", "openai:a", "-i", "f", "--directory", "in")
    with provider() as server:
        assert cli(*batch, "--max-files", "3", env=server.env())[0] == 0
        code, out, err = cli(*batch, "--resume", "--dry-run", "--json", env=server.env())
        assert code == 0, err
        plan = json.loads(out)
        assert (plan["calls"], plan["done"]) == (1, 3)
        assert cli(*batch, "--dry-run", env=server.env())[0] == 2
        assert server.idle().requests == 3


def test_errors_can_be_capped(cli, texts):
    with provider(Profile(default=Behaviour(fault=400))) as server:
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", "openai:a", "-i", "f", "--directory", "in"),
            *("--max-errors", "2"),
            env=server.env(),
        )
        assert server.idle().requests == 2
    assert code == 3
    assert "--max-errors" in err
    assert _report(cli, "f")["summary"]["pending"] == 2


def test_debug_tells_stages_and_what_headers_said(cli, texts):
    limit = Bucket(rate=1000.0, burst=1000, headers="openai")
    with provider(Profile(limiters=(limit,))) as server:
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", "openai:a", "--directory", "in"),
            *("--debug", "--progress", "plain"),
            env=server.env(),
        )
    assert code == 0
    line = next(line for line in err.splitlines() if "prepared in" in line)
    assert "openai:a 0.txt" in line
    assert "ended after" in line
    assert "requests 999 of 1000 left" in line


@pytest.mark.parametrize("word", ["9" * 40, "²", "-1", "0x1"])
def test_a_number_of_no_call_is_an_error_and_no_traceback(cli, word):
    with provider() as server:
        assert cli("eval", "run", "-p", "hi", "-m", "openai:a", "-i", "x", env=server.env()).code == 0
    code, _, err = cli("eval", "show", "x", "--", word)
    assert code == 2
    assert word in err
    assert "Traceback" not in err
