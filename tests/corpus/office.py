"""Office documents and books, zipped by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

SAID = "The harvest of 1912 was the best in ten years."
_FORMATS = "application/vnd.openxmlformats-officedocument"
DOCX = f"{_FORMATS}.wordprocessingml.document"
XLSX = f"{_FORMATS}.spreadsheetml.sheet"
PPTX = f"{_FORMATS}.presentationml.presentation"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_W = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    f'xmlns:r="{_OFFICE}" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:v="urn:schemas-microsoft-com:vml"'
)
_S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_P = (
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    f'xmlns:r="{_OFFICE}"'
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)
LOCKED = _OLE + "EncryptedPackage\0".encode("utf-16-le") + bytes(200)
OLD = _OLE + "WordDocument\0".encode("utf-16-le") + bytes(200)


def zipped(members: Mapping[str, str | bytes], *, stored: tuple[str, ...] = ()) -> bytes:
    """A zip of these members, the same every time. `stored` ones are not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return buffer.getvalue()


def docx(body: str | None = None, parts: Mapping[str, str | bytes] | None = None) -> bytes:
    """A heading, a paragraph with bold words, a list and a table.

    `parts`: more of them by `kind/name`, such as `header/h1.xml`, whose name is the relation's id; those
    that are no bytes are the root's name and what is in it: `hdr:<w:p/>`.
    """
    body = body or (
        '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Harvests</w:t></w:r></w:p>'
        f"<w:p><w:r><w:t>{SAID}</w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t> By far</w:t></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Year</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>Tons</w:t></w:r></w:p></w:tc></w:tr>"
        "<w:tr><w:tc><w:p><w:r><w:t>1912</w:t></w:r></w:p></w:tc>"
        "<w:tc><w:p><w:r><w:t>840</w:t></w:r></w:p></w:tc></w:tr></w:tbl>"
    )
    return zipped(
        {
            "[Content_Types].xml": _types("/word/document.xml", f"{DOCX}.main+xml"),
            "_rels/.rels": _relations({"r1": ("officeDocument", "word/document.xml")}),
            "word/document.xml": f"{_HEAD}<w:document {_W}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": _relations(
                {name: (kind, name) for kind, name in (part.split("/") for part in parts or {})}
            ),
            **{f"word/{part.split('/')[1]}": _word_part(content) for part, content in (parts or {}).items()},
        }
    )


def _word_part(content: str | bytes) -> str | bytes:
    if isinstance(content, bytes):
        return content
    root, _, inside = content.partition(":")
    return f"{_HEAD}<w:{root} {_W}>{inside}</w:{root}>"


def xlsx(
    rows: str | None = None, *, columns: str = "", workbook: str = "", state: str = "", comments: str = ""
) -> bytes:
    """Two sheets; the second one holds a date, a pipe, a line break and nothing in between.

    Styles of cells: 1 date, 2 to 4 percent, 5 a number with a percent sign in quotes. `columns` are the first
    sheet's, `state` is the second one's; `comments` are a relation's type and its XML: `comments:<x/>`.
    """
    rows = rows or (
        '<row r="1"><c r="A1" t="inlineStr"><is><t>Year</t></is></c>'
        '<c r="B1" t="inlineStr"><is><t>Said</t></is></c></row>'
        f'<row r="2"><c r="A2"><v>1912</v></c><c r="B2" t="inlineStr"><is><t>{SAID}</t></is></c></row>'
    )
    second = (
        '<row r="3"><c r="B3" t="inlineStr"><is><t>a|b</t></is></c><c r="D3" s="1"><v>4383</v></c></row>'
        '<row r="9"><c r="B9"><v>0.1</v></c><c r="D9" t="b"><v>1</v></c></row>'
    )
    sheets = "".join(
        f'<sheet name="{name}" sheetId="{at}" r:id="r{at}"{look}/>'
        for at, name, look in ((1, "Yield", ""), (2, "B", f' state="{state}"' if state else ""))
    )
    kind, _, remarks = comments.partition(":")
    about = {
        "xl/worksheets/_rels/sheet1.xml.rels": _relations({"r1": (kind, "../comments1.xml")}),
        "xl/comments1.xml": f"{_HEAD}{remarks}",
    }
    return zipped(
        {
            "[Content_Types].xml": _types(
                *("/xl/workbook.xml", f"{XLSX}.main+xml"),
                more="".join(
                    f'<Override PartName="/xl/{part}.xml" ContentType="{_FORMATS}.spreadsheetml.{kind}+xml"/>'
                    for part, kind in (
                        *(("worksheets/sheet1", "worksheet"), ("worksheets/sheet2", "worksheet")),
                        ("styles", "styles"),
                    )
                ),
            ),
            "_rels/.rels": _relations({"r1": ("officeDocument", "xl/workbook.xml")}),
            "xl/workbook.xml": (
                f'{_HEAD}<workbook {_S} xmlns:r="{_OFFICE}"><sheets>{sheets}</sheets>{workbook}</workbook>'
            ),
            "xl/_rels/workbook.xml.rels": _relations(
                {
                    "r1": ("worksheet", "worksheets/sheet1.xml"),
                    "r2": ("worksheet", "worksheets/sheet2.xml"),
                    "r3": ("styles", "styles.xml"),
                }
            ),
            "xl/styles.xml": (
                f'{_HEAD}<styleSheet {_S}><numFmts><numFmt numFmtId="164" formatCode="0.0%;[Red]-0.0%"/>'
                '<numFmt numFmtId="165" formatCode="0&quot;%&quot;"/></numFmts><cellXfs><xf/>'
                '<xf numFmtId="14"/><xf numFmtId="9"/><xf numFmtId="10"/><xf numFmtId="164"/>'
                '<xf numFmtId="165"/></cellXfs></styleSheet>'
            ),
            "xl/worksheets/sheet1.xml": _sheet(rows, columns),
            "xl/worksheets/sheet2.xml": _sheet(second),
            **(about if comments else {}),
        }
    )


