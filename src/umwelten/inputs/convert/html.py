"""Conversion of HTML to markdown: headings, lists, tables, links; no scripts, styles or embedded images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from umwelten.inputs.content import UnsupportedInput, megabytes

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

MAX_PAGE = 16_000_000
"""Characters of HTML: a page of that size takes half a minute."""

MAX_EMPTY = 100_000
"""Empty cells that are put where merged cells of a table reach."""

_UNSEEN = ("script", "style", "template", "svg", "head")
_FROM_LINE_END = re.compile(r"\n\s*+")


def markdown(html: str, name: str) -> str:
    """Return the page's title and body as markdown. Raises `UnsupportedInput`, `ImportError`."""
    from bs4 import BeautifulSoup, ProcessingInstruction

    if len(html) > MAX_PAGE:
        raise UnsupportedInput(
            f"{name} is an HTML page too large to be converted ({megabytes(len(html))}). Split it."
        )
    if "<" not in html:
        return html
    soup = BeautifulSoup(html, "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for tag in soup(_UNSEEN):
        tag.decompose()
    for instruction in soup(string=lambda text: isinstance(text, ProcessingInstruction)):
        instruction.extract()
    for image in soup("img"):
        if str(image.get("src", "")).startswith("data:"):
            image["src"] = ""
    for box in soup("input", type="checkbox"):
        box.replace_with("[x] " if box.has_attr("checked") else "[ ] ")
    for table in soup("table"):
        _spread_merged_cells(soup, table)
    try:
        body = _body(soup)
    except RecursionError:
        body = soup.get_text("\n", strip=True)  # elements nested hundreds deep: the text alone
    return f"# {title}\n\n{body}" if title and title not in body[:500] else body


def _one_blank_line(match: re.Match[str]) -> str:
    """Return white space from the end of a line on, with one blank line in place of several."""
    space = match[0]
    return "\n\n" + space[space.rfind("\n") + 1 :] if space.count("\n") > 2 else space


def _spread_merged_cells(soup: BeautifulSoup, table: Tag) -> None:
    """Put empty cells where a merged cell reaches, so that those after it stay in their columns.

    The first row, which becomes the header, is made as wide as the widest.
    """
    rows = [row for row in table("tr") if row.find_parent("table") is table]
    below: dict[int, int] = {}  # how many more rows a cell above reaches into, by column
    widths, room = [0], MAX_EMPTY
    for row in rows:
        column = 0
        for each in row.find_all(("td", "th"), recursive=False):
            while below.get(column, 0):
                each.insert_before(soup.new_tag("td"))
                below[column] -= 1
                column += 1
            wide, high = _span(each, "colspan", 1000), _span(each, "rowspan", len(rows))
            room -= wide * high - 1
            if room < 0:
                return  # no table that anybody reads
            each.insert_after(*(soup.new_tag("td") for _ in range(wide - 1)))
            below |= dict.fromkeys(range(column, column + wide), high - 1)
            column += wide
        for at in [at for at, more in below.items() if at >= column and more]:
            below[at] -= 1
        widths.append(column)
    for row in rows[:1]:
        row.extend([soup.new_tag("td") for _ in range(max(widths) - widths[1])])


def _span(each: Tag, name: str, most: int) -> int:
    value = str(each.attrs.pop(name, "1"))
    return max(1, min(most, int(value))) if value.isdecimal() else 1


def _body(soup: BeautifulSoup) -> str:
    from umwelten.inputs.convert.html_converter import Converter

    converter = Converter(
        heading_style="ATX", bullets="-", table_infer_header=True, escape_misc=False, escape_underscores=False
    )
    text: str = converter.convert_soup(soup)
    return _FROM_LINE_END.sub(_one_blank_line, text).replace("![]()", "").strip() + "\n"
