"""What of a presentation is sent; diagrams and charts, also those of Word documents."""

from __future__ import annotations

import pytest

from corpus import office
from corpus.office import shape
from umwelten.file_types import DOCX, PPTX
from umwelten.inputs.convert import pptx
from umwelten.inputs.convert.documents import document
from umwelten.types import Text

MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
DIAGRAM = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
MAIN = "http://schemas.openxmlformats.org/drawingml/2006/main"
SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"
REFERS = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'


def sent(data: bytes) -> str:
    (part,) = document(data, PPTX, "f").parts
    assert isinstance(part, Text)
    return part.text.removeprefix("File: f\n<content>\n").removesuffix("\n</content>")


def after(shapes: str, parts: dict[str, str] | None = None) -> str:
    return sent(office.slide(shapes, parts)).removeprefix("## Slide 1").strip()


def test_groups_within_groups_and_descriptions_of_pictures_are_sent() -> None:
    picture = '<p:pic><p:nvPicPr><p:cNvPr id="1" name="x" descr="A harbour"/></p:nvPicPr></p:pic>'
    inner = f"<p:grpSp>{shape('deep')}</p:grpSp>"
    assert after(f"<p:grpSp>{shape('in it')}{inner}</p:grpSp>{picture}") == "in it\n\ndeep\n\n![A harbour]()"


def test_of_alternatives_for_different_programs_one_is_sent() -> None:
    both = (
        f"<mc:AlternateContent {MC}><mc:Choice>{shape('new')}</mc:Choice><mc:Fallback>{shape('old')}"
        "</mc:Fallback></mc:AlternateContent>"
    )
    assert after(both) == "new"
    assert after(both.replace(shape("new"), "")) == "old"
    squared = "".join(f"<m:{tag}><m:t>{text}</m:t></m:{tag}>" for tag, text in (("e", "x"), ("sup", "2")))
    formula = f"<mc:Choice><m:oMath {MATH}><m:sSup>{squared}</m:sSup></m:oMath></mc:Choice>"
    words = f"<a:r><a:t>is </a:t></a:r><mc:AlternateContent {MC}>{formula}</mc:AlternateContent>"
    assert after(f"<p:sp><p:txBody><a:p>{words}</a:p></p:txBody></p:sp>") == "is x^2"


def test_bars_lines_and_merged_cells_do_not_break_a_table() -> None:
    def cell(*lines: str, look: str = "") -> str:
        paragraphs = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in lines)
        return f"<a:tc {look}><a:txBody>{paragraphs}</a:txBody></a:tc>"

    rows = (
        cell("a|b", look='gridSpan="2"') + cell("", look='hMerge="1"'),
        cell("one", "two") + cell("3"),
    )
    grid = "".join(f"<a:tr>{row}</a:tr>" for row in rows)
    data = f"<a:graphic><a:graphicData><a:tbl>{grid}</a:tbl></a:graphicData></a:graphic>"
    assert (
        after(f"<p:graphicFrame>{data}</p:graphicFrame>") == "| a\\|b |  |\n| --- | --- |\n| one<br>two | 3 |"
    )


def test_a_hidden_slide_is_marked_and_it_is_said() -> None:
    data = office.slide(shape("words"), show="0")
    assert sent(data) == "## Slide 1 (hidden slide)\n\nwords"
    assert document(data, PPTX, "f").warnings == (pptx.HIDDEN_SLIDES,)
    assert document(office.pptx(), PPTX, "f").warnings == ()


def test_the_footer_of_slides_is_sent_once_and_their_numbers_are_not() -> None:
    made = shape("words") + shape("ACME, confidential", 'type="ftr"') * 2 + shape("7", 'type="sldNum"')
    assert after(made) == "words\n\nFooter:\n\nACME, confidential"


