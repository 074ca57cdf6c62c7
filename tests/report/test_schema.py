"""Answers of a given shape: their fields in every format, and how well they kept to it."""

from __future__ import annotations

import csv
import io
import json
from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.making import (
    BOOK,
    CALL_NAMES,
    FLASH,
    GEMMA,
    HIVES,
    Done,
    answer,
    book,
    books,
    change,
    spec,
    unfit,
    work,
)
from store.making import downgrade
from umwelten.report.queries.schema_validation import Records, in_words, validation
from umwelten.report.render.csv import render_csv
from umwelten.report.render.json import render_json
from umwelten.report.render.markdown import render_markdown
from umwelten.report.render.parquet import render_parquet
from umwelten.report.schema_fields import fields_of
from umwelten.store.reader import Reader
from umwelten.types import Problem, Schema

FIELDS = ("title", "pages", "score", "fiction", "state", "published", "tags", "authors", "json.model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("output") / "books"
    books(folder)
    return folder


def read(folder, render, **options) -> str:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        render(reader, out, **options)
    return out.getvalue()


def rows(*folders, **options) -> list[dict[str, str]]:
    out = io.StringIO()
    readers = [Reader.open(folder) for folder in folders]
    render_csv(readers, out, **options)
    for reader in readers:
        reader.close()
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


def parquet(*folders):
    found = pytest.importorskip("pyarrow.parquet")
    out = io.BytesIO()
    readers = [Reader.open(folder) for folder in folders]
    render_parquet(readers, out)
    for reader in readers:
        reader.close()
    return found.read_table(io.BytesIO(out.getvalue()))


# --- columns ---


def test_fields_follow_the_answer_in_the_order_of_the_schema(folder):
    found = rows(folder)
    assert tuple(found[0]) == (*CALL_NAMES, *FIELDS)
    first = found[0]
    assert [first[name] for name in FIELDS] == [
        "Hives, and how to keep them", "212", "4.5", "false", "final", "2026-11-24", '["bees","honey"]',
        '[{"name":"Ada"}]', "Dadant",
    ]  # fmt: skip
    assert first["model"] == str(GEMMA)


def test_what_a_record_lacks_and_a_call_without_one_are_empty_cells(folder):
    found = {(row["file"], row["model"]): row for row in rows(folder)}
    assert found["b.txt", str(GEMMA)]["score"] == found["d.txt", str(GEMMA)]["score"] == ""
    failed = found["b.txt", str(FLASH)]
    assert {failed[name] for name in FIELDS} == {""}
    assert (failed["error_kind"], failed["response"]) == ("schema", "")


def test_no_spreadsheet_computes_a_field(folder):
    assert rows(folder)[4]["title"] == "'=Rain()"


def test_no_field_takes_the_place_of_another_column():
    names = ["model", "Status", "json.model", "prompt", "x"]
    found = fields_of(
        [Schema(json={"properties": {name: {} for name in names}})], taken=(*CALL_NAMES, "prompt")
    )
    columns = [field.column for field in found]
    assert columns == ["json.model", "json.Status", "json.json.model", "json.prompt", "x"]


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"]}, "integer"),
        ({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/N"}]}, "number"),
        ({"allOf": [{"$ref": "#/$defs/N"}], "description": "n"}, "number"),
        ({"type": "string", "format": "date"}, "date"),
        ({"type": "string", "format": "date-time"}, "string"),
        ({"enum": ["a", "b", None]}, "string"),
        ({"const": "a"}, "string"),
        ({"enum": ["a", 1]}, "json"),
        ({"type": "object"}, "json"),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "json"),
        ({"$ref": "#/$defs/Loop"}, "json"),
        ({"$ref": "#/$defs/Nowhere"}, "json"),
        (True, "json"),
        ({}, "json"),
    ],
)
def test_types_are_read_from_the_schema(declared, kind):
    defs = {"N": {"type": "number"}, "Loop": {"$ref": "#/$defs/Loop"}}
    (field,) = fields_of([Schema(json={"properties": {"x": declared}, "$defs": defs})])
    assert field.type == kind


