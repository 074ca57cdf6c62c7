"""What was sent is shown, reported and previewed; what is on stdin is part of it."""

from __future__ import annotations

import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from provider import provider
from umwelten.report.render.parquet import render_parquet
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.store.reader import Reader

SECRET = "test-key-openai-7f3a46c8e1"


@pytest.fixture
def server():
    with provider(Profile()) as found:
        yield found


@pytest.fixture
def table(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text('id,name,note\n1,Ada,"=SUM(1)"\n2,Bob,\n')
    (tmp_path / "t.jsonl").write_text(
        '{"n": 1, "x": 1.5, "tags": ["a"]}\n{"n": null, "x": 2, "more": true}\n'
    )
    return tmp_path


def rows_of(out: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out)))


def batch(cli, server, id_: str, *words: str) -> None:
    common = ("-m", "openai:a,openai:b", "--progress", "none")
    code, _, err = cli("eval", "batch", "-i", id_, *common, *words, env=server.env())
    assert code == 0, err


def shown(cli, *words: str) -> dict:
    code, out, err = cli("eval", "show", *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_rows_are_in_every_table_and_what_was_sent_on_request(cli, server, table: Path) -> None:
    batch(cli, server, "people", "-p", "Who is {{row.name}}?", "--rows", "t.csv")
    code, out, err = cli("eval", "report", "people", "--format", "csv")
    assert code == 0, err
    first, *_, last = rows_of(out)
    assert list(first)[-4:] == ["response", "row.id", "row.name", "row.note"]
    assert (first["row.id"], first["row.name"], first["row.note"]) == ("1", "Ada", "'=SUM(1)")
    assert (last["row.id"], last["row.note"]) == ("2", "")
    found = json.loads(cli("eval", "report", "people", "--format", "json").out)["results"]
    assert found[0]["row"] == {"id": "1", "name": "Ada", "note": "=SUM(1)"}
    assert "asked" not in found[0]
    full = json.loads(cli("eval", "report", "people", "--format", "json", "--full").out)["results"]
    assert full[0]["asked"]["text"] == "Who is Ada?"
    assert full[0]["failed_attempts"] == []
    columns = rows_of(cli("eval", "report", "people", "--format", "csv", "--full").out)[0]
    assert columns["prompt_sent"] == "Who is Ada?"
    call = shown(cli, "people", "row-1", "openai:a")
    assert (call["prompt"], call["asked"]["text"]) == ("Who is {{row.name}}?", "Who is Ada?")
    assert call["asked"]["source"] == "stored"
    code, out, _ = cli("eval", "show", "people", "row-1", "openai:a")
    assert "PROMPT AS SENT\nWho is Ada?\n\nROW\nid             1\nname           Ada\n" in out
    code, _, err = cli("eval", "report", "people", "--format", "html", "--full")
    assert (code, "--full: html has" in err) == (2, True)


def test_the_columns_of_rows_have_the_types_of_their_values(cli, server, table: Path) -> None:
    import pyarrow.parquet

    batch(cli, server, "typed", "-p", "{{row.n}}", "--rows", "t.jsonl")
    with Reader.open(table / "output/typed") as reader, (table / "typed.parquet").open("wb") as out:
        render_parquet([reader], out, full=True)
    found = pyarrow.parquet.read_table(table / "typed.parquet")
    own = {name: str(found.schema.field(name).type) for name in found.column_names if name.startswith("row.")}
    assert own == {"row.n": "int64", "row.x": "double", "row.tags": "string", "row.more": "bool"}
    assert found["row.x"].to_pylist() == [1.5, 1.5, 2.0, 2.0]
    assert found["row.tags"].to_pylist() == ['["a"]', '["a"]', None, None]
    assert found["prompt_sent"].to_pylist()[0] == "1"


def test_an_earlier_answer_is_beside_what_was_made_of_it(cli, server, table: Path) -> None:
    batch(cli, server, "one", "-p", "Who is {{row.name}}?", "--rows", "t.csv")
    batch(cli, server, "two", "-p", "Shorter: {{answer}}", "--from", "one")
    first = rows_of(cli("eval", "report", "one", "--format", "csv").out)[0]["response"]
    found = rows_of(cli("eval", "report", "two", "--format", "csv").out)[0]
    assert found["earlier_answer"] == first
    call = shown(cli, "two", "row-1", "openai:a")
    assert call["asked"]["text"] == f"Shorter: {first}"
    assert call["asked"]["earlier_answer"] == first


def test_without_keeping_it_is_read_from_the_input_as_long_as_that_is_the_same(
    cli, server, table: Path
) -> None:
    batch(cli, server, "rows", "-p", "Who is {{row.name}}?", "--rows", "t.csv", "--keep-inputs", "off")
    (table / "in").mkdir()
    (table / "in" / "a.txt").write_text("Bees fly.\n")
    batch(cli, server, "files", "-p", "Sum", "--directory", "in", "--keep-inputs", "off")
    with closing(sqlite3.connect(table / "output/files/evaluation.db")) as connection:
        assert connection.execute(
            "SELECT count(*), (SELECT count(sent) FROM calls) FROM contents"
        ).fetchone() == (
            0,
            0,
        )
    found = shown(cli, "rows", "row-1", "openai:a")["asked"]
    assert (found["source"], found["text"], found["row"]["id"]) == ("read", "Who is Ada?", "1")
    found = shown(cli, "files", "a.txt", "openai:a")["asked"]
    assert found["text"] == "Sum\n\nFile: a.txt\n<content>\nBees fly.\n</content>"
    assert (found["source"], found["input_text"]) == ("read", "Bees fly.")
    assert rows_of(cli("eval", "report", "rows", "--format", "csv").out)[0].get("row.id") is None
    (table / "in" / "a.txt").write_text("Wasps fly.\n")
    (table / "t.csv").write_text((table / "t.csv").read_text().replace("Ada", "Eve"))
    assert shown(cli, "files", "a.txt", "openai:a")["asked"]["source"] == "changed since"
    assert shown(cli, "rows", "row-1", "openai:a")["asked"]["source"] == "changed since"
    batch(cli, server, "rows", "-p", "Who is {{row.name}}?", "--rows", "t.csv", "--resume")
    assert shown(cli, "rows", "row-1", "openai:a")["asked"]["text"] == "Who is Eve?"
    assert shown(cli, "rows", "row-2", "openai:a")["asked"]["source"] == "read"


def test_failed_attempts_and_what_they_sent_are_shown(cli, tmp_path: Path) -> None:
    profile = Profile(rules=(Rule(first=1, behaviour=Behaviour(fault=500)),))
    with provider(profile) as server:
        code, _, err = cli(
            *("eval", "run", "-i", "x", "-p", "hi", "-m", "openai:a", "--progress", "none"),
            env=server.env(),
        )
    assert code == 0, err
    code, out, _ = cli("eval", "show", "x", "openai:a", "1")
    assert "PROMPT AS SENT\nhi\n" in out
    assert "outcome        server (500)" in out
    full = json.loads(cli("eval", "report", "x", "--format", "json", "--full").out)["results"]
    assert [one["kind"] for one in full[0]["failed_attempts"]] == ["server"]
    assert SECRET.encode() not in (tmp_path / "output/x/evaluation.db").read_bytes()


def test_a_dry_run_shows_the_first_request(cli, server, table: Path) -> None:
    words = (
        "-p",
        "Who is {{row.name}}?",
        "-s",
        "Be brief.",
        "-m",
        "openai:a",
        "--rows",
        "t.csv",
        "--dry-run",
    )
    code, out, err = cli("eval", "batch", *words, env=server.env())
    assert code == 0, err
    assert "first request: row-1, openai:a\n\nSYSTEM\nBe brief.\n\nPROMPT\nWho is Ada?\n" in out
    found = json.loads(cli("eval", "batch", *words, "--json", env=server.env()).out)["first_request"]
    assert (found["file"], found["text"], found["problem"]) == ("row-1", "Who is Ada?", None)
    (table / "in").mkdir()
    (table / "in" / "a.bin").write_bytes(bytes(range(256)))
    words = ("-p", "Sum", "-m", "openai:a", "--directory", "in", "--dry-run")
    code, out, err = cli("eval", "batch", *words, env=server.env())
    assert "it would fail: a.bin is" in out, err
    assert not server.ledger.records


def test_what_is_on_stdin_joins_the_prompt(cli, server) -> None:
    words = ("-p", "Sum this up", "-m", "openai:a", "--progress", "none")
    text = "{{content}} and \\{{row.x}} fly"
    code, _, err = cli("eval", "run", "-i", "x", *words, env=server.env(), stdin=f"{text}\n")
    assert code == 0, err
    assert shown(cli, "x", "openai:a", "1")["asked"]["text"] == f"Sum this up\n\n{text}"
    code, _, err = cli("eval", "run", "-i", "x", *words, "--resume", env=server.env())
    assert code == 2
    assert "prompt" in err
    code, _, err = cli("eval", "run", "-i", "x", *words, "--resume", env=server.env(), stdin=text)
    assert code == 0, err


def test_an_open_pipe_that_nobody_writes_to_holds_no_run_up(server, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _RUN, "eval", "run", "-p", "hi", "-m", "openai:a", "-i", "x"]
    env = {**os.environ, **server.env()}
    pipe = {"stdin": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--progress", "none"], cwd=tmp_path, env=env, text=True, **pipe) as run:
        assert run.stderr is not None
        assert "nothing came on stdin" in run.stderr.readline() + run.stderr.readline()
        assert run.wait(30) == 0


_RUN = """
import sys
from umwelten.cli import joined_stdin
joined_stdin._PATIENCE_S = joined_stdin._LOOK_S = 0.1
from umwelten.__main__ import main
main()
"""
