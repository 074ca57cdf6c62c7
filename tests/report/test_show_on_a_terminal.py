"""`eval show` on a terminal: aligned, and no wider than it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from rich.cells import cell_len

from provider import clean_environment
from report.making import GEMMA, Done, answer, failure, spec, work
from umwelten.types import FailureKind, ModelRef


def on_a_terminal(cwd, *arguments, width):
    """The lines that a terminal of that width gets from the command's stdout."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    command = [sys.executable, "-m", "umwelten", *arguments]
    with subprocess.Popen(
        command, cwd=cwd, env=clean_environment({"TERM": "xterm"}), stdin=writing, stdout=writing
    ) as process:
        os.close(writing)
        shown = b""
        try:
            while part := os.read(reading, 65536):
                shown += part
        except OSError:  # Linux says so when the other side is closed
            pass
    os.close(reading)
    assert process.returncode == 0
    return shown.decode().replace("\r\n", "\n").splitlines()


LONG = ["1-" + "x" * 90 + "-one.txt", "2-" + "x" * 90 + "-two.txt", "3-" + "写" * 60 + ".txt", "d.txt"]


@pytest.fixture
def wide(tmp_path):
    end = Done(failure("it went wrong " * 30, FailureKind.SERVER))
    models = (ModelRef("openrouter", "someone/a-model-with-a-long-name"), GEMMA)
    plan = spec(id="wide", models=models)
    work(tmp_path / "output" / "wide", plan, LONG, lambda call: end if call.model == 1 else Done(answer()))
    return tmp_path


def test_show_on_a_terminal_is_aligned_and_fits_its_width(wide, cli):
    for width in (100, 140):
        head, *lines = on_a_terminal(wide, "eval", "show", "wide", width=width)
        assert len(lines) == 8
        assert max(map(cell_len, [head, *lines])) <= width
        starts = {cell_len(line[: re.search("succeeded|failed", line).start()]) for line in lines}
        assert starts == {head.index("STATUS")}
        assert "\t" not in head
        assert "…" in lines[0]
        assert "ne.txt " in lines[0]
        assert "wo.txt " in lines[2]
        assert "d.txt" in lines[6].split()
    assert LONG[0] in cli("eval", "show", "wide")[1].splitlines()[1].split("\t")


def test_names_stay_whole_on_a_terminal_that_has_room(wide):
    lines = on_a_terminal(wide, "eval", "show", "wide", width=300)
    assert LONG[2] in lines[5]
    assert not any("…" in line for line in lines)


def test_show_failed_on_a_terminal_is_aligned_and_cuts_the_message(wide):
    head, *lines = on_a_terminal(wide, "eval", "show", "wide", "--failed", width=100)
    assert max(map(cell_len, [head, *lines])) <= 100
    starts = {cell_len(line[: line.index("it went wrong")]) for line in lines}
    assert starts == {head.index("MESSAGE")}
    assert all(line.endswith("…") for line in lines)
