"""The converter of HTML elements, with tables whose cells stay cells. Imports the library, which is slow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markdownify import MarkdownConverter

from umwelten.inputs.convert.markdown_table import cell

if TYPE_CHECKING:
    from bs4 import Tag

_CELLS = {"td", "th"}
_BLOCKS = frozenset(
    ("p", "div", "table", "pre", "blockquote", "article", "section", "dl", "dt", "dd", "li", "caption")
)
_BREAK = "\ue000"  # of the private use area: the end of a line within a cell

# The library's types leave out its methods for single elements.
_Base: Any = MarkdownConverter


class Converter(_Base):  # type: ignore[misc]
    """Writes cells as `markdown_table` does; a table within a cell becomes lines of that cell."""

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
        found = super().get_conv_fn(tag_name)

        def convert(el: Tag, text: str, parent_tags: set[str]) -> str:
            if not _CELLS & parent_tags:
                return str(found(el, text, parent_tags))
            if tag_name == "br":
                return _BREAK
            if tag_name == "tr":
                return f"{text.removesuffix(', ')}{_BREAK}"
            inner = str(found(el, text, parent_tags)) if tag_name == "li" else text
            return f"{_BREAK}{inner.strip()}{_BREAK}"

        return convert if found is not None and tag_name in (*_BLOCKS, "br", "tr") else found
