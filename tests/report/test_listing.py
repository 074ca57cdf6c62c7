from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from report.making import NOON, Done, answer, change, failure, spec, two_models, work
from store.judged import judged
from umwelten.report.queries.listing import list_evaluations, render_json, render_text
from umwelten.report.queries.status import Run, derive
from umwelten.store.store import Store


def test_rows_are_sorted_by_date_and_count_calls(tmp_path):
    two_models(tmp_path / "zebra")
    work(tmp_path / "apple", spec(), ["a"], lambda call: Done(answer(), cost=5))
    change(tmp_path / "apple", "UPDATE runs SET started_at = ?", (NOON + 60,))
    first, second = list_evaluations(tmp_path)
    assert (first.id, first.status, first.calls, first.done, first.failed) == ("zebra", "incomplete", 6, 4, 1)
    assert (first.cost_usd, first.unpriced_calls) == (0.00123, 1)
    assert (second.id, second.status, second.calls, second.done) == ("apple", "complete", 1, 1)
    assert first.date < second.date


def test_damaged_evaluations_are_listed(tmp_path):
    work(tmp_path / "good", spec(), ["a"], lambda call: Done(answer()))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "evaluation.db").write_bytes(b"not a database " * 100)
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "evaluation.db").touch()
    (tmp_path / "else").mkdir()
    assert {row.id: row.status for row in list_evaluations(tmp_path)} == {
        "good": "complete",
        "bad": "damaged",
        "empty": "damaged",
    }


def test_a_database_with_pages_overwritten_is_listed_as_damaged(tmp_path):
    work(tmp_path / "demo", spec(), [f"{n}" for n in range(500)], lambda call: Done(answer("x" * 500)))
    path = tmp_path / "demo" / "evaluation.db"
    data = bytearray(path.read_bytes())
    # The first pages hold the schema and the settings: the list gets past them and meets ruins.
    for page in range(12, len(data) // 4096):
        data[page * 4096 : (page + 1) * 4096] = b"\xee" * 4096
    path.write_bytes(data)
    assert [row.status for row in list_evaluations(tmp_path)] == ["damaged"]


def test_an_output_directory_that_is_not_there_has_none(tmp_path):
    assert list_evaluations(tmp_path / "nowhere") == []


def test_what_belongs_to_an_evaluation_stands_indented_below_it(tmp_path):
    judged(tmp_path / "x")
    rows = list_evaluations(tmp_path)
    order = {row.id: row.derived and (row.derived.of, row.derived.scorer) for row in rows}
    assert list(order.items()) == [
        ("x", None),
        ("x.polite", ("x", "polite")),
        ("x.polite.fair", ("x.polite", "fair")),
        ("x.right", ("x", "right")),
        ("x.other", None),
    ]
    for details in (False, True):
        out = io.StringIO()
        render_text(list_evaluations(tmp_path, details=details), out)
        starts = [line[: line.index("2")].rstrip() for line in out.getvalue().splitlines()[1:]]
        assert starts == ["x", "  x.polite", "    x.polite.fair", "  x.right", "x.other"]
    out = io.StringIO()
    render_json(rows, out)
    assert json.loads(out.getvalue())[1]["derived"] == {"role": "judge", "of": "x", "scorer": "polite"}


def test_the_first_column_is_the_id_alone(tmp_path):
    two_models(tmp_path / "demo")
    out = io.StringIO()
    render_text(list_evaluations(tmp_path), out)
    head, line = out.getvalue().splitlines()
    assert head.split()[0] == "ID"
    assert line.split()[0] == "demo"
    assert "4/6" in line
    assert "$0.00123+?" in line


def test_a_hostile_folder_name_is_inert(tmp_path):
    (tmp_path / "a\x1b[31m\nb").mkdir()
    (tmp_path / "a\x1b[31m\nb" / "evaluation.db").write_bytes(b"junk" * 1000)
    out = io.StringIO()
    render_text(list_evaluations(tmp_path), out)
    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2


def test_json_is_a_list_of_rows(tmp_path):
    two_models(tmp_path / "demo")
    out = io.StringIO()
    render_json(list_evaluations(tmp_path), out)
    (row,) = json.loads(out.getvalue())
    assert (row["id"], row["done"], row["problem"]) == ("demo", 4, None)
    out = io.StringIO()
    render_json([], out)
    assert json.loads(out.getvalue()) == []


def status(tmp_path):
    (row,) = list_evaluations(tmp_path)
    return row.status


def test_a_status_is_failed_only_when_nothing_is_pending(tmp_path):
    folder = tmp_path / "demo"
    work(folder, spec(), ["a", "b"], lambda call: Done(failure(), cost=None) if call.input.id == 1 else None)
    assert status(tmp_path) == "incomplete"
    work(folder, spec(), ["a", "b"], lambda call: Done(failure(), cost=None))
    assert status(tmp_path) == "failed"
    work(folder, spec(), ["a", "b"], lambda call: Done(answer()))
    assert status(tmp_path) == "complete"


def test_an_interrupted_run_leaves_an_interrupted_evaluation(tmp_path):
    work(tmp_path / "demo", spec(), ["a", "b"], lambda call: None, status="interrupted")
    assert status(tmp_path) == "interrupted"


def test_it_is_running_while_a_process_holds_it(tmp_path):
    folder = tmp_path / "demo"
    with Store.create(folder, spec()) as store:
        store.set_no_inputs()
        store.start_run({})
        assert status(tmp_path) == "running"
        store.end_run("interrupted", None, 1)
    assert status(tmp_path) == "interrupted"


def test_it_is_not_running_without_its_lock_though_its_process_lives(tmp_path):
    fcntl = pytest.importorskip("fcntl")
    run = Run(pid=os.getpid(), started_at=1.0, seen_at=1.0, ended_at=None, status=None, reason=None)
    lock = tmp_path / "evaluation.lock"
    states = [derive([run], pending=1, failed=0, lock=lock)]
    lock.touch()
    states.append(derive([run], pending=1, failed=0, lock=lock))
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        states.append(derive([run], pending=1, failed=0, lock=lock))
    assert states == ["interrupted", "interrupted", "running"]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from report.making import spec
from umwelten.store.store import Store
store = Store.create(Path(sys.argv[1]), spec())
store.set_no_inputs()
store.start_run({})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_is_interrupted_even_if_its_pid_belongs_to_another_process_now(tmp_path):
    tests = os.fspath(__import__("pathlib").Path(__file__).parent.parent)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "demo"), tests], check=False)
    assert status(tmp_path) == "interrupted"
    change(tmp_path / "demo", "UPDATE runs SET pid = ?", (os.getpid(),))
    assert status(tmp_path) == "interrupted"
