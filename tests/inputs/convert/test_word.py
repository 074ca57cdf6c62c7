"""What of a Word document is sent: everything that a reader of it sees, once."""

from __future__ import annotations

import io
import zipfile

import pytest

from corpus import office
from umwelten.file_types import DOCX
from umwelten.inputs import Converted, UnsupportedInput
from umwelten.inputs.convert import docx
from umwelten.inputs.convert.documents import document
from umwelten.types import Text


def converted(body: str, parts: dict[str, str | bytes] | None = None) -> Converted:
    return document(office.docx(body, parts), DOCX, "f")


def sent(body: str, parts: dict[str, str | bytes] | None = None) -> str:
    (part,) = converted(body, parts).parts
    assert isinstance(part, Text)
    return part.text.removeprefix("File: f\n<content>\n").removesuffix("\n</content>")


def r(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def p(text: str, properties: str = "") -> str:
    return f"<w:p>{r(text, properties)}</w:p>"


def section(*references: str, title: bool = False) -> str:
    """A section's properties; a reference is `header:default:name`."""
    made = [
        f'<w:{kind}Reference w:type="{where}" r:id="{name}"/>'
        for kind, where, name in (reference.split(":") for reference in references)
    ]
    return f"<w:sectPr>{''.join(made)}{'<w:titlePg/>' * title}</w:sectPr>"


# --- headers and footers ------------------------------------------------------------------------


def test_header_and_footer_are_put_around_the_text() -> None:
    body = p("Body") + section("header:default:h.xml", "footer:default:f.xml")
    parts = {"header/h.xml": f"hdr:{p('ACME Ltd, invoice 4711')}", "footer/f.xml": f"ftr:{p('IBAN 123')}"}
    assert sent(body, parts) == (
        "Header:\n\nACME Ltd, invoice 4711\n\n---\n\nBody\n\n---\n\nFooter:\n\nIBAN 123"
    )


def test_the_same_header_in_several_sections_is_sent_once() -> None:
    body = (
        f"<w:p><w:pPr>{section('header:default:a.xml')}</w:pPr></w:p>"
        f"<w:p><w:pPr>{section('header:default:a.xml')}</w:pPr></w:p>"
        f"<w:p><w:pPr>{section('header:default:b.xml')}</w:pPr></w:p>"
        f"{p('Body')}{section('header:default:c.xml', 'header:default:gone.xml')}"
    )
    header = f"hdr:{p('ACME')}"
    parts = {"header/a.xml": header, "header/b.xml": header, "header/c.xml": f"hdr:{p('Annex')}"}
    assert sent(body, parts) == "Header:\n\nACME\n\nAnnex\n\n---\n\nBody"


@pytest.mark.parametrize("title", [False, True])
@pytest.mark.parametrize("even", [False, True])
def test_headers_that_are_switched_off_are_not_sent(title: bool, even: bool) -> None:
    names = ("default", "first", "even")
    body = p("Body") + section(*(f"header:{name}:{name}.xml" for name in names), title=title)
    parts: dict[str, str | bytes] = {f"header/{name}.xml": f"hdr:{p(name.upper())}" for name in names}
    parts["settings/settings.xml"] = "settings:" + "<w:evenAndOddHeaders/>" * even
    said = sent(body, parts)
    assert "DEFAULT" in said
    assert ("FIRST" in said, "EVEN" in said) == (title, even)


def test_a_header_without_text_is_not_sent_and_one_with_a_table_is() -> None:
    body = p("Body") + section("header:default:h.xml", "footer:default:f.xml")
    table = f"<w:tbl><w:tr><w:tc>{p('a|b')}</w:tc><w:tc>{p('c')}</w:tc></w:tr></w:tbl>"
    link = f'<w:p><w:hyperlink r:id="none">{r("link")}</w:hyperlink></w:p>'
    parts = {"header/h.xml": "hdr:<w:p/>", "footer/f.xml": f"ftr:{table}{link}"}
    assert sent(body, parts) == "Body\n\n---\n\nFooter:\n\n| a\\|b | c |\n| --- | --- |\n\nlink"


# --- notes and revisions ------------------------------------------------------------------------


def test_notes_and_comments_are_sent() -> None:
    body = (
        f'<w:p>{r("Body")}<w:r><w:footnoteReference w:id="2"/></w:r><w:r><w:endnoteReference w:id="3"/></w:r>'
        '<w:r><w:commentReference w:id="4"/></w:r></w:p>'
    )
    parts: dict[str, str | bytes] = {
        "footnotes/footnotes.xml": f'footnotes:<w:footnote w:id="2">{p("A foot")}</w:footnote>',
        "endnotes/endnotes.xml": f'endnotes:<w:endnote w:id="3">{p("An end")}</w:endnote>',
        "comments/comments.xml": f'comments:<w:comment w:id="4" w:initials="AB">{p("Is it?")}</w:comment>',
    }
    said = sent(body, parts)
    for words in ("A foot", "An end", "Is it?"):
        assert said.count(words) == 1


def test_inserted_text_is_sent_and_deleted_text_is_not() -> None:
    deleted = "<w:r><w:delText>old</w:delText></w:r>"
    body = (
        f"<w:p><w:ins>{r('new ')}</w:ins><w:del>{deleted}</w:del><w:moveTo>{r('here')}</w:moveTo></w:p>"
        f"<w:p><w:moveFrom>{r('away')}</w:moveFrom>{r('kept')}</w:p>"
        f"<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc><w:p><w:del>{deleted}</w:del></w:p></w:tc></w:tr>"
        f"<w:tr><w:tc>{p('row')}</w:tc></w:tr></w:tbl>"
    )
    assert sent(body) == "new here\n\nkept\n\n| row |\n| --- |"


def test_hidden_text_is_left_out_and_it_is_said() -> None:
    styles = (
        'styles:<w:style w:type="paragraph" w:styleId="Quiet"><w:rPr><w:vanish/></w:rPr></w:style>'
        '<w:style w:type="paragraph" w:styleId="Deeper"><w:basedOn w:val="Quiet"/></w:style>'
        '<w:style w:type="paragraph" w:styleId="Loop"><w:basedOn w:val="Loop"/></w:style>'
        '<w:style w:type="character" w:styleId="Ghost"><w:rPr><w:vanish w:val="true"/></w:rPr></w:style>'
    )
    styled = '<w:p><w:pPr><w:pStyle w:val="{}"/></w:pPr>{}</w:p>'
    body = (
        p("secret 1", "<w:vanish/>")
        + p("shown 1", '<w:vanish w:val="0"/>')
        + styled.format("Quiet", r("secret 2") + r("shown 2", '<w:vanish w:val="false"/>'))
        + styled.format("Deeper", r("secret 3"))
        + styled.format("Loop", r("shown 3"))
        + p("secret 4", '<w:rStyle w:val="Ghost"/>')
        + "<w:tbl><w:tr><w:trPr><w:hidden/></w:trPr><w:tc>"
        + p("secret 5")
        + "</w:tc></w:tr>"
        + f"<w:tr><w:tc>{p('shown 4')}</w:tc></w:tr></w:tbl>"
    )
    made = converted(body, {"styles/styles.xml": styles})
    assert made.warnings == (docx.HIDDEN,)
    said = sent(body, {"styles/styles.xml": styles})
    assert "secret" not in said
    assert all(f"shown {number}" in said for number in range(1, 5))
    assert converted(p("plain")).warnings == ()


def test_the_hidden_code_of_an_index_entry_hides_nothing_else() -> None:
    marks = "".join(
        f"<w:r><w:rPr><w:vanish/></w:rPr>{part}</w:r>"
        for part in (
            *('<w:fldChar w:fldCharType="begin"/>', "<w:instrText>XE a</w:instrText>"),
            '<w:fldChar w:fldCharType="end"/>',
        )
    )
    made = converted(f"<w:p>{r('before ')}{marks}{r('after')}</w:p>")
    assert "before after" in str(made.parts[0])
    assert made.warnings == ()


# --- text in other places -----------------------------------------------------------------------

BOX = f"<w:txbxContent>{p('in the box')}</w:txbxContent>"
SHAPE = f"<a:graphic><a:graphicData><wps:wsp><wps:txbx>{BOX}</wps:txbx></wps:wsp></a:graphicData></a:graphic>"
ANCHORED = f"<w:drawing><wp:anchor>{SHAPE}</wp:anchor></w:drawing>"


@pytest.mark.parametrize(
    "box",
    [
        ANCHORED,
        f"<mc:AlternateContent><mc:Choice>{ANCHORED}</mc:Choice></mc:AlternateContent>",
        f"<mc:AlternateContent><mc:Choice>{ANCHORED}</mc:Choice><mc:Fallback/></mc:AlternateContent>",
        f"<mc:AlternateContent><mc:Choice>{ANCHORED}</mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>{BOX}"
        "</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent>",
        f"<mc:AlternateContent><mc:Choice/><mc:Fallback>{ANCHORED}</mc:Fallback></mc:AlternateContent>",
        f"<w:pict><v:oval><v:textbox>{BOX}</v:textbox></v:oval></w:pict>",
        f"<w:pict><v:group><v:group><v:rect><v:textbox>{BOX}</v:textbox></v:rect></v:group></v:group></w:pict>",
        f"<w:drawing><wp:anchor><mc:AlternateContent><mc:Choice>{SHAPE}</mc:Choice><mc:Fallback>{SHAPE}"
        "</mc:Fallback></mc:AlternateContent></wp:anchor></w:drawing>",
        '<w:pict><v:shape><v:textpath string="in the box"/></v:shape></w:pict>',
    ],
)
def test_text_boxes_are_sent_once_however_they_are_written(box: str) -> None:
    body = f"<w:p>{r('before')}<w:r>{box}</w:r></w:p>{p('after')}"
    assert sent(body) == "before\n\nin the box\n\nafter"


def test_boxes_in_a_box_are_sent_in_order() -> None:
    inner = f"<w:p><w:r>{ANCHORED}</w:r></w:p>"
    outer = f"<v:textbox><w:txbxContent>{p('outer')}{inner}</w:txbxContent></v:textbox>"
    assert sent(f"<w:p><w:r><w:pict><v:shape>{outer}</v:shape></w:pict></w:r></w:p>") == "outer\n\nin the box"


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        (f'<w:fldSimple w:instr="AUTHOR">{r("Ann")}</w:fldSimple>', "Ann"),
        (f"<w:bdo>{r('turned')}</w:bdo>", "turned"),
        (f"<w:smartTag>{r('Main')}</w:smartTag>", "Main"),
        (f"<w:r><w:ruby><w:rt>{r('kan')}</w:rt><w:rubyBase>{r('漢')}</w:rubyBase></w:ruby></w:r>", "漢"),
        ("<w:r><w:t>a</w:t><w:ptab/><w:t>b</w:t></w:r>", "a b"),
        ("<w:r><w:t>a</w:t><w:cr/><w:t>b</w:t></w:r>", "a  \nb"),
        (f"<w:sdt><w:sdtContent>{r('chosen')}</w:sdtContent></w:sdt>", "chosen"),
    ],
)
def test_text_in_unusual_containers_is_sent(inside: str, said: str) -> None:
    assert sent(f"<w:p>{inside}</w:p>") == said


