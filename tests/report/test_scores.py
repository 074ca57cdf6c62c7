"""Scores in the reports that programs read: JSON, CSV, Parquet."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow.parquet
import pytest
from tests.scoredkit import evaluate, score, write_table

from umwelten.api.dataframes import call_columns, to_pandas
from umwelten.report.render.csv import render_csv
from umwelten.report.render.json import render_json
from umwelten.report.render.parquet import render_parquet
from umwelten.store.reader import Reader

TABLE = [
    {"n": "1", "want": "Paris", "a": "It is Paris.", "b": "Paris"},
    {"n": "2", "want": "Rome", "a": "Rome", "b": "Oslo"},
    {"n": "3", "want": "", "a": "Berlin", "b": ""},
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    table = write_table(tmp_path / "q.csv", TABLE)
    folder = evaluate(table, {"p:a": "a", "p:b": "b"}, output=tmp_path)
    score(folder, "right=contains", "f1", gates=["right >= 0.9"])
    return folder


def json_of(folder: Path, *, short: bool = False) -> dict:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        render_json(reader, out, short=short)
    return json.loads(out.getvalue(), parse_constant=pytest.fail)


def csv_of(*folders: Path, short: bool = False) -> list[dict[str, str]]:
    out = io.StringIO()
    readers = [Reader.open(folder) for folder in folders]
    render_csv(readers, out, short=short)
    for reader in readers:
        reader.close()
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_json_has_the_scores_of_every_answer(folder: Path) -> None:
    found = json_of(folder)["results"]
    assert [list(result["scores"]) for result in found] == [["right", "f1"]] * 6
    assert found[3]["scores"]["right"] == {
        "value": 0.0, "pass": False, "label": None, "reason": None, "unscored": None, "parts": [],
        "verdicts": [],
    }  # fmt: skip
    assert [(result["file"], result["model"], result["scores"]["f1"]["value"]) for result in found] == [
        ("row-1", "p:a", 0.5),
        ("row-1", "p:b", 1.0),
        ("row-2", "p:a", 1.0),
        ("row-2", "p:b", 0.0),
        ("row-3", "p:a", None),
        ("row-3", "p:b", None),
    ]
    assert [found[place]["scores"]["f1"]["unscored"]["kind"] for place in (4, 5)] == [
        "no_reference",
        "no_answer",
    ]


def test_json_has_what_the_scores_come_to(folder: Path) -> None:
    found = json_of(folder)
    assert list(found)[-6:] == ["schema", "scorers", "differences", "judges", "gates", "score_picks"]
    first = found["models"][0]["scores"]
    assert [row["scorer"] for row in first] == ["right", "f1", "total"]
    assert list(first[0]) == [
        "scorer", "files", "planned", "scored", "unscored", "mean", "se", "low", "high", "level", "method",
        "bounds", "pass", "pass_at", "pass_all", "unsteady",
    ]  # fmt: skip
    right = found["models"][1]["scores"][0]
    assert (right["mean"], right["scored"], right["unscored"]) == (0.5, 2, {"no_answer": 1})
    assert right["bounds"] == pytest.approx([1 / 3, 2 / 3])
    assert first[1]["pass"] is None, "f1 has no threshold"
    assert [(row["name"], row["type"], row["judge"]) for row in found["scorers"]] == [
        ("right", "contains", None),
        ("f1", "f1", None),
    ]
    assert found["differences"][0]["first"] == {"model": "p:a", "prompt": None}
    assert [(gate["gate"], gate["outcome"]) for gate in found["gates"]] == [("right >= 0.9", "missed")]
    assert [pick["scorer"] for pick in found["score_picks"]] == ["total", "right", "f1"]
    assert "results" not in json_of(folder, short=True)
    assert json_of(folder, short=True)["gates"] == found["gates"]


def test_an_answer_that_is_not_scored_yet_is_pending(folder: Path, tmp_path: Path) -> None:
    evaluate(write_table(tmp_path / "q.csv", [*TABLE, TABLE[0]]), {"p:a": "a", "p:b": "b"}, output=tmp_path)
    found = json_of(folder)
    assert found["results"][-1]["scores"]["right"]["unscored"]["kind"] == "pending"
    assert found["models"][0]["scores"][0]["unscored"] == {"pending": 1, "no_reference": 1}


def test_csv_has_a_column_for_what_a_scorer_says(folder: Path) -> None:
    found = csv_of(folder)
    assert [row["score.f1"] for row in found] == ["0.5", "1", "1", "0", "", ""]
    assert [row["pass.right"] for row in found] == ["true", "true", "true", "false", "", ""]
    assert {row["pass.f1"] for row in found} == {""}
    assert [row["unscored.right"] for row in found] == ["", "", "", "", "no_reference", "no_answer"]
    assert found[4]["reason.right"] == "nothing says what the answer should be"
    short = csv_of(folder, short=True)
    assert [(row["mean.right"], row["scored.right"], row["mean.total"]) for row in short] == [
        ("1", "2", "0.875"),
        ("0.5", "2", "0.5"),
    ]
    assert all(row["low.right"] < row["high.right"] for row in short)


def test_evaluations_of_different_scorers_share_a_header(folder: Path, tmp_path: Path) -> None:
    plain = evaluate(tmp_path / "q.csv", {"p:a": "a"}, id="plain", output=tmp_path)
    other = evaluate(tmp_path / "q.csv", {"p:a": "a"}, id="other", output=tmp_path)
    score(other, "same=exact")
    found = csv_of(folder, plain, other)
    assert [(row["score.right"], row["score.same"]) for row in found if row["file"] == "row-2"] == [
        ("1", ""),
        ("0", ""),
        ("", ""),
        ("", "1"),
    ]
    assert len(csv_of(folder, plain, other, short=True)) == 4


def test_parts_of_a_score_are_columns_too(tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "r.csv", [{"n": "1", "want": '{"year": 1999, "by": "Ann"}', "a": '{"year": 1999}'}]
    )
    folder = evaluate(table, {"p:a": "a"}, output=tmp_path, records_too=True)
    score(folder, "fields", {"name": "right", "type": "exact", "value": "x"})
    (row,) = csv_of(folder)
    assert (row["score.fields"], row["score.fields.year"], row["score.fields.by"]) == ("0.5", "1", "0")
    parts = json_of(folder)["results"][0]["scores"]["fields"]["parts"]
    assert [(part["name"], part["value"]) for part in parts] == [("year", 1.0), ("by", 0.0)]


def test_parquet_and_data_frames_have_their_types(folder: Path) -> None:
    out = io.BytesIO()
    with Reader.open(folder) as reader:
        render_parquet([reader], out)
    table = pyarrow.parquet.read_table(io.BytesIO(out.getvalue()))
    assert table["pass.right"].to_pylist() == [True, True, True, False, None, None]
    assert table["score.f1"].to_pylist() == [0.5, 1.0, 1.0, 0.0, None, None]
    frame = to_pandas(call_columns(folder))
    assert str(frame["pass.right"].dtype) == "boolean"
    assert frame["score.f1"].sum() == 2.5


def test_a_failure_that_counts_as_0_is_0_in_every_place(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection, connection:
        connection.execute("UPDATE calls SET error_kind = 'schema' WHERE error_kind IS NOT NULL")
    with closing(sqlite3.connect(folder / "scores.db")) as scores, scores:
        scores.execute("INSERT INTO settings VALUES ('failed_as_zero', 'true')")
    found = json_of(folder)
    right, f1 = found["results"][5]["scores"].values()
    assert (right["value"], right["pass"], right["reason"]) == (0.0, False, "the call failed: schema")
    assert (f1["value"], f1["pass"]) == (0.0, None)
    figures = found["models"][1]["scores"]
    assert [row["scored"] for row in figures] == [3, 3, 3]
    assert figures[1]["pass"] is None, "f1 has no threshold"
