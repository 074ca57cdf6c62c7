"""EPUB books: their chapters in reading order, each as markdown."""

from __future__ import annotations

import posixpath
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

from umwelten.file_types import EPUB
from umwelten.inputs.convert import html, zip_container
from umwelten.inputs.encodings import decode

_PAGES = ("application/xhtml+xml", "text/html")


def markdown(archive: zipfile.ZipFile, name: str) -> str:
    """Return the book as markdown. Raises `UnsupportedInput`, `ImportError`, and any error if damaged."""
    container = ElementTree.fromstring(zip_container.read(archive, "META-INF/container.xml", name, EPUB.word))
    package = next(node.attrib["full-path"] for node in container.iter() if node.tag.endswith("}rootfile"))
    chapters = (_chapter(archive, member, name) for member in _spine(archive, package, name))
    return "\n\n".join(text for text in chapters if text.strip())


def _spine(archive: zipfile.ZipFile, package: str, name: str) -> list[str]:
    """Return the members that hold the chapters, in order."""
    root = ElementTree.fromstring(zip_container.read(archive, package, name, EPUB.word))
    items = {
        node.attrib["id"]: node.attrib["href"]
        for node in root.iter()
        if node.tag.endswith("}item") and node.attrib.get("media-type") in _PAGES
    }
    order = [node.attrib["idref"] for node in root.iter() if node.tag.endswith("}itemref")]
    folder = posixpath.dirname(package)
    return [posixpath.normpath(posixpath.join(folder, unquote(items[id]))) for id in order if id in items]


def _chapter(archive: zipfile.ZipFile, member: str, name: str) -> str:
    text = decode(zip_container.read(archive, member, name, EPUB.word))
    return html.markdown(text, name) if text else ""
