"""Answers with several records: drafts, examples and echoes before or after the one that was meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.providers.common.schemas import instruction
from umwelten.schema import compile_schema, load_schema
from umwelten.schema.record_choice import SEVERAL
from umwelten.types import Schema

BOOK = load_schema("title, year? int: 1400-2100, tags? array")
OPEN = compile_schema(
    Schema(json={"type": "object", "properties": {"title": {"type": "string"}, "type": {"type": "string"}}})
)
FINAL = {"title": "final"}
DRAFT = '{"title": "draft, rather long", "year": 1999}'


def got(text: str, shape: Any = BOOK) -> tuple[Any, tuple[str, ...]]:
    """The record that is read of the text, and its marks."""
    answer = shape.read(text)
    assert answer.problems == ()
    return json.loads(answer.data or "null"), answer.marks


@pytest.mark.parametrize(
    "text",
    [
        f"Draft:\n```json\n{DRAFT}\n```\nI made a mistake there. Final:\n```json\n{{}}\n```",
        f"{DRAFT}\n\nWait, that is wrong.\n\n{{}}",
        f"First I thought of {DRAFT}, but it is {{}}.",
        f"For example:\n{DRAFT}\nNow yours:\n{{}}\nLet me know {{if it helps}}.",
        f"{DRAFT}\n{DRAFT}\n{{}}",
        f"[1] says {DRAFT}; [2, 3] say {{}} [4].",
    ],
)
def test_the_last_record_that_fits_counts_and_is_marked(text: str) -> None:
    record, marks = got(text.replace("{}", json.dumps(FINAL)))
    assert (record, marks) == (FINAL, ("fenced", SEVERAL))


@pytest.mark.parametrize(
    "after",
    [
        '{"title": 7}',
        '{"year": 1999}',
        '{"title": "x", "unknown": 1}',
        '{"title": ',
        '```json\n{"title": "cut o',
    ],
)
def test_where_the_last_does_not_fit_an_earlier_one_counts_and_is_marked(after: str) -> None:
    assert got(f"{json.dumps(FINAL)} or rather {after}") == (FINAL, ("fenced", SEVERAL))


@pytest.mark.parametrize(
    "text",
    [
        "{} and once more: {}",
        '```json\n{}\n```\nSources: ["a", "b"] and [[1]]',
        'Not {"title": 7} but {}',
        "{} {}",
        '<think>{"title": "no"}</think>{}',
    ],
)
def test_what_says_the_same_or_was_put_right_is_no_other_record(text: str) -> None:
    assert got(text.replace("{}", json.dumps(FINAL))) == (FINAL, ("fenced",))


@pytest.mark.parametrize(
    "echo",
    [
        json.dumps(BOOK.schema.json),
        instruction(BOOK.schema),
        '{"type": "object", "properties": {"title": {"type": "string"}, "year": {}, "tags": {}}}',
        '{"title": "Answer", "type": "object", "properties": {"title": {}, "year": {}, "tags": {}}}',
        "{}",
        '{"title": "<string>", "tags": ["..."]}',
        '{"title": "string"}',
        '{"title": "..."}',
    ],
)
def test_an_echo_of_what_was_asked_for_is_no_record_before_it_or_after(echo: str) -> None:
    for text in (f"The form is {echo}\n\n{json.dumps(FINAL)}", f"{json.dumps(FINAL)}\nThe form was: {echo}"):
        record, marks = got(text)
        assert (record, marks) == (FINAL, ("fenced",))


def test_a_schema_that_would_allow_itself_is_no_record_of_itself() -> None:
    for schema in (OPEN.schema.json, {**OPEN.schema.json, "additionalProperties": False, "title": "Thing"}):
        answer = OPEN.read(json.dumps(schema))
        assert [problem.message for problem in answer.problems] == [
            "the answer is the JSON Schema itself, not an object that fits it"
        ]
        assert got(f"{json.dumps(schema)}\n{json.dumps(FINAL)}", OPEN)[0] == FINAL
        assert got(f"{json.dumps(FINAL)}\n{json.dumps(schema)}", OPEN)[0] == FINAL


def test_an_object_with_none_of_the_fields_is_taken_only_where_there_is_no_other() -> None:
    assert got(f'{json.dumps(FINAL)} Usage: {{"tokens": 3}}', OPEN) == (FINAL, ("fenced",))
    assert got('{"tokens": 3}', OPEN) == ({"tokens": 3}, ())
    assert got('Here: {"title": "string"}', OPEN) == ({"title": "string"}, ("fenced",))


@pytest.mark.parametrize("text", ['[{"title": "a"}, {"title": "b"}]', '[{"title": "a"}, 7, {"title": "a"}]'])
def test_a_list_of_records_is_no_record_even_after_one(text: str) -> None:
    for answer in (text, f"```json\n{text}\n```", f"Such as {DRAFT}. All of them: {text}"):
        problems = [problem.message for problem in BOOK.read(answer).problems]
        assert problems and problems[0].startswith("the answer is a list, not an object")
    assert got(f"From {text} I took {json.dumps(FINAL)}") == (FINAL, ("fenced",))


def test_the_last_record_is_mended_rather_than_an_earlier_one_taken() -> None:
    record, marks = got(f"{DRAFT} Now: {{'title': 'final',}}")
    assert (record, marks) == (FINAL, ("fenced", "mended", SEVERAL))


def test_of_several_that_do_not_fit_the_problems_of_the_closest_are_told() -> None:
    problems = BOOK.read('{"title": 7, "year": 1999} or {"name": "x"} of {"a": 1}').problems
    assert [str(problem.path[0]) for problem in problems] == ["title"]


@pytest.mark.parametrize("tag", ["</think>", "<think></think>", "a </think> b"])
def test_a_tag_of_thinking_within_a_value_ends_no_thought(tag: str) -> None:
    record = {"title": tag}
    assert got(f"```json\n{json.dumps(record)}\n```") == (record, ("fenced",))
    assert got(f"<think>{DRAFT}</think>```json\n{json.dumps(record)}\n```")[0] == record


def test_a_record_among_many_small_objects_is_found() -> None:
    small = ", ".join(f'{{"ref": {n}}}' for n in range(50))
    assert got(f"{small} {json.dumps(FINAL)} {small}")[0] == FINAL


_RECORDS = st.fixed_dictionaries(
    {
        "title": st.text(st.characters(codec="utf-8", exclude_characters="<>"), min_size=1, max_size=8).map(
            "T{}".format
        )
    },
    optional={
        "year": st.integers(1400, 2100),
        "tags": st.lists(st.sampled_from(["a", "}", "{", "`"]), max_size=2),
    },
)
_WORDS = st.sampled_from(["Draft:", "\n", " So, {maybe}: ", "No. Final:\n", " (see [1])", "\n\n---\n"])
_FRAMES = st.sampled_from(["{}", "```json\n{}\n```", "```\n{}\n```\n", "<answer>{}</answer>"])
_OTHERS = st.sampled_from(
    ['{"title": 3}', '{"name": "x"}', "[1]", json.dumps(BOOK.schema.json), '{"title": "..."}']
)


@given(st.lists(st.tuples(_WORDS, _FRAMES, _RECORDS | _OTHERS), min_size=1, max_size=7), _WORDS)
def test_whatever_is_said_around_them_the_last_record_that_fits_is_read(parts: list[Any], end: str) -> None:
    said = [
        words + frame.replace("{}", each if isinstance(each, str) else json.dumps(each))
        for words, frame, each in parts
    ]
    records = [each for _, _, each in parts if not isinstance(each, str)]
    answer = BOOK.read("".join(said) + end)
    if not records:
        assert answer.data is None or json.loads(answer.data) == {"title": "..."}
        return
    assert json.loads(answer.data or "null") == records[-1]
    assert (SEVERAL in answer.marks) or all(each == records[-1] for each in records)
