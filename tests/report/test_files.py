"""Reports as files, by their endings."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import pytest

from report.making import books
from umwelten.errors import StoreError, UsageError
from umwelten.report.output_files import check_report_path, write_report


@pytest.fixture
def folder(tmp_path):
    books(tmp_path / "output" / "books")
    return tmp_path / "output" / "books"


def test_the_ending_says_the_format(folder, tmp_path):
    for name in ("r.csv", "r.html", "r.json", "r.MD"):
        check_report_path(tmp_path / name)
        write_report(folder, tmp_path / name)
    assert json.loads((tmp_path / "r.json").read_text())["evaluation"]["id"] == "books"
    assert (tmp_path / "r.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "r.MD").read_text().startswith("# books\n")
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8-sig") as file:
        assert next(csv.DictReader(file))["title"] == "Hives, and how to keep them"


def test_parquet_is_written_too(folder, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    check_report_path(tmp_path / "r.parquet")
    write_report(folder, tmp_path / "r.parquet")
    assert parquet.read_table(tmp_path / "r.parquet").num_rows == 8


def test_a_csv_file_begins_with_the_mark_by_which_excel_knows_utf_8(folder, tmp_path):
    write_report(folder, tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_bytes().startswith(b"\xef\xbb\xbfevaluation,")


@pytest.mark.parametrize("name", ["r.xlsx", "r", "r.csv.gz", ".csv"])
def test_an_ending_of_no_format_is_an_error_that_lists_them(tmp_path, name):
    with pytest.raises(UsageError) as raised:
        check_report_path(tmp_path / name)
    assert name in raised.value.message
    for ending in (".csv", ".html", ".json", ".md", ".parquet"):
        assert ending in raised.value.hint


def test_a_place_where_nothing_can_be_written_is_found_before_the_run(tmp_path):
    (tmp_path / "there.csv").mkdir()
    for path in (tmp_path / "there.csv", tmp_path / "no" / "r.csv"):
        with pytest.raises(UsageError, match="directory"):
            check_report_path(path)


def test_without_pyarrow_parquet_is_refused_before_the_run(tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not here')")
    code = """
from pathlib import Path
from umwelten.errors import UsageError
from umwelten.report.output_files import check_report_path
try:
    check_report_path(Path("r.parquet"))
except UsageError as error:
    print(error)
"""
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert "umwelten[parquet]" in ran.stdout


def test_a_report_that_cannot_be_made_leaves_the_old_file_alone(tmp_path):
    (tmp_path / "r.csv").write_text("old")
    with pytest.raises(StoreError):
        write_report(tmp_path / "nothing", tmp_path / "r.csv")
    assert (tmp_path / "r.csv").read_text() == "old"
    assert list(tmp_path.glob(".*.part")) == []


@pytest.mark.skipif(os.name == "nt", reason="FIFOs of POSIX")
def test_a_fifo_gets_the_report_if_somebody_reads_it(folder, tmp_path):
    fifo = tmp_path / "r.csv"
    os.mkfifo(fifo)
    with pytest.raises(UsageError, match=r"cannot write .*r\.csv: No such device"):
        write_report(folder, fifo)
    reading = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    write_report(folder, fifo)
    assert b"google" in os.read(reading, 100_000)
    os.close(reading)
