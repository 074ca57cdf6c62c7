"""What came out: a sequence that is read from the store, figures, tables, reports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas
import polars
import pyarrow
import pytest

import umwelten
from forked import FORKS
from provider import Profile, Provider, clean_environment
from umwelten.simulate.faultserver.profile import Behaviour, Rule

CSV_COLUMNS = [
    *("evaluation", "file", "model", "provider", "repeat", "status", "finish_reason", "response_s", "ttft_s"),
    *("attempts", "input_tokens", "output_tokens", "cost_usd", "error_kind", "error_message", "response"),
]


@pytest.fixture
def results(server: Provider, tmp_path: Path) -> umwelten.Results:
    """Three files at two models, one of which fails: six calls."""
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "in" / f"{name}.txt").write_text(f"text {name}")
    job = umwelten.batch("Sum up", "openai:good,openai:broken", id="six", directory="in", concurrent=True)
    return job.wait()


def test_results_are_a_sequence_by_file_and_model(results: umwelten.Results) -> None:
    found = [(answer.file, answer.model) for answer in results]
    assert len(results) == len(found) == 6
    assert found == sorted(found, key=lambda pair: (pair[0], pair[1] != "openai:good"))
    assert results[0].file == "a.txt"
    assert results[-1].file == "c.txt"
    assert [answer.file for answer in results[1:4]] == ["a.txt", "b.txt", "b.txt"]
    assert [answer.file for answer in results[::-2]] == ["c.txt", "b.txt", "a.txt"]
    assert results[4:1] == []
    with pytest.raises(IndexError):
        results[6]
    assert next(reversed(results)) == results[5]
    assert results[2] in results


def test_answers_and_failures_are_sequences_of_their_own(results: umwelten.Results) -> None:
    assert [answer.file for answer in results.answers] == ["a.txt", "b.txt", "c.txt"]
    assert [answer.model for answer in results.failures] == ["openai:broken"] * 3
    assert len(results.answers) == len(results.failures) == 3
    assert results.answers[1].file == results.failures[1].file == "b.txt"


def test_an_answer_has_what_is_known_of_its_call(server: Provider) -> None:
    priced = Behaviour(text="three small words", input_tokens=1000, output_tokens=500, latency_s=0.02)
    server.use(Profile(default=priced))
    models = "openai:gpt-4o,lmstudio:m,openai:of-no-known-price"
    dear, free, unknown = umwelten.run("hello", models, stream=True).wait()
    assert dear.text == "three small words"
    assert (dear.file, dear.prompt, dear.repeat, dear.attempts) == (None, None, 1, 1)
    assert (dear.usage.input_tokens, dear.usage.output_tokens) == (1000, 500)
    assert dear.finish_reason == "stop"
    assert dear.response_s >= 0.02
    assert dear.ttft_s is not None
    assert dear.data is None
    assert dear.cost_usd is not None
    assert dear.cost_usd > 0
    assert free.cost_usd == 0
    assert unknown.cost_usd is None
    assert repr(dear) == "<Answer openai:gpt-4o 1: 'three small words'>"


def test_a_retried_call_counts_its_attempts(server: Provider) -> None:
    server.use(Profile(rules=(Rule(behaviour=Behaviour(fault=500), first=1),)))
    (answer,) = umwelten.run("hello", "openai:a").wait()
    assert (answer.ok, answer.attempts) == (True, 2)


def test_the_text_that_came_before_a_failure_is_kept(server: Provider) -> None:
    server.use(Profile(default=Behaviour(text="half of an answer that breaks off", fault="cut_stream")))
    (answer,) = umwelten.run("hello", "openai:a", retries=0, stream=True).wait()
    assert answer.text is None
    assert answer.partial
    assert "half of an answer that breaks off".startswith(answer.partial)


def test_the_summary_is_that_of_the_report(results: umwelten.Results, tmp_path: Path) -> None:
    results.report(tmp_path / "six.json")
    report = json.loads((tmp_path / "six.json").read_text())
    summary = results.summary
    for name in ("calls", "succeeded", "failed", "pending", "wall_s", "sequential_s", "speedup", "p50_s"):
        assert getattr(summary, name) == report["summary"][name], name
    assert summary.cost_usd == report["cost"]["total_usd"]
    assert summary.usage.output_tokens == report["cost"]["usage"]["output_tokens"]
    assert (summary.calls, summary.succeeded, summary.failed, summary.pending) == (6, 3, 3, 0)
    assert summary.errors == {"bad_request": 3}
    assert repr(results) == "<Results of 'six': 3 of 6 answered, 3 failed>"


@pytest.mark.parametrize("ending", [".html", ".csv", ".json", ".md", ".parquet"])
def test_a_report_has_the_format_of_its_ending(
    results: umwelten.Results, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"report{ending}"
    results.report(str(path))
    begins = {
        ".html": b"<!",
        ".json": b"{",
        ".md": b"#",
        ".parquet": b"PAR1",
        ".csv": b"\xef\xbb\xbfevaluation,",
    }
    assert path.read_bytes().startswith(begins[ending])


def test_a_job_writes_the_reports_that_it_was_asked_for(server: Provider, tmp_path: Path) -> None:
    umwelten.run("hello", "openai:a", id="r", report=["r.csv", tmp_path / "r.md"]).wait()
    assert "openai:a" in (tmp_path / "r.csv").read_text("utf-8-sig")
    assert "openai:a" in (tmp_path / "r.md").read_text()
    with pytest.raises(umwelten.UsageError, match=r"extension of .r\.doc."):
        umwelten.run("hello", "openai:a", id="s", report="r.doc").wait()
    with pytest.raises(umwelten.UsageError, match=r"extension of .r\.doc."):
        umwelten.open("r").report("r.doc")
    assert server.idle().requests == 1


# --- tables ----------------------------------------------------------------------------------


def test_pandas_has_a_row_a_call_with_the_columns_of_the_csv(results: umwelten.Results) -> None:
    frame = results.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == CSV_COLUMNS
    assert list(frame["file"]) == ["a.txt", "a.txt", "b.txt", "b.txt", "c.txt", "c.txt"]
    assert frame["repeat"].sum() == 6
    assert frame.query("status == 'failed'")["response"].isna().all()
    assert frame["response_s"].dtype == "float64"
    assert frame.groupby("model")["output_tokens"].count().to_dict() == {"openai:good": 3, "openai:broken": 0}


def test_polars_has_the_same(results: umwelten.Results) -> None:
    frame = results.to_polars()
    assert frame.columns == CSV_COLUMNS
    assert frame["file"].to_list() == ["a.txt", "a.txt", "b.txt", "b.txt", "c.txt", "c.txt"]
    assert frame.schema["output_tokens"] == polars.Int64
    assert frame.schema["cost_usd"] == polars.Float64
    assert frame.filter(polars.col("status") == "failed")["response"].null_count() == 3


def test_arrow_has_the_same(results: umwelten.Results) -> None:
    table = results.to_arrow()
    assert table.column_names == CSV_COLUMNS
    assert table.num_rows == 6
    assert table.schema.field("attempts").type == pyarrow.int64()
    assert table.column("response").null_count == 3


def test_a_job_becomes_a_table_at_once(server: Provider) -> None:
    assert list(umwelten.run("hello", "openai:a,openai:b", id="p").to_pandas()["model"]) == [
        "openai:a",
        "openai:b",
    ]
    assert umwelten.run("hello", "openai:a", id="q").to_polars().height == 1
    assert umwelten.run("hello", "openai:a", id="s").to_arrow().num_rows == 1


def test_an_evaluation_without_an_answer_is_a_table_without_a_row(server: Provider) -> None:
    job = umwelten.run("hello", "openai:a", id="none")
    job.stop()
    empty = job.wait()
    for columns in (
        list(empty.to_pandas().columns),
        empty.to_polars().columns,
        empty.to_arrow().column_names,
    ):
        assert columns == CSV_COLUMNS
    assert len(empty.to_pandas()) == empty.to_polars().height == empty.to_arrow().num_rows == 0


@pytest.mark.parametrize("name", ["pandas", "polars", "pyarrow"])
def test_a_library_that_is_missing_is_named_with_the_command_that_installs_it(
    results: umwelten.Results, name: str, tmp_path: Path
) -> None:
    method = {"pandas": "to_pandas", "polars": "to_polars", "pyarrow": "to_arrow"}[name]
    code = f"""
