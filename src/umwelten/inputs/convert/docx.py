"""Word documents: as HTML by mammoth, from a copy that holds what mammoth would pass over.

Headers and footers are put around the text. Text boxes, formulas and parts in other formats are put where
mammoth finds them; hidden text is taken out. Mammoth itself keeps inserted text and leaves out deleted text,
and adds footnotes, endnotes and comments at the end.
"""

from __future__ import annotations

import io
import math
import posixpath
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from umwelten.inputs.convert import docx_parts, drawing, html
from umwelten.inputs.convert.bounds import MAX_ELEMENTS
from umwelten.inputs.convert.docx_parts import A, R, W, paragraph
from umwelten.inputs.convert.formula import M
from umwelten.inputs.convert.markdown_table import cell
from umwelten.inputs.convert.xml_parts import local
from umwelten.inputs.convert.zip_container import Archive
from umwelten.types import FrozenStruct

_STRICT = (
    (b"http://purl.oclc.org/ooxml/wordprocessingml/main", W[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/relationships", R[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/drawingml/main", A[1:-1].encode()),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", M[1:-1].encode()),
)
_NOTES = ("footnotes", "endnotes", "comments")
_RULE = "---"
_TOKEN = re.compile("\ue001[0-9]+\ue001")  # of the private use area
_LINE_WITH_TOKEN = re.compile("^.*\ue001[0-9]+\ue001.*$", re.MULTILINE)

HIDDEN = "hidden text of the document is left out"
EMBEDDED = "a part of the document that is embedded in another format is left out"


class _Target(FrozenStruct):
    """What a part refers to: the last word of the relation's type, and the path in the archive."""

    kind: str
    member: str


def markdown(archive: Archive, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the document as markdown, and warnings. Raises `UnsupportedInput`, and any error if damaged."""
    import mammoth

    document = _Document(archive)
    page: str = mammoth.convert_to_html(
        document.prepared(),
        # Images in it would become megabytes of base64.
        convert_image=mammoth.images.img_element(lambda image: {"src": ""}),
        style_map="comment-reference => sup",
    ).value
    text = html.markdown(page, name, MAX_ELEMENTS)  # those of its XML are counted
    if document.chunks:
        text = _LINE_WITH_TOKEN.sub(partial(_with_chunks, document.chunks), text)
    return text, tuple(document.warnings)


def _with_chunks(chunks: Mapping[str, str], line: re.Match[str]) -> str:
    """Return a line with the texts that its tokens stand for: in a table it has to stay one line."""
    in_table = line[0].startswith("|")

    def chunk(token: re.Match[str]) -> str:
        text = chunks.get(token[0], "")
        return cell(text) if in_table else text

    return _TOKEN.sub(chunk, line[0])


class _Document:
    """A document's parts. `chunks` are parts in other formats as markdown, by what stands in their place."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._members = archive.names
        self.chunks: dict[str, str] = {}
        self.warnings: dict[str, None] = {}

    def prepared(self) -> io.BytesIO:
        """Return the copy for mammoth, without images."""
        main = next((t.member for t in self._targets("").values() if t.kind == "officeDocument"), "")
        main = main if main in self._members else "word/document.xml"
        targets = self._targets(main)
        styles = [self._xml(t.member) for t in targets.values() if t.kind == "styles"]
        hidden = docx_parts.hidden_styles(styles[0]) if styles else frozenset()
        changed = {main: self._main(main, targets, hidden)}
        for target in targets.values():
            if target.kind in _NOTES:
                changed[target.member] = self._cleaned(self._xml(target.member), target.member, hidden)
        copy = io.BytesIO()
        with zipfile.ZipFile(copy, "w") as written:
            for member in self._members:
                if member in changed:
                    written.writestr(member, ElementTree.tostring(changed[member], "utf-8"))
                elif member.endswith((".xml", ".rels")):
                    written.writestr(member, self._archive.checked_xml(member))
        copy.seek(0)
        return copy

    def _main(self, main: str, targets: dict[str, _Target], hidden: frozenset[str]) -> Element:
        root = self._xml(main)
        around = {kind: list(self._around(root, kind, targets, hidden)) for kind in ("header", "footer")}
        self._cleaned(root, main, hidden)
        body = next((node for node in root if local(node) == "body"), root)
        if around["header"]:
            body[:0] = [paragraph("Header:"), *around["header"], paragraph(_RULE)]
        if around["footer"]:
            body.extend([paragraph(_RULE), paragraph("Footer:"), *around["footer"]])
        return root

    def _around(
        self, root: Element, kind: str, targets: dict[str, _Target], hidden: frozenset[str]
    ) -> Iterator[Element]:
        """Yield the paragraphs and tables of the headers or footers that are shown, each text once."""
        seen: set[str] = set()
        for reference in self._references(root, kind, targets):
            target = targets.get(reference)
            if target is None or target.member not in self._members or target.member in seen:
                continue
            part = self._cleaned(self._xml(target.member), target.member, hidden)
            text = " ".join("".join(part.itertext()).split())
            if text and text not in seen:
                yield from (docx_parts.without_references(node) for node in part)
            seen |= {text, target.member}

    def _references(self, root: Element, kind: str, targets: dict[str, _Target]) -> Iterator[str]:
        """Yield the ids of the headers or footers of all sections, without those that are switched off."""
        settings = [self._xml(t.member) for t in targets.values() if t.kind == "settings"]
        different = any(docx_parts.is_on(node, "evenAndOddHeaders") for node in settings)
        for section in root.iter(f"{W}sectPr"):
            first = docx_parts.is_on(section, "titlePg")
            shown = {"default", "even" if different else "", "first" if first else ""}
            for node in section.iter(f"{W}{kind}Reference"):
                if node.attrib.get(f"{W}type", "default") in shown:
                    yield node.attrib.get(f"{R}id", "")

    def _cleaned(self, root: Element, member: str, hidden: frozenset[str]) -> Element:
        """Return a part, changed in place to what mammoth finds all of."""
        if docx_parts.remove_hidden(root, hidden):
            self.warnings[HIDDEN] = None
        targets = self._targets(member)
        for shape in list(root.iter(f"{W}drawing")):
            target = targets.get(drawing.reference(shape) or "")
            if target is not None and target.member in self._members:
                text = drawing.words(self._xml(target.member))
                box = SubElement(shape, f"{W}txbxContent")
                box.extend([self._placeholder(text)] if text else [])
        docx_parts.unfold(root)
        for parent in [node for node in root.iter() if any(local(child) == "altChunk" for child in node)]:
            for index, child in enumerate(list(parent)):
                if local(child) == "altChunk":
                    parent[index] = self._chunk(targets.get(child.attrib.get(f"{R}id", "")))
        return root

    def _chunk(self, target: _Target | None) -> Element:
        """Return a paragraph to stand for a part in another format."""
        text = ""
        if target is not None and self._size(target.member) <= html.MAX_PAGE:
            data = self._archive.read(target.member)
            text = docx_parts.chunk_text(data, self._archive.room)
        if not text:
            self.warnings[EMBEDDED] = None
            return paragraph("")
        return self._placeholder(text)

    def _placeholder(self, text: str) -> Element:
        """Return a paragraph to stand for a text that is markdown already."""
        token = f"\ue001{len(self.chunks)}\ue001"
        self.chunks[token] = text
        return paragraph(token)

    def _size(self, member: str) -> float:
        return self._archive.size(member) if member in self._members else math.inf

    def _targets(self, member: str) -> dict[str, _Target]:
        """Return what a part refers to, by id."""
        folder, file = posixpath.split(member)
        relations = posixpath.join(folder, "_rels", f"{file}.rels")
        if relations not in self._members:
            return {}
        return {
            node.attrib["Id"]: _Target(
                kind=node.attrib["Type"].rpartition("/")[2],
                member=posixpath.normpath(posixpath.join("/", folder, node.attrib["Target"])).lstrip("/"),
            )
            for node in self._xml(relations)
            if node.attrib.get("TargetMode") != "External"
        }

    def _xml(self, member: str) -> Element:
        return self._archive.xml(member, _STRICT)
