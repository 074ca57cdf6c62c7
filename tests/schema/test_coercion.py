"""Values that say the right thing in the wrong type: which of them pass with `coerce`, and which never do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from umwelten.schema import ParsedAnswer, compile_schema, load_schema
from umwelten.types import Schema

TURNED: list[tuple[str, Any, Any]] = [
    ("int", "7", 7),
    ("int", " -7 ", -7),
    ("int", "+7", 7),
    ("int", "7.0", 7),
    ("int", 7.0, 7),
    ("int", "9007199254740993", 9007199254740993),
    ("float", "7", 7),
    ("float", "7.25", 7.25),
    ("float", "-1e3", -1000.0),
    ("float", ".5", 0.5),
    ("bool", "yes", True),
    ("bool", "No", False),
    ("bool", " TRUE ", True),
    ("bool", "false", False),
    ("string", 7, "7"),
    ("string", 7.5, "7.5"),
    ("string: 1|2", 2, "2"),
    ("string: draft|Final", "DRAFT", "draft"),
    ("string: draft|Final", " final", "Final"),
    ("array", "a", ["a"]),
    ("array", 7, ["7"]),
    ("array: int", "7", [7]),
    ("array: int", ["7", 8, 9.0], [7, 8, 9]),
    ("array: red|green", "Red", ["red"]),
    ("array: {a int}", {"a": "1"}, [{"a": 1}]),
    ("object: {a int, b bool}", {"b": "yes", "a": "1", "c": None}, {"a": 1, "b": True}),
    ("date", "2024/03/03", "2024-03-03"),
    ("date", "2024.3.3", "2024-03-03"),
    ("date", "2024-3-3", "2024-03-03"),
    ("date", "20240303", "2024-03-03"),
    ("date", "March 3, 2024", "2024-03-03"),
    ("date", "march 3rd 2024", "2024-03-03"),
    ("date", "Mar. 3, 2024", "2024-03-03"),
    ("date", "Sept 3, 2024", "2024-09-03"),
    ("date", "3 March 2024", "2024-03-03"),
    ("date", "the 3rd of March, 2024", "2024-03-03"),
    ("date", "Sunday, March 3, 2024", "2024-03-03"),
    ("date", "Sun, 3 Mar 2024", "2024-03-03"),
    ("date", "03-Mar-2024", "2024-03-03"),
    ("date", "25/12/2024", "2024-12-25"),
    ("date", "12/25/2024", "2024-12-25"),
    ("date", "25.12.2024", "2024-12-25"),
    ("date", "3/3/2024", "2024-03-03"),
    ("date", "2024-03-03T00:00:00Z", "2024-03-03"),
    ("date", "2024-03-03 00:00:00", "2024-03-03"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "record"), TURNED)
def test_what_can_be_read_in_one_way_is_turned_and_marked(kind: str, value: Any, record: Any) -> None:
    read = load_schema(f"x {kind}").read(json.dumps({"x": value}), coerce=True)
    assert read == ParsedAnswer(data=json.dumps({"x": record}, separators=(",", ":")), marks=("coerced",))


@pytest.mark.parametrize(("kind", "value", "record"), TURNED)
def test_without_coerce_none_of_it_passes(kind: str, value: Any, record: Any) -> None:
    read = load_schema(f"x {kind}").read(json.dumps({"x": value}))
    assert read.marks == ()
    if value == 7.0 and kind == "int":  # JSON has one kind of number: 7.0 is an integer
        assert read.data == '{"x":7.0}'
    else:
        assert [problem.field for problem in read.problems][:1] == ["x"]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("int", "7.5"),
        ("int", 7.5),
        ("int", "seven"),
        ("int", ""),
        ("int", "1,234"),
        ("int", "7 apples"),
        ("int", True),
        ("int", "٣"),
        ("int", [7]),
        ("int", None),
        ("float", "1e999"),
        ("float", "NaN"),
        ("float", "1,5"),
        ("float", "50%"),
        ("bool", "maybe"),
        ("bool", 1),
        ("bool", "1"),
        ("bool", ""),
        ("string", True),
        ("string", None),
        ("string", ["a"]),
        ("string", {"a": 1}),
        ("string: draft|final", "drafted"),
        ("string: Draft|draft", "DRAFT"),
        ("array", None),
        ("array", {"a": 1}),
        ("object: {a}", "a"),
        ("object: {a}", [{"a": "t"}]),
        ("date", "03/04/2024"),
        ("date", "3.4.2024"),
        ("date", "03-04-2024"),
        ("date", "25/12/24"),
        ("date", "2024"),
        ("date", "March 2024"),
        ("date", "Mars 3, 2024"),
        ("date", "February 30, 2024"),
        ("date", "2024/13/01"),
        ("date", "99/99/2024"),
        ("date", "2024-03-03T10:00:00Z"),
        ("date", "2024-03-03T00:00:00+02:00"),
        ("date", 20240303),
        ("date", "tomorrow at noon"),
    ],
)  # fmt: skip
def test_what_would_be_lossy_or_a_guess_stays_a_problem(kind: str, value: Any) -> None:
    read = load_schema(f"x {kind}").read(json.dumps({"x": value}), coerce=True)
    assert read.data is None
    assert {problem.field for problem in read.problems} == {"x"}


@pytest.mark.parametrize(
    ("kind", "value"),
    [("int", 7), ("float", 7.0), ("string", "7"), ("date", "2024-03-03"), ("bool", True), ("array", ["7"])],
)
def test_what_is_right_already_is_left_alone(kind: str, value: Any) -> None:
    text = json.dumps({"x": value}, separators=(",", ":"))
    assert load_schema(f"x {kind}").read(text, coerce=True) == ParsedAnswer(data=text)


def test_fields_that_the_schema_does_not_know_are_dropped_at_each_level() -> None:
    shape = load_schema("a, b?: {c}")
    read = shape.read('{"z": 1, "a": "t", "b": {"c": "u", "y": 2}}', coerce=True)
    assert read == ParsedAnswer(data='{"a":"t","b":{"c":"u"}}', marks=("coerced",))


def test_a_misspelt_field_is_not_taken_for_the_right_one() -> None:
    read = load_schema("title").read('{"titel": "T"}', coerce=True)
    assert [(problem.field, problem.message) for problem in read.problems] == [("title", "missing")]


def test_fields_are_kept_where_the_schema_allows_more() -> None:
    shape = compile_schema(Schema(json={"type": "object", "properties": {"a": {"type": "integer"}}}))
    assert shape.read('{"z": 1, "a": "7"}', coerce=True).data == '{"a":7,"z":1}'


def test_a_bare_list_is_wrapped_where_one_field_alone_is_an_array() -> None:
    assert load_schema("tags array, note?").read('["a", 7]', coerce=True) == ParsedAnswer(
        data='{"tags":["a","7"]}', marks=("coerced",)
    )
    fenced = load_schema("tags array").read('```json\n["a"]\n```', coerce=True)
    assert fenced == ParsedAnswer(data='{"tags":["a"]}', marks=("fenced", "coerced"))
    two = load_schema("tags array, names array").read('["a"]', coerce=True)
    assert [problem.message for problem in two.problems] == ['the answer is a list, not an object: ["a"]']


def test_marks_stand_in_the_order_of_the_work() -> None:
    read = load_schema("n int").read("So: {'n': '7'}.", coerce=True)
    assert read == ParsedAnswer(data='{"n":7}', marks=("fenced", "mended", "coerced"))


def test_coercing_reaches_through_references_and_optional_forms() -> None:
    number = {"type": "integer"}
    schema = {
        "type": "object",
        "$defs": {"n": number},
        "properties": {
            "a": {"$ref": "#/$defs/n"},
            "b": {"anyOf": [number, {"type": "null"}]},
            "c": {"type": ["integer", "null"]},
            "d": {"allOf": [{"$ref": "#/$defs/n"}]},
            "e": {"enum": ["Red", "Green"]},
            "f": {"anyOf": [number, {"type": "string"}]},
        },
    }
    text = '{"a": "1", "b": "2", "c": "3", "d": "4", "e": "red", "f": "5"}'
    read = compile_schema(Schema(json=schema)).read(text, coerce=True)
    assert read.data == '{"a":1,"b":2,"c":3,"d":4,"e":"Red","f":"5"}'


def test_a_turned_value_still_has_to_be_in_its_range() -> None:
    read = load_schema("n int: 1-10").read('{"n": "11"}', coerce=True)
    assert [problem.message for problem in read.problems] == ["11 is more than 10"]
    assert read.marks == ("coerced",)
