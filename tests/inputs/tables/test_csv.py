"""Where a csv record ends and what is in it, held against Python's csv module."""

from __future__ import annotations

import csv
import io
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from umwelten.errors import InputError
from umwelten.inputs.tables.csv import DELIMITERS, MAX_RECORD, UnclosedQuote, fields, records, sniff

TEXTS = st.text(alphabet='a",;\r\n é', max_size=40)


def chunks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def without_end(raw: bytes) -> str:
    record = raw.decode()
    return record.removesuffix("\n").removesuffix("\r")


def parsed(raw: bytes, delimiter: str) -> list[str] | None:
    """The fields as csv has them; `None` for a quote that is never closed."""
    record = without_end(raw)
    try:
        return fields(record, delimiter) if record else []
    except UnclosedQuote:
        return None


@settings(max_examples=1000, deadline=None)
@given(TEXTS, st.integers(1, 7), st.sampled_from(DELIMITERS))
@example('"a\r\nb",c\r\n"d""e"', 1, ",")
@example('5" pipe,6" pipe\nx,"y\nz"\n', 3, ",")
@example('"a"b"c,d\r\r\n', 2, ",")
def test_records_and_fields_are_those_of_the_csv_module(text: str, size: int, delimiter: str) -> None:
    data = text.encode()
    raws = list(records(chunks(data, size), delimiter))
    assert b"".join(raws) == data
    mine = [parsed(raw, delimiter) for raw in raws]
    theirs: list[list[str] | None] = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if None in mine:  # csv ends such a field with the file
        assert mine.index(None) == len(mine) - 1
        mine.pop(), theirs.pop()
    assert mine == theirs


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=10), min_size=2, max_size=4), min_size=1, max_size=5), st.data())
def test_what_the_csv_module_writes_is_read_back(rows: list[list[str]], data: st.DataObject) -> None:
    delimiter = data.draw(st.sampled_from(DELIMITERS))
    written = io.StringIO(newline="")
    quoting = data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    rows = [[value.encode("utf-8", "replace").decode() for value in row] for row in rows]
    csv.writer(written, delimiter=delimiter, quoting=quoting).writerows(rows)
    raws = records(chunks(written.getvalue().encode(), data.draw(st.integers(1, 50))), delimiter)
    assert [fields(without_end(raw), delimiter) for raw in raws] == rows


def test_a_record_spans_chunks_without_being_searched_again_and_again() -> None:
    long = b'"' + b"a line of words\n" * (1 << 20) + b'",b\n'
    began = time.process_time()
    found = list(records(chunks(b"x,y\n" + long + b"c,d\n", 1 << 16), ","))
    assert [len(raw) for raw in found] == [4, len(long), 4]
    assert time.process_time() - began < 5


def test_a_quote_that_is_never_closed_ends_before_it_fills_the_memory() -> None:
    def endless() -> object:
        yield b'a,"'
        while True:
            yield b"b" * (8 << 20)

    with pytest.raises(InputError, match=f"larger than {MAX_RECORD >> 20} MB; is a quote never closed"):
        list(records(endless(), ","))  # type: ignore[arg-type]


def test_a_record_that_is_two_is_refused() -> None:
    for text in ('a,b\nc,"d"', "a\nb", '"a"\n"b"'):
        with pytest.raises(InputError, match="more than one row"):
            fields(text, ",")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b,c\n1,2,3\n", ","),
        ("a;b;c\n1,5;2,5;3,5\n", ";"),
        ("a\tb\n1,2\t3;4\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ("name;note, long\na;b, c\nd;e\n", ";"),
        ('"a,b";"c"\n"1,2";"3"\n', ";"),
        ('"a\n;b","c"\n"1","3"\n', ","),
        ("text\nhello, you\nand you\n", ","),
        ("text", ","),
        ("a;b", ";"),
        ("", ","),
    ],
)
def test_the_separator_is_what_cuts_all_lines_alike(text: str, delimiter: str) -> None:
    assert sniff(text.encode()) == delimiter