def pptx() -> bytes:
    """Two slides out of the order of their files, with a title, a list, a table and notes."""
    return zipped(
        {
            "[Content_Types].xml": _types("/ppt/presentation.xml", f"{PPTX}.main+xml"),
            "_rels/.rels": _relations({"r1": ("officeDocument", "ppt/presentation.xml")}),
            "ppt/presentation.xml": (
                f'{_HEAD}<p:presentation {_P}><p:sldIdLst><p:sldId id="256" r:id="r2"/>'
                '<p:sldId id="257" r:id="r1"/></p:sldIdLst></p:presentation>'
            ),
            "ppt/_rels/presentation.xml.rels": _relations(
                {"r1": ("slide", "slides/slide1.xml"), "r2": ("slide", "/ppt/slides/slide2.xml")}
            ),
            "ppt/slides/slide1.xml": _slide(
                "<p:graphicFrame><a:graphic><a:graphicData><a:tbl>"
                f"<a:tr>{_cell('Year')}{_cell('Tons')}</a:tr><a:tr>{_cell('1912')}{_cell('840')}</a:tr>"
                "</a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
            ),
            "ppt/slides/slide2.xml": _slide(
                _shape("Harvests", 'type="title"')
                + _shape(SAID)
                + _shape("deeper", level=1)
                + _shape("7", 'type="sldNum"')
            ),
            "ppt/slides/_rels/slide2.xml.rels": _relations(
                {"r1": ("notesSlide", "../notesSlides/notesSlide1.xml")}
            ),
            "ppt/notesSlides/notesSlide1.xml": _slide(_shape("Say this slowly.", 'type="body"'), "notes"),
        }
    )


def slide(shapes: str, parts: Mapping[str, str] | None = None, *, show: str = "1") -> bytes:
    """A presentation of one slide with these shapes. `parts`: what it refers to, by `kind/name`."""
    return zipped(
        {
            "[Content_Types].xml": _types("/ppt/presentation.xml", f"{PPTX}.main+xml"),
            "_rels/.rels": _relations({"r1": ("officeDocument", "ppt/presentation.xml")}),
            "ppt/presentation.xml": (
                f'{_HEAD}<p:presentation {_P}><p:sldIdLst><p:sldId id="256" r:id="r1"/></p:sldIdLst>'
                "</p:presentation>"
            ),
            "ppt/_rels/presentation.xml.rels": _relations({"r1": ("slide", "slides/slide1.xml")}),
            "ppt/slides/slide1.xml": _slide(shapes).replace("<p:sld ", f'<p:sld show="{show}" '),
            "ppt/slides/_rels/slide1.xml.rels": _relations(
                {name: (kind, name) for kind, name in (part.split("/") for part in parts or {})}
            ),
            **{f"ppt/slides/{part.split('/')[1]}": content for part, content in (parts or {}).items()},
        }
    )


def shape(text: str, placeholder: str = "") -> str:
    """A shape of a slide."""
    return _shape(text, placeholder)


def epub() -> bytes:
    """Two chapters, read in the order of the spine and not of their names."""
    page = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><h2>{}</h2><p>{}</p></body></html>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": (
                '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
                '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
            ),
            "OPS/book.opf": (
                '<package xmlns="http://www.idpf.org/2007/opf"><manifest>'
                '<item id="b" href="a%20two.xhtml" media-type="application/xhtml+xml"/>'
                '<item id="a" href="b.xhtml" media-type="application/xhtml+xml"/>'
                '<item id="s" href="s.css" media-type="text/css"/></manifest>'
                '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>'
            ),
            "OPS/b.xhtml": page.format("One", SAID),
            "OPS/a two.xhtml": page.format("Two", "And then it rained."),
            "OPS/s.css": "p {}",
        },
        stored=("mimetype",),
    )


def odt() -> bytes:
    """The container of an OpenDocument text."""
    kind = "application/vnd.oasis.opendocument.text"
    return zipped({"mimetype": kind, "content.xml": "<office/>"}, stored=("mimetype",))


def bomb() -> bytes:
    """A Word document of 30 kB that unpacks to 30 MB."""
    return docx(f"<w:p><w:r><w:t>{'0' * 30_000_000}</w:t></w:r></w:p>")


def _types(part: str, kind: str, more: str = "") -> str:
    return (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="{part}" ContentType="{kind}"/>{more}</Types>'
    )


def _relations(targets: Mapping[str, tuple[str, str]]) -> str:
    rows = "".join(
        f'<Relationship Id="{id}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for id, (kind, target) in targets.items()
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{rows}</Relationships>'


def _sheet(rows: str, columns: str = "") -> str:
    size = '<dimension ref="A1:XFD1048576"/>'
    return f"{_HEAD}<worksheet {_S}>{size}{columns}<sheetData>{rows}</sheetData></worksheet>"


def _slide(shapes: str, root: str = "sld") -> str:
    return f"{_HEAD}<p:{root} {_P}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:{root}>"


def _shape(text: str, placeholder: str = "", level: int = 0) -> str:
    mark = f"<p:ph {placeholder}/>" if placeholder else ""
    return (
        f"<p:sp><p:nvSpPr><p:nvPr>{mark}</p:nvPr></p:nvSpPr><p:txBody><a:p>"
        f'<a:pPr lvl="{level}"/><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>'
    )


def _cell(text: str) -> str:
    return f"<a:tc><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>"
