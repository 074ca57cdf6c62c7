"""Spreadsheets of older and open formats as text."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import office, spreadsheets
from corpus.spreadsheets import ods, xls, xlsb
from umwelten.file_types import ODS, XLS, XLSB, XLSX, FileType
from umwelten.inputs import UnsupportedInput, read
from umwelten.inputs.content import Conversion
from umwelten.inputs.convert.bounds import MAX_READ
from umwelten.inputs.convert.dispatch import convert
from umwelten.inputs.convert.documents import document
from umwelten.inputs.convert.markdown_table import EMPTY_FORMULAS, HIDDEN_SHEETS
from umwelten.inputs.workers.worker import convert_now
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Text

Make = Callable[..., bytes]
EACH = pytest.mark.parametrize(("make", "kind"), [(xls, XLS), (xlsb, XLSB), (ods, ODS)])


def text(data: bytes, kind: FileType, name: str = "f") -> str:
    (part,) = document(data, kind, name).parts
    assert isinstance(part, Text)
    return part.text


@EACH
def test_each_sheet_is_a_table_of_what_its_cells_hold(make: Make, kind: FileType) -> None:
    date = "4383" if kind is XLSB else "1911-12-31"
    assert text(make(), kind, "t") == (
        "File: t\n<content>\n"
        f"## Yield\n\n| Year | Said |\n| --- | --- |\n| 1912 | {office.SAID} |\n\n"
        f"## B\n\n| a\\|b | {date} |\n| --- | --- |\n| 0.1 | TRUE |\n</content>"
    )
    assert document(make(), kind, "t").notes == (f"t: {kind.word.partition(' ')[2]} sent as text",)


@EACH
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("Größe 東京 🐝", "Größe 東京 🐝"),
        (" a\nb ", "a<br>b"),
        (-0.5, "-0.5"),
        (1e20, "1e+20"),
        (1234567890123.0, "1234567890123"),
        (False, "FALSE"),
    ],
)
def test_a_cell_is_its_value(make: Make, kind: FileType, cell: spreadsheets.Cell, said: str) -> None:
    if make is ods and isinstance(cell, str):
        cell, said = cell.strip().replace("\n", " "), said.replace("<br>", " ")
    assert f"## S\n\n| {said} |\n| --- |\n" in text(make({"S": {(0, 0): cell}}), kind)


@pytest.mark.parametrize(
    ("days", "said"), [(45352, "2024-03-01"), (45352.604166666664, "2024-03-01 14:30:00"), (0.5, "12:00:00")]
)
def test_a_number_with_a_date_s_format_is_a_date(days: float, said: str) -> None:
    assert f"| {said} |" in text(xls({"S": {(0, 0): ("date", days)}}), XLS)


@EACH
def test_sheets_without_anything_are_left_out(make: Make, kind: FileType) -> None:
    only = text(make({"Empty": {}, "Full": {(4, 4): "x"}, "Blank": {(0, 0): " "}}), kind)
    assert "## Full\n\n| x |\n| --- |\n" in only
    assert "Empty" not in only and "Blank" not in only
    with pytest.raises(UnsupportedInput, match="without any text"):
        text(make({"Empty": {}}), kind)


@pytest.mark.parametrize(("make", "kind"), [(xlsb, XLSB), (ods, ODS)])
def test_hidden_sheets_are_marked(make: Make, kind: FileType) -> None:
    made = make({"S": {(0, 0): "a|b"}, "H": {(0, 0): "c"}}, hidden=["H"])
    assert "## S\n\n| a\\|b |\n" in text(made, kind)
    assert "## H (hidden sheet)\n\n| c |\n" in text(made, kind)
    assert document(made, kind, "f").warnings == (HIDDEN_SHEETS,)


def test_formulas_whose_results_an_open_document_lacks_are_told() -> None:
    row = '<table:table-row><table:table-cell table:formula="of:=1+1"{}/></table:table-row>'
    lacking = ods({"S": {(0, 0): "x"}}, rows=row.format(""))
    assert document(lacking, ODS, "f").warnings == (EMPTY_FORMULAS,)
    whole = row.format(' office:value-type="float" office:value="2"')
    assert document(ods({"S": {(0, 0): "x"}}, rows=whole), ODS, "f").warnings == ()


def test_an_error_in_a_cell_is_empty_and_does_no_harm() -> None:
    for make, kind in ((xls, XLS), (xlsb, XLSB)):
        assert "| a | b |" in text(make({"S": {(0, 0): "a", (0, 1): ("error", 0x2A), (0, 2): "b"}}), kind)


@EACH
def test_a_file_is_known_by_its_bytes(make: Make, kind: FileType, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(make())
    content = read(tmp_path / "f", name="f")
    assert content.convert is not None
    assert office.SAID in convert(content.convert).parts[0].text


# --- damage and bounds -----------------------------------------------------------------------


@EACH
def test_a_damaged_file_is_an_error_in_plain_words(make: Make, kind: FileType) -> None:
    whole = make()
    for end in (len(whole) // 2, 40):
        with pytest.raises(UnsupportedInput, match=r"f is .* that can't be read: it is damaged or cut off"):
            text(whole[:end], kind)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_damage_makes_anything_else_fail(data: st.DataObject) -> None:
    make, kind = data.draw(st.sampled_from([(xls, XLS), (xlsb, XLSB), (ods, ODS)]))
    whole = bytearray(make())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert text(bytes(whole), kind)
    except UnsupportedInput as error:
        assert error.message.startswith("f ")


def in_worker(data: bytes, kind: FileType) -> str:
    file = Conversion(step="document", mime=kind.mime, data=data, name="f", capabilities=Capabilities())
    (part,) = convert_now(file, 30).parts
    assert isinstance(part, Text)
    return part.text


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing bounds the worker's memory")
def test_two_cells_far_apart_take_no_memory_of_this_process() -> None:
    far = xlsb({"S": {(0, 0): 1, (1_048_575, 16_383): 2}})  # a rectangle of 550 GB
    with pytest.raises(UnsupportedInput, match="needs more than 1 GB of memory"):
        in_worker(far, XLSB)
    many = {f"S{n}": {(0, 0): 1, (65_535, 255): 2} for n in range(8)}  # 4 GB
    with pytest.raises(UnsupportedInput, match="needs more than 1 GB of memory"):
        in_worker(xls(many), XLS)


def test_a_large_sheet_of_an_old_workbook_is_read() -> None:
    assert "| 1 |  |\n| --- | --- |\n|  | 2 |" in in_worker(xls({"S": {(0, 0): 1, (65_535, 100): 2}}), XLS)


def test_an_ods_whose_rows_repeat_is_refused_when_they_hold_too_much() -> None:
    row = (
        '<table:table-row table:number-rows-repeated="{rows}"><table:table-cell office:value-type="string" '
        'table:number-columns-repeated="{columns}"><text:p>again</text:p></table:table-cell></table:table-row>'
    )
    with pytest.raises(UnsupportedInput, match="more text than any model can read"):
        text(ods(rows=row.format(rows=3_000, columns=1_000)), ODS)
    with pytest.raises(UnsupportedInput, match=r"damaged|1 GB of memory"):
        in_worker(ods(rows=row.format(rows=1_000_000, columns=1_000)), ODS)
    empty = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell/></table:table-row>'
    assert office.SAID in text(ods(rows=empty), ODS)


@pytest.mark.parametrize(
    ("kind", "members"),
    [(XLSB, {"xl/worksheets/sheet1.bin": bytes(30_000_000)}), (ODS, {"content.xml": " " * 30_000_000})],
)
def test_one_that_unpacks_out_of_all_proportion_is_refused_unread(kind: FileType, members: dict) -> None:
    with pytest.raises(UnsupportedInput, match="far more than it should"):
        text(office.zipped(members), kind)


def test_a_workbook_of_too_many_elements_is_refused_before_any_of_it_is_read() -> None:
    with zipfile.ZipFile(io.BytesIO(office.xlsx())) as archive:
        members: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    members[sheet] = b"<x></y>" + b"<c/>" * MAX_READ  # whoever read it would say that it is damaged
    with pytest.raises(
        UnsupportedInput, match=r"too many elements to be converted: up to 6,000,000 are\. Split"
    ):
        text(office.zipped(members, stored=(sheet,)), XLSX)


def test_a_workbook_with_a_password_is_an_error_that_says_so() -> None:
    data = bytearray(xls())
    begin = data.index(struct.pack("<HHHH", 0x809, 16, 0x600, 5))
    data[begin + 20 : begin + 26] = struct.pack("<HHH", 0x2F, 2, 1)  # FilePass, in place of the code page
    with pytest.raises(UnsupportedInput, match="needs a password"):
        text(bytes(data), XLS)


def test_without_the_library_it_is_said_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python_calamine.py").write_text("raise ImportError")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnsupportedInput, match=r"Install the converter: pip install 'umwelten\[documents\]'"):
        in_worker(xls(), XLS)
