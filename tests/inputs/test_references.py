"""What `--expected` stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scoredkit import evaluate, write_table

from umwelten.errors import InputError, UsageError
from umwelten.inputs.references import file_values, read_references
from umwelten.scoring.references import EXPECTED


def test_a_text_with_placeholders_is_filled_in_from_the_input(tmp_path: Path) -> None:
    references = read_references("It is {{row.want}}.", tmp_path)
    assert references.names == ("row.want",)
    assert references.of("row-1", {"row.want": "Paris"}) == {EXPECTED: "It is Paris."}


def test_a_word_is_itself_whatever_it_holds(tmp_path: Path) -> None:
    references = read_references("=Paris {{row.x}}", tmp_path)
    assert references.of("a", {}) == {EXPECTED: "Paris {{row.x}}"}


def test_files_are_found_by_the_inputs_name(tmp_path: Path) -> None:
    (tmp_path / "gold").mkdir()
    (tmp_path / "gold" / "scan.txt").write_text("Rome")
    (tmp_path / "secret.txt").write_text("key")
    references = read_references("@gold/{{file.stem}}.txt", tmp_path, tmp_path)
    assert references.of("", file_values("a/scan.jpg", "/x/a/scan.jpg")) == {EXPECTED: "Rome"}
    assert references.of("", {"file.stem": "other"}) == {}
    assert references.of("", {"file.stem": "../secret"}) == {}, "a value leads nowhere else"


def test_a_table_gives_one_reference_or_a_field_each(tmp_path: Path) -> None:
    one = write_table(tmp_path / "one.csv", [{"file": "a", "expected": "Rome", "note": "x"}])
    assert read_references(str(one), tmp_path).of("a", {}) == {EXPECTED: "Rome"}
    write_table(tmp_path / "several.csv", [{"file": "a", "year": "1999", "title": "T"}])
    references = read_references("several.csv", tmp_path, tmp_path)
    assert references.of("a", {}) == {"year": "1999", "title": "T"}
    assert references.of("b", {}) == {}
    assert references.check(["a", "b"]) is None
    assert (references.fields, read_references(str(one), tmp_path).fields) == (("year", "title"), ())


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"name": "a", "expected": "x"}], "has no column 'file'"),
        ([{"file": "a", "expected": "x"}, {"file": "a", "expected": "y"}], "in line 2 and line 3"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(
    tmp_path: Path, rows: list[dict[str, str]], says: str
) -> None:
    path = write_table(tmp_path / "labels.csv", rows)
    with pytest.raises(InputError, match=says):
        read_references(str(path), tmp_path)


def test_rows_about_no_input_are_told_of_and_none_at_all_is_an_error(tmp_path: Path) -> None:
    path = write_table(tmp_path / "l.csv", [{"file": name, "expected": "x"} for name in "abc"])
    references = read_references(str(path), tmp_path)
    assert references.check(["a"]) == f"{path}: 2 rows are about no input: 'b', 'c'"
    with pytest.raises(InputError, match=r"no row of .* is about an input") as caught:
        references.check(["page-1", "page-2"])
    assert "'a', 'b', 'c'; the inputs are 'page-1', 'page-2'" in str(caught.value)


def test_answers_of_another_evaluation_are_references(tmp_path: Path) -> None:
    table = write_table(tmp_path / "q.csv", [{"n": "1", "gold": "Rome", "other": "Oslo"}])
    evaluate(table, {"a:one": "gold"}, id="gold", output=tmp_path)
    evaluate(table, {"a:one": "gold", "b:two:8b": "other"}, id="both", output=tmp_path)
    assert read_references("ID:gold", tmp_path).of("row-1", {}) == {EXPECTED: "Rome"}
    assert read_references("ID:both:b:two:8b", tmp_path).of("row-1", {}) == {EXPECTED: "Oslo"}
    with pytest.raises(InputError, match="asked 2 models"):
        read_references("ID:both", tmp_path)
    with pytest.raises(InputError, match="no evaluation 'glod'") as caught:
        read_references("ID:glod", tmp_path)
    assert "gold" in str(caught.value)
    with pytest.raises(InputError, match="no answer about an input"):
        read_references("ID:gold", tmp_path).check(["row-7"])


def test_names_of_a_table_may_look_the_same(tmp_path: Path) -> None:
    """Disks compose letters in one way or the other, and people leave blanks behind names."""
    rows = [{"file": name, "expected": name} for name in ("Jo\u0308rg.txt", "b ", "c", "c ")]
    references = read_references(str(write_table(tmp_path / "l.csv", rows)), tmp_path)
    assert (
        references.check(["J\u00f6rg.txt", "b"]) == f"{tmp_path}/l.csv: 2 rows are about no input: 'c', 'c '"
    )
    assert references.of("J\u00f6rg.txt", {}) == {EXPECTED: "Jo\u0308rg.txt"}
    assert references.of("c ", {}) == {EXPECTED: "c "}


def test_values_lead_to_no_hidden_files_and_ids_nowhere_else(tmp_path: Path) -> None:
    for name in (".env", ".a.txt"):
        (tmp_path / name).write_text("KEY")
    assert read_references("@{{row.x}}", tmp_path, tmp_path).of("a", {"row.x": ".env"}) == {}
    written = read_references("@.{{row.x}}.txt", tmp_path, tmp_path)
    assert written.of("a", {"row.x": "a"}) == {EXPECTED: "KEY"}
    for where in ("ID:../gold", "ID:", "ID:.."):
        with pytest.raises(UsageError, match="is no id of an evaluation"):
            read_references(where, tmp_path / "output")


@pytest.mark.parametrize("where", ["", "  ", "labels.txt", "Paris"])
def test_what_names_nothing_is_refused_with_the_forms(tmp_path: Path, where: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_references(where, tmp_path)
    assert "=Paris" in str(caught.value)
