"""`eval report`, `list` and `show` as users type them."""

from __future__ import annotations

import csv
import json
import re
import sqlite3

import pytest

from report.making import FLASH, GEMMA, Done, answer, change, failure, spec, two_models, work
from umwelten.types import FailureKind


@pytest.fixture
def three(tmp_path):
    output = tmp_path / "output"
    two_models(output / "demo")
    for name in ("scan-1", "scan-2"):
        work(output / name, spec(id=name), ["a.txt"], lambda call: Done(answer("A dog.")))
    return output


def test_a_pattern_takes_every_evaluation_that_matches(three, cli):
    code, out, _ = cli("eval", "report", "-i", "scan-*", "--format", "json")
    assert code == 0
    assert [one["evaluation"]["id"] for one in json.loads(out)["evaluations"]] == ["scan-1", "scan-2"]
    _, out, _ = cli("eval", "report", "-i", "demo", "-i", "scan-?", "--short")
    assert out.startswith("# 3 evaluations\n")
    assert [line for line in out.splitlines() if line.startswith("# ")][1:] == [
        "# demo",
        "# scan-1",
        "# scan-2",
    ]


def test_a_pattern_that_matches_one_has_the_shape_of_several(three, cli):
    _, out, _ = cli("eval", "report", "-i", "dem*", "--format", "json", "--short")
    (one,) = json.loads(out)["evaluations"]
    assert "results" not in one


def test_a_pattern_that_matches_nothing_lists_what_there_is(three, cli):
    code, out, err = cli("eval", "report", "-i", "x*")
    assert (code, out) == (2, "")
    assert "scan-1" in err


@pytest.mark.parametrize("format_", ["html", "csv", "markdown", "json"])
def test_every_format_goes_to_a_file_that_is_whole(three, cli, tmp_path, format_):
    path = tmp_path / "out file"
    code, out, err = cli("eval", "report", "-i", "demo", "--format", format_, "--output", str(path))
    assert (code, out) == (0, "")
    assert "written to" in err
    _, out, _ = cli("eval", "report", "-i", "demo", "--format", format_)
    assert path.read_text("utf-8") == out
    assert list(tmp_path.glob(".*.part")) == []


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(three, cli, tmp_path):
    code, _, err = cli("eval", "report", "-i", "demo", "-o", str(tmp_path / "no" / "x.html"))
    assert code == 2
    assert "x.html" in err


def test_a_report_that_fails_leaves_the_old_file_alone(three, cli, tmp_path):
    path = tmp_path / "old.json"
    path.write_text("old")
    with sqlite3.connect(three / "demo" / "evaluation.db") as connection:
        connection.execute("DROP TABLE attempts")
    connection.close()
    code, _, err = cli("eval", "report", "-i", "demo", "--format", "json", "-o", str(path))
    assert code != 0
    assert "damaged" in err
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".*.part")) == []


