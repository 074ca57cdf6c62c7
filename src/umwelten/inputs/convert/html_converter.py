"""The converter of HTML elements, with tables whose cells stay cells. Imports the library, which is slow."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from bs4.element import NavigableString
from markdownify import MarkdownConverter

from umwelten.inputs.convert.bounds import TooMuchText
from umwelten.inputs.convert.markdown_table import cell

if TYPE_CHECKING:
    from bs4.element import Tag

_CELLS = {"td", "th"}
_BLOCKS = frozenset(
    ("p", "div", "table", "pre", "blockquote", "article", "section", "dl", "dt", "dd", "li", "caption")
)
_BREAK = "\ue000"  # of the private use area: the end of a line within a cell
_BLANKS = re.compile(r"[ \t]+")
_LONG = 1000
_MOST_WITHIN = 100_000
"""Descendants of a first row that are looked at for its columns: tables may be nested."""

_MOST_WORK = 320_000_000
"""Characters that all elements hold: each is copied and indented by all that it is in, 20 in most pages."""

# The library's types leave out its methods for single elements.
_Base: Any = MarkdownConverter


class Converter(_Base):  # type: ignore[misc]
    """Writes cells as `markdown_table` does; a table within a cell becomes lines of that cell.

    Replaces what the library does in time that grows with the square of the page. Raises `TooMuchText` for
    text that its elements indent again and again.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._work = _MOST_WORK
        self._numbers: dict[int, int] = {}  # those of list items, by identity
        self._with_head: dict[int, bool] = {}

    def process_text(self, el: NavigableString, parent_tags: set[str] | None = None) -> str:
        """Return a text. In long ones blanks are joined first, as they are in the end."""
        if len(el) > _LONG and "pre" not in (parent_tags or ()):
            short = NavigableString(_BLANKS.sub(" ", el))
            short.parent, short.previous_sibling, short.next_sibling = (
                el.parent,
                el.previous_sibling,
                el.next_sibling,
            )
            el = short
        return str(super().process_text(el, parent_tags))

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Return an item of a list, with its number or a dash."""
        text = text.strip()
        if not text:
            return "\n"
        bullet = (
            f"{self._number(el, el.parent)}. " if el.parent is not None and el.parent.name == "ol" else "- "
        )
        lines = text.split("\n")
        indent = " " * len(bullet)
        return bullet + "\n".join([lines[0], *(indent + line if line else "" for line in lines[1:])]) + "\n"

    def _number(self, el: Tag, parent: Tag) -> int:
        if id(el) not in self._numbers:
            start = str(parent.get("start") or "")
            first = int(start) if start.isdecimal() and len(start) < 10 else 1
            items = (child for child in parent.children if _name(child) == "li")
            self._numbers |= {id(item): number for number, item in enumerate(items, first)}
        return self._numbers[id(el)]

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Return a preformatted text in a fence, without blank lines around it."""
        if not text:
            return ""
        ahead = len(text) - len(text.lstrip(" \n"))
        text = text[text.rfind("\n", 0, ahead) + 1 :].rstrip(" \n")
        return f"\n\n```\n{text}\n```\n\n"

    def convert_video(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Return a video's link."""
        return text if "video" in parent_tags else str(super().convert_video(el, text, parent_tags))

    def convert_tr(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Return a row, with the rule of a header below the first, or an empty header above it."""
        row = f"|{text}\n"
        if el.find_previous_sibling() is not None or el.parent is None:
            return row
        within = [tag for tag in islice(el.descendants, _MOST_WITHIN) if _name(tag) in _CELLS]
        columns = sum(map(_columns, within))
        empty = "| " + " | ".join([""] * columns) + " |\n"
        rule = "| " + " | ".join(["---"] * columns) + " |\n"
        parent = el.parent
        is_head = all(_name(tag) == "th" for tag in within) or (
            parent.name == "thead" and len(parent.find_all("tr", limit=2)) == 1
        )
        if is_head or parent.name != "tbody" or not self._has_head(parent.parent):
            return row + rule
        return empty + rule + row if parent.find_previous_sibling() is None else row

    def _has_head(self, table: Tag | None) -> bool:
        if id(table) not in self._with_head:
            self._with_head[id(table)] = table is not None and table.find("thead") is not None
        return self._with_head[id(table)]

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Return a cell, with the bar after it."""
        text = " ".join(text.split())
        if _CELLS & parent_tags:
            return f"{text}, " if text else ""
        lines = (line.strip() for line in text.split(_BREAK))
        written = cell("\n".join(line for line in lines if line))
        return f" {written} |"

    convert_th = convert_td

    def get_conv_fn(self, tag_name: str) -> Any:
        """Return the function for an element, which in a cell ends lines instead of paragraphs."""
        # The library reads the number of any heading.
        found = super().get_conv_fn(tag_name if len(tag_name) < 20 else "span")
        is_block = found is not None and tag_name in (*_BLOCKS, "br", "tr")

        def convert(el: Tag, text: str, parent_tags: set[str]) -> str:
            self._work -= len(text)
            if self._work < 0:
                raise TooMuchText
            if found is None:
                return text
            if not is_block or not _CELLS & parent_tags:
                return str(found(el, text, parent_tags))
            if tag_name == "br":
                return _BREAK
            if tag_name == "tr":
                return f"{text.removesuffix(', ')}{_BREAK}"
            inner = str(found(el, text, parent_tags)) if tag_name == "li" else text
            return f"{_BREAK}{inner.strip()}{_BREAK}"

        return convert


def _name(element: Any) -> str | None:
    """Return an element's name, `None` for text."""
    return element.name  # type: ignore[no-any-return]


def _columns(cell: Any) -> int:
    """Return how many columns a cell of no table takes: in tables there are cells for the others."""
    span = str(cell.get("colspan", "1"))
    return max(1, min(1000, int(span[:9]))) if span.isdecimal() else 1
