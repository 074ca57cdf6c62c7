"""The parser of HTML pages: their tree without what nobody sees. Imports the library, which is slow.

What is left out is never put into the tree: to take elements out of it takes time for each of their siblings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bs4.builder._lxml import LXMLTreeBuilder

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_UNSEEN = frozenset(("script", "style", "template", "svg", "head"))


class Table(NamedTuple):
    """A table and its own rows, without those of tables within it."""

    tag: Tag
    rows: list[Tag]


class Builder(LXMLTreeBuilder):
    """Builds the tree, notes its tables, and the title wherever it is."""

    def initialize_soup(self, soup: BeautifulSoup) -> None:
        """Begin a page, or begin it again."""
        super().initialize_soup(soup)
        self.tables: list[Table] = []
        self.title = ""
        self._open: list[Table] = []
        self._unseen = 0  # how many elements are open from the outermost unseen one on
        self._template = 0  # what `_unseen` was when the outermost template began
        self._in_title = 0
        self._titles: list[str] = []
        self._has_title = False

    def start(self, tag: Any, attrib: Any, nsmap: Any = {}) -> None:  # noqa: B006 - as the library's
        """Begin an element."""
        if self._unseen:
            self._unseen += 1
            if self._in_title or not self._template:
                self._note_title(tag)
            if tag == "template" and not self._template:
                self._template = self._unseen
            return
        self._note_title(tag)
        soup = self._soup()
        if tag in _UNSEEN:
            soup.endData()
            self._unseen, self._template = 1, int(tag == "template")
            return
        if tag == "input" and attrib.get("type") == "checkbox":
            soup.endData()
            soup.handle_data("[x] " if "checked" in attrib else "[ ] ")
            soup.endData()
            self._unseen = 1
            return
        if tag == "img" and attrib.get("src", "").startswith("data:"):
            attrib = {**attrib, "src": ""}
        super().start(tag, attrib, nsmap)
        element = soup.currentTag
        if tag == "table" and element is not None:
            self._open.append(Table(element, []))
            self.tables.append(self._open[-1])
        elif tag == "tr" and self._open and element is not None:
            self._open[-1].rows.append(element)

    def end(self, tag: Any) -> None:
        """End an element."""
        if self._in_title:
            self._in_title -= 1
            self._titles.append("")
            if not self._in_title:
                self.title = " ".join(text for text in map(str.strip, self._titles) if text)
        if self._unseen:
            if self._unseen == self._template:
                self._template = 0
            self._unseen -= 1
            return
        super().end(tag)
        if tag == "table" and self._open:
            self._open.pop()

    def data(self, data: Any) -> None:
        """Add text."""
        if self._in_title:
            self._titles[-1] += data
        if not self._unseen:
            super().data(data)

    def comment(self, text: Any) -> None:
        """Add a comment."""
        if self._in_title:
            self._titles.append("")
        if not self._unseen:
            super().comment(text)

    def pi(self, target: str, data: str) -> None:
        """Leave out a processing instruction."""
        if not self._unseen:
            self._soup().endData()

    def _note_title(self, tag: str) -> None:
        if self._in_title:
            self._in_title += 1
            self._titles.append("")
        elif tag == "title" and not self._has_title:
            self._has_title, self._in_title, self._titles = True, 1, [""]

    def _soup(self) -> BeautifulSoup:
        if self.soup is None:
            raise RuntimeError("the page has not begun")
        return self.soup
