"""EPUB books: their chapters in reading order, each as markdown."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from umwelten.inputs.convert import html
from umwelten.inputs.convert.zip_container import Archive
from umwelten.inputs.encodings import decode

_PAGES = ("application/xhtml+xml", "text/html")


def markdown(archive: Archive, name: str) -> str:
    """Return the book as markdown. Raises `UnsupportedInput`, `ImportError`, and any error if damaged."""
    container = archive.xml("META-INF/container.xml")
    package = next(node.attrib["full-path"] for node in container.iter() if node.tag.endswith("}rootfile"))
    chapters = (_chapter(archive, member, name) for member in _spine(archive, package))
    return "\n\n".join(text for text in archive.room.take_texts(chapters) if text.strip())


def _spine(archive: Archive, package: str) -> list[str]:
    """Return the members that hold the chapters, in order."""
    root = archive.xml(package)
    items = {
        node.attrib["id"]: node.attrib["href"]
        for node in root.iter()
        if node.tag.endswith("}item") and node.attrib.get("media-type") in _PAGES
    }
    order = [node.attrib["idref"] for node in root.iter() if node.tag.endswith("}itemref")]
    folder = posixpath.dirname(package)
    return [posixpath.normpath(posixpath.join(folder, unquote(items[id]))) for id in order if id in items]


def _chapter(archive: Archive, member: str, name: str) -> str:
    text = decode(archive.read(member)) or ""
    archive.room.take_elements(html.count_elements(text))
    return html.markdown(text, name) if text else ""