import sys
sys.modules[{name!r}] = None  # as if it were not installed
import umwelten
try:
    umwelten.open("six").{method}()
except umwelten.UsageError as error:
    print(error.hint)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=clean_environment(), capture_output=True, text=True
    )
    assert ran.stdout == f"Install it with: pip install {name}\n", ran.stderr


# --- opened again ----------------------------------------------------------------------------


def test_a_stored_evaluation_is_opened_by_its_id(results: umwelten.Results, tmp_path: Path) -> None:
    again = umwelten.open("six")
    assert list(again) == list(results)
    assert again.id == "six"
    assert again.status == "failed"
    assert umwelten.open("six", tmp_path / "output").folder.samefile(again.folder)


def test_one_that_the_command_line_made_is_opened_too(server: Provider, tmp_path: Path) -> None:
    command = ["-m", "umwelten", "eval", "run", "-p", "hello", "-m", "openai:a", "-i", "made"]
    assert FORKS.run(command, cwd=tmp_path, env=server.env()).code == 0
    assert umwelten.open("made")[0].model == "openai:a"


def test_evaluations_are_listed(results: umwelten.Results) -> None:
    umwelten.run("hello", "openai:a", id="one").wait()
    assert [(found.id, found.status) for found in umwelten.evaluations()] == [
        ("one", "complete"),
        ("six", "failed"),
    ]
    assert umwelten.evaluations("elsewhere") == []


def test_an_evaluation_that_is_not_there_is_an_error(server: Provider) -> None:
    with pytest.raises(umwelten.StoreError, match="no evaluation in output/nothing"):
        umwelten.open("nothing")


def test_results_that_are_read_while_a_run_goes_on_say_so(server: Provider) -> None:
    with umwelten.run("hello", "openai:quick,openai:slow", id="on", concurrent=True) as job:
        next(answers := iter(job))
        assert umwelten.open("on").status == "running"
        assert len(umwelten.open("on")) == 1
        assert job.id == "on"
        assert [answer.model for answer in answers] == ["openai:slow"]
    assert umwelten.open("on").status == "complete"