@pytest.mark.parametrize(
    "comments",
    [
        f'<p:cmLst xmlns:p="{SLIDES}"><p:cm><p:text>Is it\nso?</p:text></p:cm></p:cmLst>',
        f'<c:cmLst xmlns:c="urn:comments" xmlns:a="{MAIN}"><c:cm><c:txBody><a:p><a:r>'
        "<a:t>Is it so?</a:t></a:r></a:p></c:txBody></c:cm></c:cmLst>",
    ],
)
def test_comments_follow_their_slide(comments: str) -> None:
    assert after(shape("words"), {"comments/c.xml": comments}) == "words\n\nComments:\n\n- Is it so?"


POINT = f'<d:pt xmlns:d="{DIAGRAM}" xmlns:a="{MAIN}"><d:t><a:p><a:r><a:t>{{}}</a:t></a:r></a:p></d:t></d:pt>'
POINTS = (
    f'<d:dataModel xmlns:d="{DIAGRAM}">{POINT.format("plan")}<d:pt/>{POINT.format("do it")}</d:dataModel>'
)
LIST = "- plan\n- do it"


def series(name: str, *values: str, kinds: tuple[str, str] = ("cat", "val")) -> str:
    def points(kind: str, texts: tuple[str, ...]) -> str:
        made = "".join(f'<c:pt idx="{at}"><c:v>{text}</c:v></c:pt>' for at, text in enumerate(texts) if text)
        return f"<c:{kind}><c:x>{made}</c:x></c:{kind}>"

    return f"<c:ser>{points('tx', (name,))}{points(kinds[0], ('Q1', 'Q2'))}{points(kinds[1], values)}</c:ser>"


def chart(*all_series: str) -> str:
    title = "<c:title><a:t>Sales</a:t></c:title>"
    return (
        f'<c:chartSpace xmlns:c="{CHART}" xmlns:a="{MAIN}"><c:chart>{title}<c:plotArea>{"".join(all_series)}'
        "</c:plotArea></c:chart></c:chartSpace>"
    )


BARS = chart(series("N|orth", "1.5", "2"), series("South", "", "3"))
NUMBERS = "Sales\n\n|  | N\\|orth | South |\n| --- | --- | --- |\n| Q1 | 1.5 |  |\n| Q2 | 2 | 3 |"
SMART_ART = f'<d:relIds xmlns:d="{DIAGRAM}" {REFERS} r:dm="part.xml"/>'
DRAWN_CHART = f'<c:chart xmlns:c="{CHART}" {REFERS} r:id="part.xml"/>'
DRAWINGS = [(SMART_ART, POINTS, LIST), (DRAWN_CHART, BARS, NUMBERS)]


@pytest.mark.parametrize(("graphic", "part", "said"), DRAWINGS)
def test_diagrams_and_charts_are_sent(graphic: str, part: str, said: str) -> None:
    data = f"<a:graphic><a:graphicData>{graphic}</a:graphicData></a:graphic>"
    frame = f"<p:graphicFrame>{data}</p:graphicFrame>"
    assert after(frame, {"data/part.xml": part}) == said
    assert after(shape("words") + frame, {}) == "words"
    body = f"<w:p><w:r><w:drawing><wp:inline>{data}</wp:inline></w:drawing></w:r></w:p>"
    (text,) = document(office.docx(body, {"data/part.xml": part.encode()}), DOCX, "f").parts
    assert isinstance(text, Text)
    assert text.text == f"File: f\n<content>\n{said}\n</content>"


def test_a_diagram_in_a_table_stays_in_its_cell() -> None:
    drawing = f"<w:p><w:r><w:drawing><wp:inline>{SMART_ART}</wp:inline></w:drawing></w:r></w:p>"
    body = f"<w:tbl><w:tr><w:tc>{drawing}</w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>"
    (text,) = document(office.docx(body, {"data/part.xml": POINTS.encode()}), DOCX, "f").parts
    assert isinstance(text, Text)
    assert "| - plan<br>- do it |  |\n" in text.text


def test_points_of_a_scatter_chart_are_sent() -> None:
    data = f"<p:graphicFrame>{DRAWN_CHART}</p:graphicFrame>"
    scattered = chart(series("xy", "3", "4", kinds=("xVal", "yVal")))
    assert after(data, {"data/part.xml": scattered}).endswith("| Q1 | 3 |\n| Q2 | 4 |")
