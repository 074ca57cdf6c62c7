"""Streams that nobody reads, that are closed or full: the exit status says what was done all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from provider import clean_environment, provider

STATES = ("closed", "unread", "full")
RUN = ("eval", "run", "-p", "hi", "-m", "openai:a", "--resume")
BATCH = ("eval", "batch", "-p", "hi", "-m", "openai:a", "--directory", "in", "--resume", "--json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("text")
    return tmp_path


@contextmanager
def started(
    folder: Path, env: dict[str, str], command: tuple[str, ...], **states: str
) -> Iterator[subprocess.Popen[bytes]]:
    """The command, with its streams as `states` has them; one that it does not name can be read."""
    streams: dict[str, int] = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
    close = "import os\n"
    for name, state in states.items():
        if state == "closed":
            close += f"os.close({('stdin', 'stdout', 'stderr').index(name)})\n"
        elif state == "unread":
            reader, streams[name] = os.pipe()
            os.close(reader)
        else:
            streams[name] = os.open("/dev/full", os.O_WRONLY)
    become = "import sys\nos.execv(sys.executable, [sys.executable, '-m', 'umwelten', *sys.argv[1:]])"
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", close + become, *command],
        cwd=folder,
        env=clean_environment(env),
        **streams,  # type: ignore[call-overload]
    )
    for stream in streams.values():
        if stream >= 0:
            os.close(stream)
    with process:
        yield process


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Exit status, and what could be read of stderr."""
    err = (process.communicate(timeout=30)[1] or b"").decode()
    assert "Traceback" not in err, err
    assert "Exception ignored" not in err, err
    return process.returncode, err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_run_whose_streams_are_gone_makes_its_calls_and_tells_how_they_ended(folder):
    with provider() as server:
        env = server.env()
        # A note comes before anything else where there is nothing to resume.
        with (
            started(folder, env, (*RUN, "-i", "1"), stderr="unread") as one,
            started(folder, env, (*RUN, "-i", "2"), stderr="full", stdout="closed") as two,
            started(folder, env, (*BATCH, "-i", "3"), stderr="closed", stdout="unread") as three,
            started(folder, env, (*RUN, "-i", "4", "--timeout", "x"), stderr="unread") as four,
        ):
            assert [ended(process)[0] for process in (one, two, three, four)] == [0, 0, 0, 2]
        assert server.idle().requests == 3
    assert len(list((folder / "output").glob("*/*.txt"))) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_what_is_missing_on_a_full_stdout_is_said_and_the_run_counts(folder):
    with provider() as server, started(folder, server.env(), (*RUN, "-i", "1"), stdout="full") as process:
        code, err = ended(process)
    assert code == 0
    assert "standard output is not complete: No space left on device" in err
    assert "an observer failed" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("state", STATES)
def test_a_command_that_prints_fails_where_its_results_are_lost(folder, state):
    commands = (("models", "costs", "--json"), ("config", "show"), ("--help",), ("models", "costs"))
    with provider() as server:
        processes = [
            started(folder, server.env(), command, stdout=state, stderr=other)
            for command, other in zip(commands, ("full", "unread", "closed", "full"), strict=True)
        ]
        with processes[0] as one, processes[1] as two, processes[2] as three, processes[3] as four:
            statuses = [ended(process)[0] for process in (one, two, three, four)]
        # A reader that left, and one that was never wanted, miss nothing.
        assert statuses == ([2] * 4 if state == "full" else [0] * 4)
        with (
            started(folder, server.env(), ("config", "show", "--profile", "no"), stdout=state) as one,
            started(folder, server.env(), ("eval", "report", "no"), stdout=state, stderr=state) as two,
        ):
            assert [ended(process)[0] for process in (one, two)] == [2, 2]


def test_nothing_is_said_into_a_file_that_took_the_number_of_a_closed_stream(folder):
    with (
        provider() as server,
        started(
            folder, server.env(), (*RUN, "-i", "1"), stdin="closed", stdout="closed", stderr="closed"
        ) as run,
    ):
        assert ended(run)[0] == 0
    assert (folder / "output" / "1" / "evaluation.lock").read_bytes() == b""
    with started(folder, {}, ("eval", "show", "1")) as show:
        assert ended(show)[0] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_run_whose_report_cannot_be_written_says_how_it_went_and_fails(folder):
    (folder / "report.json").symlink_to("/dev/full")
    with provider() as server:
        command = (*RUN, "-i", "1", "--report", "report.json", "--report", "report.csv")
        with started(folder, server.env(), command) as process:
            code, err = ended(process)
    assert code == 1
    assert "1 call succeeded" in err
    assert "Error: report: cannot write report.json: No space left on device" in err
    assert "report: report.csv" in err
    assert (folder / "report.csv").exists()
