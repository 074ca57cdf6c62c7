"""Tables that are one JSON object, and files of lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from umwelten.errors import InputError
from umwelten.inputs.tables.rows import columns, notes, read_row, rows

TWO = [{"title": "A", "year": 1899}, {"title": "B", "year": None}]


def records(path: Path) -> list[Any]:
    found = (read_row(row.path, name=row.name, part=row.part, stamp=row.stamp) for row in rows(path))
    return [json.loads(content.parts[0].text.split("\n")[2]) for content in found]  # type: ignore[union-attr]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("value", "found", "note"),
    [
        ({"data": TWO}, TWO, "its rows are the list 'data'"),
        ({"books": TWO}, TWO, "its rows are the list 'books'"),
        ({"count": 2, "Rows": TWO, "next": None}, TWO, "its rows are the list 'Rows'"),
        ({"schema": {"fields": [{"name": "title"}]}, "data": TWO}, TWO, "its rows are the list 'data'"),
        ({"response": {"status": {"code": 1}, "results": TWO}}, TWO, "its rows are the list 'results'"),
        ({"data": {"items": TWO}}, TWO, "in 'data', its rows are the list 'items'"),
        ({"ada": TWO[0], "bo": TWO[1]}, [{"key": "ada", **TWO[0]}, {"key": "bo", **TWO[1]}], "column key"),
        (
            {"a": {"key": 1, "n": 1}, "b": {"key": 2}},
            [{"key_": "a", "key": 1, "n": 1}, {"key_": "b", "key": 2}],
            "column key_",
        ),
        ({"0": TWO[0], "1": TWO[1]}, TWO, "each of its objects is a row"),
        (
            {"title": {"0": "A", "1": "B"}, "year": {"0": 1899, "1": None}},
            TWO,
            "each of its objects is a column",
        ),
        (
            {"columns": ["title", "year"], "index": [0, 1], "data": [["A", 1899], ["B", None]]},
            TWO,
            "lists in 'data'",
        ),
        ({"title": ["A", "B"], "year": [1899, None]}, TWO, "each of its lists is a column"),
        (
            {"questions": ["a?", "b?"]},
            [{"questions": "a?"}, {"questions": "b?"}],
            "each of its lists is a column",
        ),
        ({"title": "A", "year": 1899}, TWO[:1], "the object is the only row"),
        (
            {"title": "A", "tags": ["x", "y"]},
            [{"title": "A", "tags": ["x", "y"]}],
            "the object is the only row",
        ),
        (
            {"user": {"name": "A"}, "address": {"city": "B"}},
            [{"user": {"name": "A"}, "address": {"city": "B"}}],
            "only row",
        ),
        ({"data": 3}, [{"data": 3}], "only row"),
    ],
)
def test_an_object_holds_rows_in_the_ways_that_are_known(
    tmp_path: Path, value: dict[str, Any], found: list[Any], note: str, indent: int | None
) -> None:
    path = tmp_path / "a.json"
    path.write_text("\ufeff" + json.dumps(value, indent=indent))
    assert records(path) == found
    assert columns(path) == tuple(dict.fromkeys(key for row in found for key in row))
    (said,) = notes(path)
    assert said.startswith("a.json is one object: ")
    assert said.endswith(note)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"train": TWO, "test": TWO}, "several lists of objects: 'train', 'test'"),
        ({"title": "A", "authors": [{"name": "B"}]}, "may be one row, or hold rows in its list 'authors'"),
        ({"0": {"0": 1}, "1": {"0": 2}}, "numbers for names"),
        ({"data": []}, "has no rows"),
    ],
)
def test_what_may_be_read_in_two_ways_is_an_error(tmp_path: Path, value: Any, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(value))
    with pytest.raises(InputError) as error:
        next(rows(path))
    assert message in error.value.message
    assert error.value.message.startswith(str(path))


def test_by_earlier_rules_an_object_on_one_line_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": TWO}))
    assert columns(path, 1) == ("data",)
    assert [row.stamp for row in rows(path, rule=1)] != [row.stamp for row in rows(path)]


@pytest.mark.parametrize("ending", ["jsonl", "JSONL", "ndjson"])
def test_an_object_on_one_line_of_jsonl_is_a_row(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    path.write_text(json.dumps({"data": TWO}))
    assert records(path) == [{"data": TWO}]
    path.write_text('{"a": 1}\n{"a": 2}\n')
    assert records(path) == [{"a": 1}, {"a": 2}]


def test_a_row_of_an_object_that_changed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": TWO}))
    one, two = rows(path)
    path.write_text(json.dumps({"data": [{"title": "C"}]}))
    content = read_row(one.path, name=one.name, part=one.part, stamp=one.stamp)
    assert (content.changed, content.values["row.title"]) == (True, "C")
    with pytest.raises(InputError, match=r"a\.json, row 2: the file changed: the row is no longer there"):
        read_row(two.path, name=two.name, part=two.part)


# --- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["q.txt", "q.TXT", "q.md", "questions", "q.log"])
@pytest.mark.parametrize(
    "text",
    [
        'first question\nsecond, with a comma\nthird; "and" more\n',
        '\ufefffirst question\r\n\r\n \t\r\nsecond, with a comma  \r\n\u200b\u00a0\r\nthird; "and" more',
    ],
)
def test_a_line_of_text_is_a_row(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode())
    wanted = ["first question", "second, with a comma", 'third; "and" more']
    found = [read_row(row.path, name=row.name, part=row.part, stamp=row.stamp) for row in rows(path)]
    assert [content.values for content in found] == [{"row.line": line} for line in wanted]
    assert [content.parts[0].text for content in found][1] == (  # type: ignore[union-attr]
        f"File: row-2\n<content>\n{wanted[1]}\n</content>"
    )
    assert columns(path) == ("line",)
    (note,) = notes(path)
    assert "each is a row, {{row.line}} in the prompt; if it is a table, call it .csv" in note
    assert [row.name for row in rows(path, name_column="line")][1] == "second, with a comma"


@pytest.mark.parametrize(
    "text",
    [
        "Who, me?\nYes, you.\n",
        "one,two\n",
        "Hello there,how are you\nfine,thanks\n",
        "a,b\nc,d,e\n",
        "{name}, who are you?\n{name}, where?\n",
        "[1] first\n[2] second\n",
        "a\tb\nc\n",
    ],
)
def test_sentences_are_never_cut(tmp_path: Path, text: str) -> None:
    path = tmp_path / "q.txt"
    path.write_text(text)
    assert columns(path) == ("line",)
    assert [
        read_row(r.path, name="", part=r.part).values["row.line"] for r in rows(path)
    ] == text.splitlines()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("First name\tn\nA, B\t1\n", ("First name", "n")),
        ("id,Größe\n1,2\n3,4\n", ("id", "Größe")),
        ('id;note\n1;"two\nlines"\n', ("id", "note")),
        ("sep=;\nFirst name;n\n1;2", ("First name", "n")),
        ('{"a": 1}\n{"a": 2}\n', ("a",)),
        ('[\n{"a": 1}]', ("a",)),
    ],
)
def test_a_table_without_an_ending_is_told_by_its_lines(tmp_path: Path, text: str, found: object) -> None:
    path = tmp_path / "t.txt"
    path.write_text(text)
    assert columns(path) == found
    assert columns(path, 1) == found


def test_by_earlier_rules_text_is_a_table(tmp_path: Path) -> None:
    path = tmp_path / "q.txt"
    path.write_text("first question\nsecond, with a comma\n")
    assert columns(path, 1) == ("first question",)


@pytest.mark.parametrize("name", ["T.CSV", "t.Tsv", "T.JSONL", "T.JSON"])
def test_endings_in_capitals_are_endings(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('{"a": 1}\n' if "JSON" in name else "a\n1\n")
    assert columns(path) == ("a",)
