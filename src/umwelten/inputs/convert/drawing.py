"""Diagrams and charts of Word documents and presentations: their words and numbers."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from umwelten.inputs.convert.markdown_table import table
from umwelten.inputs.convert.xml_parts import outermost

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_MOST_POINTS = 10_000
_MOST_CELLS = 1_000_000


def reference(frame: Element) -> str | None:
    """Return the relation of the diagram or chart in a frame, by its id; `None` if there is neither."""
    for node in frame.iter():
        name = node.tag.rpartition("}")[2]
        if name in ("relIds", "chart"):
            wanted = "dm" if name == "relIds" else "id"
            return next((id for key, id in node.attrib.items() if key.endswith(f"}}{wanted}")), None)
    return None


def words(root: Element) -> str:
    """Return the text of a diagram's data as a list, or a chart's title and numbers as a table."""
    if root.tag == f"{_C}chartSpace":
        return _chart(root)
    bodies = outermost(root, *{node.tag for node in root.iter() if node.tag.endswith("/diagram}t")})
    points = (" ".join("".join(part.itertext()).split()) for part in bodies)
    return "\n".join(f"- {point}" for point in points if point)


def _chart(root: Element) -> str:
    title = root.find(f"{_C}chart/{_C}title")
    named = " ".join(part.text or "" for part in title.iter(f"{_A}t")) if title is not None else ""
    columns = [_series(node) for node in outermost(root, f"{_C}ser")]
    names = list(dict.fromkeys(name for _, values in columns for name in values))
    names = names[: _MOST_CELLS // max(len(columns), 1)]
    rows = [["", *(name for name, _ in columns)]]
    rows += [[name, *(values.get(name, "") for _, values in columns)] for name in names]
    return "\n\n".join(part for part in (named.strip(), table(rows) if names else "") if part)


def _series(node: Element) -> tuple[str, dict[str, str]]:
    """Return a series' name, and its values by category; by number where there is none."""
    name = " ".join(value for _, value in _points(node, "tx"))
    categories = dict(_points(node, "cat")) or dict(_points(node, "xVal"))
    values = list(_points(node, "val")) or list(_points(node, "yVal"))
    return name, {categories.get(at, str(at + 1)): value for at, value in values}


def _points(node: Element, name: str) -> Iterator[tuple[int, str]]:
    """Yield the stored points of a part of a series: index and text."""
    part = node.find(_C + name)
    found = list(outermost(part, f"{_C}pt")) if part is not None else []
    for point in found[:_MOST_POINTS]:
        value = " ".join((text.text or "").strip() for text in point.iter(f"{_C}v"))
        index = point.attrib.get("idx", "")
        if index.isdecimal():
            yield int(index), value