def test_evaluations_of_other_shapes_share_one_header(folder, tmp_path):
    plain, other = tmp_path / "plain", tmp_path / "other"
    work(plain, spec(id="plain"), ["a"], lambda call: Done(answer("words")))
    shape = Schema(json={"properties": {"pages": {"type": "string"}, "place": {"type": "string"}}})
    work(
        other,
        spec(id="other", schema=shape),
        ["a"],
        lambda call: Done(book(pages="ten", place="Rome")),
    )
    found = rows(plain, folder, other)
    assert tuple(found[0]) == (*CALL_NAMES, *FIELDS, "place")
    assert {found[0][name] for name in (*FIELDS, "place")} == {""}
    assert (found[-1]["pages"], found[-1]["place"], found[1]["pages"]) == ("ten", "Rome", "212")
    table = parquet(plain, folder, other)
    assert str(table.schema.field("pages").type) == "string"
    assert table["pages"].to_pylist()[1] == "212"
    assert table["pages"].to_pylist()[-1] == '"ten"'


# --- parquet ---


def test_parquet_has_the_fields_with_their_types(folder):
    table = parquet(folder)
    assert {name: str(table.schema.field(name).type) for name in FIELDS} == {
        "title": "string",
        "pages": "int64",
        "score": "double",
        "fiction": "bool",
        "state": "string",
        "published": "date32[day]",
        "tags": "list<element: string>",
        "authors": "string",
        "json.model": "string",
    }
    first, third = table.to_pylist()[0], table.to_pylist()[4]
    assert first["published"] == date(2026, 11, 24)
    assert (first["tags"], json.loads(first["authors"])) == (HIVES["tags"], HIVES["authors"])
    assert (third["title"], third["score"], third["tags"]) == ("=Rain()", -1.0, [])
    assert table.to_pylist()[3]["pages"] is None


def test_parquet_holds_values_that_fit_no_type_of_its_own(tmp_path):
    shape = {
        "whole": {"type": "integer"},
        "day": {"type": "string", "format": "date"},
        "huge": {"type": "integer"},
        "list": {"type": "array", "items": {"type": "number"}},
    }
    records = [
        {"whole": 2.0, "day": "2026-01-02", "huge": 1, "list": [1, None, 2.5]},
        {"whole": 3, "day": "20260102", "huge": 1 << 70, "list": None},
    ]
    work(
        tmp_path / "demo",
        spec(schema=Schema(json={"properties": shape})),
        ["a", "b"],
        lambda call: Done(book(**records[call.input.id - 1])),
    )
    table = parquet(tmp_path / "demo")
    assert table["whole"].to_pylist() == [2, 3]
    assert table["day"].to_pylist() == ["2026-01-02", "20260102"]
    assert table["huge"].to_pylist() == ["1", str(1 << 70)]
    assert table["list"].to_pylist() == [[1.0, None, 2.5], None]


# --- json ---


def test_json_has_the_record_and_what_it_took(folder):
    results = json.loads(read(folder, render_json))["results"]
    assert results[0]["data"] == HIVES
    assert results[4]["marks"] == ["fenced", "mended"]
    assert results[1]["marks"] == ["asked again", "mended"]
    failed = results[3]
    assert (failed["data"], failed["marks"], failed["response"]) == (None, [], None)
    assert failed["error"]["answer"] == '{"pages": 0}'
    assert set(results[5]["error"]) == {"kind", "message"}


def test_json_escapes_what_would_steer_a_terminal_in_a_record(tmp_path):
    nasty = {"title": "\x9b31m \u202e \x1b é", "pages": 1}
    work(tmp_path / "demo", spec(schema=BOOK), ["a"], lambda call: Done(book(**nasty)))
    text = read(tmp_path / "demo", render_json)
    assert not set(text) & set("\x1b\x9b\u202e")
    assert json.loads(text)["results"][0]["data"] == nasty


# --- validation ---


def test_records_count_once_under_the_heaviest_thing_they_took(folder):
    found = json.loads(read(folder, render_json))["schema"]
    assert found["records"] == {
        "valid": 5, "at_once": 1, "fenced": 1, "mended": 1, "coerced": 1, "asked_again": 1, "failed": 2,
    }  # fmt: skip
    gemma, flash = (one["records"] for one in found["models"])
    assert (gemma["valid"], gemma["failed"]) == (4, 0)
    assert (flash["valid"], flash["asked_again"], flash["failed"]) == (1, 1, 2)
    assert (found["name"], found["source"], found["json"]) == ("book", BOOK.source, BOOK.json)


def test_asking_again_is_counted_with_its_cost(folder):
    found = json.loads(read(folder, render_json))["schema"]
    # One more for the first, two more for each that failed; those of the last are of unknown price.
    assert found["extra_attempts"] == 5
    assert found["extra_cost_usd"] == pytest.approx((500 + 2 * 1000) / 1e9)


