"""Answers of a given shape: as dicts, as instances, as columns; rows, earlier answers, several prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest
from pydantic import BaseModel, field_validator

import umwelten
from provider import Profile, Provider
from umwelten.simulate.faultserver.profile import Behaviour, Rule

GOOD = '{"title": "Tides", "year": 2024, "tags": ["sea", "moon"]}'


class Paper(BaseModel):
    """What is asked for in these tests."""

    title: str
    year: int
    tags: list[str] = []

    @field_validator("title")
    @classmethod
    def no_shouting(cls, title: str) -> str:
        if title.isupper():
            raise ValueError("a title is not all capitals")
        return title


def answering(server: Provider, *texts: str) -> None:
    """The first text for the first request, and so on; the last one for all others."""
    said = [Behaviour(text=text, shaped="ignore") for text in texts]
    rules = tuple(Rule(behaviour=each, n=number) for number, each in enumerate(said[:-1], 1))
    server.use(Profile(default=said[-1], rules=rules, keep_bodies=True))


@pytest.mark.parametrize(
    "schema",
    [
        Paper,
        "title, year int, tags array",
        Paper.model_json_schema(),
        Path("paper.json"),
        "paper.json",
    ],
    ids=["class", "fields", "dict", "path", "name of a file"],
)
def test_a_schema_is_given_in_any_form(server: Provider, tmp_path: Path, schema: Any) -> None:
    (tmp_path / "paper.json").write_text(json.dumps(Paper.model_json_schema()))
    answering(server, GOOD)
    (answer,) = umwelten.run("Describe it", "openai:a", schema=schema).wait()
    assert answer.data == {"title": "Tides", "year": 2024, "tags": ["sea", "moon"]}
    assert answer.marks == ()


def test_a_class_gives_instances(server: Provider) -> None:
    answering(server, GOOD)
    results = umwelten.run("Describe it", "openai:a", id="p", schema=Paper).wait()
    assert results[0].record == Paper(title="Tides", year=2024, tags=["sea", "moon"])
    assert results[0].record is not None
    assert umwelten.open("p", schema=Paper)[0].record.year == 2024
    with pytest.raises(TypeError, match="Pydantic class"):
        _ = umwelten.open("p")[0].record


def test_what_it_took_is_marked(server: Provider) -> None:
    answering(server, "Here you are:\n```json\n" + GOOD + "\n```")
    (answer,) = umwelten.run("Describe it", "openai:a", schema=Paper).wait()
    assert answer.marks == ("fenced",)


def test_the_class_has_the_last_word_and_the_answer_is_asked_for_again(server: Provider) -> None:
    answering(server, GOOD.replace("Tides", "TIDES"), GOOD)
    (answer,) = umwelten.run("Describe it", "openai:a", schema=Paper).wait()
    assert answer.record.title == "Tides"
    assert "asked again" in answer.marks
    assert server.idle().requests == 2


def test_an_answer_that_never_fits_is_a_failure_that_keeps_its_text(server: Provider) -> None:
    answering(server, '{"title": "Tides", "year": "long ago"}')
    results = umwelten.run("Describe it", "openai:a", schema=Paper).wait()
    (answer,) = results
    assert answer.error is not None
    assert answer.error.kind == "schema"
    assert "year" in answer.error.message
    assert answer.text is None
    assert answer.partial == '{"title": "Tides", "year": "long ago"}'
    assert results.status == "failed"
    assert server.idle().requests == 3
    with pytest.raises(ValueError, match="no record"):
        _ = answer.record


def test_coerce_lets_words_for_numbers_pass(server: Provider) -> None:
    answering(server, '{"title": "Tides", "year": "2024", "tags": []}')
    (answer,) = umwelten.run(
        "Describe it", "openai:a", schema="title, year int, tags array", coerce=True
    ).wait()
    assert answer.data == {"title": "Tides", "year": 2024, "tags": []}
    assert "coerced" in answer.marks


def test_fields_are_columns_with_types(server: Provider) -> None:
    answering(server, GOOD)
    results = umwelten.run("Describe it", "openai:a", schema="title, year int, tags array, due? date").wait()
    frame = results.to_pandas()
    assert (frame["title"][0], frame["year"][0], list(frame["tags"][0])) == ("Tides", 2024, ["sea", "moon"])
    assert str(frame["year"].dtype) == "Int64"
    assert pandas.isna(frame["due"][0])
    assert str(frame["due"].dtype) == "datetime64[s]"
    columns = results.to_polars().schema
    assert (columns["year"], columns["tags"], columns["due"]) == (
        polars.Int64,
        polars.List(polars.String),
        polars.Date,
    )
    assert results.to_arrow().column("tags").to_pylist() == [["sea", "moon"]]


def test_a_schema_that_is_none_is_an_error_at_its_place(server: Provider) -> None:
    with pytest.raises(umwelten.UsageError, match="unknown type"):
        umwelten.run("Describe it", "openai:a", schema="title, year integr").wait()
    with pytest.raises(umwelten.UsageError, match="not a Pydantic model"):
        umwelten.run("Describe it", "openai:a", schema=dict).wait()
    assert server.ledger.requests == 0


# --- rows, earlier answers, several prompts --------------------------------------------------


def test_rows_are_asked_about_one_by_one(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("key,name\nk1,Ada\nk2,Bob\n")
    server.use(Profile(default=Behaviour(text="{tail}")))
    results = umwelten.batch("Greet {{row.name}}", "openai:a", rows="t.csv", row_name="key").wait()
    assert [(answer.file, answer.text) for answer in results] == [("k1", "Greet Ada"), ("k2", "Greet Bob")]


def test_earlier_answers_are_asked_about(server: Provider, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.txt").write_text(name)
    answering(server, '{"relevant": true}', '{"relevant": false}')
    first = umwelten.batch("Judge", "openai:a", id="first", directory="in", schema="relevant bool").wait()
    server.use(Profile(default=Behaviour(text="{tail}")))
    second = umwelten.batch(
        "Explain {{answer}}", "openai:a", id="second", from_=first, where="json.relevant=true"
    ).wait()
    assert [answer.file for answer in second] == ["a.txt"]
    third = umwelten.batch("Explain {{answer}}", "openai:a", id="third", from_="first").wait()
    assert len(third) == 2


def test_several_prompts_go_to_every_model(server: Provider, tmp_path: Path) -> None:
    prompts = {"short": "In a word?", "long": "In a page?"}
    results = umwelten.run(models="openai:a,openai:b", prompts=prompts).wait()
    assert [(answer.model, answer.prompt) for answer in results] == [
        ("openai:a", "short"),
        ("openai:a", "long"),
        ("openai:b", "short"),
        ("openai:b", "long"),
    ]
    (tmp_path / "prompts.json").write_text(json.dumps(prompts))
    again = umwelten.run(models="openai:a", prompts="prompts.json").wait()
    assert [answer.prompt for answer in again] == ["short", "long"]
    assert list(again.to_pandas()["prompt"]) == ["short", "long"]


@pytest.mark.parametrize(
    ("prompts", "says"),
    [({}, "prompts is empty"), ({"a/b": "x"}, "can't be part of"), ({"a": " "}, "is empty")],
)
def test_prompts_that_cannot_be_used_are_errors(server: Provider, prompts: Any, says: str) -> None:
    with pytest.raises(umwelten.UsageError, match=says):
        umwelten.run(models="openai:a", prompts=prompts).wait()
    with pytest.raises(umwelten.UsageError, match="prompt and prompts exclude each other"):
        umwelten.run("hello", "openai:a", prompts={"a": "x"}).wait()
