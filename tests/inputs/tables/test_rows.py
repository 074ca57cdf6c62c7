"""Rows of a table as inputs: every kind of file, every encoding, damage, change."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.inputs.reader import Content
from umwelten.inputs.tables.parts_of_files import read_bytes
from umwelten.inputs.tables.rows import columns, read_row, rows
from umwelten.types import FoundInput, RowUse, Text

BOOKS = [
    {"title": "Emma", "note": 'a "fine" book, it\'s said'},
    {"title": "Straße", "note": "two\nlines; € 5"},
    {"title": "", "note": "100 %"},
]


def as_csv(delimiter: str = ",", end: str = "\r\n") -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(
        text, ["title", "note"], delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL
    )
    writer.writeheader()
    writer.writerows(BOOKS)
    return text.getvalue()


AS_LINES = "".join(json.dumps(book, ensure_ascii=False) + "\n" for book in BOOKS)
AS_LIST = json.dumps(BOOKS, ensure_ascii=False, indent=1)


def written(folder: Path, name: str, data: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def read(row: FoundInput) -> Content:
    return read_row(row.path, name=row.name, part=row.part, stamp=row.stamp)


def words(content: Content) -> str:
    (part,) = content.parts
    assert isinstance(part, Text)
    return part.text


def record(content: Content) -> object:
    return json.loads(words(content).split("\n")[2])


def parquet(path: Path, table: object, **options: object) -> Path:
    from pyarrow import parquet as pq

    pq.write_table(table, path, **options)
    return path


# --- every kind of file ------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", as_csv()),
        ("b.csv", as_csv(";", "\n")),
        ("c.csv", as_csv("|", "\r")),
        ("d.csv", "sep=;\r\n" + as_csv(";")),
        ("e.csv", "\n\n" + as_csv().replace("\r\nStra", "\r\n\r\n\r\nStra") + "\r\n"),
        ("a.tsv", as_csv("\t")),
        ("a.txt", as_csv("\t")),
        ("a.jsonl", AS_LINES),
        ("b.ndjson", "\n \n" + AS_LINES.replace("\n", "\r\n\r\n").rstrip()),
        ("c.json", AS_LINES),
        ("rows", AS_LINES),
        ("a.json", AS_LIST),
        ("b.jsonl", AS_LIST),
        ("c", AS_LIST),
    ],
)
def test_every_form_and_encoding_gives_the_same_rows(
    tmp_path: Path, name: str, text: str, encoding: str
) -> None:
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    path = written(tmp_path, name, mark + text.encode(encoding))
    found = list(rows(path))
    assert [row.name for row in found] == ["row-1", "row-2", "row-3"]
    assert columns(path) == ("title", "note")
    contents = [read(row) for row in found]
    assert [record(content) for content in contents] == BOOKS
    assert [dict(content.values) for content in contents] == [
        {f"row.{column}": value for column, value in book.items()} for book in BOOKS
    ]
    assert not any(content.changed for content in contents)
    assert len({row.stamp for row in found}) == 3


def test_a_row_is_sent_as_compact_json_with_its_name(tmp_path: Path) -> None:
    (row,) = rows(written(tmp_path, "a.csv", "a,b\n1,é\n"))
    content = read(row)
    assert words(content) == 'File: row-1\n<content>\n{"a":"1","b":"é"}\n</content>'
    assert content.digest == content_hash('{"a":"1","b":"é"}'.encode())
    assert row.size >= len('{"a":"1","b":"é"}'.encode())


def test_a_parquet_file_gives_its_rows_in_order_from_any_group(tmp_path: Path) -> None:
    import pyarrow as pa

    table = pa.table({"n": list(range(5000)), "text": [f"text {n} €" for n in range(5000)]})
    path = parquet(tmp_path / "a.parquet", table, row_group_size=1500)
    found = list(rows(path))
    assert columns(path) == ("n", "text")
    assert [row.name for row in found] == [f"row-{n + 1}" for n in range(5000)]
    for n in (0, 1, 1499, 1500, 4999, 4998, 3, 2999, 0, 4500):
        content = read(found[n])
        assert (content.values["row.n"], content.values["row.text"]) == (str(n), f"text {n} €")
        assert not content.changed


def test_a_parquet_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    import pyarrow as pa

    path = parquet(tmp_path / "a.csv", pa.table({"n": [1]}))
    assert [dict(read(row).values) for row in rows(path)] == [{"row.n": "1"}]


def test_parquet_values_become_words(tmp_path: Path) -> None:
    import datetime
    import decimal

    import pyarrow as pa

    day = datetime.datetime(2024, 5, 1, 12, 30, tzinfo=datetime.UTC)
    table = pa.table(
        {
            "none": pa.array([None], pa.string()),
            "flag": [True],
            "real": [1.5],
            "nan": [float("nan")],
            "money": [decimal.Decimal("12.50")],
            "day": [day.date()],
            "time": pa.array([day], pa.timestamp("ns", "UTC")),
            "list": [[1, 2]],
            "record": [{"a": "b"}],
            "bytes": [b"ab"],
        }
    )
    (row,) = rows(parquet(tmp_path / "a.parquet", table))
    assert dict(read(row).values) == {
        "row.none": "",
        "row.flag": "true",
        "row.real": "1.5",
        "row.nan": "",
        "row.money": "12.50",
        "row.day": "2024-05-01",
        "row.time": "2024-05-01T12:30:00Z",
        "row.list": "[1,2]",
        "row.record": '{"a":"b"}',
        "row.bytes": "YWI=",
    }


def test_json_values_become_words_and_numbers_stay_as_written(tmp_path: Path) -> None:
    line = (
        '{"none": null, "yes": true, "no": false, "float": 1.10, "big": 123456789012345678901234567890,'
        ' "exp": 1E5, "text": "\\u00e9\\n", "list": [1.0, {"a": null}], "nan": NaN}'
    )
    (row,) = rows(written(tmp_path, "a.jsonl", line))
    content = read(row)
    assert dict(content.values) == {
        "row.none": "",
        "row.yes": "true",
        "row.no": "false",
        "row.float": "1.10",
        "row.big": "123456789012345678901234567890",
        "row.exp": "1E5",
        "row.text": "é\n",
        "row.list": '[1.0,{"a":null}]',
        "row.nan": "",
    }
    assert '"float":1.10,"big":123456789012345678901234567890,"exp":1E5,"text":"é\\n"' in words(content)


def test_columns_of_json_lines_are_those_of_the_first_hundred(tmp_path: Path) -> None:
    lines = ['{"a": 1}', "broken", '{"b": 1, "a": 2}', *['{"a": 3}'] * 97, '{"c": 1}', '{"late": 1}']
    assert columns(written(tmp_path, "a.jsonl", "\n".join(lines))) == ("a", "b")
    del lines[1]
    assert columns(written(tmp_path, "b.jsonl", "\n".join(lines))) == ("a", "b", "c")
    assert columns(written(tmp_path, "c.json", f"[{', '.join(lines)}]")) == ("a", "b", "c")


# --- csv as it comes -----------------------------------------------------------------------------


def test_a_short_row_is_filled_and_empty_values_at_the_end_are_dropped(tmp_path: Path) -> None:
    found = rows(written(tmp_path, "a.csv", "a,b\n1\n1,2,,\n"))
    assert [record(read(row)) for row in found] == [{"a": "1", "b": ""}, {"a": "1", "b": "2"}]


def test_a_row_with_too_many_values_fails_alone(tmp_path: Path) -> None:
    first, second, third = rows(written(tmp_path, "a.csv", 'a,b\n"1\n",2\n1,2,3\n4,5\n'))
    assert record(read(first)) == {"a": "1\n", "b": "2"}
    with pytest.raises(InputError) as error:
        read(second)
    assert error.value.message == "a.csv, line 4: 3 values for 2 columns"
    assert record(read(third)) == {"a": "4", "b": "5"}


def test_a_quote_that_is_never_closed_fails_with_its_line(tmp_path: Path) -> None:
    first, second = rows(written(tmp_path, "a.csv", 'a,b\n1,2\n3,"4\n5,6\n'))
    assert record(read(first)) == {"a": "1", "b": "2"}
    with pytest.raises(InputError, match=r"a\.csv, line 3: a quote is never closed"):
        read(second)


def test_a_text_of_megabytes_is_one_value(tmp_path: Path) -> None:
    text = "a line, and more\n" * 200_000
    (row,) = rows(written(tmp_path, "a.csv", f'a,b\n1,"{text}"\n'))
    assert read(row).values["row.b"] == text


def test_bytes_that_are_no_utf_8_are_read_as_windows_does(tmp_path: Path) -> None:
    late = b"a,b\n" + b"plain,text\n" * 10_000 + "Zähler,5 €\n".encode("cp1252")
    *_, last = rows(written(tmp_path, "a.csv", late))
    assert record(read(last)) == {"a": "Zähler", "b": "5 €"}


def test_an_older_encoding_is_told_by_the_beginning(tmp_path: Path) -> None:
    text = "имя,описание\n" + "Москва,столица нашей большой страны\n" * 20
    found = list(rows(written(tmp_path, "a.csv", text.encode("cp1251"))))
    assert record(read(found[3])) == {"имя": "Москва", "описание": "столица нашей большой страны"}


def test_the_same_row_has_another_stamp_under_other_columns(tmp_path: Path) -> None:
    (one,) = rows(written(tmp_path, "a.csv", "a,b\n1,2\n"))
    (two,) = rows(written(tmp_path, "b.csv", "a,c\n1,2\n"))
    assert one.stamp != two.stamp


def test_a_row_keeps_its_stamp_when_the_file_is_saved_again_or_others_change(tmp_path: Path) -> None:
    before = list(rows(written(tmp_path, "a.csv", "a,b\n1,2\n3,4\n")))
    after = list(rows(written(tmp_path, "b.csv", "a,b\r\nlonger,2\r\n3,4")))
    assert (before[0].stamp != after[0].stamp, before[1].stamp) == (True, after[1].stamp)


# --- names -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "jsonl", "json", "parquet"])
def test_rows_are_named_by_a_column_each_once_and_harmless(tmp_path: Path, kind: str) -> None:
    values = [
        "b 1",
        "b 1",
        "",
        "../up",
        ".x",
        "a/b\\c",
        "b 1-2",
        "b 1",
        "x\ty\x1b[2J",
        "row-3",
        "é" * 200,
        "5",
    ]
    names = [
        "b 1",
        "b 1-2",
        "row-3",
        "--up",
        "-x",
        "a-b-c",
        "b 1-2-2",
        "b 1-3",
        "x y-[2J",
        "row-3-2",
        "é" * 120,
    ]
    found = [{"other": "o, o", "id": value} for value in values]
    if kind == "csv":
        text = io.StringIO(newline="")
        csv.writer(text).writerows([["other", "id"], *([row["other"], row["id"]] for row in found)])
        path = written(tmp_path, "a.csv", text.getvalue())
    elif kind == "jsonl":
        path = written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, found)))
    elif kind == "json":
        path = written(tmp_path, "a.json", json.dumps(found))
    else:
        import pyarrow as pa

        path = parquet(tmp_path / "a.parquet", pa.Table.from_pylist(found))
    assert [row.name for row in rows(path, name_column="id")] == [*names, "5"]


def test_a_number_names_a_row_and_a_broken_row_is_named_by_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", '{"id": 17}\n{"id": \n{"no": 1}\n{"id": 1.50}\n{"id": null}\n')
    assert [row.name for row in rows(path, name_column="id")] == ["17", "row-2", "row-3", "1.50", "row-5"]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(alphabet="ab-2", max_size=3), max_size=60))
def test_names_are_never_twice(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    path = tmp_path_factory.mktemp("rows") / "a.csv"
    path.write_text("x,id\n" + "".join(f"1,{value}\n" for value in [*values, "a"]))
    names = [row.name for row in rows(path, name_column="id")]
    assert len(set(names)) == len(names) == len(values) + 1


def test_many_names_stay_unique(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "x,id\n" + "".join(f"1,{n % 7000}\n" for n in range(21_000)))
    names = [row.name for row in rows(path, name_column="id")]
    assert names[:7000] == [str(n) for n in range(7000)]
    assert names[7000:] == [f"{n}-{again}" for again in (2, 3) for n in range(7000)]


def test_a_column_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        rows(written(tmp_path, "a.csv", "title,note\n1,2\n"), name_column="Titel")
    assert error.value.message.endswith("has no column 'Titel'; it has title, note")
    assert error.value.hint == "Did you mean 'title'?"


# --- how many ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "count"), [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3), (None, 3)])
def test_no_more_rows_than_asked_for(tmp_path: Path, most: int | None, count: int) -> None:
    assert len(list(rows(written(tmp_path, "a.csv", as_csv()), max_rows=most))) == count


@pytest.mark.parametrize(("name", "text"), [("a.csv", "a,b\n\n"), ("a.json", " [ ] ")])
def test_a_table_without_rows_is_an_error(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(InputError, match="has no rows"):
        next(rows(written(tmp_path, name, text)))


# --- damage ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n\r\n", "is empty"),
        ("a.csv", b"PK\x03\x04\x00\x00", "is not text"),
        ("a.xlsx", b"PK\x03\x04\x00\x00", "is not a table"),
        ("a.jsonl", "title,note\n", "contains no JSON objects"),
        ("a.json", "3", "contains no JSON objects"),
        ("a.jsonl", "{\n{\n", "neither a list of objects nor one object on each line"),
        ("a.parquet", "a,b\n1,2\n", "is not a parquet file"),
        ("a.parquet", b"PAR1 and then nothing", "cannot be read as parquet"),
        ("a.parquet", b"PAR1", "cannot be read as parquet"),
    ],
)
def test_what_is_no_table_is_an_error_at_once(
    tmp_path: Path, name: str, data: str | bytes, said: str
) -> None:
    with pytest.raises(InputError) as error:
        rows(written(tmp_path, name, data))
    assert said in error.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"a": 1}, {"a": ]', "damaged: Expecting value, line 1, column 18"),
        ('[{"a": 1}\n{"a": 2}]', "damaged: expected ',' in line 2"),
        ('[{"a": 1}', "damaged: expected ',' in line 1"),
        ('[{"a": 1},', "damaged: Expecting value"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_json_list_is_an_error_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as error:
        list(rows(written(tmp_path, "a.json", text)))
    assert said in error.value.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"a": ', "this is not valid JSON: Expecting value, at character 6"),
        (b"[1]", "this is a list, not an object"),
        (b'"a"', "this is a text, not an object"),
        (b"3", "this is a number, not an object"),
        (b'{"a": Infinity}', "Infinity is not a value"),
        (b'{"a": "\\ud800"}', "a lone surrogate"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_line_fails_alone_with_its_number(tmp_path: Path, line: bytes, said: str) -> None:
    path = written(tmp_path, "a.jsonl", b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n')
    first, second, third = rows(path)
    assert (record(read(first)), record(read(third))) == ({"a": 1}, {"a": 2})
    with pytest.raises(InputError) as error:
        read(second)
    assert error.value.message.startswith("a.jsonl, line 3: ")
    assert said in error.value.message


def test_bytes_that_are_no_text_fail_alone(tmp_path: Path) -> None:
    lines = [b"a,b", *[b"plain,text"] * 10_000, b"\x81,\xff", b"1,2"]
    *_, broken, last = rows(written(tmp_path, "a.csv", b"\n".join(lines)))
    assert record(read(last)) == {"a": "1", "b": "2"}
    with pytest.raises(InputError, match=r"a\.csv, line 10002: its bytes are not text in utf-8 or cp1252"):
        read(broken)


def test_an_item_that_is_no_object_fails_alone(tmp_path: Path) -> None:
    first, second = rows(written(tmp_path, "a.json", '[\n{"a": 1},\n3]'))
    assert record(read(first)) == {"a": 1}
    with pytest.raises(InputError, match=r"a\.json, line 3: this is a number"):
        read(second)


def test_a_wide_file_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="damaged"):
        list(rows(written(tmp_path, "a.csv", "a,b\n1,2\n3".encode("utf-16") + b"\x00")))


def test_a_missing_file_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    written(tmp_path, "books.csv", "a\n1\n")
    with pytest.raises(InputError) as error:
        rows(tmp_path / "boks.csv")
    assert "books.csv" in str(error.value.hint)
    with pytest.raises(InputError, match="not a regular file"):
        rows(tmp_path)


# --- change ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("name", "before", "after", "now"),
    [
        ("a.csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\n3,5\n", {"a": "3", "b": "5"}),
        ("b.csv", "a,b\n1,2\n3,4\n", 'a,b\n1,2\n"three, and",4\n5,6', {"a": "three, and", "b": "4"}),
        ("c.csv", "a,b\n1,2\n3,4\n", "a,c\n1,2\n3,4\n", {"a": "3", "c": "4"}),
        ("a.jsonl", '{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":"two"}\n', {"a": "two"}),
        ("a.json", '[{"a":1},{"a":2}]', '[{"a":1},{"a":3}]', {"a": 3}),
    ],
)
def test_a_row_that_was_edited_is_sent_as_it_is_and_said_to_have_changed(
    tmp_path: Path, name: str, before: str, after: str, now: object, encoding: str
) -> None:
    _, row = rows(written(tmp_path, name, before.encode(encoding)))
    written(tmp_path, name, after.encode(encoding))
    content = read(row)
    assert (content.changed, record(content)) == (True, now)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.csv", "a,b\n1,2\n3,4\n", "a,b\n10,20\n3,4\n"),
        ("b.csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\n"),
        ("c.csv", "a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4,5\n"),
        ("a.jsonl", '{"a":1}\n{"a":2}\n', '{"a":100}\n{"a":2}\n'),
        ("b.jsonl", '{"a":1}\n{"a":2}\n', '{"a":1}\n[1234]\n'),
        ("a.json", '[{"a":1},{"a":2}]', '[{"a":100},{"a":2}]'),
    ],
)
def test_where_no_row_stands_any_more_is_an_error_and_never_half_a_row(
    tmp_path: Path, name: str, before: str, after: str
) -> None:
    _, row = rows(written(tmp_path, name, before))
    written(tmp_path, name, after)
    with pytest.raises(InputError):
        read(row)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.csv", "a,b\n1,2\n3,4\n5,6\n", 'a,b\n"one,\nthen",2000\n3,x\n5,6\n'),
        ("b.csv", "a,b\n111,2\n3,4\n", "a,b\n1,2\n3,x\n"),
        ("a.jsonl", '{"a":1}\n{"a":3,"b":4}\n', '{"a":"long"}\n\n{"a":3,"b":"x"}\n'),
        ("a.json", '[{"a":1},{"a":3,"b":4}]', '[{"a":"long"},\n {"a":3,"b":"x"}]'),
        ("a.txt", "one\n3\n", "one and more\n3\n"),
    ],
)
def test_a_row_that_moved_is_found_again_by_its_number(
    tmp_path: Path, name: str, before: str, after: str, encoding: str
) -> None:
    row = list(rows(written(tmp_path, name, before.encode(encoding))))[1]
    column = "line" if name == "a.txt" else "a"
    use = RowUse(rule=2, columns=(column,), again=True)
    sent = read_row(row.path, name=row.name, part=row.part, stamp=row.stamp, use=use)
    written(tmp_path, name, after.encode(encoding))
    found = read_row(row.path, name=row.name, part=row.part, stamp=row.stamp, use=use)
    assert (found.digest, found.values[f"row.{column}"]) == (sent.digest, "3")
    written(tmp_path, name, after.split("3")[0].rstrip().removesuffix('{"a":').encode(encoding))
    with pytest.raises(InputError):
        read_row(row.path, name=row.name, part=row.part, stamp=row.stamp, use=use)


def test_rows_added_at_the_end_change_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "a,b\n1,2\n3,4")
    found = list(rows(path))
    written(tmp_path, "a.csv", "a,b\n1,2\n3,4\n5,6\n")
    assert [read(row).changed for row in found] == [False, False]


def test_a_parquet_file_that_was_written_anew_is_told(tmp_path: Path) -> None:
    import pyarrow as pa

    path = parquet(tmp_path / "a.parquet", pa.table({"a": [1, 2, 3]}))
    found = list(rows(path))
    parquet(path, pa.table({"a": [1, 22]}))
    assert [read(row).changed for row in found[:2]] == [False, True]
    with pytest.raises(InputError, match=r"a\.parquet, row 3: .*no longer there"):
        read(found[2])


# --- size ------------------------------------------------------------------------------------

_WALK = """
import resource, sys, time
from pathlib import Path
from umwelten.inputs.tables.rows import read_row, rows
def peak():  # in kB; ru_maxrss starts at the size of the process that this one was forked from
    if sys.platform == "linux":
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
walk = rows(Path(sys.argv[1]), name_column=sys.argv[2] or None)
row = next(walk)
read_row(row.path, name=row.name, part=row.part)
before = peak()
for count, row in enumerate(walk, 2):
    pass
print(count, (peak() - before) // 1024)
print(read_row(row.path, name=row.name, part=row.part, stamp=row.stamp).values["row.id"])
"""


@pytest.mark.parametrize(("column", "most_mb"), [("", 8), ("id", 24)])
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, column: str, most_mb: int) -> None:
    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write("id,text\n")
        file.writelines(f'{n},"some words, and\nmore of them"\n' for n in range(200_000))
    ran = subprocess.run(
        [sys.executable, "-c", _WALK, str(path), column], capture_output=True, text=True, check=True
    )
    counted, last = ran.stdout.splitlines()
    count, grown_mb = map(int, counted.split())
    assert (count, last) == (200_000, "199999")
    assert grown_mb < most_mb


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_place_that_a_stranger_names_neither_blocks_nor_fills_the_memory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="not a regular file"):
            read_bytes(str(path), 0, 1)
    (tmp_path / "rows").write_bytes(b"abc")
    assert read_bytes(str(tmp_path / "rows"), 1, 1 << 60) == b"bc"
    assert read_bytes(str(tmp_path / "rows"), 1 << 70, 1) == b""
