"""PowerPoint presentations: the text of each slide, its tables, diagrams, charts, notes and comments."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from umwelten.inputs.convert import drawing
from umwelten.inputs.convert.formula import M, linear
from umwelten.inputs.convert.markdown_table import table
from umwelten.inputs.convert.xml_parts import outermost
from umwelten.inputs.convert.zip_container import Archive

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_STRICT = (
    (b"http://purl.oclc.org/ooxml/drawingml/main", _A[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/presentationml/main", _P[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", _R[1:-1].encode()),
)
_TITLES = ("title", "ctrTitle")
_NOT_TEXT = ("sldNum", "dt", "hdr", "sldImg")
_SHAPES = (f"{_P}sp", f"{_P}pic", f"{_P}graphicFrame")

HIDDEN_SLIDES = "hidden slides are sent, marked as hidden"


def markdown(archive: Archive) -> tuple[str, tuple[str, ...]]:
    """Return all slides as markdown, and warnings. Raises `UnsupportedInput`, and any error if damaged."""
    root = archive.xml("ppt/presentation.xml", _STRICT)
    targets = _relations(archive, "ppt/presentation.xml")
    members = [targets[node.attrib[f"{_R}id"]][1] for node in root.iter(f"{_P}sldId")]
    slides = [_Slide(archive, member, number) for number, member in enumerate(members, 1)]
    parts = [slide.markdown() for slide in slides]
    footers = dict.fromkeys(footer for slide in slides for footer in slide.footers)
    if footers:
        parts.append("\n\n".join(("Footer:", *footers)))
    return "\n\n".join(parts), (HIDDEN_SLIDES,) if any(slide.hidden for slide in slides) else ()


class _Slide:
    """A slide. `footers` are those found by `markdown`."""

    def __init__(self, archive: Archive, member: str, number: int) -> None:
        self._archive, self._number = archive, number
        self._root = archive.xml(member, _STRICT)
        self._targets = _relations(archive, member)
        self.hidden = self._root.attrib.get("show") in ("0", "false")
        self.footers: list[str] = []

    def markdown(self) -> str:
        """Return the slide under its number, with its notes and comments."""
        lines = [f"## Slide {self._number}{' (hidden slide)' * self.hidden}"]
        lines += self._archive.room.take_texts(self._texts(self._root))
        notes = list(self._archive.room.take_texts(self._notes()))
        comments = list(self._archive.room.take_texts(self._comments()))
        lines += ["Notes:", *notes] if notes else []
        lines += ["Comments:", *comments] if comments else []
        return "\n\n".join(lines)

    def _parts(self, kind: str) -> Iterator[Element]:
        for type, target in self._targets.values():
            if type.endswith(f"/{kind}") and target in self._archive.names:
                yield self._archive.xml(target, _STRICT)

    def _notes(self) -> Iterator[str]:
        for root in self._parts("notesSlide"):
            yield from self._texts(root)

    def _comments(self) -> Iterator[str]:
        for root in self._parts("comments"):
            for node in outermost(root, f"{_P}text", "txBody"):
                # An older comment is a text, a newer one a body of paragraphs.
                own = node.text if node.tag == f"{_P}text" else ""
                text = own or _text(node)
                if text.strip():
                    yield f"- {' '.join(text.split())}"

    def _texts(self, root: Element) -> Iterator[str]:
        """Yield the texts, tables and drawings, in the order of the shapes, those in groups included."""
        for node in _shapes(root):
            if node.tag == f"{_P}sp":
                placeholder = node.find(f".//{_P}nvPr/{_P}ph")
                kind = placeholder.attrib.get("type", "") if placeholder is not None else ""
                text = "" if kind in _NOT_TEXT else _text(node)
                if text and kind == "ftr":
                    self.footers.append(text)
                elif text:
                    yield f"### {' '.join(text.split())}" if kind in _TITLES else text
            elif node.tag == f"{_P}pic":
                about = node.find(f"{_P}nvPicPr/{_P}cNvPr")
                described = "" if about is None else " ".join(about.attrib.get("descr", "").split())
                if described:
                    yield f"![{described}]()"
            else:
                yield from self._frame(node)

    def _frame(self, frame: Element) -> Iterator[str]:
        for grid in outermost(frame, f"{_A}tbl"):
            rows = [[_text(cell) for cell in outermost(row, f"{_A}tc")] for row in outermost(grid, f"{_A}tr")]
            yield table(rows)
        _, target = self._targets.get(drawing.reference(frame) or "", ("", ""))
        if target in self._archive.names:
            text = drawing.words(self._archive.xml(target, _STRICT))
            if text:
                yield text


def _shapes(node: Element) -> Iterator[Element]:
    """Yield shapes, pictures and frames, of alternatives for different programs the first."""
    for child in node:
        if child.tag in _SHAPES:
            yield child
        elif child.tag == f"{_MC}AlternateContent":
            found = (list(_shapes(alternative)) for alternative in child)
            yield from next((shapes for shapes in found if shapes), [])
        else:
            yield from _shapes(child)


def _text(node: Element) -> str:
    lines = (_paragraph(paragraph) for paragraph in outermost(node, f"{_A}p"))
    return "\n".join(line for line in lines if line.strip())


def _words(node: Element) -> Iterator[str]:
    """Yield the pieces of a paragraph's text."""
    for child in node:
        if child.tag == f"{_A}t":
            yield child.text or ""
        elif child.tag == f"{_A}br":
            yield "\n"
        elif child.tag in (f"{M}oMath", f"{M}oMathPara"):
            yield linear(child)
        elif child.tag == f"{_MC}AlternateContent":
            found = ("".join(_words(alternative)) for alternative in child)
            yield next((text for text in found if text.strip()), "")
        else:
            yield from _words(child)


def _paragraph(node: Element) -> str:
    words = "".join(_words(node))
    properties = node.find(f"{_A}pPr")
    level = int(properties.attrib.get("lvl", "0")) if properties is not None else 0
    return f"{'  ' * min(level, 8)}- {words}" if level else words


def _relations(archive: Archive, member: str) -> dict[str, tuple[str, str]]:
    """Return what a member refers to, by id: its type and its path."""
    folder, file = posixpath.split(member)
    relations = f"{folder}/_rels/{file}.rels"
    if relations not in archive.names:
        return {}
    return {
        node.attrib["Id"]: (node.attrib["Type"], _place(folder, node.attrib["Target"]))
        for node in archive.xml(relations, _STRICT)
        if node.attrib.get("TargetMode") != "External"
    }


def _place(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