W14 = 'xmlns:w14="http://schemas.microsoft.com/office/word/2010/wordml"'


def test_ticked_boxes_are_ticked() -> None:
    box = '<w:sdtPr><w14:checkbox><w14:checked w14:val="{}"/></w14:checkbox></w:sdtPr>'
    tick = f"<w:sdt {W14}>{box}<w:sdtContent>{r('☐')}</w:sdtContent></w:sdt>"
    body = f"<w:p>{tick.format(1)}{r('yes')}</w:p><w:p>{tick.format(0)}{r('no')}</w:p>"
    assert sent(body) == "[x] yes\n\n[ ] no"


def _m(name: str, *inside: str) -> str:
    return f"<m:{name}>{''.join(inside)}</m:{name}>"


def _x(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


BRACKETS = _m("dPr", '<m:begChr m:val="["/><m:endChr m:val="]"/>')
SUM = _m("naryPr", '<m:chr m:val="∑"/>')


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        (_x("x=") + _m("f", _m("num", _x("a+b")), _m("den", _x("2"))), "x=(a+b)/2"),
        (_m("sSup", _m("e", _x("x")), _m("sup", _x("2"))), "x^2"),
        (_m("sSubSup", _m("e", _x("x")), _m("sub", _x("ij")), _m("sup", _x("2"))), "x_(ij)^2"),
        (_m("rad", _m("deg"), _m("e", _x("y"))), "√(y)"),
        (_m("d", BRACKETS, _m("e", _x("a")), _m("e", _x("b"))), "[a|b]"),
        (_m("nary", SUM, _m("sub", _x("i=1")), _m("sup", _x("n")), _m("e", _x("i"))), "∑_(i=1)^n i"),
        (
            _m(
                "m",
                _m("mr", _m("e", _x("1")), _m("e", _x("0"))),
                _m("mr", _m("e", _x("0")), _m("e", _x("1"))),
            ),
            "[1, 0; 0, 1]",
        ),
        (_m("func", _m("fName", _x("sin")), _m("e", _x("x"))), "sinx"),
    ],
)
def test_formulas_are_sent_in_a_line(formula: str, said: str) -> None:
    assert sent(f"<w:p><m:oMathPara><m:oMath>{formula}</m:oMath></m:oMathPara></w:p>") == said


