"""Conversion of HTML to markdown: headings, lists, tables, links; no scripts, styles or embedded images."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from umwelten.file_types import HTML
from umwelten.inputs.content import UnsupportedInput, megabytes
from umwelten.inputs.convert.bounds import MAX_PAGE_ELEMENTS, too_many_elements

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

    from umwelten.inputs.convert.html_builder import Table

MAX_PAGE = 16_000_000
"""Characters of HTML."""

MAX_EMPTY = 100_000
"""Empty cells that are put where merged cells of a page's tables reach."""

MAX_CELLS = 1_000
"""Cells of a row with merged ones: to put a cell beside others takes time for each of them."""

_FROM_LINE_END = re.compile(r"\n\s*+")


def markdown(html: str, name: str, most: int = MAX_PAGE_ELEMENTS) -> str:
    """Return the title and body of a page of at most so many elements as markdown.

    Raises `UnsupportedInput`, `ImportError`.
    """
    from bs4 import BeautifulSoup

    from umwelten.inputs.convert.html_builder import Builder

    if len(html) > MAX_PAGE:
        raise UnsupportedInput(
            f"{name} is an HTML page too large to be converted ({megabytes(len(html))}). Split it."
        )
    if "<" not in html:
        return html
    if count_elements(html) > most:
        raise too_many_elements(name, HTML.word, most)
    builder = Builder()
    with _no_collection():
        soup = BeautifulSoup(html, builder=builder)
        _spread_merged_cells(soup, builder.tables)
        try:
            body = _body(soup)
        except RecursionError:
            body = soup.get_text("\n", strip=True)  # elements nested hundreds deep: the text alone
    title = builder.title
    return f"# {title}\n\n{body}" if title and title not in body[:500] else body


@contextmanager
def _no_collection() -> Iterator[None]:
    """Look for no cycles: a growing tree, all of which is needed, is looked through a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def count_elements(html: str) -> int:
    """Return about how many elements a page has, at the most. Attributes take a tenth of the time."""
    strays = max(0, html.count("</p") - html.count("<p"))  # the end of a paragraph that never began makes one
    return html.count("<") - html.count("</") + strays + html.count("=") // 10


def _one_blank_line(match: re.Match[str]) -> str:
    """Return white space from the end of a line on, with one blank line in place of several."""
    space = match[0]
    return "\n\n" + space[space.rfind("\n") + 1 :] if space.count("\n") > 2 else space


def _spread_merged_cells(soup: BeautifulSoup, tables: Iterable[Table]) -> None:
    """Put empty cells where a merged cell reaches, so that those after it stay in their columns.

    The first row of a table, which becomes the header, is made as wide as the widest.
    """
    room = MAX_EMPTY
    for table in tables:
        below: dict[int, int] = {}  # how many more rows a cell above reaches into, by column
        widths = [0]
        for row in table.rows:
            column = 0
            cells = row.find_all(("td", "th"), recursive=False)
            if len(cells) > MAX_CELLS and (below or any(_is_merged(each) for each in cells)):
                return  # no table that anybody reads
            for each in cells:
                while column in below:
                    each.insert_before(soup.new_tag("td"))
                    _pass(below, column)
                    column += 1
                wide, high = _span(each, "colspan", 1000), _span(each, "rowspan", len(table.rows))
                room -= wide * high - 1
                if room < 0:
                    return
                if wide > 1:
                    row.insert(row.index(each) + 1, *(soup.new_tag("td") for _ in range(wide - 1)))
                if high > 1:
                    below |= dict.fromkeys(range(column, column + wide), high - 1)
                column += wide
            for at in [at for at in below if at >= column]:
                _pass(below, at)
            widths.append(column)
        for row in table.rows[:1]:
            room -= max(widths) - widths[1]
            if room < 0:
                return
            row.extend([soup.new_tag("td") for _ in range(max(widths) - widths[1])])


def _pass(below: dict[int, int], column: int) -> None:
    """Count one row less that the cell above reaches into."""
    below[column] -= 1
    if not below[column]:
        del below[column]


def _is_merged(each: Tag) -> bool:
    return "colspan" in each.attrs or "rowspan" in each.attrs


def _span(each: Tag, name: str, most: int) -> int:
    value = str(each.attrs.pop(name, "1"))
    return max(1, min(most, int(value[:9]))) if value.isdecimal() else 1


def _body(soup: BeautifulSoup) -> str:
    from umwelten.inputs.convert.html_converter import Converter

    converter = Converter(
        heading_style="ATX", bullets="-", table_infer_header=True, escape_misc=False, escape_underscores=False
    )
    text: str = converter.convert_soup(soup)
    return _FROM_LINE_END.sub(_one_blank_line, text).replace("![]()", "").strip() + "\n"
