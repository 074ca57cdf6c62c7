"""HTML as markdown: headings, lists, tables, links; without scripts, styles and embedded pictures."""

from __future__ import annotations

import re

from umwelten.inputs.content import UnsupportedInput, megabytes

MAX_PAGE = 16_000_000
"""Characters of HTML: a page of that size takes half a minute."""

_UNSEEN = ("script", "style", "template", "svg", "head")
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


def markdown(html: str, name: str) -> str:
    """The page's title and body. Errors: `UnsupportedInput`; `ImportError` without markdownify."""
    from bs4 import BeautifulSoup, ProcessingInstruction

    if len(html) > MAX_PAGE:
        raise UnsupportedInput(f"{name} is too large a page ({megabytes(len(html))}) to be read. Split it.")
    if "<" not in html:
        return html
    soup = BeautifulSoup(html, "lxml")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for tag in soup(_UNSEEN):
        tag.decompose()
    for instruction in soup(string=lambda text: isinstance(text, ProcessingInstruction)):
        instruction.extract()
    for picture in soup("img"):
        if str(picture.get("src", "")).startswith("data:"):
            picture["src"] = ""
    try:
        body = _body(soup)
    except RecursionError:
        body = soup.get_text("\n", strip=True)  # elements in elements, hundreds deep: the words alone
    return f"# {title}\n\n{body}" if title and title not in body[:500] else body


def _body(soup: object) -> str:
    from markdownify import MarkdownConverter

    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", table_infer_header=True, escape_misc=False, escape_underscores=False
    )
    text: str = converter.convert_soup(soup)
    return _BLANK_LINES.sub("\n\n", text).replace("![]()", "").strip() + "\n"
