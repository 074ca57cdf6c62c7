"""What a model is told when its answer has the wrong shape, and what is kept if it stays wrong."""

from __future__ import annotations

import pytest

from umwelten.schema import ParsedAnswer, Problem, correction_turns, failure, load_schema
from umwelten.types import FailureKind, Message, Role, Text, Usage

PROBLEMS = (
    Problem(path=("year",), message='"x" is not an integer'),
    Problem(message='unexpected field "z"'),
)


def words(turns: tuple[Message, ...]) -> tuple[str, ...]:
    return tuple(part.text for turn in turns for part in turn.parts if isinstance(part, Text))


def test_the_model_is_shown_its_answer_and_each_problem_and_asked_for_json_alone() -> None:
    turns = correction_turns('{"year": "x", "z": 1}', PROBLEMS)
    assert [turn.role for turn in turns] == [Role.ASSISTANT, Role.USER]
    assert words(turns) == (
        '{"year": "x", "z": 1}',
        "Your answer does not have the form that is asked for:\n"
        '- year: "x" is not an integer\n'
        '- unexpected field "z"\n\n'
        "Answer again, with these faults put right and all else kept. "
        "Give the complete JSON object and nothing else: no code fence, no words around it.",
    )


def test_of_a_very_long_answer_start_and_end_are_shown() -> None:
    answer, _ = words(correction_turns("start" + "x" * 1_000_000 + "end", PROBLEMS))
    assert len(answer) < 17_000
    assert answer.startswith("start") and "\n[…]\n" in answer and answer.endswith("xend")


@pytest.mark.parametrize("answer", ["", " \n"])
def test_an_empty_answer_is_not_sent_back_as_an_empty_turn(answer: str) -> None:
    assert words(correction_turns(answer, PROBLEMS))[0] == "(no answer)"


def test_the_failure_names_the_fields_and_keeps_answer_and_usage() -> None:
    usage = Usage(input_tokens=10, output_tokens=20)
    text = '{"title": 7, "year": "x", "z": 1}'
    read = load_schema("title, year int").read(text)
    got = failure(read, text, usage)
    assert got.kind is FailureKind.SCHEMA
    assert got.message == 'title: 7 is not a string; year: "x" is not an integer; unexpected field "z"'
    assert got.code == "title,year"
    assert got.problems == read.problems
    assert (got.partial, got.usage) == (text, usage)


def test_an_answer_without_an_object_has_no_fields_to_name() -> None:
    got = failure(load_schema("title").read("no idea"), "no idea", Usage())
    assert (got.message, got.code) == ("no JSON object in the answer", None)


def test_a_field_is_named_once_however_much_is_wrong_with_it() -> None:
    read = ParsedAnswer(
        data=None, problems=(Problem(path=("a",), message="1"), Problem(path=("a",), message="2"))
    )
    assert failure(read, "", Usage()).code == "a"
