"""The short form of a schema: what each text means, and where the error points when it means nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from umwelten.errors import UsageError
from umwelten.schema import parse_dsl

STRING = {"type": "string"}
INT = {"type": "integer"}
FLOAT = {"type": "number"}
BOOL = {"type": "boolean"}
DATE = {"type": "string", "format": "date"}


def array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def object_(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object's schema; a name that ends in `_` is an optional field."""
    return {
        "type": "object",
        "properties": {name.rstrip("_"): schema for name, schema in properties.items()},
        "required": [name for name in properties if not name.endswith("_")],
        "additionalProperties": False,
    }


def enum(*choices: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(choices)}


MEANINGS: list[tuple[str, dict[str, Any]]] = [
    ("title", object_(title=STRING)),
    ("title, author", object_(title=STRING, author=STRING)),
    ("title string", object_(title=STRING)),
    ("year int", object_(year=INT)),
    ("score float", object_(score=FLOAT)),
    ("done bool", object_(done=BOOL)),
    ("born date", object_(born=DATE)),
    ("tags array", object_(tags=array(STRING))),
    ("meta object", object_(meta={"type": "object"})),
    ("date date", object_(date=DATE)),
    ("int", object_(int=STRING)),
    ("array array", object_(array=array(STRING))),
    ("email?", object_(email_=STRING)),
    ("email ? string", object_(email_=STRING)),
    ("age? int: 0-150", object_(age_=INT | {"minimum": 0, "maximum": 150})),
    ("tags array: int", object_(tags=array(INT))),
    ("days array: date", object_(days=array(DATE))),
    ("flags array:bool", object_(flags=array(BOOL))),
    ("tags array: red|green", object_(tags=array(enum("red", "green")))),
    ("marks array: 1-6", object_(marks=array(INT | {"minimum": 1, "maximum": 6}))),
    ("marks array: float: 0-1", object_(marks=array(FLOAT | {"minimum": 0, "maximum": 1}))),
    ("grid array: array: int", object_(grid=array(array(INT)))),
    ("grid array: array", object_(grid=array(array(STRING)))),
    ("any array: object", object_(any=array({"type": "object"}))),
    ("authors array: {name, born?}", object_(authors=array(object_(name=STRING, born_=STRING)))),
    ("authors array: object: {name}", object_(authors=array(object_(name=STRING)))),
    ("address object: {street, zip}", object_(address=object_(street=STRING, zip=STRING))),
    ("address: {street, zip}", object_(address=object_(street=STRING, zip=STRING))),
    ("address?: {street}", object_(address_=object_(street=STRING))),
    ("a: {b: {c int}}, d", object_(a=object_(b=object_(c=INT)), d=STRING)),
    ("status: draft|final", object_(status=enum("draft", "final"))),
    ("status string: draft | final", object_(status=enum("draft", "final"))),
    ("status: 'in review'|done", object_(status=enum("in review", "done"))),
    ('status: "a, b"|"c|d"', object_(status=enum("a, b", "c|d"))),
    ("type: int|float", object_(type=enum("int", "float"))),
    ("lang: de-AT|en_US|x.y", object_(lang=enum("de-AT", "en_US", "x.y"))),
    ("size: 4K|8K", object_(size=enum("4K", "8K"))),
    ("grade: 1|2|3", object_(grade=enum("1", "2", "3"))),
    ("years: 1990-1999|2000-2009", object_(years=enum("1990-1999", "2000-2009"))),
    ("grade int: 1|2|3", object_(grade=INT | {"enum": [1, 2, 3]})),
    ("step float: 0.5|1|-2.5", object_(step=FLOAT | {"enum": [0.5, 1, -2.5]})),
    ("confidence int: 1-10", object_(confidence=INT | {"minimum": 1, "maximum": 10})),
    ("confidence int:1..10", object_(confidence=INT | {"minimum": 1, "maximum": 10})),
    ("confidence int: 1 - 10", object_(confidence=INT | {"minimum": 1, "maximum": 10})),
    ("confidence: 1-10", object_(confidence=INT | {"minimum": 1, "maximum": 10})),
    ("x float: -1.5-2", object_(x=FLOAT | {"minimum": -1.5, "maximum": 2})),
    ("x: -1.5..2.25", object_(x=FLOAT | {"minimum": -1.5, "maximum": 2.25})),
    ("x int: -5--1", object_(x=INT | {"minimum": -5, "maximum": -1})),
    ("x int: 5-5", object_(x=INT | {"minimum": 5, "maximum": 5})),
    ("x float: >=0", object_(x=FLOAT | {"minimum": 0})),
    ("x int: <=-3", object_(x=INT | {"maximum": -3})),
    ("x float: > 0.5", object_(x=FLOAT | {"exclusiveMinimum": 0.5})),
    ("x: <100", object_(x=INT | {"exclusiveMaximum": 100})),
    ("x float: 1e3-2E4", object_(x=FLOAT | {"minimum": 1000, "maximum": 20000})),
    ("x: int: 1-2", object_(x=INT | {"minimum": 1, "maximum": 2})),
    ("x: int", object_(x=INT)),
    ('title "as printed"', object_(title=STRING | {"description": "as printed"})),
    ("title 'as printed', b", object_(title=STRING | {"description": "as printed"}, b=STRING)),
    ("n int: >=1 (stars,\n of five)", object_(n=INT | {"minimum": 1, "description": "stars, of five"})),
    ("s: a|b 'state'", object_(s=enum("a", "b") | {"description": "state"})),
    ("a: {b 'in'} 'out'", object_(a=object_(b=STRING | {"description": "in"}) | {"description": "out"})),
    ("a ()", object_(a=STRING)),
    ("\n title ,\n\tyear int\n", object_(title=STRING, year=INT)),
    ("größe float, 名前", object_(größe=FLOAT, 名前=STRING)),
    ("_id, first-name", {**object_(_id=STRING), "properties": {"_id": STRING, "first-name": STRING}}
     | {"required": ["_id", "first-name"]}),
    ("a: " + "{a: " * 7 + "{b}" + "}" * 7, object_(
        a=object_(a=object_(a=object_(a=object_(a=object_(a=object_(a=object_(a=object_(b=STRING)))))))))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "schema"), MEANINGS, ids=[text for text, _ in MEANINGS])
