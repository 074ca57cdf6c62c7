"""What a model is told when its answer has the wrong shape, and what is kept if it stays wrong."""

from __future__ import annotations

from umwelten.schema import ParsedAnswer, Problem, ask_again, failure, load_schema
from umwelten.types import FailureKind, Usage

PROBLEMS = (
    Problem(field="year", message='"x" is not an integer'),
    Problem(field="", message='unexpected field "z"'),
)


def test_the_model_is_shown_its_answer_and_each_problem_and_asked_for_json_alone() -> None:
    words = ask_again('{"year": "x", "z": 1}', PROBLEMS)
    assert words == (
        "You have answered this before. Your answer was:\n\n"
        '{"year": "x", "z": 1}\n\n'
        "It does not have the form that is asked for:\n"
        '- year: "x" is not an integer\n'
        '- unexpected field "z"\n\n'
        "Answer again, with these faults put right and all else kept. "
        "Give the complete JSON object and nothing else: no code fence, no words around it."
    )


def test_of_a_very_long_answer_start_and_end_are_shown() -> None:
    words = ask_again("start" + "x" * 1_000_000 + "end", PROBLEMS)
    assert len(words) < 17_000
    assert "start" in words and "\n[…]\n" in words and "xend\n" in words


def test_the_failure_names_the_fields_and_keeps_answer_and_usage() -> None:
    usage = Usage(input_tokens=10, output_tokens=20)
    text = '{"title": 7, "year": "x", "z": 1}'
    read = load_schema("title, year int").read(text)
    got = failure(read, text, usage)
    assert got.kind is FailureKind.SCHEMA
    assert got.message == 'title: 7 is not a string; year: "x" is not an integer; unexpected field "z"'
    assert got.code == "title,year"
    assert (got.partial, got.usage) == (text, usage)


def test_an_answer_without_an_object_has_no_fields_to_name() -> None:
    got = failure(load_schema("title").read("no idea"), "no idea", Usage())
    assert (got.message, got.code) == ("no JSON object in the answer", None)


def test_a_field_is_named_once_however_much_is_wrong_with_it() -> None:
    read = ParsedAnswer(
        data=None, problems=(Problem(field="a", message="1"), Problem(field="a", message="2"))
    )
    assert failure(read, "", Usage()).code == "a"
