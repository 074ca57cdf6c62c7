"""Ids, names and answers made by someone who means harm, or by nobody who thought of us."""

from __future__ import annotations

import csv
import json
import os
import socket
import sys
from pathlib import Path

import pytest

from provider import provider, run_python
from reliability.listeners import listener
from reliability.runs import finish, rows, run, start, succeeded
from umwelten.simulate.faultserver.profile import Behaviour, Profile

ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\x00\x08\x7f"

NAMES = (
    "plain.txt",
    "Plain.txt",
    "PLAIN.TXT",
    "with\nnewline.txt",
    "with:colon.txt",
    "with\\backslash.txt",
    "..txt..",
    "...",
    " blank .txt",
    "trailing.",
    "-rf",
    "con.txt",
    "a?b*c<d>e|f.txt",
    "\x1b[31mred\x07.txt",
    "é.txt",
    "e\u0301.txt",
    "\u202egnp.txt",
    "x" * 251 + ".txt",
    "ü" * 120 + ".txt",
    "%2e%2e%2fetc",
    "evaluation.lockx",
    "plain.txt.openai_a",
    "plain.txt.r2",
)


def inside(root: Path) -> list[Path]:
    """The text files; fails if anything was written beside `output/s` and `in`."""
    assert {path.name for path in root.iterdir()} <= {"in", "output"}
    assert [path.name for path in (root / "output").iterdir()] == ["s"]
    top = (root / "output" / "s").resolve()
    found = [path for path in top.rglob("*") if path.is_file() and not path.name.startswith("evaluation.")]
    assert all(path.resolve().is_relative_to(top) and not path.is_symlink() for path in found)
    return found


def assert_inert(text: str) -> None:
    """Nothing in it that a terminal would obey."""
    harmful = {char for char in text if (ord(char) < 32 and char not in "\n\t\r") or 0x7F <= ord(char) < 0xA0}
    assert not harmful
    assert "\u202e" not in text


@pytest.mark.parametrize("models", ["openai:a", "openai:a,ollama:b"])
def test_no_file_name_leads_out_of_the_output_directory(tmp_path, models):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    made = []
    for name in NAMES:
        try:
            (tmp_path / "in" / name).write_text(f"This is {name!r}.")
        except OSError:
            continue  # a file system that has no such names
        made.append(name)
    if sys.platform == "linux":
        assert len(made) == len(NAMES)
    with provider(Profile()) as server:
        code, err = run(
            tmp_path, server.env(), "-v", "--repeat", "2", "--max-concurrency", "4", models=models
        )
    assert code == 0, err
    assert_inert(err)
    # Names that start with a dot are hidden, and the pattern names none.
    calls = sum(not name.startswith(".") for name in made) * 2 * len(models.split(","))
    assert succeeded(tmp_path) == calls
    texts = inside(tmp_path)
    # One for each, also where a file system takes upper and lower case for the same.
    assert len({str(path).casefold() for path in texts}) == len(texts) == calls
    for output, answer in rows(
        tmp_path, "SELECT c.output, a.text FROM calls c JOIN answers a ON a.call_id = c.id"
    ):
        assert (tmp_path / "output" / "s" / output).read_text() == answer
        assert all(len(part.encode()) <= 255 for part in output.split("/"))
        assert output.isprintable()


HOSTILE_MODELS = (
    "openai:../../../etc/passwd",
    "openai:/etc/passwd",
    "openai:..",
    "openai:a/../../b",
    "openai:a:b:c",
    "openai:a\nb",
    "openai:\x1b[31mred",
    "openai:CON",
    "openai:" + "m" * 300,
    "openai:evaluation.db",
    "ollama:A",
    "ollama:a",
)


