"""Changes to the XML of a Word document, so that all of its text is where mammoth looks for it."""

from __future__ import annotations

import email
import email.message
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from umwelten.inputs.convert import html
from umwelten.inputs.convert.bounds import Room
from umwelten.inputs.convert.formula import M, linear
from umwelten.inputs.file_detection import decode_text

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_V = "{urn:schemas-microsoft-com:vml}"
_BOX = f"{W}txbxContent"
_OFF = ("0", "false", "off")
_FIELD = frozenset((f"{W}rPr", f"{W}fldChar", f"{W}instrText"))
# Containers that mammoth does not know, and drops with their text.
_UNKNOWN = frozenset((f"{W}bdo", f"{W}dir", f"{W}fldSimple"))


_DRAWINGS = frozenset((f"{W}drawing", f"{W}pict", f"{W}object"))
_WHITE = {f"{W}cr": f"{W}br", f"{W}ptab": f"{W}tab"}


def is_on(parent: Element, name: str) -> bool:
    """Return whether a switch among the children of an element is on."""
    node = parent.find(f"{W}{name}")
    return node is not None and node.attrib.get(f"{W}val", "1") not in _OFF


# --- hidden text --------------------------------------------------------------------------------


def hidden_styles(root: Element) -> frozenset[str]:
    """Return the ids of the styles that hide their text, of the part that defines styles."""
    styles = {node.attrib.get(f"{W}styleId", ""): node for node in root.iter(f"{W}style")}
    hidden: set[str] = set()
    for id in styles:
        seen: list[str] = []
        while id in styles and id not in seen:
            seen.append(id)
            own = _vanishes(styles[id])
            if own is not None:
                hidden |= {seen[0]} if own else set()
                break
            based = styles[id].find(f"{W}basedOn")
            id = based.attrib.get(f"{W}val", "") if based is not None else ""
    return frozenset(hidden)


def remove_hidden(root: Element, hidden: frozenset[str]) -> bool:
    """Take the text out of hidden runs and rows, and return whether there was any."""
    removed = False
    for table in root.iter(f"{W}tbl"):
        shown = [row for row in table if row.tag != f"{W}tr" or row.find(f"{W}trPr/{W}hidden") is None]
        if len(shown) < len(table):
            table[:] = shown
            removed = True
    for paragraph in root.iter(f"{W}p"):
        by_style = _style(paragraph, "pPr/pStyle") in hidden
        for run in paragraph.iter(f"{W}r"):
            own = _vanishes(run)
            if own or (own is None and (by_style or _style(run, "rPr/rStyle") in hidden)):
                # The marks of a field stay, or the text after them would be taken for its code.
                kept = [node for node in run if node.tag in _FIELD]
                removed = removed or any(node.tag == f"{W}t" for node in run)
                run[:] = kept
    return removed


def _vanishes(node: Element) -> bool | None:
    properties = node.find(f"{W}rPr")
    if properties is None or properties.find(f"{W}vanish") is None:
        return None
    return is_on(properties, "vanish")


def _style(node: Element, path: str) -> str:
    found = node.find("/".join(W + step for step in path.split("/")))
    return found.attrib.get(f"{W}val", "") if found is not None else ""


# --- text that mammoth does not look for --------------------------------------------------------


def unfold(parent: Element) -> None:
    """Put text boxes, formulas and what is in unknown containers where mammoth finds them."""
    parent[:] = [new for child in parent for new in _unfolded(child)]


def _unfolded(node: Element) -> list[Element]:
    """Return what takes an element's place."""
    tag = node.tag
    if tag == f"{_MC}AlternateContent":
        return _flat(_alternative(node))
    if tag in _DRAWINGS:
        return _with_boxes(node)
    if tag in _UNKNOWN:
        return _flat(node)
    if tag == f"{W}ruby":
        return _flat(node.findall(f"{W}rubyBase/*"))
    if tag in (f"{M}oMath", f"{M}oMathPara"):
        return [run(linear(node))]
    if tag in _WHITE:
        return [Element(_WHITE[tag])]
    unfold(node)
    return [node]


def _flat(parent: Element | list[Element]) -> list[Element]:
    return [new for child in parent for new in _unfolded(child)]


def _alternative(node: Element) -> list[Element]:
    """Return the content of one of the alternatives for different versions of Word: one with text."""
    choices = [*node.findall(f"{_MC}Choice"), *node.findall(f"{_MC}Fallback")]
    with_text = (choice for choice in choices if _has_text(choice))
    return list(next(with_text, choices[-1] if choices else Element("none")))


def _has_text(node: Element) -> bool:
    return any(text.text for text in node.iter(f"{W}t"))


def _with_boxes(node: Element) -> list[Element]:
    """Return a drawing, and after it its text boxes as mammoth knows them."""
    boxes = list(_outermost(node))
    words = [path.attrib.get("string", "") for path in node.iter(f"{_V}textpath")]
    if not boxes and not any(words):
        return [node]
    for box in boxes:
        unfold(box)
    node[:] = [child for child in node if child.tag != _BOX]  # mammoth would find them there too
    picture = Element(f"{W}pict")
    content = SubElement(picture, f"{_V}textbox")
    content.extend(boxes)
    SubElement(content, _BOX).extend(paragraph(word) for word in words if word)
    return [node, picture] if node.tag == f"{W}drawing" else [picture]


def _outermost(node: Element) -> Iterator[Element]:
    for child in node:
        if child.tag == _BOX:
            yield child
        elif child.tag == f"{_MC}AlternateContent":
            for chosen in _alternative(child):
                yield from _outermost(chosen) if chosen.tag != _BOX else [chosen]
        else:
            yield from _outermost(child)


def run(text: str) -> Element:
    """Return a run of text."""
    node = Element(f"{W}r")
    SubElement(node, f"{W}t").text = text
    return node


def paragraph(text: str) -> Element:
    """Return a paragraph of text."""
    node = Element(f"{W}p")
    node.append(run(text))
    return node


def without_references(node: Element) -> Element:
    """Return an element, changed in place to refer to no other part of the document."""
    for each in node.iter():
        for name in [name for name in each.attrib if name.startswith(R)]:
            del each.attrib[name]
    return node


# --- parts in other formats ---------------------------------------------------------------------


def chunk_text(data: bytes, room: Room) -> str:
    """Return an embedded page, MIME archive of one, or text as markdown; "" for other formats.

    Raises `UnsupportedInput` if the document has no room for its elements.
    """
    if data[:12].lower() == b"mime-version":
        parts = email.message_from_bytes(data).walk()
        text = next((_part_text(part) for part in parts if part.get_content_type() == "text/html"), None)
    else:
        text = None if data[:5] == b"{\\rtf" else decode_text(data)
    if not text:
        return ""
    room.take_elements(html.count_elements(text))
    return html.markdown(text, room.name).strip()


def _part_text(part: email.message.Message) -> str:
    data = part.get_payload(decode=True)
    try:
        return data.decode(part.get_content_charset("ascii"), "replace") if isinstance(data, bytes) else ""
    except LookupError:
        return decode_text(data) or "" if isinstance(data, bytes) else ""