def test_every_field_says_how_it_fared(folder):
    found = json.loads(read(folder, render_json))["schema"]
    by_name = {field["field"]: field for field in found["fields"]}
    assert list(by_name) == list(BOOK.json["properties"])
    pages, title, state = by_name["pages"], by_name["title"], by_name["state"]
    assert (pages["valid"], pages["missing"], pages["wrong"]) == (5, 0, 6)
    assert (pages["min"], pages["mean"], pages["max"]) == (3, 55, 212)
    assert (pages["type"], pages["message"]) == ("integer", "0 is less than 1")
    assert (title["wrong"], title["message"], title["values"]) == (1, "is missing", [])
    assert (state["type"], state["values"]) == ("enum", [["final", 2], ["draft", 1]])
    assert (state["valid"], state["missing"], state["wrong"], state["message"]) == (3, 2, 0, None)
    assert by_name["fiction"]["values"] == [["true", 2], ["false", 1]]
    assert by_name["authors"]["type"] == "array"
    assert by_name["tags"]["type"] == "array of string"
    assert by_name["score"]["missing"] == 3
    assert found["unreadable"] == 1


SEPARATORS = Schema(json={"properties": {"a,b": {}, "c": {}, "a": {}}})


def test_the_fields_and_reasons_of_problems_may_hold_whatever_separates_them(tmp_path):
    problems = (
        Problem(path=("a,b", 0), message="[0]: is no number; c: not at all"),
        Problem(path=("elsewhere",), message="unexpected; a: b"),
        Problem(message="c: this is about all of it"),
    )
    wrong = msgspec.structs.replace(unfit("a,b: x; c: y", "a,b"), problems=problems)
    whole = msgspec.structs.replace(wrong, problems=problems[1:])
    work(
        tmp_path / "demo", spec(schema=SEPARATORS), "ab", lambda call: Done((wrong, whole)[call.input.id - 1])
    )
    with Reader.open(tmp_path / "demo") as reader:
        found = validation(reader)
    assert [(field.field, field.wrong, field.message) for field in found.fields] == [
        ("a,b", 1, "[0]: is no number; c: not at all"), ("c", 0, None), ("a", 0, None),
    ]  # fmt: skip
    assert found.unreadable == 1


def test_problems_that_json_escapes_are_stored_as_they_are(tmp_path):
    odd = 'lone \ud800, nul \0, "é"'
    wrong = msgspec.structs.replace(unfit(), problems=(Problem(path=("a,b", odd), message=odd),))
    work(tmp_path / "demo", spec(schema=SEPARATORS), ["a"], lambda call: Done(wrong))
    with Reader.open(tmp_path / "demo") as reader:
        assert validation(reader).fields[0].message == odd.replace("\ud800", "\ufffd")
        (stored,) = reader.connection.execute("SELECT problems ->> '$[0].path[0]' FROM attempts").fetchone()
    assert stored == "a,b"


@pytest.mark.parametrize("version", [3, 4])
def test_reasons_of_earlier_versions_may_hold_the_marks_that_separate_them(tmp_path, version):
    wrong = unfit("title: 'a; b: c' is too long; pages: no; number", "title,pages")
    work(tmp_path / "demo", spec(schema=BOOK), ["a"], lambda call: Done(wrong))
    if version == 3:
        downgrade(tmp_path / "demo", 3)
    with Reader.open(tmp_path / "demo") as reader:
        found = {field.field: field for field in validation(reader).fields}
    assert (found["title"].message, found["pages"].message) == ("'a; b: c' is too long", "no; number")
    assert (found["title"].wrong, found["pages"].wrong, found["score"].wrong) == (1, 1, 0)


def test_an_evaluation_without_a_schema_has_no_validation(tmp_path):
    work(tmp_path / "demo", spec(), ["a"], lambda call: Done(answer()))
    assert json.loads(read(tmp_path / "demo", render_json))["schema"] is None
    assert "## Records" not in read(tmp_path / "demo", render_markdown)


def test_records_of_files_that_left_the_plan_no_longer_count(tmp_path):
    plan = spec(schema=BOOK)
    work(tmp_path / "demo", plan, ["a", "b"], lambda call: Done(book(title="x", pages=call.input.id)))
    work(tmp_path / "demo", plan, ["b"], lambda call: None)
    found = json.loads(read(tmp_path / "demo", render_json))["schema"]
    assert found["records"]["valid"] == 1
    assert found["fields"][1]["min"] == 2


