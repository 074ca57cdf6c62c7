"""The bar on a real pseudo-terminal, drawn by a child process."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")
TESTS = os.fspath(Path(__file__).parents[2])

HEAD = """
import sys, time
sys.path.insert(0, {tests!r})
from cli.progress.happenings import *
from umwelten.cli.print_answers import AnswerPrinter
from umwelten.cli.progress import make
from umwelten.cli.summary import print_summary
from umwelten.report.run_summary import summarize
tally = Tally()
progress = make("auto", stderr=sys.stderr, tally=tally, verbose={verbose})
progress.start(views)
"""


def on_terminal(script: str, *, term: str = "xterm-256color", verbose: bool = False) -> str:
    """What the script's child writes to its terminal."""
    code = HEAD.format(tests=TESTS, verbose=verbose) + script
    environment = {**os.environ, "TERM": term, "COLUMNS": "90", "LINES": "30"}
    environment.pop("NO_COLOR", None)
    pid, descriptor = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], environment)
    chunks = []
    while True:
        try:
            chunk = os.read(descriptor, 65536)
        except OSError:  # Linux's word for the end
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(descriptor)
    _, status = os.waitpid(pid, 0)
    text = b"".join(chunks).decode()
    assert status == 0, text
    return text


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


RUN = """
play(progress, everything(), tally)
time.sleep(0.6)
progress.close()
print_summary(summarize(tally, folder="output/demo", resume="umwelten again"), stderr=sys.stderr)
"""


def test_the_bar_shows_the_run_and_each_lane():
    text = plain(on_terminal(RUN))
    assert "2/4 50%" in text
    assert re.search(r"google .*3/8 .*waits 12 s", text)
    assert "stopped: key refused" in text


def test_lines_go_above_the_bar_and_the_bar_vanishes():
    text = on_terminal(RUN, verbose=True)
    assert "1/4 ok  google:gemini-2.5-flash scan.jpg" in plain(text)
    assert "\x1b[?25l" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is left hidden"
    last = plain(text[text.rindex("\x1b[?25h") :])
    assert "━" not in last
    assert last.lstrip().startswith("demo: 1 of 4 calls succeeded, 1 failed, 2 pending")


def test_foreign_text_is_neither_a_control_nor_markup():
    text = on_terminal(RUN, verbose=True)
    assert r"\x1b[31mred\x9b [red]x[/red] \u202eabc" in plain(text).replace("\r\n", "")
    assert "\x9b" not in text
    assert "\u202e" not in text


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines():
    text = on_terminal(RUN, term="dumb")
    assert "\x1b" not in text
    assert "2/4 calls, 1 failed, " in text


STREAM = """
answers = AnswerPrinter(sys.stdout, hold=progress.hold)
pieces = [piece("Hel"), piece("lo\\x1b[2J")]
for event in [begun(1, limit=1), *pieces, good(1, "Hello\\x1b[2J", name=None), finished(0, "complete")]:
    tally(event)
    answers(event)
    if isinstance(event, TextArrived):
        time.sleep(0.5)
    progress(event)
answers.close()
progress.close()
"""


def test_an_answer_streams_without_the_bar_in_between():
    text = on_terminal(STREAM)
    assert "Hello\\x1b[2J\r\n" in text


def test_the_bar_costs_little_however_many_events_come():
    script = """
play(progress, [begun(200_000)], tally)
started = time.process_time()
event = good()
for _ in range(50_000):
    tally(event)
    progress(event)
spent = time.process_time() - started
time.sleep(0.6)
progress.close()
assert spent < 2, spent
"""
    assert "50,000/200,000" in plain(on_terminal(script))