def test_a_text_means_exactly_this_schema(text: str, schema: dict[str, Any]) -> None:
    got = parse_dsl(text).json
    assert got == schema
    assert list(got["properties"]) == list(schema["properties"])
    Draft202012Validator.check_schema(got)


TYPES = "Types: string, int, float, bool, date, array, object."
COMMA = "Separate fields with commas."
PLACE = f'{COMMA} A field is: name[?] [type] [: constraint] ["description"].'
NAMES = "A name consists of letters, digits, '_' and '-' and starts with a letter or '_': first_name."
CONSTRAINTS = "After ':' write a|b, a range like 1-10, a type, or {fields}."
CHOICES = "Separate two or more choices with '|': draft|final. Quote a choice that contains blanks."
RANGES = "Ranges: 1-10, 1..10, -1.5-2, >=0, <100. Choices: 1|2|3."
FLATTEN = "Flatten the schema, or split it."

# The sign ▲ stands before the character that the caret is under.
FAULTS: list[tuple[str, str, str]] = [
    ("title, confidence ▲itn: 1-10", "unknown type 'itn'", f"Did you mean int? {TYPES}"),
    ("x ▲Int", "unknown type 'Int'", f"Did you mean int? {TYPES}"),
    ("x ▲str", "unknown type 'str'", f"Did you mean string? {TYPES}"),
    ("x ▲number", "unknown type 'number'", f"Did you mean float? {TYPES}"),
    ("x ▲boolen", "unknown type 'boolen'", f"Did you mean bool? {TYPES}"),
    ("x ▲list", "unknown type 'list'", f"Did you mean array? {TYPES}"),
    ("x: ▲integer", "unknown type 'integer'", f"Did you mean int? {TYPES} {CONSTRAINTS}"),
    ("title ▲author", "unknown type 'author'", f"{COMMA} {TYPES}"),
    ("title string ▲author", "expected a comma, found 'author'", PLACE),
    ("title▲; author", "expected a comma, found ';'", PLACE),
    ("tags string▲[]", "expected a comma, found '['",
     "A list is written with 'array': tags array, scores array: int."),
    ("email string▲?", "expected a comma, found '?'",
     "The '?' of an optional field follows its name: email? string."),
    ("x▲{a}", "expected a comma, found '{'",
     "The fields of an object follow a ':': address: {street, zip}."),
    ("x ▲| y", "expected a comma, found '|'", CHOICES),
    ("x 'd'▲: a|b", "expected a comma, found ':'",
     "A field has one constraint, before its description: status: draft|final (the state)."),
    ("x: {a} ▲y", "expected a comma, found 'y'", PLACE),
    ("x int: 1-10 ▲20", "expected a comma, found '20'", PLACE),
    ("a,▲,b", "a field's name is missing before ','", NAMES),
    ("▲, a", "a field's name is missing before ','", NAMES),
    ("a,▲", "a field's name is missing", NAMES),
    ("▲1st", "a field's name is missing before '1st'", NAMES),
    ("▲: int", "a field's name is missing before ':'", NAMES),
    ("a: {b, ▲}", "a field's name is missing before '}'", NAMES),
    ("▲{a}", "a field's name is missing before '{'", NAMES),
    ("a, b, ▲a int", "the field 'a' appears twice", "Give each field its own name."),
    ("a: {b, ▲b}", "the field 'b' appears twice", "Give each field its own name."),
    ("a: ▲{b, c", "this '{' is never closed", "Close it with '}' after its last field."),
    ("a: ▲{b,", "this '{' is never closed", "Close it with '}' after its last field."),
    ("a: ▲{b: {c}", "this '{' is never closed", "Close it with '}' after its last field."),
    ("a▲}", "this '}' has no matching '{'", "Remove it, or write '{' after a name."),
    ("a: {▲}", "no fields between the braces", "Name them: address: {street, zip}."),
    ("▲", "no fields", "Name the fields: title, author, year int."),
    ("x:▲", "a constraint is missing after the ':'", CONSTRAINTS),
    ("x:▲, y", "a constraint is missing after the ':' before ','", CONSTRAINTS),
    ("x array:▲", "a constraint is missing after the ':'", CONSTRAINTS),
    ("status: draft|▲|final", "a choice is empty before '|'", CHOICES),
    ("status: ▲|final", "a choice is empty before '|'", CHOICES),
    ("status: draft|▲", "a choice is empty", CHOICES),
    ("status: draft|▲, b", "a choice is empty before ','", CHOICES),
    ("status: a|▲''", "a choice is empty, between quotes", CHOICES),
    ("status: a|b|▲a", "the choice 'a' appears twice", "Remove one of them."),
    ("status: draft|in ▲review", "expected '|' or a comma, found 'review'", CHOICES),
    ("status: a|▲(b)", "expected a choice, found '('", CHOICES),
    ("x: ▲five", "'five' is neither a type nor a range, and only one choice", f"{CONSTRAINTS} {TYPES}"),
    ("x: ▲'only'", "only one choice: 'only'", f"A description has no ':' before it. {CHOICES}"),
    ("x ▲'open", "this ' is never closed", "Close it with '."),
    ("x ▲(open", "this ( is never closed", "Close it with )."),
    ("x: a|▲\"b", 'this " is never closed', 'Close it with ".'),
    ("x int: ▲10-1", "the range 10-1 is reversed", "Write 1-10."),
    ("x float: ▲0.5 .. -2", "the range 0.5 .. -2 is reversed", "Write -2-0.5."),
    ("x int: ▲2.5-3", "2.5 is not a whole number", "Bounds of an int are whole numbers; else use float."),
    ("x int: 2-▲3.5", "3.5 is not a whole number", "Bounds of an int are whole numbers; else use float."),
    ("x int: >=▲0.5", "0.5 is not a whole number", "Bounds of an int are whole numbers; else use float."),
    ("x float: 0-▲1e999", "this number is too large", RANGES),
    ("x int: ▲7", "'7' is not a range", RANGES),
    ("x int: ▲1-10abc", "'1-10abc' is not a range", RANGES),
    ("x int: ▲five", "expected a number, found 'five'", RANGES),
    ("x int: 1|▲two", "expected a number, found 'two'", RANGES),
    ("x int: 1|2|▲1", "the choice 1 appears twice", "Remove one of them."),
    ("x bool: ▲yes|no", "the type 'bool' takes no such constraint", "Remove the ':'; a bool takes none."),
    ("x date: ▲2020-01-01", "the type 'date' takes no such constraint", "Remove the ':'; a date takes none."),
    ("x object: ▲a|b", "the type 'object' takes no such constraint", "An object has {fields}."),
    ("x int: ▲{a}", "the type 'int' has no fields", "Only object and array have fields: a object: {b, c}."),
    ("x: " + "{x: " * 8 + "▲{y}" + "}" * 8, "nested deeper than 8 levels", FLATTEN),
    ("x array: " + "array: " * 8 + "▲array", "nested deeper than 8 levels", FLATTEN),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "what", "allowed"), FAULTS, ids=[marked for marked, _, _ in FAULTS])