PAGE = "<html><body><p>in the <b>chunk</b></p></body></html>"
ARCHIVE = (
    'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="b"; type="text/html"\n\n--b\n'
    f'Content-Type: text/html; charset="utf-8"\n\n{PAGE}\n--b--\n'
)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        *(("c.html", PAGE.encode()), ("c.mht", ARCHIVE.encode()), ("c.htm", PAGE.encode("utf-16"))),
        ("c.txt", b"in the **chunk**"),
    ],
)
def test_parts_in_other_formats_are_sent_where_they_are(name: str, data: bytes) -> None:
    body = f'{p("before")}<w:altChunk r:id="{name}"/>{p("after")}'
    made = converted(body, {f"aFChunk/{name}": data})
    assert "before\n\nin the **chunk**\n\nafter" in str(getattr(made.parts[0], "text", ""))
    assert made.warnings == ()


@pytest.mark.parametrize(("name", "data"), [("c.rtf", rb"{\rtf1 words}"), ("c.docx", office.docx())])
def test_parts_in_formats_that_are_not_read_are_told(name: str, data: bytes) -> None:
    body = f'{p("before")}<w:altChunk r:id="{name}"/><w:altChunk r:id="gone"/>'
    assert converted(body, {f"aFChunk/{name}": data}).warnings == (docx.EMBEDDED,)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_elements_of_parts_in_other_formats_count(encoding: str) -> None:
    page = "<html><body>" + "<br>" * 60_000  # a small file may have 100,000
    parts: dict[str, str | bytes] = {f"aFChunk/{name}.html": page.encode(encoding) for name in "ab"}
    with pytest.raises(UnsupportedInput, match="f is a Word document of too many elements"):
        converted('<w:altChunk r:id="a.html"/><w:altChunk r:id="b.html"/>', parts)