@given(st.builds(Records, **dict.fromkeys(Records.__struct_fields__, st.integers(0, 3))))
def test_the_words_for_records_name_what_there_is_and_no_more(records):
    words = in_words(records)
    assert ("repaired" in words) == bool(records.mended and (records.valid or records.failed))
    assert ("failed" in words) == bool(records.failed)
    assert "0 " not in words.replace("0 valid", "")


# --- for people ---


def test_markdown_has_the_fields_as_columns_and_a_table_of_them(folder):
    text = read(folder, render_markdown)
    assert "5 valid (1 extracted, 1 repaired, 1 converted, 1 retried), 2 failed" in text
    assert "; 5 retries of answers that did not fit" in text
    assert "| pages | integer | 5 | 0 | 6 | 3 to 212, mean 55 | 0 is less than 1 |" in text
    assert f"| {FLASH} | 1 | 0 | 0 | 0 | 0 | 1 | 2 |" in text


def test_markdown_of_a_run_has_each_record_as_a_table(tmp_path):
    plan = spec("run", models=(GEMMA, FLASH), schema=BOOK)

    def end(call):
        return Done(book("mended", title="a|b", pages=1)) if call.model == 1 else Done(unfit(text="{`oh`"))

    work(tmp_path / "demo", plan, None, end)
    text = read(tmp_path / "demo", render_markdown)
    first, second = text.split("### ")[1:]
    assert r"| title | a\|b |" in first
    assert "| authors | – |" in first
    assert "repaired" in first
    assert "```text\n{`oh`\n```" in second


def test_many_fields_leave_a_batch_its_answers_in_one_column(tmp_path):
    shape = Schema(json={"properties": {f"f{n}": {"type": "integer"} for n in range(9)}})
    plan = spec(schema=shape)
    work(tmp_path / "demo", plan, ["a"], lambda call: Done(book(**{f"f{n}": n for n in range(9)})))
    assert "| cost | answer |" in read(tmp_path / "demo", render_markdown)


def test_show_has_the_record_its_marks_and_answers_that_did_not_fit(folder, cli):
    where = ("--output-dir", str(folder.parent))
    code, out, err = cli("eval", "show", "books", *where)
    assert code == 0
    assert "succeeded: fenced, mended" in out
    assert "records: 5 valid" in err
    assert [line.split()[0] for line in err.splitlines()[-9:]] == list(BOOK.json["properties"])
    _, out, err = cli("eval", "show", "books", "a.txt", str(FLASH), *where)
    assert 'RECORD\n{\n  "title": "Bees",' in out
    assert "ANSWER THAT DOES NOT FIT\n{}" in out
    assert "asked again, mended" in out
    assert "records:" not in err
    _, out, _ = cli("eval", "show", "books", "b.txt", str(FLASH), *where)
    assert 'ANSWER THAT DOES NOT FIT\n{"pages": 0}' in out
    _, out, _ = cli("eval", "show", "books", "a.txt", str(GEMMA), "--json", *where)
    assert (json.loads(out)["data"], json.loads(out)["marks"]) == (HIVES, [])


def test_a_database_from_before_there_were_schemas_is_read(tmp_path, cli):
    work(tmp_path / "output" / "demo", spec(), ["a"], lambda call: Done(answer()))
    downgrade(tmp_path / "output" / "demo", 2)
    for format_ in ("markdown", "html", "json", "csv"):
        code, out, _ = cli("eval", "report", "-i", "demo", "-f", format_)
        assert code == 0
        assert "A cat." in out
    assert cli("eval", "show", "demo", "a")[0] == 0
    assert cli("eval", "list", "--details")[0] == 0


def test_rows_of_a_table_are_no_pictures(tmp_path, cli):
    from PIL import Image

    Image.new("RGB", (20, 20), "red").save(tmp_path / "cat.png")
    folder = tmp_path / "output" / "demo"
    work(folder, spec(), ["cat.png", "row-2.png"], lambda call: Done(answer()))
    size = (tmp_path / "cat.png").stat().st_size
    change(folder, "UPDATE inputs SET path = ?, size = ?", (str(tmp_path / "cat.png"), size))
    change(folder, "UPDATE inputs SET part = 'row 2 0 9' WHERE id = 2")
    _, out, _ = cli("eval", "report", "-i", "demo", "-f", "html")
    assert '"cat.png":"data:image' in out
    assert '"row-2.png":' not in out
    _, out, _ = cli("eval", "show", "demo", "row-2.png")
    assert "cat.png, row 2\n" in out
