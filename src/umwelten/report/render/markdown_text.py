"""Pieces of a Markdown report. Foreign text is inert: it is shown, never interpreted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TextIO

from umwelten.text.sanitize import one_line, safe

_CELL = 160
_PUNCTUATION = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_TICKS = re.compile(r"`+")


def cell(text: str, width: int = _CELL) -> str:
    """Foreign text for a table cell or a line of prose: one line, all that Markdown reads escaped."""
    line = one_line(text, width).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _PUNCTUATION.sub(r"\\\g<0>", line)


def code_block(text: str) -> str:
    """Foreign text word for word, in a fence that nothing in it can close."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{safe(text).rstrip()}\n{fence}\n"


def table(
    out: TextIO, head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int | None = None
) -> None:
    rule = ["---" if numbers_from is None or n < numbers_from else "---:" for n in range(len(head))]
    out.write(f"| {' | '.join(head)} |\n| {' | '.join(rule)} |\n")
    for row in rows:
        out.write(f"| {' | '.join(row)} |\n")
    out.write("\n")