def test_merged_cells_keep_others_in_their_columns() -> None:
    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{p(text)}{p('|') if text == 'c' else ''}</w:tc>"

    rows = (
        cell("a", '<w:vMerge w:val="restart"/>') + cell("b") + cell("c"),
        cell("", "<w:vMerge/>") + cell("wide", '<w:gridSpan w:val="2"/>'),
        cell("x") + cell("y") + cell("z"),
    )
    table = "".join(f"<w:tr>{row}</w:tr>" for row in rows)
    assert sent(f"<w:tbl>{table}</w:tbl>") == (
        "| a | b | c<br>\\| |\n| --- | --- | --- |\n|  | wide |  |\n| x | y | z |"
    )


def test_a_document_of_the_strict_kind_is_read_alike() -> None:
    body = p("Body") + section("header:default:h.xml")
    usual = office.docx(body, {"header/h.xml": f"hdr:{p('ACME', '<w:vanish/>')}{p('x')}"})
    with zipfile.ZipFile(io.BytesIO(usual)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    for usual_name, strict_name in (
        (b"schemas.openxmlformats.org/wordprocessingml/2006/", b"purl.oclc.org/ooxml/wordprocessingml/"),
        (b"schemas.openxmlformats.org/officeDocument/2006/", b"purl.oclc.org/ooxml/officeDocument/"),
    ):
        members = {name: data.replace(usual_name, strict_name) for name, data in members.items()}
    (part,) = document(office.zipped(members), DOCX, "f").parts
    assert isinstance(part, Text)
    assert "Header:\n\nx\n\n---\n\nBody" in part.text
