"""Schemas from files: fields in a file, JSON Schema, Pydantic classes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from umwelten.errors import UsageError
from umwelten.schema import OutputSchema, load_schema
from umwelten.schema.pydantic_models import class_shape

MODELS = '''
from __future__ import annotations
from datetime import date
from enum import Enum
from typing import Optional
from pydantic import BaseModel, Field, field_validator, model_validator
from neighbour import LIMIT

class Colour(str, Enum):
    RED = "red"
    GREEN = "green"

class Author(BaseModel):
    name: str
    born: Optional[date] = None

class Paper(BaseModel):
    """A paper."""
    title: str
    pages: int = Field(ge=1)
    colour: Colour = Colour.RED
    authors: list[Author] = []

    @field_validator("title")
    @classmethod
    def capital(cls, value: str) -> str:
        if not value[:1].isupper():
            raise ValueError("starts with a small letter")
        return value

    @model_validator(mode="after")
    def short(self) -> Paper:
        assert self.pages < LIMIT, "too long"
        return self

class Tree(BaseModel):
    value: int
    branches: list[Tree] = []

class Odd(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def fails(cls, value: int) -> int:
        raise KeyError("oops")

class Strict(BaseModel, extra="forbid"):
    full_name: str = Field(alias="fullName")

class Plain:
    pass

def function() -> None: ...
'''


@pytest.fixture
def models(tmp_path: Path) -> Path:
    (tmp_path / "neighbour.py").write_text("LIMIT = 100\n")
    path = tmp_path / "models.py"
    path.write_text(MODELS)
    return path


def error(given: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_schema(given)
    return caught.value


def json_file(folder: Path, schema: Any, name: str = "book.json") -> Path:
    path = folder / name
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return path


# --- fields -----------------------------------------------------------------------------------------


def test_fields_on_the_command_line() -> None:
    shape = load_schema(" title, year int ")
    assert (shape.schema.name, shape.schema.source) == ("answer", "title, year int")
    assert shape.read('{"title": "T", "year": 1}').data == '{"title":"T","year":1}'


def test_fields_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "fields.txt"
    path.write_text("\ufefftitle,\n  year int\n", encoding="utf-8")
    shape = load_schema(f"@{path}")
    assert list(shape.schema.json["properties"]) == ["title", "year"]
    assert shape.schema.source == f"@{path}"


def test_a_fault_in_a_file_names_the_file_and_the_line(tmp_path: Path) -> None:
    path = tmp_path / "fields.txt"
    path.write_text("title,\nyear itn\n")
    assert error(f"@{path}").message == f"{path}, line 2: unknown type 'itn'\n  year itn\n       ^"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for given in (f"@{tmp_path}/no.txt", f"{tmp_path}/no.json"):
        assert error(given).message == f"no such file: {given.removeprefix('@')}"
    assert error(f"{tmp_path}/no.py:Paper").message == f"no such file: {tmp_path}/no.py"


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00\xd8")
    assert error(f"{tmp_path}/x.json").message == f"cannot read {tmp_path}/x.json: it is not UTF-8"
    assert "cannot read" in error(f"@{tmp_path}").message


def test_a_file_of_fields_without_its_sign_is_told_how(tmp_path: Path) -> None:
    path = tmp_path / "fields.txt"
    path.write_text("title")
    caught = error(str(path))
    assert caught.message == f"{path} is a file"
    assert caught.hint is not None and caught.hint.startswith(f"For the fields in a file write @{path}.")


def test_a_json_schema_may_stand_on_the_command_line() -> None:
    text = '{"title": "Book", "type": "object", "properties": {"year": {"type": "integer"}}}'
    schema = load_schema(text).schema
    assert (schema.json, schema.name, schema.source) == (json.loads(text), "Book", text)
    assert load_schema("{title, year int}").schema.json == load_schema("title, year int").schema.json


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "object", "properties": {"a": {}}', "schema: not JSON: Expecting ',' delimiter\n"),
        ('{"type": "array", "items": {}}', "schema: the root is 'array', not 'object'"),
        ('{"properties": {"a": {"type": "strin"}}}', "schema: $.properties.a.type: 'strin' is not valid"),
        ('{"title": "string", "year": 1}', "this JSON is no JSON Schema"),
        ("{title, year itn}", "schema: unknown type 'itn'\n"),
    ],
)
def test_braces_that_hold_neither_a_schema_nor_fields_are_told_why(text: str, message: str) -> None:
    caught = error(text)
    assert caught.message.startswith(message)
    assert caught.hint


# --- JSON Schema ------------------------------------------------------------------------------------

BOOK = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$id": "https://example.org/book",
    "title": "A book!",
    "type": "object",
    "properties": {"title": {"type": "string"}, "by": {"$ref": "#/definitions/person"}},
    "required": ["title"],
    "definitions": {
        "person": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    },
}


def test_a_json_schema_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = json_file(tmp_path, BOOK)
    shape = load_schema(str(path))
    assert shape.schema.json == BOOK
    assert (shape.schema.name, shape.schema.source) == ("A_book", str(path))
    assert shape.read('{"by": {"name": "A"}, "title": "T", "more": 1}').problems == ()
    wrong = shape.read('{"by": {}, "title": "T"}')
    assert [(problem.field, problem.message) for problem in wrong.problems] == [("by", "name: missing")]


def test_a_schema_without_title_has_the_name_of_its_file(tmp_path: Path) -> None:
    path = json_file(tmp_path, {"type": "object"}, name="my book.schema.json")
    assert load_schema(str(path)).schema.name == "my_book"


def test_a_json_file_may_be_given_with_the_sign_of_a_file_too(tmp_path: Path) -> None:
    assert load_schema(f"@{json_file(tmp_path, BOOK)}").schema.json == BOOK


def test_a_root_that_refers_to_an_object_is_put_at_the_root(tmp_path: Path) -> None:
    person = {"type": "object", "properties": {"boss": {"$ref": "#/$defs/person"}, "n": {"type": "integer"}}}
    path = json_file(tmp_path, {"$ref": "#/$defs/person", "$defs": {"person": person}})
    shape = load_schema(str(path))
    assert shape.schema.json == person | {"$defs": {"person": person}}
    assert shape.read('{"boss": {"n": "x"}}').problems[0].message == 'n: "x" is not an integer'


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ([], ": a JSON Schema must be an object"),
        ({"type": "array", "items": {}}, ": the root is 'array', not 'object'"),
        ({"type": ["object", "null"]}, ": the root is ['object', 'null'], not 'object'"),
        ({"properties": {}}, ": the root has no type, not 'object'"),
        (
            {"type": "object", "properties": {"a": {"type": "strin"}}},
            ": $.properties.a.type: 'strin' is not valid under any of the given schemas",
        ),
        ({"type": "object", "required": "a"}, ": $.required: 'a' is not of type 'array'"),
        (
            {"type": "object", "properties": {"a": {"pattern": "("}}},
            ": $.properties.a.pattern: '(' is not a 'regex'",
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "https://example.org/a.json"}}},
            ": $.properties.a.$ref: 'https://example.org/a.json' points outside this schema",
        ),
        (
            {"type": "object", "properties": {"a": {"items": {"$ref": "other.json#/x"}}}},
            ": $.properties.a.items.$ref: 'other.json#/x' points outside this schema",
        ),
        (
            {"type": "object", "properties": {"a": {"$ref": "#/$defs/no"}}},
            ": $.properties.a.$ref: '#/$defs/no' cannot be resolved",
        ),
        (
            {"type": "object", "properties": {"a": {"$id": "b"}}},
            ": $.properties.a.$id: an $id below the root",
        ),
        ({"$ref": "#"}, ": the root has no type, not 'object'"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_used_is_refused_with_the_place(
    tmp_path: Path, schema: Any, message: str
) -> None:
    path = json_file(tmp_path, schema)
    assert error(str(path)).message == f"{path}{message}"


def test_another_root_is_told_how_to_be_wrapped(tmp_path: Path) -> None:
    hint = error(str(json_file(tmp_path, {"type": "array"}))).hint
    assert hint == 'Wrap it: {"type": "object", "properties": {"items": …}, "required": ["items"]}.'


def test_a_reference_that_leads_nowhere_lists_what_there_is(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/no"}}, "$defs": {"yes": {}}}
    assert error(str(json_file(tmp_path, schema))).hint == "Defined: #/$defs/yes."
    schema["$defs"] = {f"d{n}": {} for n in range(11)}
    first_ten = ", ".join(f"#/$defs/d{n}" for n in range(10))
    assert error(str(json_file(tmp_path, schema))).hint == f"Defined: {first_ten}."


def test_a_reference_to_an_anchor_or_an_escaped_name_is_followed(tmp_path: Path) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#here"}, "b": {"$ref": "#/$defs/x~1y"}, "$ref": {"type": "string"}},
        "$defs": {"n": {"$anchor": "here", "type": "integer"}, "x/y": {"type": "boolean"}},
        "examples": [{"$ref": "https://example.org/"}],
    }
    shape = load_schema(str(json_file(tmp_path, schema)))
    assert shape.read('{"a": 1, "b": true, "$ref": "t"}').problems == ()
    assert [problem.field for problem in shape.read('{"a": "x", "b": 1}').problems] == ["a", "b"]


def test_a_file_that_is_not_json_shows_where(tmp_path: Path) -> None:
    path = json_file(tmp_path, '{\n  "type": "object",\n  "properties": {,}\n}')
    first, shown, caret = error(str(path)).message.split("\n")
    assert first.startswith(f"{path}, line 3: not JSON: ")
    assert shown == '    "properties": {,}'
    assert shown[caret.index("^")] == ","


def test_a_schema_too_deep_is_refused(tmp_path: Path) -> None:
    path = json_file(tmp_path, '{"type": "object", "not": ' + '{"not": ' * 20_000 + "{}" + "}" * 20_001)
    assert str(path) in error(str(path)).message


# --- Pydantic ---------------------------------------------------------------------------------------


def test_a_class_is_found_in_its_file_and_its_neighbours_with_it(models: Path) -> None:
    before = list(sys.path)
    shape = load_schema(f"{models}:Paper")
    assert (shape.schema.name, shape.schema.source) == ("Paper", f"{models}:Paper")
    assert list(shape.schema.json["properties"]) == ["title", "pages", "colour", "authors"]
    assert sys.path == before


def test_a_neighbour_goes_before_modules_of_its_name_elsewhere(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "neighbour.py").write_text("raise ImportError('the wrong one')\n")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    monkeypatch.delitem(sys.modules, "neighbour", raising=False)
    assert load_schema(f"{models}:Paper").schema.name == "Paper"
    assert sys.modules["neighbour"].__file__ == str(models.with_name("neighbour.py"))


def test_records_are_held_against_the_class_as_well(models: Path) -> None:
    shape = load_schema(f"{models}:Paper")
    good = '{"title":"T","pages":5,"authors":[{"name":"A","born":"1900-01-31"}]}'
    assert shape.read(good).data == good
    assert told(shape, '{"title": "t", "pages": 5}') == ["title: starts with a small letter"]
    assert told(shape, '{"title": "T", "pages": 500}') == [": too long"]


def test_the_schema_has_its_say_first(models: Path) -> None:
    shape = load_schema(f"{models}:Paper")
    assert told(shape, '{"title": "t", "pages": "5"}') == ['pages: "5" is not an integer']
    assert shape.read('{"title": "T", "pages": "5"}', coerce=True).data == '{"title":"T","pages":5}'
    text = '{"title": "T", "pages": 1, "colour": "blue", "authors": [{"name": "A", "born": "soon"}]}'
    assert told(shape, text) == [
        'colour: "blue" is none of "red", "green"',
        'authors: [0].born: "soon" is not a date (YYYY-MM-DD)',
    ]


def test_a_class_that_contains_itself_and_one_with_aliases(models: Path) -> None:
    tree = load_schema(f"{models}:Tree")
    assert tree.schema.json["type"] == "object"
    assert (
        tree.read('{"branches": [{"value": 2}], "value": 1}').data == '{"value":1,"branches":[{"value":2}]}'
    )
    strict = load_schema(f"{models}:Strict")
    assert strict.read('{"fullName": "A"}').problems == ()
    assert told(strict, '{"fullName": "A", "x": 1}') == [': unexpected field "x"']


def test_a_validator_that_fails_in_its_own_way_is_a_problem(models: Path) -> None:
    assert told(load_schema(f"{models}:Odd"), '{"x": 1}') == [": Odd: KeyError: 'oops'"]


def test_a_class_that_is_not_there_names_the_nearest(models: Path) -> None:
    caught = error(f"{models}:Papre")
    assert caught.message == f"{models} has no class Papre"
    assert (
        caught.hint == "Did you mean Paper? Classes there: Colour, Author, Paper, Tree, Odd, Strict, Plain."
    )


@pytest.mark.parametrize("name", ["Plain", "function", "Colour"])
def test_what_is_no_pydantic_model_is_refused(models: Path, name: str) -> None:
    assert error(f"{models}:{name}").message == f"{models}:{name} is not a Pydantic model"


@pytest.mark.parametrize("end", ["", ":"])
def test_a_python_file_without_a_class_asks_for_one(models: Path, end: str) -> None:
    caught = error(f"{models}{end}")
    assert caught.message == f"{models}: no class given"
    assert caught.hint is not None and caught.hint.startswith(f"Write {models}:Colour.")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_package", ", line 1: ModuleNotFoundError: No module named 'no_such_package'"),
        ("def f(:", ": SyntaxError: invalid syntax (broken.py, line 1)"),
        ("raise SystemExit(3)", ", line 1: SystemExit: 3"),
        ("\n1 / 0", ", line 2: ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_a_python_file_that_fails_says_how(tmp_path: Path, code: str, said: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(code)
    before = list(sys.path)
    assert error(f"{path}:Paper").message == f"cannot run {path}{said}"
    assert sys.path == before


def test_a_drive_letter_is_no_class() -> None:
    assert error("C:\\models\\paper.py").message == "C:\\models\\paper.py: no class given"
    assert error("C:\\models\\paper.py:Paper").message == "no such file: C:\\models\\paper.py"


def test_without_pydantic_the_way_to_install_it_is_told(models: Path) -> None:
    code = (
        "import sys, importlib.abc\n"
        "class No(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] == 'pydantic': raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "from umwelten.schema import load_schema\n"
        "try: load_schema(sys.argv[1])\n"
        "except Exception as e: print(type(e).__name__, e)\n"
    )
    said = subprocess.check_output([sys.executable, "-c", code, f"{models}:Paper"], text=True)
    assert said == (
        f"UsageError {models}:Paper needs pydantic, which is not installed\n"
        "Install it: pip install pydantic\n"
    )


class Point(BaseModel):
    x: int


def test_a_class_itself_is_a_shape() -> None:
    shape = class_shape(Point)
    assert (shape.schema.name, shape.schema.source) == ("Point", "Point")
    assert shape.read('{"x": 1}').data == '{"x":1}'


def told(shape: OutputSchema, text: str) -> list[str]:
    read = shape.read(text)
    assert read.data is None
    return [f"{problem.field}: {problem.message}" for problem in read.problems]
