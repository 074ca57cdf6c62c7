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
    ("type: 'int'|'float'", object_(type=enum("int", "float"))),
    ("kind: date|text|map", object_(kind=enum("date", "text", "map"))),
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


TYPES = "Types: string, int, float, bool, date, datetime, array, object."
COMMA = "Separate fields with commas."
PLACE = f'{COMMA} A field is: name[?] [type] [: constraint] ["description"].'
NAMES = "A name consists of letters, digits, '_' and '-' and starts with a letter or '_': first_name."
CONSTRAINTS = "After ':' write a|b, a range like 1-10, a type, or {fields}."
CHOICES = "Separate two or more choices with '|': draft|final. Quote one that has a comma in it."
QUOTES = "A description goes in quotes or parentheses, without a ':' before it."
RANGES = "Ranges: 1-10, 1..10, -1.5-2, >=0, <100. Choices: 1|2|3."
FLATTEN = "Flatten the schema, or split it."

# The sign ▲ stands before the character that the caret is under.
FAULTS: list[tuple[str, str, str]] = [
    ("title, confidence ▲itn: 1-10", "unknown type 'itn'", f"Did you mean int? {TYPES}"),
    ("x ▲boolen", "unknown type 'boolen'", f"Did you mean bool? {TYPES}"),
    ("title ▲author", "unknown type 'author'", f"{COMMA} {TYPES}"),
    ("title string ▲author", "expected a comma, found 'author'", PLACE),
    ("x ▲| y", "expected a comma, found '|'", CHOICES),
    ("x 'd'▲: a|b", "expected a comma, found ':'", f"A field has one constraint. {QUOTES}"),
    ("x: {a} ▲y", "expected a comma, found 'y'", PLACE),
    ("x int: 1-10 ▲20", "expected a comma, found '20'", PLACE),
    ("a,▲,b", "a field's name is missing before ','", NAMES),
    ("▲, a", "a field's name is missing before ','", NAMES),
    ("▲1st", "a field's name is missing before '1st'", NAMES),
    ("▲: int", "a field's name is missing before ':'", NAMES),
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
    ("status: a|▲(b)", "expected a choice, found '('", CHOICES),
    ("x: ▲five", "'five' is neither a type nor a range, and only one choice", f"{CONSTRAINTS} {TYPES}"),
    ("x: ▲'only'", "only one choice: 'only'", f"{QUOTES} {CHOICES}"),
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
    ("x int: ▲five", "expected a number, found 'five'", f"{RANGES} {QUOTES}"),
    ("x int: 1|▲two", "expected a number, found 'two'", f"{RANGES} {QUOTES}"),
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


MOMENT = {"type": "string", "format": "date-time"}
OPTIONAL_INT = object_(x_=INT)

# What users of other tools write: TypeScript, Pydantic, BAML, instructor, llm, SQL.
SPELLINGS: list[tuple[str, dict[str, Any]]] = [
    ("name: str, age: int, ok: bool", object_(name=STRING, age=INT, ok=BOOL)),
    ("name str, age integer, ok boolean", object_(name=STRING, age=INT, ok=BOOL)),
    ("a number, b: number, c double, d: decimal", object_(a=FLOAT, b=FLOAT, c=FLOAT, d=FLOAT)),
    ("a String, b Int, c: Boolean, d DATE", object_(a=STRING, b=INT, c=BOOL, d=DATE)),
    ("bio text, bio2: text", object_(bio=STRING, bio2=STRING)),
    ("at datetime, on: timestamp", object_(at=MOMENT, on=MOMENT)),
    ("mail: email, page: url, id: uuid", object_(
        mail=STRING | {"format": "email"}, page=STRING | {"format": "uri"}, id=STRING | {"format": "uuid"})),
    ("title, email, date", object_(title=STRING, email=STRING, date=STRING)),
    ("x dict, y: map, z list", object_(x={"type": "object"}, y={"type": "object"}, z=array(STRING))),
    # optional
    *((text, OPTIONAL_INT) for text in (
        "x? int", "x int?", "x: int?", "x?: int", "x ?: integer", "x integer?", "x: int | None",
        "x: int|null", "x int | null", "x: null | int", "x: int | undefined", "x: Optional[int]",
        "x Optional[int]",
        "x: int | None = None", "x: Optional[int] = None", "{x?: int}", "x : int ?",
    )),
    ("x: 1-5?", object_(x_=INT | {"minimum": 1, "maximum": 5})),
    ("x: a|b?", object_(x_=enum("a", "b"))),
    ("x: {a}?, y", object_(x_=object_(a=STRING), y=STRING)),
    ("x: string[]?", object_(x_=array(STRING))),
    ("x: text|none, y: yes|no|null", object_(x=enum("text", "none"), y=enum("yes", "no", "null"))),
    # lists
    *((text, object_(x=array(INT))) for text in (
        "x int[]", "x: int[]", "x: integer []", "x: [int]", "x [int]", "x: list[int]", "x list[int]",
        "x: List[int]",
        "x: Array<int>", "x array<int>", "x array of int", "x: list of int", "x: array(int)",
        "x: list: int", "x array[int]",
    )),
    ("x: []", object_(x=array(STRING))),
    ("x[]", object_(x=array(STRING))),
    ("x: string[][]", object_(x=array(array(STRING)))),
    ("x: list[list[int]]", object_(x=array(array(INT)))),
    ("x array (of words)", object_(x=array(STRING) | {"description": "of words"})),
    ("a: {n, y?: int}[]", object_(a=array(object_(n=STRING, y_=INT)))),
    ("a: [{n}], b", object_(a=array(object_(n=STRING)), b=STRING)),
    ("a array {n}", object_(a=array(object_(n=STRING)))),
    ("a: list[{n}]", object_(a=array(object_(n=STRING)))),
    ("a list of {n}", object_(a=array(object_(n=STRING)))),
    ("a {n}, b object {m}", object_(a=object_(n=STRING), b=object_(m=STRING))),
    # choices
    ("s: in progress|done", object_(s=enum("in progress", "done"))),
    ("s: to do | in  progress | done, t", object_(s=enum("to do", "in progress", "done"), t=STRING)),
    ("s: draft|in review 'the state'", object_(s=enum("draft", "in review") | {"description": "the state"})),
    ('s: "in progress" | "done";', object_(s=enum("in progress", "done"))),
    ('s "a" | "b"', object_(s=enum("a", "b"))),
    ("s a|b, t", object_(s=enum("a", "b"), t=STRING)),
    ("s in progress|done", object_(s=enum("in progress", "done"))),
    ('s: Literal["a", "b"]', object_(s=enum("a", "b"))),
    ("s Literal['a']", object_(s=enum("a"))),
    ("s: enum(a, b c)", object_(s=enum("a", "b c"))),
    ("s enum[a|b]", object_(s=enum("a", "b"))),
    ("s: ['a'|'b']", object_(s=array(enum("a", "b")))),
    # ranges
    ("x int 1-10", object_(x=INT | {"minimum": 1, "maximum": 10})),
    ("x 1-10, y", object_(x=INT | {"minimum": 1, "maximum": 10}, y=STRING)),
    ("x: 1 to 10", object_(x=INT | {"minimum": 1, "maximum": 10})),
    ("x number: 0-1", object_(x=FLOAT | {"minimum": 0, "maximum": 1})),
    ("x float >= 0", object_(x=FLOAT | {"minimum": 0})),
    ("x integer: 1|2", object_(x=INT | {"enum": [1, 2]})),
    # around the fields
    ("{ name: string; age?: number; }", object_(name=STRING, age_=FLOAT)),
    ("{\n  name: string,\n  age: int,\n}", object_(name=STRING, age=INT)),
    ("name: string\nage: int\ntags: string[]", object_(name=STRING, age=INT, tags=array(STRING))),
    ('{"name": string, "age": int}', object_(name=STRING, age=INT)),
    ("a, b,", object_(a=STRING, b=STRING)),
    ("a: {b, c,}", object_(a=object_(b=STRING, c=STRING))),
    ("name: str 'in full', age: int  (in years)", object_(
        name=STRING | {"description": "in full"}, age=INT | {"description": "in years"})),
]  # fmt: skip


@pytest.mark.parametrize(("text", "schema"), SPELLINGS, ids=[text for text, _ in SPELLINGS])
def test_what_users_of_other_tools_write_is_read_as_they_mean_it(text: str, schema: dict[str, Any]) -> None:
    got = parse_dsl(text).json
    assert got == schema
    Draft202012Validator.check_schema(got)


ONE_TYPE = "A field has one type. If the words are meant, quote them:"
DEFAULT = "A field that may be missing has a '?' after its name: age? int."
LISTS = "Lists: tags array, scores array: int, scores int[]."
REFUSED: list[tuple[str, str, str]] = [
    ("x: ▲int|float", "more than one type: int|float", f"{ONE_TYPE} 'int'|'float'."),
    ("id ▲string | number", "more than one type: string | number", f"{ONE_TYPE} 'string'|'number'."),
    ("id: ▲str | int | None", "more than one type: str | int | None", f"{ONE_TYPE} 'str'|'int'|'None'."),
    ("age: int ▲= 0", "a field has no default value", DEFAULT),
    ("role: a | b ▲= 'a'", "a field has no default value", DEFAULT),
    ("x ▲dict[str, int]", "'dict' has free names", "Name the fields: place: {street, zip}."),
    ("x: ▲Union[str, int]", "unknown type 'Union'", f"{COMMA} {TYPES}"),
    ("x ▲any", "unknown type 'any'", f"{COMMA} {TYPES}"),
    ("x: ▲null", "'null' is neither a type nor a range, and only one choice", f"{CONSTRAINTS} {TYPES}"),
    ("x: list[int▲, str]", "more than one type", "A field has one type."),
    ("x: list▲[int", "this '[' is never closed", f"Close it with ']'. {LISTS}"),
    ("x: [ ▲]", "expected a type, found ']'", TYPES),
    ("name: ▲the person's name, age int", "", ""),
    ("bio: ▲a short bio, age int", "'a short bio' is neither a type nor a range, and only one choice",
     f"{QUOTES} {CONSTRAINTS} {TYPES}"),
    ("age int: ▲their age", "expected a number, found 'their'", f"{RANGES} {QUOTES}"),
    ("s: draft|final ▲year int, t", "expected '|' or a comma, found 'year'", CHOICES),
    ("x: ▲[int?]", "the elements of a list cannot be missing", LISTS),
    ("{name: str}▲[]", "a list of records",
     "An answer is one record; a list is one of its fields: items array: {name}."),
    ("{name} ▲x", "expected the end, found 'x'", PLACE),
    ("first ▲name, last name", "unknown type 'name'", f"{COMMA} {TYPES}"),
    ("title ▲email", "unknown type 'email'", f"{COMMA} {TYPES}"),
    ("year▲=int", "expected a comma, found '='", "A type follows the name after a blank or a ':': year int."),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "what", "allowed"), REFUSED, ids=[marked for marked, _, _ in REFUSED])
