"""Columns of csv files whose header lacks names, or has one twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.errors import InputError
from umwelten.inputs.tables.header import name_columns
from umwelten.inputs.tables.rows import columns, notes, read_row, rows


def values(path: Path) -> list[dict[str, str]]:
    return [
        {
            name.removeprefix("row."): value
            for name, value in read_row(
                row.path, name=row.name, part=row.part, stamp=row.stamp
            ).values.items()
        }
        for row in rows(path)
    ]


@pytest.mark.parametrize(
    ("text", "first", "note"),
    [
        (",a,b\n0,x,y\n1,z,w\n", {"column_1": "0", "a": "x", "b": "y"}, "column 1 has no name"),
        ('"","a","b"\n"1","x","y"\n', {"column_1": "1", "a": "x", "b": "y"}, "column 1 has no name"),
        ("  ,a\n1,2\n", {"column_1": "1", "a": "2"}, "column 1 has no name"),
        ("\u200b,a\n1,2\n", {"column_1": "1", "a": "2"}, "column 1 has no name"),
        ("a,,b\n1,2,3\n", {"a": "1", "column_2": "2", "b": "3"}, "column 2 has no name"),
        ("a,a\n1,2\n", {"a": "1", "a_2": "2"}, "column 2 is called a_2"),
        ("a,b,a ,a\n1,2,3,4\n", {"a": "1", "b": "2", "a_2": "3", "a_3": "4"}, "called a_2"),
        ("a,a,a_2\n1,2,3\n", {"a": "1", "a_3": "2", "a_2": "3"}, "called a_3"),
        (",column_1\n1,2\n", {"column_1_2": "1", "column_1": "2"}, "called column_1_2"),
        ("a,b,\n1,2,\n3,4,\n", {"a": "1", "b": "2"}, ""),
        ("a,b,,,\n1,2,,,\n3,4,,,\n", {"a": "1", "b": "2"}, ""),
        ("a,b,\n1,2,\n3,4,5\n", {"a": "1", "b": "2", "column_3": ""}, "column 3 has no name"),
        ("a,b\n1,2,\n3,4,\n", {"a": "1", "b": "2"}, ""),
        ('"a","b"\n"1","x","y"\n"2","z","w"\n', {"column_1": "1", "a": "x", "b": "y"}, "row names"),
        ("a\tb\nada\tx\ty\ngrace\tz\tw\n", {"column_1": "ada", "a": "x", "b": "y"}, "row names"),
        ("sep=;\n;a\n0;x\n", {"column_1": "0", "a": "x"}, "column 1 has no name"),
        ('"sep=;"\r\na;b\r\n1,5;x\r\n', {"a": "1,5", "b": "x"}, ""),
        ("   \n\na,b\n1,2\n", {"a": "1", "b": "2"}, ""),
        (",\n1,2\n", {"column_1": "1", "column_2": "2"}, "column 1 has no name"),
    ],
)
def test_a_header_that_lacks_names_is_completed_with_a_note(
    tmp_path: Path, text: str, first: dict[str, str], note: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert columns(path) == tuple(first)
    assert values(path)[0] == first
    said = list(notes(path))
    assert len(said) == (1 if note else 0)
    assert note in "".join(said)


def test_words_with_commas_are_no_row_names(tmp_path: Path) -> None:
    for text in ("name,note\nAda,likes tea, milk\nBo,eats, too\n", "a,b\n1,2,3\n", "a,b\n1,x,y\n1,z,w\n"):
        path = tmp_path / "a.csv"
        path.write_text(text)
        assert "column_1" not in columns(path)
        with pytest.raises(InputError, match="3 values for 2 columns"):
            values(path)


def test_columns_that_look_the_same_are_named_in_a_note(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Größe,Gro\u0308ße\n1,2\n")
    assert list(notes(path)) == [r"a.csv: the columns 'Gr\xf6\xdfe' and 'Gro\u0308\xdfe' look the same"]
    assert values(path) == [{"Größe": "1", "Gro\u0308ße": "2"}]


def test_as_many_columns_as_a_table_may_have_take_no_time(tmp_path: Path) -> None:
    names = [f"c{n % 20_000}" for n in range(40_000)]
    assert len(set(name_columns(names, []).columns)) == 40_000
    assert len(set(name_columns([*["a"] * 40_000, "b"], []).columns)) == 40_001


@given(
    st.lists(st.sampled_from(["", " ", "a", "b", "a_2", "column_1", "column_2", "a_2_2"]), min_size=1),
    st.lists(st.lists(st.sampled_from(["", "x", "y"]), max_size=6), max_size=4),
)
def test_every_column_has_a_name_of_its_own(found: list[str], sample: list[list[str]]) -> None:
    names = name_columns(found, sample).columns
    assert len(set(names)) == len(names) >= 1
    assert all(name.strip() for name in names)
    firsts = [name.strip() for name in found]
    unchanged = {name for name in firsts if name}
    assert unchanged <= set(names)
