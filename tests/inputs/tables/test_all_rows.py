"""Reading all rows at once: the same values as reading each when its call starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from umwelten.errors import InputError
from umwelten.inputs.tables.json_values import as_text
from umwelten.inputs.tables.rows import read_row, read_rows, rows


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", b'file,note\na,"two\nlines"\n\nb,\xe9\n'),
        ("a.csv", "file,note\na,ü\nb,x\n".encode("utf-16")),
        ("a.jsonl", b'{"file": "a", "n": 1.50}\n\n{"file": "b", "n": null}\n'),
        ("a.json", b'[{"file": "a"},\n {"file": "b"}]'),
        ("a.json", b'{"columns": ["file"], "index": [0, 1], "data": [["a"], ["b"]]}'),
        ("a.txt", b"one\n\ntwo\n"),
    ],
)
def test_all_rows_have_the_values_of_each(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    each = [read_row(row.path, name=row.name, part=row.part).values for row in rows(path)]
    found = [{f"row.{column}": as_text(value) for column, value in row.items()} for _, row in read_rows(path)]
    assert found == each
    assert len(found) == 2


def test_a_row_that_cannot_be_read_names_its_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("file,value\na,1\nb,1,2\n")
    places = read_rows(tmp_path / "a.csv")
    assert next(places) == ("a.csv, line 2", {"file": "a", "value": "1"})
    with pytest.raises(InputError, match=r"^a\.csv, line 3: 3 values for 2 columns"):
        next(places)
