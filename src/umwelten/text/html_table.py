"""Small tables in HTML for notebooks. Every text is escaped, and nothing in them is a script or a link."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_LONGEST = 200
_CELL = "text-align:left;vertical-align:top;padding:2px 8px;max-width:40em;white-space:pre-wrap"


def html_table(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    more: str = "",
    *,
    longest: int = _LONGEST,
) -> str:
    """Return a table with a line above and, if there is one, below. Longer cells are cut; `None` is empty."""
    head = "".join(f'<th scope="col" style="{_CELL}">{_text(name)}</th>' for name in headings)
    cells = ("".join(f'<td style="{_CELL}">{_text(cell, longest)}</td>' for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    below = f"<div>{_text(more)}</div>" if more else ""
    header = f"<thead><tr>{head}</tr></thead>" if any(headings) else ""
    return f"<div><div>{_text(caption)}</div><table>{header}<tbody>{body}</tbody></table>{below}</div>"


def html_bar(done: int, total: int, text: str) -> str:
    """Return a bar and a line of text beside it."""
    return (
        f'<div><progress max="{max(total, 1)}" value="{done}" aria-label="calls that ended"'
        f' style="width:16em;vertical-align:middle"></progress> <span>{_text(text)}</span></div>'
    )


def _text(value: object, longest: int = _LONGEST) -> str:
    text = "" if value is None else str(value)
    return escape(text if len(text) <= longest else f"{text[:longest]}…")
