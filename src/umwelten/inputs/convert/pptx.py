"""PowerPoint presentations: the text of each slide, its tables and its notes, in order."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from umwelten.file_types import PPTX
from umwelten.inputs.convert import zip_container
from umwelten.inputs.convert.markdown_table import table

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_STRICT = (
    (b"http://purl.oclc.org/ooxml/drawingml/main", _A[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/presentationml/main", _P[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", _R[1:-1].encode()),
)
_TITLES = ("title", "ctrTitle")
_NOT_TEXT = ("sldNum", "dt", "ftr", "hdr", "sldImg")


def markdown(archive: zipfile.ZipFile, name: str) -> str:
    """Return all slides as markdown. Raises `UnsupportedInput`, and any error if damaged."""
    root = _xml(archive, "ppt/presentation.xml", name)
    targets = _relations(archive, "ppt/presentation.xml", name)
    members = [targets[node.attrib[f"{_R}id"]][1] for node in root.iter(f"{_P}sldId")]
    return "\n\n".join(_slide(archive, member, number, name) for number, member in enumerate(members, 1))


def _slide(archive: zipfile.ZipFile, member: str, number: int, name: str) -> str:
    lines = [f"## Slide {number}"]
    lines += _shape_texts(_xml(archive, member, name))
    for kind, target in _relations(archive, member, name).values():
        if kind.endswith("/notesSlide") and target in archive.namelist():
            notes = list(_shape_texts(_xml(archive, target, name)))
            lines += ["Notes:", *notes] if notes else []
    return "\n\n".join(lines)


def _shape_texts(root: Element) -> Iterator[str]:
    """Yield the texts and tables of a slide, in the order of its shapes, those in groups included."""
    for node in root.iter():
        if node.tag == f"{_P}sp":
            placeholder = node.find(f".//{_P}nvPr/{_P}ph")
            kind = placeholder.attrib.get("type", "") if placeholder is not None else ""
            text = "" if kind in _NOT_TEXT else _text(node)
            if text:
                yield f"### {' '.join(text.split())}" if kind in _TITLES else text
        elif node.tag == f"{_A}tbl":
            rows = [[_text(cell) for cell in row.iter(f"{_A}tc")] for row in node.iter(f"{_A}tr")]
            yield table(rows)


def _text(node: Element) -> str:
    lines = (_paragraph(paragraph) for paragraph in node.iter(f"{_A}p"))
    return "\n".join(line for line in lines if line.strip())


def _paragraph(node: Element) -> str:
    words = "".join(
        part.text or "" if part.tag == f"{_A}t" else "\n"
        for part in node.iter()
        if part.tag in (f"{_A}t", f"{_A}br")
    )
    properties = node.find(f"{_A}pPr")
    level = int(properties.attrib.get("lvl", "0")) if properties is not None else 0
    return f"{'  ' * min(level, 8)}- {words}" if level else words


def _xml(archive: zipfile.ZipFile, member: str, name: str) -> Element:
    data = zip_container.read(archive, member, name, PPTX.word)
    for strict, usual in _STRICT:
        data = data.replace(strict, usual)
    return ElementTree.fromstring(data)


def _relations(archive: zipfile.ZipFile, member: str, name: str) -> dict[str, tuple[str, str]]:
    """Return what a member refers to, by id: its type and its path."""
    folder, file = posixpath.split(member)
    relations = f"{folder}/_rels/{file}.rels"
    if relations not in archive.namelist():
        return {}
    return {
        node.attrib["Id"]: (node.attrib["Type"], _place(folder, node.attrib["Target"]))
        for node in _xml(archive, relations, name)
        if node.attrib.get("TargetMode") != "External"
    }


def _place(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
