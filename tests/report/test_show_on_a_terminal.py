"""`eval show`, `list` and `report` on a terminal: aligned, and no wider than it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import msgspec
import pytest
from rich.cells import cell_len
from tests.rankingkit import ranking, store_ranking

from provider import clean_environment
from report.making import FLASH, GEMMA, NOON, Done, answer, change, failure, opened, spec, two_models, work
from umwelten.cli.call_table import call_lines
from umwelten.cli.evaluation_list import list_lines
from umwelten.cli.terminal_report import plain, report_lines
from umwelten.providers.vendors import VENDORS
from umwelten.report.queries import calls
from umwelten.report.queries.listing import list_evaluations
from umwelten.types import FailureKind, ModelRef


def on_a_terminal(cwd, *arguments, width, **variables):
    """The lines that a terminal of that width gets from the command's stdout."""
    reading, writing = pty.openpty()
    fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    environment = clean_environment({"TERM": "xterm", "PAGER": "", **variables})
    command = [sys.executable, "-m", "umwelten", *arguments]
    with subprocess.Popen(command, cwd=cwd, env=environment, stdin=writing, stdout=writing) as process:
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


def listed(folder, width, *, only_failed=False):
    with opened(folder) as reader:
        ended = calls.ended_calls(reader)
        return list(call_lines(reader, ended, width=width, numbered=True, only_failed=only_failed))


def reported(folder, width, **of):
    options = {"style": plain, "vendors": VENDORS, "short": False, "full": False, **of}
    with opened(folder) as reader:
        return list(report_lines(reader, width=width, **options))


def test_show_is_aligned_and_fits_the_width(wide, cli):
    for width in (60, 100, 140):
        title, empty, head, *lines = listed(wide / "output" / "wide", width)
        assert (title, empty) == ("wide: done, 4 failed · 8 calls · 2 models", "")
        assert len(lines) == 8
        assert max(map(cell_len, [head, *lines])) <= width
        starts = {cell_len(line[: re.search(r"\bok\b|failed", line).start()]) for line in lines}
        assert starts == {head.index("STATUS")}
        assert "\t" not in head
        assert lines[0].split()[0] == "1"
        assert "…" in lines[0]
        assert "e.txt " in lines[0]
        assert "o.txt " in lines[2]
        assert "d.txt" in lines[6].split()
    assert LONG[0] in cli("eval", "show", "wide")[1].splitlines()[1].split("\t")
    shown = on_a_terminal(wide, "eval", "show", "wide", width=100)
    assert shown == listed(wide / "output" / "wide", 100)


def test_names_stay_whole_where_there_is_room(wide):
    _, _, head, *lines = listed(wide / "output" / "wide", 400)
    assert LONG[2] in lines[5]
    assert "openrouter:someone/a-model-with-a-long-name" in lines[0]
    assert not any("…" in line[: head.index("ANSWER")] for line in lines)


def test_show_failed_is_aligned_and_cuts_the_message(wide):
    _, _, head, *lines = listed(wide / "output" / "wide", 100, only_failed=True)
    assert max(map(cell_len, [head, *lines])) <= 100
    starts = {cell_len(line[: line.index("it went wrong")]) for line in lines}
    assert starts == {head.index("MESSAGE")}
    assert all(line.endswith("…") for line in lines)
    assert [line.split()[0] for line in lines] == ["1", "3", "5", "7"]


def test_names_that_differ_in_the_middle_are_cut_around_it_and_what_all_share_is_no_column(tmp_path):
    names = [f"a-long-name-number-{n}-of-the-very-same-customers.txt" for n in range(3)]
    work(tmp_path / "output" / "same", spec(id="same"), names, lambda call: Done(answer("\x1b[31m\nred")))
    title, _, head, *lines = listed(tmp_path / "output" / "same", 60)
    assert title == f"same: done · 3 calls · {GEMMA}"
    assert head.split() == ["#", "FILE", "STATUS", "TIME", "ANSWER"]
    assert [line.split()[1][:6] for line in lines] == ["…0-of-", "…1-of-", "…2-of-"]
    assert all(line.endswith("\\x1b[31m red") for line in lines)


def test_list_fits_the_width_and_says_how_each_stands(wide):
    rows = list_evaluations(wide / "output", details=True)
    for width in (60, 80, 140):
        head, line, *more = list_lines(rows, width)
        assert max(map(cell_len, [head, line, *more])) <= width
        assert "done, 4 failed" in line
        assert ("TYPE" in head.split(), "COST" in head.split()) == (width == 140, width > 60)
        assert "50.0% answered" in more[0]


