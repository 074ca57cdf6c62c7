"""Pieces of HTML. Whatever is not made by these functions has gone through `text`."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from itertools import repeat

import msgspec

from umwelten.text.sanitize import json_safe, safe

_encoder = msgspec.json.Encoder()


def text(value: str) -> str:
    """Foreign text between tags or inside a quoted attribute; control characters made visible."""
    return html.escape(safe(value))


def embeddable(value: object) -> str:
    """JSON for a script element: without "<" no text in it can end the element, or begin a comment."""
    return json_safe(_encoder.encode(value).decode()).replace("<", "\\u003c")


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    name: str,
    words: int = 1,
    figures: Iterable[Sequence[object]] | None = None,
) -> str:
    """Rows of markup under a head of plain words; the first `words` columns are text, the others figures.

    `figures`: for each row the numbers behind its figures, `None` for one that is not known. The script lets
    a reader sort by them.
    """
    keys = None if figures is None else [[*repeat(None, words), *row] for row in figures]
    body = "".join(
        f"<tr>{''.join(_cell(n, cell, words, keys and keys[m]) for n, cell in enumerate(row))}</tr>\n"
        for m, row in enumerate(rows)
    )
    if not body:
        return ""
    titles = "".join(f'<th scope="col"{_side(n, words)}>{text(title)}</th>' for n, title in enumerate(head))
    sorted_ = "" if keys is None else " data-sortable"
    return (
        f'<div class="scroll"{sorted_} tabindex="0" role="region" aria-label="{text(name)}"><table>'
        f"<thead><tr>{titles}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )


def section(id_: str, title: str, *content: str) -> str:
    """A section with a heading; nothing if it has no content."""
    body = "".join(content)
    return f'<section id="{id_}">\n<h2>{text(title)}</h2>\n{body}</section>\n' if body else ""


def details(title: str, content: str, *, opened: bool = False) -> str:
    """Content that a click on its title shows."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{text(title)}</summary>\n{content}</details>\n"


def _side(n: int, words: int) -> str:
    return "" if n < words else ' class="n"'


def _cell(n: int, markup: str, words: int, keys: Sequence[object] | None) -> str:
    if n == 0:
        return f'<th scope="row">{markup}</th>'
    key = "" if keys is None or n < words else f' data-v="{"" if keys[n] is None else keys[n]}"'
    return f"<td{_side(n, words)}{key}>{markup}</td>"
