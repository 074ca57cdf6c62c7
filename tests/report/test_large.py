"""A report of 100,000 calls: quick, and in the memory of a few."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from report.making import FLASH, GEMMA, NOON, spec, work
from umwelten.store.tables import call_id

FILES = 50_000
COUNTING_S = 0.12
"""What counting to five million takes on a machine of the usual pace."""

SENTENCE = "The text describes a hive, its bees and what can be learnt from them in a year. "
MEASURE = """
import resource, sys, time
from umwelten.cli.app import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    # The kernel's other figure, ru_maxrss, starts at the size of the process that this one was forked from.
    try:
        kilobytes = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    except OSError:
        kilobytes = used.ru_maxrss // (1024 if sys.platform == "darwin" else 1)
    began = time.process_time()
    for n in range(5_000_000):
        pass
    counting = time.process_time() - began
    print(used.ru_utime + used.ru_stime, kilobytes, counting, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """An evaluation of two models and 50,000 files with 50 MB of answers, one call in fifty failed."""
    output = tmp_path_factory.mktemp("large")
    plan = spec(id="large", models=(GEMMA, FLASH))
    work(output / "large", plan, [f"folder/{n:06}.txt" for n in range(FILES)], lambda call: None, wall_s=3600)
    connection = sqlite3.connect(output / "large" / "evaluation.db")
    with connection:
        fill(connection)
    connection.close()
    return output


def fill(connection: sqlite3.Connection) -> None:
    dice = random.Random(1)
    for file in range(1, FILES + 1):
        for model in (1, 2):
            call, took, at = call_id(file, model, 1), dice.lognormvariate(0, 0.6), NOON + file / FILES * 3590
            failed = dice.random() < 0.02
            kind = ("server", "500: no") if failed else (None, None)
            connection.execute(
                """INSERT INTO calls VALUES (?, ?, ?, 1, 1, 'k', x'', ?, 1, ?, ?, ?, ?, 1, 'stop', NULL,
                300, 120, 0, 0, 12345, ?, ?, NULL, NULL)""",
                (call, file, model, 1 + failed, at, took, took / 3, took, *kind),
            )
            connection.execute(
                """INSERT INTO attempts
                (call_id, run_id, number, started_at, latency_s, error_kind, cost_nusd)
                VALUES (?, 1, 1, ?, ?, ?, 12345)""",
                (call, at, took, kind[0]),
            )
            if not failed:
                connection.execute(
                    "INSERT INTO answers (call_id, text) VALUES (?, ?)", (call, f"{file} {SENTENCE * 6}")
                )


@pytest.mark.parametrize("format_", ["html", "json", "csv", "markdown", "parquet"])
def test_a_report_of_100_000_calls_takes_ten_seconds_and_300_megabytes_at_most(output, tmp_path, format_):
    if format_ == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "report"
    command = ["eval", "report", "-i", "large", "-f", format_, "-o", str(path), "--output-dir", str(output)]
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True
    )
    seconds, kilobytes, counting = map(float, ran.stderr.split()[-3:])
    assert path.stat().st_size > 1_000_000
    assert format_ != "html" or path.stat().st_size < 40_000_000, "a browser has to open it"
    # Of this process, and by the pace of this hour: a machine that others slow down makes no report slow.
    assert seconds < 10 * max(1.0, counting / COUNTING_S)
    assert kilobytes < 300_000
