"""Conversion of HTML to markdown: headings, lists, tables, links; no scripts, styles or embedded images."""

from __future__ import annotations

import re

from umwelten.inputs.content import UnsupportedInput, megabytes

MAX_PAGE = 16_000_000
"""Characters of HTML: a page of that size takes half a minute."""

_UNSEEN = ("script", "style", "template", "svg", "head")
_BLANK_LINES = re.compile(r"\n\s*\n\s*\n+")


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
    try:
        body = _body(soup)
    except RecursionError:
        body = soup.get_text("\n", strip=True)  # elements nested hundreds deep: the text alone
    return f"# {title}\n\n{body}" if title and title not in body[:500] else body


def _body(soup: object) -> str:
    from markdownify import MarkdownConverter

    converter = MarkdownConverter(
        heading_style="ATX", bullets="-", table_infer_header=True, escape_misc=False, escape_underscores=False
    )
    text: str = converter.convert_soup(soup)
    return _BLANK_LINES.sub("\n\n", text).replace("![]()", "").strip() + "\n"