def test_ids_are_cut_last_for_they_are_typed_again(wide):
    (row,) = list_evaluations(wide / "output", details=False)
    row = msgspec.structs.replace(row, id="2026-11-30-a-long-id", models=("openai:gpt-5.4-mini",) * 5)
    assert row.id in list(list_lines([row], 80))[1]
    row = msgspec.structs.replace(row, status="interrupted", calls=80_000, cost_usd=0.000123)
    assert max(map(len, list_lines([row], 80))) <= 80


def test_a_ranking_is_listed_as_one(tmp_path):
    two_models(tmp_path / "x")
    store_ranking(tmp_path, ranking())
    _, answers, ranked = list_lines(list_evaluations(tmp_path), 120)
    assert "  batch  " in answers
    assert "  ranking  " in ranked


def test_long_output_goes_through_the_pager_and_none_where_it_is_not_wanted(wide):
    pager = {"PAGER": "sed s/wide:/PAGED:/"}
    assert on_a_terminal(wide, "eval", "show", "wide", width=80, **pager)[0].startswith("PAGED: done")
    for flags, more in ((["--no-pager"], pager), ([], {**pager, "TERM": "dumb"})):
        shown = on_a_terminal(wide, "eval", "show", "wide", *flags, width=80, **more)
        assert shown[0].startswith("wide: done")


def test_report_on_a_terminal_is_tables_that_fit_it_and_answers_to_read(wide, cli):
    for width in (60, 140):
        lines = reported(wide / "output" / "wide", width)
        assert max(map(cell_len, lines)) <= width
        assert lines[0] == "wide  done, 4 failed"
        titles = next(line for line in lines if line.startswith("model "))
        assert ("tokens/s" in titles) == (width == 140)
        text = "\n".join(lines)
        assert "4 × server: it went wrong" in text
        assert "    A cat." in lines
    assert "\x1b[1mwide\x1b[0m" in on_a_terminal(wide, "eval", "report", "wide", "--short", width=80)[0]
    assert "\x1b" not in cli("eval", "report", "wide")[1]
    assert on_a_terminal(wide, "eval", "report", "wide", "-f", "markdown", width=80)[0] == "# wide"


def test_a_report_on_a_terminal_has_what_was_changed_and_which_models_were_refused(tmp_path):
    folder = tmp_path / "demo"
    refusal = Done(failure("API key not valid", FailureKind.UNAVAILABLE), cost=None)
    plan = spec(models=(GEMMA, FLASH))
    work(folder, plan, ["a"], lambda call: Done(answer()) if call.model == 1 else refusal, status="stopped")
    assert "Changed while it ran" not in reported(folder, 80)
    # The engine stores such an attempt but no result: the call stays pending.
    change(folder, "DELETE FROM calls WHERE model_id = 2")
    values = (NOON, "too\x1b[31m dear")
    change(folder, "INSERT INTO changes VALUES (1, 1, ?, 'Ada', 'ctl', 'max_cost', '', '1', '2', ?)", values)
    lines = reported(folder, 80)
    stopped = lines[lines.index("Stopped") + 1 :]
    assert stopped[0] == f"{FLASH}: API key not valid"
    assert "GEMINI_API_KEY" in "".join(stopped[1:3])
    changed = lines[lines.index("Changed while it ran") + 1]
    assert changed == "2027-01-15 08:00:00 UTC  max-cost 1 → 2 (ctl, Ada: too\\x1b[31m dear)"


def test_long_answers_of_a_batch_are_whole_with_full(tmp_path, cli):
    text = "\n".join(f"line {n} \x1b[31m" for n in range(30))
    work(tmp_path / "output" / "long", spec(id="long"), ["a.txt"], lambda call: Done(answer(text)))
    lines = reported(tmp_path / "output" / "long", 80)
    assert lines[-2] == "    … 22 more lines (--full shows them)"
    whole = reported(tmp_path / "output" / "long", 80, full=True)
    assert "    line 29 \\x1b[31m" in whole
    assert "line 29" not in cli("eval", "report", "long")[1]
    out = cli("eval", "report", "long", "--full")[1]
    assert f"### a.txt, {GEMMA}\n" in out
    assert "line 29" in out
    code, _, err = cli("eval", "report", "long", "--full", "-f", "html")
    assert (code, "html has whole answers anyway" in err) == (2, True)
