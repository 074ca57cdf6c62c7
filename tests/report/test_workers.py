"""Reports of runs on several processes: which worker made what, and which machine fails."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from report.making import Done, answer, change, failure, spec, work
from report.test_agreement import html_rows, rendered
from umwelten.cli.show import show
from umwelten.cli.terminal_report import plain, report_lines
from umwelten.providers.vendors import VENDORS
from umwelten.report.queries.calls import by_id, call_detail
from umwelten.report.queries.workers import worker_sums
from umwelten.report.render.call import render_call
from umwelten.report.render.html import render_html
from umwelten.report.render.json import render_json
from umwelten.report.render.markdown import render_markdown
from umwelten.report.render.worker_rows import MOST_ROWS, worker_rows
from umwelten.store.reader import Reader
from umwelten.types import FailureKind

WORKER = "INSERT INTO workers VALUES (1, ?, ?, ?, 7, 1800000000.0, ?, ?, 2, 0.5)"


def evaluation(folder: Path) -> None:
    """Two workers of two nodes: the first answers, the second times out, and is gone."""
    late = failure("no answer", FailureKind.TIMEOUT)
    work(folder, spec(), ["a", "b", "c"], lambda c: Done(late if c.input.name == "b" else answer(), took=2))
    change(folder, WORKER, (1, "node-1", "10.0.0.1", None, ""))
    change(folder, WORKER, (2, "node|7", "10.0.0.7", 1_800_000_009.0, "killed"))
    change(folder, "UPDATE attempts SET worker = CASE WHEN error_kind IS NULL THEN 1 ELSE 2 END", ())


def test_a_report_says_what_each_worker_did(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    evaluation(folder)
    first, second = json.loads(rendered(folder, render_json))["workers"]
    assert list(first) == [
        "run", "worker", "node", "address", "pid", "joined_at", "left_at", "why", "attempts", "answered",
        "failures", "mean_s", "cpu_s",
    ]  # fmt: skip
    assert (first["node"], first["attempts"], first["answered"], first["failures"]) == ("node-1", 2, 2, {})
    assert (second["failures"], second["why"], second["mean_s"]) == ({"timeout": 1}, "killed", 2.0)
    assert second["left_at"] == "2027-01-15T08:00:09.000Z"
    assert "| node\\|7 | 2 | 1 × timeout | killed | 1 | 0 | 2.00 s |" in rendered(folder, render_markdown)
    rows = html_rows(rendered(folder, lambda r, out: render_html([r], out)), "Workers")
    assert rows == [
        ["node-1", "1", "", "", "2", "2", "2.00 s"],
        ["node|7", "2", "1 × timeout", "killed", "1", "0", "2.00 s"],
    ]
    of = {"width": 100, "style": plain, "vendors": VENDORS, "short": True, "full": False}
    with Reader.open(folder) as reader:
        lines = [" ".join(line.split()) for line in report_lines(reader, **of)]
    assert lines[lines.index("Workers") + 2 :][:2] == [
        "node-1 1 2 2 2.00 s",
        "node|7 2 1 × timeout killed 1 0 2.00 s",
    ]


def test_many_workers_are_a_row_for_each_node(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    evaluation(folder)
    for number in range(3, MOST_ROWS + 2):
        change(folder, WORKER, (number, "node-1", "10.0.0.1", 1_800_000_009.0, "the run ended"))
    with Reader.open(folder) as reader:
        rows = worker_rows(worker_sums(reader.connection))
    assert rows == [
        ("node-1", f"{MOST_ROWS} workers", "", f"{MOST_ROWS - 1} × the run ended", "2", "2", "2.00 s"),
        ("node|7", "2", "1 × timeout", "killed", "1", "0", "2.00 s"),
    ]


def test_a_report_without_workers_has_nothing_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    work(folder, spec(), ["a"], lambda c: Done(answer()))
    assert "workers" not in json.loads(rendered(folder, render_json))
    assert "## Workers" not in rendered(folder, render_markdown)


def test_a_call_says_who_made_its_attempts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of one that was lost and ended late, too: the next attempt is none that was sent beside it."""
    folder = tmp_path / "demo"
    lost = failure("the worker was lost", FailureKind.LOST)
    work(folder, spec(), ["a"], lambda c: Done(answer(), took=2, before=(lost,)))
    change(folder, WORKER, (2, "node-7", "10.0.0.7", None, ""))
    change(folder, "UPDATE attempts SET worker = 2, late = 1, latency_s = 30 WHERE number = 1", ())
    with Reader.open(folder) as reader:
        (line,) = by_id(reader, reader.connection.execute("SELECT id FROM calls").fetchone()[0])
        detail, out = call_detail(reader, line), io.StringIO()
    render_call(detail, out)
    text = " ".join(out.getvalue().split())
    assert "worker 2, node node-7 (10.0.0.7)" in text
    assert "late it ended after it had been given up as lost" in text
    assert [one.hedge for one in detail.attempts] == [False, False]
    show(
        id_="demo", words=["a"], failed=False, failing=None, unscored=None, as_json=True, output_dir=tmp_path
    )
    first, second = json.loads(capsys.readouterr().out)["attempts"]
    assert (first["worker"], first["late"]) == (
        {"worker": 2, "node": "node-7", "address": "10.0.0.7"},
        True,
    )
    assert "worker" not in second and "late" not in second
