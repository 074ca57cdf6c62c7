"""Office documents, pages and books as text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import office, texts
from umwelten.file_types import DOCX, EPUB, PPTX, XLSX, FileType
from umwelten.inputs import UnsupportedInput, read
from umwelten.inputs.convert import xlsx
from umwelten.inputs.convert.documents import document, page
from umwelten.inputs.convert.markdown_table import FORMULAS, HIDDEN_SHEETS
from umwelten.types import Text


def text(data: bytes, kind: FileType, name: str = "f") -> str:
    (part,) = document(data, kind, name).parts
    assert isinstance(part, Text)
    return part.text


def html(source: str) -> str:
    (part,) = page(source, "f").parts
    assert isinstance(part, Text)
    return part.text.removeprefix("File: f\n<content>\n").removesuffix("\n</content>")


def test_a_word_document_is_markdown_with_its_headings_and_tables() -> None:
    assert text(office.docx(), DOCX, "report.docx") == (
        f"File: report.docx\n<content>\n# Harvests\n\n{office.SAID} **By far**\n\n"
        "| Year | Tons |\n| --- | --- |\n| 1912 | 840 |\n</content>"
    )
    assert document(office.docx(), DOCX, "report.docx").notes == ("report.docx: Word document sent as text",)


def test_a_workbook_is_a_table_for_each_sheet() -> None:
    assert text(office.xlsx(), XLSX, "t.xlsx") == (
        "File: t.xlsx\n<content>\n"
        f"## Yield\n\n| Year | Said |\n| --- | --- |\n| 1912 | {office.SAID} |\n\n"
        "## B\n\n| a\\|b | 1911-12-31 |\n| --- | --- |\n| 0.1 | TRUE |\n</content>"
    )


def test_a_presentation_is_its_slides_in_order_with_notes() -> None:
    assert text(office.pptx(), PPTX, "t.pptx") == (
        f"File: t.pptx\n<content>\n## Slide 1\n\n### Harvests\n\n{office.SAID}\n\n  - deeper\n\n"
        "Notes:\n\nSay this slowly.\n\n## Slide 2\n\n"
        "| Year | Tons |\n| --- | --- |\n| 1912 | 840 |\n</content>"
    )


def test_a_book_is_its_chapters_in_reading_order() -> None:
    said = text(office.epub(), EPUB)
    assert said.index("## One") < said.index(office.SAID) < said.index("## Two") < said.index("rained")


def test_a_page_is_its_words_without_scripts_styles_and_embedded_pictures() -> None:
    assert html(texts.PAGE) == (
        f"# Ein Weg\n\n# Überschrift\n\n{texts.GERMAN}\n\n- eins\n- zwei\n\n"
        "| a | b |\n| --- | --- |\n| 1 | 2 |\n\n![Bild]()"
    )
    assert html("<html><body><a href='/x'>there</a> <code>a_b</code>") == "[there](/x) `a_b`"


@pytest.mark.parametrize(
    "head",
    [
        "<template><p>x</p></template><title>Mine</title>",
        "<template>a<template>b</template><title>no</title></template><title>Mine</title>",
        "<title>Mine</title><template><title>no</title></template>",
        "<script>1</script><template></template><style>a</style><title>Mine</title>",
    ],
)
def test_a_title_is_found_behind_templates_and_none_in_them(head: str) -> None:
    assert html(f"<html><head>{head}</head><body>words") == "# Mine\n\nwords"


def test_a_page_nested_hundreds_deep_still_gives_its_words() -> None:
    assert html("<html><body>" + "<div>" * 5_000 + "needle") == "needle"


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('<c r="A1"><v>0.1</v></c>', "0.1"),
        ('<c r="A1"><v>0.30000000000000004</v></c>', "0.3"),
        ('<c r="A1"><v>1234567</v></c>', "1234567"),
        ('<c r="A1"><v>1E+20</v></c>', "1e+20"),
        ('<c r="A1" s="1"><v>45352</v></c>', "2024-03-01"),
        ('<c r="A1" s="1"><v>45352.604166666664</v></c>', "2024-03-01 14:30:00"),
        ('<c r="A1" s="1"><v>0.5</v></c>', "12:00:00"),
        ('<c r="A1" s="1"><v>59</v></c>', "1900-02-28"),
        ('<c r="A1" t="b"><v>0</v></c>', "FALSE"),
        ('<c r="A1" t="e"><v>#N/A</v></c>', "#N/A"),
        ('<c r="A1" t="str"><f>A2</f><v>formula</v></c>', "formula"),
        ('<c r="A1" t="d"><v>2024-03-01</v></c>', "2024-03-01"),
        (
            '<c t="inlineStr"><is><r><t>two </t></r><r><t>runs</t></r><rPh><t>no</t></rPh></is></c>',
            "two runs",
        ),
        ('<c r="A1" t="inlineStr"><is><t>a\nb</t></is></c>', "a<br>b"),
        ('<c r="A1" t="inlineStr"><is><t>a_x000D_\nb\rc</t></is></c>', "a<br>b<br>c"),
        ('<c r="A1" t="inlineStr"><is><t>a|b</t></is></c>', "a\\|b"),
        ('<c r="A1" t="inlineStr"><is><t>C:\\x\\|b</t></is></c>', "C:\\x\\\\\\|b"),
        ('<c r="A1" s="2"><v>0.25</v></c>', "25%"),
        ('<c r="A1" s="3"><v>0.12345</v></c>', "12.345%"),
        ('<c r="A1" s="4"><v>-0.07</v></c>', "-7%"),
        ('<c r="A1" s="5"><v>7</v></c>', "7"),
        ('<c r="A1"><f>SUM(A2:A3)</f></c>', "=SUM(A2:A3)"),
        ('<c r="A1"><f>SUM(A2:A3)</f><v></v></c>', "=SUM(A2:A3)"),
        ('<c r="A1"><f>1+1</f><v>0</v></c>', "0"),
        ('<c r="A1" t="e"><f>1/0</f><v>#DIV/0!</v></c>', "#DIV/0!"),
    ],
)
def test_a_cell_is_its_value(cell: str, said: str) -> None:
    assert f"## Yield\n\n| {said} |\n| --- |\n" in text(office.xlsx(f'<row r="1">{cell}</row>'), XLSX)


def test_of_formulas_without_results_the_formula_is_sent_and_it_is_said() -> None:
    rows = (
        '<row r="1"><c r="A1"><v>1</v></c><c r="B1"><f t="shared" ref="B1:B2" si="0">A1*2</f></c></row>'
        '<row r="2"><c r="A2"><v>2</v></c><c r="B2"><f t="shared" si="0"/></c></row>'
        '<row r="3"><c r="A3"><f>A1</f><v>1</v></c><c r="B3" t="str"><f>IF(A1,"","x")</f><v></v></c></row>'
    )
    made = document(office.xlsx(rows), XLSX, "f")
    said = "| 1 | =A1*2 |\n| --- | --- |\n| 2 | =A1*2 as in B1 |\n| 1 |  |"
    assert said in text(office.xlsx(rows), XLSX)
    assert made.warnings == (FORMULAS,)
    assert document(office.xlsx(), XLSX, "f").warnings == ()


def test_a_result_of_nought_that_awaits_calculation_is_no_result() -> None:
    cells = '<c r="A1"><f>B1+C1</f><v>0</v></c><c r="B1"><f>2</f><v>2</v></c><c r="C1"><v>0</v></c>'
    rows = f'<row r="1">{cells}</row>'
    made = office.xlsx(rows, workbook='<calcPr fullCalcOnLoad="1"/>')
    assert "| =B1+C1 | 2 | 0 |" in text(made, XLSX)
    assert "| 0 | 2 | 0 |" in text(office.xlsx(rows), XLSX)


@pytest.mark.parametrize("state", ["hidden", "veryHidden"])
def test_hidden_sheets_are_marked_and_hidden_cells_told(state: str) -> None:
    made = document(office.xlsx(state=state), XLSX, "f")
    assert "## Yield\n" in text(office.xlsx(state=state), XLSX)
    assert "## B (hidden sheet)\n" in text(office.xlsx(state=state), XLSX)
    assert made.warnings == (HIDDEN_SHEETS,)
    row = '<row r="1" hidden="1"><c r="A1"><v>1</v></c></row>'
    assert document(office.xlsx(row), XLSX, "f").warnings == (xlsx.HIDDEN_CELLS,)
    columns = '<cols><col min="2" max="2" hidden="true"/></cols>'
    assert document(office.xlsx(columns=columns), XLSX, "f").warnings == (xlsx.HIDDEN_CELLS,)


@pytest.mark.parametrize(
    "comments",
    [
        'comments:<comments xmlns="{}"><commentList><comment ref="B2"><text><r><t>Is that </t></r>'
        "<r><t>so?</t></r></text></comment></commentList></comments>",
        'threadedComment:<ThreadedComments xmlns="{}"><threadedComment ref="B2"><text>Is that so?</text>'
        "</threadedComment></ThreadedComments>",
    ],
)
def test_comments_on_cells_follow_their_sheet(comments: str) -> None:
    said = text(office.xlsx(comments=comments.format("urn:x")), XLSX)
    assert f"{office.SAID} |\n\nComments:\n- B2: Is that so?\n\n## B" in said


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ('<row r="1"><c r="XFD1"><v>1</v></c></row>' * 3_000, "more text than any model can read"),
        ('<row r="1"><c r="ZZZ1"><v>1</v></c></row>', "damaged"),
        ('<row r="1"><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>', "damaged"),
        ('<row r="1"><c r="A1" t="s"><v>7</v></c></row>', "damaged"),
    ],
)
def test_sheets_that_claim_too_much_or_are_damaged_are_refused(rows: str, said: str) -> None:
    with pytest.raises(UnsupportedInput, match=said):
        text(office.xlsx(rows), XLSX)


def test_a_sheet_whose_last_row_is_far_down_takes_no_longer() -> None:
    rows = (
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="99999999999"><c r="A99999999999"><v>2</v></c></row>'
    )
    assert "| 1 |\n| --- |\n| 2 |" in text(office.xlsx(rows), XLSX)


@pytest.mark.parametrize("kind", [DOCX, XLSX, PPTX, EPUB])
def test_a_damaged_document_is_an_error_in_plain_words(kind: FileType) -> None:
    whole = {DOCX: office.docx, XLSX: office.xlsx, PPTX: office.pptx, EPUB: office.epub}[kind]()
    for end in (len(whole) // 2, len(whole) - 30, 40):
        with pytest.raises(UnsupportedInput, match=r"f is .* that can't be read: it is damaged or cut off"):
            text(whole[:end], kind)
    with pytest.raises(UnsupportedInput, match="damaged"):
        text(office.zipped({"other.xml": "<x/>"}), kind)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_no_damage_makes_anything_else_fail(data: st.DataObject) -> None:
    kind, make = data.draw(
        st.sampled_from([(DOCX, office.docx), (XLSX, office.xlsx), (PPTX, office.pptx), (EPUB, office.epub)])
    )
    whole = bytearray(make())
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert text(bytes(whole), kind)
    except UnsupportedInput as error:
        assert error.message.startswith("f ")


def test_a_document_that_unpacks_out_of_all_proportion_is_refused_unread() -> None:
    bomb = office.bomb()
    assert len(bomb) < 100_000
    with pytest.raises(UnsupportedInput, match="far more than it should"):
        text(bomb, DOCX)
    many = office.zipped({f"{number}.xml": "" for number in range(20_001)})
    with pytest.raises(UnsupportedInput, match="far more than it should"):
        text(many, XLSX)


def test_a_document_of_too_much_text_is_refused_with_its_size() -> None:
    words = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(6_000_000))
    with pytest.raises(UnsupportedInput, match=r"18 MB when unpacked: up to 16 MB are read"):
        text(office.docx(f"<w:p><w:r><w:t>{words}</w:t></w:r></w:p>"), DOCX)


def test_entities_that_multiply_are_not_followed() -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    body = f'<!DOCTYPE x [<!ENTITY e0 "lollollol">{levels}]>'
    slide = office.zipped(
        {
            "ppt/presentation.xml": f"<?xml version='1.0'?>{body}<p>&e9;</p>",
            "ppt/_rels/presentation.xml.rels": "<r/>",
        }
    )
    with pytest.raises(UnsupportedInput, match="declarations of its own"):
        text(slide, PPTX)


def test_no_file_outside_a_document_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    body = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{(tmp_path / "secret").as_uri()}">]>'
    slide = office.zipped(
        {"ppt/presentation.xml": f"{body}<p>&e;</p>", "ppt/_rels/presentation.xml.rels": "<r/>"}
    )
    with pytest.raises(UnsupportedInput) as caught:
        text(slide, PPTX)
    assert "the secret" not in caught.value.message


def test_a_document_without_text_is_an_error() -> None:
    with pytest.raises(UnsupportedInput, match="without any text"):
        text(office.docx("<w:p></w:p>"), DOCX)


def test_a_locked_workbook_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(office.LOCKED)
    with pytest.raises(UnsupportedInput, match="password-protected"):
        read(tmp_path / "f", name="f")


# --- without what reads them ------------------------------------------------------------------

_WITHOUT = """
import sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None
from umwelten.inputs import read
from umwelten.inputs.convert.dispatch import convert
from umwelten.errors import InputError
from umwelten.providers.capabilities import Capabilities
try:
    content = read(sys.argv[1], name="f", capabilities=Capabilities(picture_side=10))
    done = convert(content.convert) if content.convert else content
    print("sent", len(done.parts), *getattr(done, "notes", ()))
except InputError as error:
    print(error.message)
"""


@pytest.mark.parametrize(
    ("data", "missing", "said"),
    [
        (office.docx(), "mammoth", "Install the converter: pip install 'umwelten[documents]'"),
        (office.epub(), "bs4", "pip install 'umwelten[documents]'"),
        (office.xlsx(), "openpyxl", "sent 1 f: Excel workbook sent as text"),
        (
            texts.PAGE.encode(),
            "bs4",
            "sent 1 f: sent as HTML; to send it as text: pip install 'umwelten[documents]'",
        ),
        (
            texts.PAGE.encode(),
            "markdownify",
            "sent 1 f: sent as HTML; to send it as text: pip install 'umwelten[documents]'",
        ),
        (b"%PDF-1.4\n", "pypdfium2", "pip install 'umwelten[documents]'"),
        (b"BM" + bytes(50), "PIL", "pip install 'umwelten[images]'"),
    ],
)
def test_what_is_missing_is_said_with_how_to_install_it(
    tmp_path: Path, data: bytes, missing: str, said: str
) -> None:
    (tmp_path / "f").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, str(tmp_path / "f"), missing],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert said in done.stdout, done.stderr