def test_no_model_name_leads_out_of_the_output_directory(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.txt").write_text("one")
    with provider(Profile()) as server:
        code, err = run(tmp_path, server.env(), "-v", models=",".join(HOSTILE_MODELS))
        assert_inert(err)
        if code == 2:  # a name may be refused, then nothing is there
            raise AssertionError(err)
        asked = {record.model for record in server.idle().records}
    assert code == 0, err
    texts = inside(tmp_path)
    assert len({path.name.casefold() for path in texts}) == len(texts) == len(HOSTILE_MODELS)
    assert {"../../../etc/passwd", "a:b:c", "A", "a"} <= asked


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "..", ".x", "a\nb", "x" * 300, "a\\b:\x1b[31m"])
def test_an_id_that_leads_elsewhere_is_refused(cli, tmp_path, name):
    for command in (("run", "-p", "go", "-m", "openai:a"), ("report",)):
        code, out, err = cli("eval", *command, f"--id={name}", env={"OPENAI_API_KEY": "k"})
        assert code == 2, err
        assert out == ""
        assert_inert(err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no such files here")
def test_what_is_no_regular_file_is_left_out(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.txt").write_text("good")
    (tmp_path / "outside.txt").write_text("a secret of the house")
    os.mkfifo(folder / "fifo.txt")
    (folder / "out.txt").symlink_to(tmp_path / "outside.txt")
    (folder / "up.txt").symlink_to("../outside.txt")
    (folder / "loop.txt").symlink_to("loop.txt")
    (folder / "device.txt").symlink_to("/dev/zero")
    (folder / "round").symlink_to(".")
    (folder / "inside.txt").symlink_to("good.txt")
    with socket.socket(socket.AF_UNIX) as heard:
        here = Path.cwd()
        os.chdir(folder)  # the name of a socket may not be long
        heard.bind("socket.txt")
        os.chdir(here)
        with provider(Profile()) as server:
            code, err = run(tmp_path, server.env(), "--recursive")
            asked = [record.prompt for record in server.idle().records]
    assert code == 0, err
    assert len(asked) == 2
    assert not any("secret" in prompt for prompt in asked)
    assert "symbolic links that lead out of the directory" in err


def test_a_file_that_becomes_a_fifo_or_a_link_out_before_its_turn_hangs_nothing(tmp_path):
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.txt").write_text(name)
    with provider(Profile(default=Behaviour(latency_s=0.4))) as server:
        with start(tmp_path, server.env()) as process:
            server.await_requests(1)
            (tmp_path / "in" / "c.txt").unlink()
            os.mkfifo(tmp_path / "in" / "c.txt")
            code, err = finish(process, 20)
        assert server.idle().requests == 2
    assert code == 1, err
    assert "not a regular file" in err


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_an_answer_that_steers_a_terminal_is_shown_inert(cli, tmp_path, stream):
    said = f"<script>alert(1)</script> {ESCAPES} =cmd|' /C calc'!A0 | a | b |\n# not a heading"
    with provider(Profile(default=Behaviour(text=said))) as server:
        code, out, err = cli(
            *("eval", "run", "-p", "go", "-m", "openai:a,google:g,anthropic:c,ollama:o", "-i", "s", stream),
            *("-v", "--debug"),
            env=server.env(),
        )
    assert code == 0, err
    assert_inert(out + err)
    assert "\\x1b[2J" in out, "it is shown, not dropped"
    # The file has the words as they are, but for what no text file can hold.
    for path in inside(tmp_path):
        assert path.read_text().startswith("<script>alert(1)</script> \x1b[2J")
    code, out, err = cli("eval", "report", "-i", "s", "--format", "markdown")
    assert code == 0, err
    assert_inert(out)
    assert "<script>" not in out.replace("\\<", "").replace("`", "") or "<script>" not in _outside_code(out)
    code, out, err = cli("eval", "report", "-i", "s", "--format", "json")
    assert code == 0, err
    assert_inert(out)


@pytest.mark.parametrize("records", [False, True], ids=["words", "records"])
def test_an_answer_is_no_formula_in_a_table_and_no_markup_in_a_page(cli, tmp_path, records):
    said = f"=cmd|' /C calc'!A0 {ESCAPES} <script>alert(1)</script></script><img src=x onerror=alert(2)>"
    text = json.dumps({"title": said, "tags": ["=1+1", "@SUM(A1)"]}) if records else said
    with provider(Profile(default=Behaviour(text=text, shaped="ignore"))) as server:
        code, _, err = cli(
            *("eval", "run", "-p", "go", "-m", "openai:a", "-i", "s", "--report", "s.csv"),
            *("--report", "s.html", *(("--schema", "title, tags array") if records else ())),
            env=server.env(),
        )
    assert code == 0, err
    with (tmp_path / "s.csv").open(encoding="utf-8-sig", newline="") as file:
        [row] = csv.DictReader(file)
    assert_inert("".join(row.values()))
    for name, value in row.items():
        assert not value or value[0] not in "=+@\t\r" or name == "response_s", (name, value)
    page = (tmp_path / "s.html").read_text()
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page


def _outside_code(markdown: str) -> str:
    """The text that a reader of markdown would take for markup."""
    return "".join(part for number, part in enumerate(markdown.split("```")) if number % 2 == 0)


def test_a_message_that_steers_a_terminal_is_shown_inert(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.txt").write_text("one")
    refuse = Behaviour(fault=400, message=f"no {ESCAPES}", code=f"bad{ESCAPES}")
    for progress in ("plain", "json", "rich"):
        with provider(Profile(default=refuse)) as server:
            code, err = run(tmp_path, server.env(), "-v", "--debug", "--overwrite", "--progress", progress)
        assert code == 1, err
        assert_inert(err)


def test_replies_with_hostile_fields_are_stored_and_read_again(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "one.txt").write_text("one")
    choice = {"message": {"content": "x\0\udfff"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 1e300, "completion_tokens": -5}
    fields = {"id": "\ud800\0", "model": "../../\x1b[31m", "choices": [choice], "usage": usage}
    reply = json.dumps(fields).encode()
    head = (
        f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(reply)}\r\n\r\n".encode()
    )
    with listener(answer=head + reply) as said:
        env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{said.port}/v1", "OPENAI_API_KEY": "k"}
        code, err = run(tmp_path, env, "-v")
    assert code == 0, err
    assert_inert(err)
    assert rows(tmp_path, "SELECT text FROM answers") == [("x\ufffd\ufffd",)]
    assert len(inside(tmp_path)) == 1
    done = run_python(["-m", "umwelten", "eval", "report", "-i", "s"], cwd=tmp_path)
    assert done.code == 0, done.err
    assert_inert(done.out)