def test_a_fault_is_shown_under_its_place_with_what_is_allowed(marked: str, what: str, allowed: str) -> None:
    column = marked.index("▲")
    text = marked.replace("▲", "")
    with pytest.raises(UsageError) as caught:
        parse_dsl(text)
    assert caught.value.message == f"schema: {what}\n  {text.rstrip()}\n  {' ' * column}^"
    assert caught.value.hint == allowed


def test_the_error_reads_as_a_whole() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl("title, confidence itn: 1-10")
    assert str(caught.value) == (
        "schema: unknown type 'itn'\n"
        "  title, confidence itn: 1-10\n"
        "                    ^\n"
        "Did you mean int? Types: string, int, float, bool, date, array, object."
    )


def test_of_several_lines_only_the_one_with_the_fault_is_shown_and_numbered() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl("title,\n  year itn,\nauthor", origin="fields.txt")
    assert caught.value.message == "fields.txt, line 2: unknown type 'itn'\n    year itn,\n         ^"


def test_a_missing_comma_at_a_line_end_is_shown_on_the_next_line() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl("title\nyear int")
    assert caught.value.message == "schema, line 2: unknown type 'year'\n  year int\n  ^"


def test_a_caret_stands_under_its_character_behind_wide_and_combining_ones() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl("名前, e\u0301, x itn")
    line, caret = caught.value.message.split("\n")[1:]
    assert line == "  名前, e\u0301, x itn"
    assert caret == " " * (2 + 4 + 2 + 1 + 2 + 2) + "^"