def test_parquet_has_the_rows_of_csv(three, cli, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    for short in ((), ("--short",)):
        assert cli("eval", "report", "-i", "*", "-f", "parquet", "-o", "r.parquet", *short)[0] == 0
        assert cli("eval", "report", "-i", "*", "-f", "csv", "-o", "r.csv", *short)[0] == 0
        with (tmp_path / "r.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        table = parquet.read_table(tmp_path / "r.parquet").to_pylist()
        assert len(table) == len(rows) > 0
        for found, row in zip(table, rows, strict=True):
            assert {k: "" if v is None else v for k, v in found.items()} == {
                k: type(found[k])(v) if found[k] is not None else v for k, v in row.items()
            }


def test_parquet_without_pyarrow_says_how_to_install_it(three, cli, tmp_path):
    (tmp_path / "pyarrow.py").write_text("raise ImportError('not here')")
    code, _, err = cli(
        "eval", "report", "-i", "demo", "-f", "parquet", "-o", "x", env={"PYTHONPATH": str(tmp_path)}
    )
    assert code == 2
    assert "umwelten[parquet]" in err
    assert not (tmp_path / "x").exists()


def test_list_has_details_when_asked(three, cli):
    _, out, _ = cli("eval", "list", "--json", "--details")
    demo = next(row for row in json.loads(out) if row["id"] == "demo")
    assert (demo["details"]["prompt"], demo["details"]["pending"]) == ("Say what it is.", 1)
    _, out, _ = cli("eval", "list", "--json")
    assert "details" not in json.loads(out)[0]
    _, out, _ = cli("eval", "list", "--details")
    head, *lines = out.splitlines()
    assert "PROMPT" in head
    assert [line.split()[0] for line in lines] == ["demo", "scan-1", "scan-2"]


def test_show_lists_every_call_with_its_number_first(three, cli):
    code, out, _ = cli("eval", "show", "demo")
    assert code == 0
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0][0] == "CALL"
    assert [(line[1], line[2]) for line in lines[1:]] == [
        ("a.txt", str(GEMMA)), ("a.txt", str(FLASH)), ("b.txt", str(GEMMA)), ("b.txt", str(FLASH)),
        ("sub/c.txt", str(GEMMA)),
    ]  # fmt: skip
    _, by_number, _ = cli("eval", "show", "demo", lines[2][0])
    _, by_name, _ = cli("eval", "show", "demo", "a.txt", str(FLASH))
    _, with_repeat, _ = cli("eval", "show", "demo", "a.txt", str(FLASH), "1")
    assert by_number == by_name == with_repeat
    assert "$0.00123" in by_name
    assert by_name.rstrip().endswith("ANSWER\nflash")


def test_show_tells_what_of_several_calls_are_there(three, cli):
    _, out, _ = cli("eval", "show", "demo", "sub/c.txt")
    assert [line.split("\t")[4] for line in out.splitlines()[1:]] == ["succeeded", "pending"]
    _, out, _ = cli("eval", "show", "demo", str(FLASH), "--json")
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["succeeded", "failed", "pending"]


def test_show_has_a_pending_call_without_an_answer(three, cli):
    code, out, _ = cli("eval", "show", "demo", "sub/c.txt", str(FLASH), "--json")
    found = json.loads(out)
    assert (code, found["status"], found["response"], found["attempts"]) == (0, "pending", None, [])
    code, out, _ = cli("eval", "show", "demo", "sub/c.txt", str(FLASH))
    assert code == 0
    assert "pending" in out


def test_show_has_every_attempt_of_a_failed_call_and_no_control_character(three, cli):
    folder = three / "bad"
    nasty = "\x1b[31mno\u202e"
    end = Done(failure(nasty, FailureKind.SERVER), took=2, cost=None)
    work(folder, spec("run", id="bad", system="Be brief."), None, lambda call: end)
    change(
        folder,
        """INSERT INTO attempts (call_id, run_id, number, started_at, latency_s, http_status, error_kind,
        error_message, partial, retry_after_s, cost_nusd)
        SELECT call_id, 1, 9, 1800000001.5, 0.25, 429, 'rate_limit', 'slow down', 'Once upon', 7, 0
        FROM attempts""",
    )
    _, out, _ = cli("eval", "show", "bad", str(GEMMA))
    assert "ATTEMPT 1\n" in out
    assert "ATTEMPT 9\n" in out
    for words in ("rate_limit (429)", "slow down", "Once upon", "7.00 s", "Be brief.", "\\x1b[31mno\\u202e"):
        assert words in out
    assert not set(out) & set("\x1b\u202e")
    _, out, _ = cli("eval", "show", "bad", str(GEMMA), "--json")
    found = json.loads(out)
    assert found["error"] == {"kind": "server", "message": nasty}
    assert [a["outcome"] for a in found["attempts"]] == ["server", "rate_limit"]


@pytest.mark.parametrize(
    "words", [("none.txt",), ("a.txt", "nobody:x"), ("12345",), ("a.txt", str(GEMMA), "7")]
)
def test_show_of_a_call_that_is_not_there_is_an_error(three, cli, words):
    code, out, err = cli("eval", "show", "demo", *words)
    assert (code, out) == (2, "")
    assert words[-1] in err


def test_without_pillow_only_small_pictures_are_shown(tmp_path, cli):
    from PIL import Image

    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "PIL.py").write_text("raise ImportError('not here')")
    Image.new("RGB", (20, 20), "red").save(tmp_path / "small.png")
    Image.effect_noise((400, 400), 90).save(tmp_path / "large.png")
    folder = tmp_path / "output" / "demo"
    work(folder, spec(), ["small.png", "large.png"], lambda call: Done(answer()))
    for path in (tmp_path / "small.png", tmp_path / "large.png"):
        size = path.stat().st_size
        change(folder, "UPDATE inputs SET path = ?, size = ? WHERE name = ?", (str(path), size, path.name))
    shown = {}
    for env in ({}, {"PYTHONPATH": str(hidden)}):
        _, out, _ = cli("eval", "report", "-i", "demo", "-f", "html", env=env)
        data = json.loads(re.search('id="meta">(.*?)</script>', out, re.DOTALL)[1])
        shown[bool(env)] = {name: address[:14] for name, address in data["pictures"].items()}
    assert shown[False] == {"small.png": "data:image/jpe", "large.png": "data:image/jpe"}
    assert shown[True] == {"small.png": "data:image/png"}
