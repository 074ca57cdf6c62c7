"""`eval report`, `list` and `show` as users type them."""

from __future__ import annotations

import csv
import json
import re
import sqlite3

import pytest

from report.making import FLASH, GEMMA, Done, answer, change, failure, spec, two_models, two_prompts, work
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


BEGINS = {
    "r.md": "# demo",
    "r.html": "<!doctype html>",
    "r.JSON": "{",
    "r.csv": "evaluation,",
    "r.parquet": "PAR1",
}


@pytest.mark.parametrize("name", BEGINS)
def test_the_ending_of_the_output_tells_the_format(three, cli, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    code, out, _ = cli("eval", "report", "-i", "demo", "-o", name)
    assert (code, out) == (0, "")
    assert (tmp_path / name).read_bytes().lower().startswith(BEGINS[name].lower().encode())


def test_an_output_that_ends_in_csv_may_have_the_mark_for_excel(three, cli, tmp_path):
    assert cli("eval", "report", "-i", "demo", "-o", "r.csv", "--bom")[0] == 0
    assert (tmp_path / "r.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert cli("eval", "report", "-i", "demo", "-o", "r.html", "--bom")[0] == 2


@pytest.mark.parametrize(
    ("name", "format_", "words"),
    [
        ("r.html", "csv", ["--format csv", "r.html", "of html"]),
        ("r.md", "json", ["--format json", "r.md", "of markdown"]),
        ("r.docx", None, ["r.docx", ".html", "--format"]),
        ("r", None, ["'r'", ".md", "--format"]),
    ],
)
def test_an_ending_that_contradicts_or_tells_no_format_is_an_error(
    three, cli, tmp_path, name, format_, words
):
    given = ("--format", format_) if format_ else ()
    code, out, err = cli("eval", "report", "-i", "demo", "-o", name, *given)
    assert (code, out) == (2, "")
    assert [word for word in words if word not in err] == []
    assert not (tmp_path / name).exists()


def test_report_takes_ids_as_arguments_and_beside_the_flag(three, cli):
    by_flag = cli("eval", "report", "-i", "demo")
    assert cli("eval", "report", "demo") == by_flag
    _, out, _ = cli("eval", "report", "scan-2", "demo", "-i", "scan-1", "--short")
    assert [line for line in out.splitlines() if line.startswith("# ")][1:] == [
        "# scan-2",
        "# demo",
        "# scan-1",
    ]
    # Without any, the one that was started last.
    code, out, err = cli("eval", "report")
    latest = err.removeprefix("latest evaluation: ").strip()
    assert (code, out) == (0, cli("eval", "report", latest)[1])


def test_an_unknown_id_is_answered_with_the_nearest_and_ten_at_most(three, cli):
    for command in (("report", "dmeo"), ("show", "dmeo")):
        code, _, err = cli("eval", *command)
        assert code == 2
        assert err.index("Did you mean 'demo'?") < err.index("There are demo, scan-1, scan-2.")
    for n in range(10):
        work(three / f"more-{n}", spec(id=f"more-{n}"), [], lambda call: None)
    _, _, err = cli("eval", "show", "zzzz")
    assert "Did you mean" not in err
    assert len(re.findall(r"(?:demo|more-\d|scan-\d)", err)) == 10


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


@pytest.mark.parametrize(
    ("words", "near"),
    [(("d.txt",), "b.txt"), (("sub/cc.txt", str(FLASH)), "sub/c.txt"), (("a.txt", "gema3:12b"), str(GEMMA))],
)
def test_show_of_an_unknown_word_names_the_nearest(three, cli, words, near):
    code, out, err = cli("eval", "show", "demo", *words)
    assert (code, out) == (2, "")
    assert f"Did you mean '{near}'?" in err


def test_show_takes_the_id_by_the_flag_too(three, cli):
    assert cli("eval", "show", "-i", "demo") == cli("eval", "show", "demo")
    words = ("a.txt", str(FLASH))
    found = cli("eval", "show", *words, "--id", "demo")
    assert found == cli("eval", "show", "demo", *words)
    assert found.code == 0
    code, out, err = cli("eval", "show")
    latest = err.splitlines()[0].removeprefix("latest evaluation: ")
    assert (code, out) == (0, cli("eval", "show", latest)[1])


def test_show_failed_has_only_failed_calls_with_their_messages(three, cli):
    code, out, err = cli("eval", "show", "demo", "--failed")
    head, *lines = [line.split("\t") for line in out.splitlines()]
    assert (code, err, head) == (0, "", ["CALL", "FILE", "MODEL", "KIND", "MESSAGE"])
    assert [line[1:] for line in lines] == [["b.txt", str(FLASH), "bad_request", "model not found"]]
    assert cli("eval", "show", "demo", str(FLASH), "--failed")[1] == out
    (found,) = map(json.loads, cli("eval", "show", "demo", "--failed", "--json")[1].splitlines())
    assert str(found["call"]) == lines[0][0]
    assert (found["status"], found["error_kind"], found["error_message"]) == (
        "failed",
        "bad_request",
        "model not found",
    )


def test_show_failed_of_what_has_not_failed_says_so(three, cli):
    for words in (("scan-1",), ("demo", "a.txt")):
        code, out, err = cli("eval", "show", *words, "--failed")
        assert (code, out) == (0, "CALL\tFILE\tMODEL\tKIND\tMESSAGE\n")
        assert f"no failed calls in '{words[0]}'" in err
    assert cli("eval", "show", "scan-1", "--failed", "--json")[1] == ""


def test_show_failed_keeps_each_message_on_one_harmless_line(three, cli):
    bad = failure("first\n\tsecond \x1b[31m\u202e", FailureKind.SERVER)
    work(three / "bad", spec("run", id="bad"), None, lambda call: Done(bad))
    _, out, _ = cli("eval", "show", "bad", "--failed")
    assert out.splitlines()[1].split("\t")[1:] == [
        "–",
        str(GEMMA),
        "server",
        "first second \\x1b[31m\\u202e",
    ]


def test_show_failed_names_the_prompt_where_there_are_several(three, cli):
    two_prompts(three / "prompts")
    _, out, _ = cli("eval", "show", "prompts", "--failed")
    assert out == "CALL\tFILE\tMODEL\tPROMPT\tKIND\tMESSAGE\n"
    change(three / "prompts", "UPDATE calls SET status = 2, error_kind = 'server', error_message = 'no'")
    _, out, _ = cli("eval", "show", "prompts", "--failed", "a.txt")
    assert [line.split("\t")[3] for line in out.splitlines()[1:]] == ["short", "long"] * 2


def test_show_of_what_has_no_ended_calls_says_why_and_how_to_go_on(three, cli):
    work(three / "stuck", spec(id="stuck"), ["a.txt", "b.txt"], lambda call: None, status="stopped")
    attempt = """INSERT INTO attempts (call_id, run_id, number, started_at, latency_s, error_kind,
        error_message, cost_nusd) VALUES (?, 1, ?, 1800000001.5, 0.25, ?, ?, 0)"""
    for values in (
        (1, 1, "server", "an older one"),
        (1, 2, "rate_limit", "slow\ndown"),
        (2, 1, "rate_limit", "slower"),
    ):
        change(three / "stuck", attempt, values)
    code, out, err = cli("eval", "show", "stuck")
    assert (code, len(out.splitlines())) == (0, 1)
    assert err.splitlines() == [
        "2 calls pending, none has ended",
        "latest attempts: 2 × rate_limit: slower",
        "resume: umwelten eval resume stuck",
    ]
    assert cli("eval", "show", "demo").err == ""


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
