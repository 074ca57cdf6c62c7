"""Files that mean harm: each ends in what is sent, or in an error of its own, in little time and memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from corpus import office
from hostile import grammars, zips
from hostile.grammars import page, pdf_file, stream
from hostile.making import Hostile
from hostile.trying import Child, outcomes

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="memory is limited and measured on Linux alone"
)

_SLOW = frozenset((11, 20, 28, 29, 58, 65, 78, 116, 132, 138, 162, 201, 238, 261, 283))
"""Files of which others are of the same kind, and which take as long as all others to make or to read."""

TRIED = [number for number in range(300) if number not in _SLOW]
MOST_S = 10.0
"""Twice what is demanded of the corpus: other tests run at the same time."""


def test_files_of_every_type_that_are_damaged_or_mean_harm_end_well() -> None:
    found = list(outcomes(TRIED))
    assert [(outcome, outcome.offences(MOST_S)) for outcome in found if outcome.offences(MOST_S)] == []
    assert {outcome.end for outcome in found} >= {"converted", "refused"}


def _part(data: bytes, name: str, new: str, element: bytes, size: int) -> bytes:
    """A document one of whose parts has another name, and the same element again and again."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    text = members.pop(name)
    end = text.rfind(b"</")
    renamed = {
        each: other.replace(name.rpartition("/")[2].encode(), new.rpartition("/")[2].encode())
        for each, other in members.items()
    }
    if name == "word/document.xml":
        renamed |= {name: text}  # without it, it is no Word document
    return zips.packed(renamed | {new: text[:end] + element * (size // len(element)) + text[end:]})


def _nested(name: str, depth: int) -> str:
    return f"<w:{name}>" * depth + f"</w:{name}>" * depth


_TABLE = "<w:tbl><w:tr><w:tc>"
_TABLE_END = "</w:tc></w:tr></w:tbl>"
_WORDS = b"BT /F 12 Tf 40 700 Td (Words.) Tj ET\n"
POISONS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "contents of 4 GB through three filters": (
        "a.pdf",
        lambda: pdf_file(page(stream(grammars.packed_zeros(4_000_000_000), layers=2, inner=1))),
        "unpacks to more",
    ),
    "contents of 300 MB": (
        "a.pdf",
        lambda: pdf_file(page(stream(grammars.packed_zeros(300_000_000), layers=0, inner=1))),
        "unpacks to more",
    ),
    "a slide that is called s.bin": (
        "a.pptx",
        lambda: _part(
            office.pptx(), "ppt/slides/slide1.xml", "ppt/slides/s.bin", b"<a:p/>" * 99, 100_000_000
        ),
        "far more",
    ),
    "a sheet that is called sheet1.bin": (
        "a.xlsx",
        lambda: _part(
            office.xlsx(), "xl/worksheets/sheet1.xml", "xl/worksheets/sheet1.bin", b"<row/>" * 99, 300_000_000
        ),
        "far more",
    ),
    "a text that is called d.bin": (
        "a.docx",
        lambda: _part(office.docx(), "word/document.xml", "word/d.bin", b"<w:p/>" * 99, 50_000_000),
        "far more",
    ),
    "a chapter that is called a.bin": (
        "a.epub",
        lambda: _part(office.epub(), "OPS/b.xhtml", "OPS/a.bin", b"<p></p>" * 99, 50_000_000),
        "",
    ),
    "600,000 empty elements": (
        "a.html",
        lambda: b"<html>" + b"<b> </b><i> </i>" * 300_000,
        "too many elements",
    ),
    "items of one list": ("a.html", lambda: b"<html><ol>" + b"<li>a</li>" * 30_000, ""),
    "rows of one head": ("a.html", lambda: b"<html><table><thead>" + b"<tr><td>a</td></tr>" * 15_000, ""),
    "scripts beside each other": ("a.html", lambda: b"<html>" + b"<script></script>a" * 40_000, ""),
    "blanks": ("a.html", lambda: b"<html><p>a" + b" " * 500_000 + b"b<pre>a" + b" " * 500_000 + b"b", ""),
    "cells without end": (
        "a.html",
        lambda: b"<html>" + b"<table><tr><td colspan=1000 rowspan=999>a</table>" * 2000,
        "",
    ),
    "a list that starts at 10^5000": (
        "a.html",
        lambda: b"<html><ol start=" + b"9" * 5000 + b"><li>a</ol>",
        "",
    ),
    "tables within tables": (
        "a.docx",
        lambda: office.docx(_TABLE * 1000 + "<w:p/>" + _TABLE_END * 1000),
        "nested too deeply",
    ),
    "runs": (
        "a.docx",
        lambda: office.docx("<w:p>" + "<w:r><w:t>a</w:t></w:r>" * 130_000 + "</w:p>"),
        "too many elements",
    ),
    "declared attributes": (
        "a.docx",
        lambda: zips.packed(
            {
                "word/document.xml": b'<!DOCTYPE a [<!ATTLIST a b CDATA "'
                + b"x" * 100_000
                + b'">]>'
                + b"<a/>" * 9
            }
        ),
        "declarations of its own",
    ),
    "another compression": (
        "a.docx",
        lambda: zips.packed({"word/document.xml": b"<a/>", "x": b" " * 50_000_000}, zips.zipfile.ZIP_BZIP2),
        "damaged",
    ),
    "a row as wide as can be above many": ("a.xlsx", lambda: office.xlsx(_wide_sheet()), "more text"),
    "names by the thousand": (
        "a.xlsx",
        lambda: office.xlsx("".join(f"<a{n}/>" for n in range(200_000))),
        "too many elements",
    ),
    "a long comment": ("a.xlsx", lambda: office.xlsx("<!--" + "<a " * 3_000_000 + "-->"), ""),
    "a JPEG in 5,000 scans": ("a.jpg", lambda: grammars.scans(5000), ""),
    "pages of 10^9 points": (
        "a.pdf",
        lambda: pdf_file(page(stream(_WORDS), box=b"0 0 1000000000 1000000000")),
        "larger than any paper",
    ),
}


def _wide_sheet() -> str:
    wide = "".join("<c><v>1</v></c>" for _ in range(16_000))
    return f"<row>{wide}</row>" + "<row><c><v>1</v></c></row>" * 3000


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    child = Child()
    yield child
    child.close()


@pytest.mark.parametrize("poison", POISONS)
def test_a_poison_file_fails_alone(poison: str, child: Child) -> None:
    name, make, said = POISONS[poison]
    file = Hostile(number=2, kind=name[2:], way=poison, name=name, data=make(), is_table=False)
    outcome = child.convert(file)
    if outcome.offences(MOST_S):
        outcome = child.convert(file)  # in a new process, which holds nothing of the files before
    assert outcome.offences(MOST_S) == []
    assert outcome.end == ("refused" if said else outcome.end), outcome
    assert said in outcome.said
