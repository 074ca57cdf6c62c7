"""Answers in a shape: asked for natively or in words, mended, asked for again, counted, and in the tables."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing

import pytest

from provider import provider
from umwelten.simulate.faultserver.ledger import Record
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

FIELDS = "title, year int: 1900-2100, status: draft|final, tags array, email?"
WIRES = "google:g,openai:o,openai/router,anthropic:a,ollama:l,lmstudio:s"
PLAIN = ("--progress", "none")


def _texts(folder, count: int) -> None:
    (folder / "in").mkdir()
    for n in range(count):
        (folder / "in" / f"{n}.txt").write_text(f"mark:{n} text number {n}")


def _batch(cli, server, *more: str, models: str = "openai:a", schema: str = FIELDS):
    return cli(
        *("eval", "batch", "-p", "Read this.", "-m", models, "-i", "b", "--directory", "in"),
        *("--schema", schema, "--max-concurrency", "8", *PLAIN, *more),
        env=server.env(),
    )


def _report(cli) -> dict:
    return json.loads(cli("eval", "report", "-i", "b", "-f", "json")[1])


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_every_provider_gives_records(cli, tmp_path, stream):
    _texts(tmp_path, 2)
    with provider() as server:
        code, _, err = _batch(cli, server, stream, models=WIRES)
        assert code == 0, err
        assert server.idle().requests == 12
    results = _report(cli)["results"]
    assert len(results) == 12
    for result in results:
        assert set(result["data"]) >= {"title", "year", "status", "tags"}
        assert 1900 <= result["data"]["year"] <= 2100
        assert result["data"]["status"] in ("draft", "final")
    for path in (tmp_path / "output" / "b").glob("*.json"):
        assert json.loads(path.read_text())["status"] in ("draft", "final")
    assert len(list((tmp_path / "output" / "b").glob("*.json"))) == 12


@pytest.mark.parametrize(("shaped", "mark"), [("fenced", "fenced"), ("slipped", "mended")])
def test_slips_are_mended_and_marked_without_another_call(cli, tmp_path, shaped, mark):
    _texts(tmp_path, 3)
    with provider(Profile(default=Behaviour(shaped=shaped))) as server:
        code, _, err = _batch(cli, server)
        assert code == 0, err
        assert server.idle().requests == 3
    for result in _report(cli)["results"]:
        assert result["data"]["status"] in ("draft", "final")
        assert mark in result["marks"]


def test_an_invalid_answer_is_asked_again_with_its_errors_and_every_ask_is_paid_for(cli, tmp_path):
    _texts(tmp_path, 4)
    with provider(Profile(rules=(WRONG_TWICE,))) as server:
        code, _, err = _batch(cli, server)
        assert code == 0, err
        records = server.idle().records
    assert len(records) == 12
    assert sum("does not have the form" in record.prompt for record in records) == 8
    report = _report(cli)
    assert all("asked again" in result["marks"] for result in report["results"])
    assert [result["metrics"]["attempts"] for result in report["results"]] == [3] * 4
    with closing(sqlite3.connect(tmp_path / "output" / "b" / "evaluation.db")) as connection:
        asked = connection.execute("SELECT count(*), count(input_tokens) FROM attempts").fetchone()
    assert asked == (12, 12)
    assert report["schema"]["asked_again"] if "asked_again" in report["schema"] else report["schema"]


def _turns(record: Record) -> list[tuple[str, str]]:
    """The conversation of a request, without its system text: roles and words."""
    body = json.loads(record.body or "")
    turns = []
    for message in body.get("messages") or body["contents"]:
        pieces = message.get("content", message.get("parts"))
        text = pieces if isinstance(pieces, str) else "\n".join(piece["text"] for piece in pieces)
        turns.append((message["role"], text))
    return [turn for turn in turns if turn[0] != "system"]


WRONG_TWICE = Rule(behaviour=Behaviour(shaped="invalid"), first=2, counting="mark")


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
@pytest.mark.parametrize("model", ["google:g", "openai:o", "anthropic:a", "ollama:l"])
def test_a_provider_that_is_wrong_twice_is_talked_to(cli, tmp_path, model, stream):
    _texts(tmp_path, 1)
    with provider(Profile(rules=(WRONG_TWICE,), keep_bodies=True)) as server:
        code, _, err = _batch(cli, server, stream, models=model)
        assert code == 0, err
        conversations = [_turns(record) for record in server.idle().records]
    with closing(sqlite3.connect(tmp_path / "output" / "b" / "evaluation.db")) as connection:
        attempts = connection.execute(
            "SELECT error_kind, error_message, partial, input_tokens > 0 FROM attempts ORDER BY number"
        ).fetchall()
    assert [kind for kind, *_ in attempts] == ["schema", "schema", None]
    assert all(counted for *_, counted in attempts)
    first, second, third = conversations
    assert [role for role, _ in first] == ["user"]
    assert (second[:1], third[:3], len(third)) == (first, second, 5)
    assistant = "model" if model.startswith("google") else "assistant"
    for answer, faults, (_, message, partial, _) in zip(third[1::2], third[2::2], attempts[:2], strict=True):
        assert answer == (assistant, partial)
        assert faults[0] == "user"
        assert all(problem in faults[1] for problem in message.split("; "))
        assert partial not in faults[1]
    [result] = _report(cli)["results"]
    assert result["marks"] == ["asked again"]
    assert result["metrics"]["attempts"] == 3


def test_a_conversation_that_broke_off_begins_anew_when_the_run_is_resumed(cli, tmp_path):
    _texts(tmp_path, 1)
    wrong = Rule(behaviour=Behaviour(shaped="invalid"), first=1)
    refused = Rule(prompt="does not have the form", behaviour=Behaviour(fault=401))
    with provider(Profile(rules=(refused, wrong), keep_bodies=True)) as server:
        code, _, err = _batch(cli, server)
        assert code == 3, err
        assert [len(_turns(record)) for record in server.idle().records] == [1, 3]
    with provider(Profile(keep_bodies=True)) as server:
        code, _, err = _batch(cli, server, "--resume")
        assert code == 0, err
        assert [len(_turns(record)) for record in server.idle().records] == [1]
    [result] = _report(cli)["results"]
    assert result["marks"] == []


def test_the_cost_cap_holds_with_answers_that_are_sent_back(cli, tmp_path):
    _texts(tmp_path, 40)
    # Sending an answer back costs $0.0075, the first request next to nothing: eight at once would pass it.
    wrong = Behaviour(shaped="ignore", text="No. " * 3_000, output_tokens=20, latency_s=0.2)
    with provider(Profile(default=wrong)) as server:
        code, _, err = _batch(cli, server, "--max-cost", "0.04", "--max-tokens", "20", models="openai:gpt-4o")
        assert code == 3, err
        asked = server.idle().requests
    with closing(sqlite3.connect(tmp_path / "output" / "b" / "evaluation.db")) as connection:
        spent, attempts = connection.execute("SELECT sum(cost_nusd), count(*) FROM attempts").fetchone()
    assert attempts == asked
    assert 0.02e9 < spent <= 0.04e9


def test_what_can_not_be_mended_fails_as_schema_and_keeps_its_text(cli, tmp_path):
    _texts(tmp_path, 3)
    prose = Rule(prompt="text number 1", behaviour=Behaviour(shaped="ignore", text="I would rather not."))
    with provider(Profile(rules=(prose,))) as server:
        code, _, err = _batch(cli, server)
        assert code == 1, err
        assert server.idle().requests == 2 + 3
    assert "schema" in err
    report = _report(cli)
    [failed] = [result for result in report["results"] if result["status"] == "failed"]
    assert failed["file"] == "1.txt"
    assert failed["error"]["kind"] == "schema"
    assert report["summary"]["failed"] == 1
    assert not (tmp_path / "output" / "b" / "1.txt.txt").exists()
    shown = cli("eval", "show", "b", "1.txt")[1]
    assert "I would rather not." in shown


def test_a_field_may_be_called_anything_and_what_is_wrong_with_it_counts(cli, tmp_path):
    _texts(tmp_path, 2)
    fields = {"a,b": {"type": "integer"}, "c": {"type": "string"}, "note": {"enum": ["x; c: y"]}}
    (tmp_path / "s.json").write_text(json.dumps({"type": "object", "properties": fields}))
    wrong = Behaviour(shaped="ignore", text='{"a,b": "one", "c": "fine", "note": "z"}')
    with provider(Profile(default=wrong)) as server:
        code, _, err = _batch(cli, server, schema="s.json")
    assert code == 1, err
    found = {field["field"]: (field["wrong"], field["message"]) for field in _report(cli)["schema"]["fields"]}
    assert found == {
        "a,b": (6, '"one" is not an integer'),
        "c": (0, None),
        "note": (6, '"z" is none of "x; c: y"'),
    }
    with closing(sqlite3.connect(tmp_path / "output" / "b" / "evaluation.db")) as connection:
        [row] = connection.execute("SELECT DISTINCT error_code, error_message, problems FROM attempts")
    message = 'a,b: "one" is not an integer; note: "z" is none of "x; c: y"'
    assert row[:2] == ("a,b,note", message)
    assert [problem["path"] for problem in json.loads(row[2])] == [["a,b"], ["note"]]


def test_a_schema_failure_does_not_slow_the_lane(cli, tmp_path):
    _texts(tmp_path, 8)
    with provider(Profile(default=Behaviour(shaped="ignore", text="No."))) as server:
        code, _, _ = _batch(cli, server)
        assert code == 1
        assert server.idle().requests == 24
    with closing(sqlite3.connect(tmp_path / "output" / "b" / "evaluation.db")) as connection:
        assert connection.execute("SELECT count(*) FROM limit_changes").fetchone() == (0,)


def test_another_schema_needs_another_id_and_the_same_one_resumes(cli, tmp_path):
    _texts(tmp_path, 2)
    with provider() as server:
        assert _batch(cli, server)[0] == 0
        assert _batch(cli, server, "--resume")[0] == 0
        assert server.idle().requests == 2
        code, _, err = _batch(cli, server, "--resume", schema="title")
        assert code == 2
        assert "schema" in err


def test_fields_are_columns_of_the_report_that_the_run_writes(cli, tmp_path):
    _texts(tmp_path, 2)
    with provider() as server:
        code, _, err = _batch(cli, server, "--report", "out.csv", "--report", "out.html")
        assert code == 0, err
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["succeeded"] * 2 or "json.status" in rows[0]
    assert all(1900 <= int(row["year"]) <= 2100 for row in rows)
    assert "out.csv" in err
    assert (tmp_path / "out.html").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("name", "text", "schema"),
    [
        (
            "shape.json",
            json.dumps({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}),
            "shape.json",
        ),
        ("shape.py", "from pydantic import BaseModel\nclass Book(BaseModel):\n    a: int\n", "shape.py:Book"),
        ("shape.txt", "a int", "@shape.txt"),
    ],
)
def test_a_schema_may_be_a_file_or_a_class(cli, tmp_path, name, text, schema):
    _texts(tmp_path, 1)
    (tmp_path / name).write_text(text)
    with provider() as server:
        code, _, err = _batch(cli, server, schema=schema)
        assert code == 0, err
    [result] = _report(cli)["results"]
    assert isinstance(result["data"]["a"], int)
