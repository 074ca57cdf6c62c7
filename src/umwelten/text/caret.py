"""Error messages that show the place of a fault in a text."""

from __future__ import annotations

import unicodedata

from umwelten.errors import UsageError
from umwelten.phrases import Phrase, Wording

_WIDTH = 96
"""Columns of the line shown, which fit a terminal with the indent; longer ones are cut around the fault."""
_MOST_BEFORE = 60


def fault(
    text: str,
    offset: int,
    what: str,
    allowed: str | None,
    *,
    origin: Wording = "schema",
    argument: str | None = None,
) -> UsageError:
    """Return the error for a fault at `offset` in `text`: its line with a caret under it.

    `what` is the fault, `allowed` the hint. `origin` names the text: "schema", an option or a file's name.
    The line's number is shown if the text has several.
    """
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line = text[start : len(text) if end < 0 else end]
    number = text.count("\n", 0, start) + 1
    several_lines = "\n" in text.strip()
    place = Phrase("{origin}, line {number}", origin=origin, number=number) if several_lines else origin
    shown, caret = _window(line.rstrip(), offset - start)
    message = Phrase("{place}: {what}\n  {line}\n  {caret}", place=place, what=what, line=shown, caret=caret)
    return UsageError(message, allowed, argument=argument)


def _window(line: str, column: int) -> tuple[str, str]:
    """Return the line, cut to `_WIDTH`, and the line with the caret."""
    before = "".join(map(_visible, line[:column].ljust(column)))
    after = "".join(map(_visible, line[column:]))
    if len(before) + len(after) > _WIDTH:
        before = before if len(before) <= _MOST_BEFORE else "…" + before[1 - _MOST_BEFORE :]
        room = _WIDTH - len(before)
        after = after if len(after) <= room else after[: room - 1] + "…"
    return (before + after).rstrip(), " " * sum(map(_columns, before)) + "^"


def _visible(character: str) -> str:
    """Return the character, or a replacement one column wide for one that would move the cursor."""
    return " " if character == "\t" else character if character.isprintable() else "�"


def _columns(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
