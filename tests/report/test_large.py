"""A report of 100,000 calls: in time that grows with their number alone, and in the memory of a few."""

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
FEW = FILES // 10
SENTENCE = "The text describes a hive, its bees and what can be learnt from them in a year. "
MEASURE = """
import resource, sys
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
    print(used.ru_utime + used.ru_stime, kilobytes, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    """Evaluations of few and of many files, for each format."""
    output = tmp_path_factory.mktemp("large")
    make(output / "small", FEW)
    make(output / "large", FILES)
    return output


def make(folder: Path, files: int) -> None:
    """An evaluation of two models, 50 MB of answers for 50,000 files, one call in fifty failed."""
    plan = spec(id=folder.name, models=(GEMMA, FLASH))
    work(folder, plan, [f"folder/{n:06}.txt" for n in range(files)], lambda call: None, wall_s=3600)
    connection = sqlite3.connect(folder / "evaluation.db")
    with connection:
        fill(connection, files)
    connection.close()


def fill(connection: sqlite3.Connection, files: int) -> None:
    dice = random.Random(1)
    for file in range(1, files + 1):
        for model in (1, 2):
            call, took, at = call_id(file, model, 1), dice.lognormvariate(0, 0.6), NOON + file / files * 3590
            failed = dice.random() < 0.02
            kind = ("server", "500: no") if failed else (None, None)
            connection.execute(
                """INSERT INTO calls VALUES (?, ?, ?, 1, 1, 'k', x'', ?, 1, ?, ?, ?, ?, 1, 'stop', NULL,
                300, 120, 0, 0, 12345, ?, ?, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
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


def reported(output: Path, id_: str, format_: str, path: Path) -> tuple[float, float]:
    """Make a report; returns its seconds of the processor, and the most kilobytes that it held."""
    command = ["eval", "report", "-i", id_, "-f", format_, "-o", str(path), "--output-dir", str(output)]
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], capture_output=True, text=True, check=True
    )
    seconds, kilobytes = map(float, ran.stderr.split()[-2:])
    return seconds, kilobytes


FORMATS = ("html", "json", "csv", "markdown", "parquet")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_report_of_100_000_calls_takes_300_megabytes_and_ten_times_the_time_of_a_tenth(
    output, tmp_path, format_
):
    if format_ == "parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / "report"
    few_s = reported(output, "small", format_, tmp_path / "small")[0]
    seconds, kilobytes = reported(output, "large", format_, path)
    assert path.stat().st_size > 1_000_000
    assert format_ != "html" or path.stat().st_size < 40_000_000, "a browser has to open it"
    # Ten at most if each call costs the same. `benchmarks/moments.py` has the seconds that are promised.
    assert seconds < 20 * few_s
    assert kilobytes < 300_000