def test_what_could_mean_two_things_or_nothing_is_refused_under_its_place(
    marked: str, what: str, allowed: str
) -> None:
    text = marked.replace("▲", "")
    with pytest.raises(UsageError) as caught:
        parse_dsl(text)
    assert caught.value.message.endswith("^") and caught.value.hint
    if what:
        assert caught.value.message == f"schema: {what}\n  {text}\n  {' ' * marked.index('▲')}^"
        assert caught.value.hint == allowed


def test_the_error_reads_as_a_whole() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl("title, confidence itn: 1-10")
    assert str(caught.value) == (
        "schema: unknown type 'itn'\n"
        "  title, confidence itn: 1-10\n"
        "                    ^\n"
        "Did you mean int? Types: string, int, float, bool, date, datetime, array, object."
    )


def test_of_several_lines_only_the_one_with_the_fault_is_shown_and_numbered() -> None:
    with pytest.raises(UsageError) as caught:
        parse_dsl("title,\n  year itn,\nauthor", origin="fields.txt")
    assert caught.value.message == "fields.txt, line 2: unknown type 'itn'\n    year itn,\n         ^"


def test_fields_may_stand_on_lines_of_their_own() -> None:
    fields = object_(title=STRING, date=STRING, year=INT)
    for text in ("title\ndate\nyear int", "title,\ndate,\nyear int,\n", "title;\n\ndate\n  year\tint\n"):
        assert parse_dsl(text).json == fields
    with pytest.raises(UsageError) as caught:
        parse_dsl("title\nyear itn")
    assert caught.value.message == "schema, line 2: unknown type 'itn'\n  year itn\n       ^"


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


@given(st.text(alphabet="ab ,;:?|{}()[]'\"-.<>=1\n_é", max_size=40) | st.text(max_size=40))
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
        st.sampled_from(
            [
                "a",
                "b?",
                "int",
                "date",
                "array:",
                "{x}",
                "|",
                ":",
                ",",
                "1-5",
                "'d'",
                "}",
                "[]",
                "None",
                "list[",
                "]",
                "\n",
            ]
        ),
        max_size=30,
    )
)
def test_any_row_of_the_words_is_a_valid_schema_or_an_error(words: list[str]) -> None:
    try:
        Draft202012Validator.check_schema(parse_dsl(" ".join(words)).json)
    except UsageError as error:
        assert "^" in error.message