def test_a_tab_takes_one_column_so_that_the_caret_stands_right() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl("\tx\titn")
    assert caught.value.message == "schema: unknown type 'itn'\n   x itn\n     ^"


def test_a_long_line_is_cut_around_its_fault() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl(", ".join(f"field{n}" for n in range(100)) + ", x itn, " + "y" * 200)
    line, caret = caught.value.message.split("\n")[1:]
    assert len(line) <= 98
    assert line.startswith("  …") and line.endswith("…")
    assert line[caret.index("^") :].startswith("itn, ")


def test_the_schema_keeps_the_text_it_was_made_of() -> None:
    schema = parse_dsl(" title, year int ")
    assert (schema.name, schema.source) == ("answer", "title, year int")


@given(st.text(alphabet="ab ,:?|{}()'\"-.<>=1\n_é", max_size=40) | st.text(max_size=40))
def test_any_text_is_a_valid_schema_or_an_error_that_points_into_it(text: str) -> None:
    try:
        schema = parse_dsl(text)
    except UsageError as error:
        assert error.hint
        assert error.message.split("\n")[-1].strip() == "^"
    else:
        Draft202012Validator.check_schema(schema.json)
        assert schema.json["properties"]


@given(
    st.lists(
        st.sampled_from(["a", "b?", "int", "date", "array:", "{x}", "|", ":", ",", "1-5", "'d'", "}"]),
        max_size=30,
    )
)
def test_any_row_of_the_words_is_a_valid_schema_or_an_error(words: list[str]) -> None:
    try:
        Draft202012Validator.check_schema(parse_dsl(" ".join(words)).json)
    except UsageError as error:
        assert "^" in error.message
