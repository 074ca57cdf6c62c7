"""Error messages that show where in a text the fault is."""

from __future__ import annotations

import unicodedata

from umwelten.errors import UsageError
from umwelten.phrases import Phrase, Wording

_WIDTH = 96
"""Columns of the shown line; more is cut around the fault."""
_BEFORE = 60


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

    `what` is wrong, `allowed` is the hint. `origin` says where the text is from: "schema", an option or a
    file's name. The line's number is given where the text has several.
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
    """The line, cut to a readable width, and the caret's line."""
    before = "".join(map(_visible, line[:column].ljust(column)))
    after = "".join(map(_visible, line[column:]))
    if len(before) + len(after) > _WIDTH:
        before = before if len(before) <= _BEFORE else "…" + before[1 - _BEFORE :]
        room = _WIDTH - len(before)
        after = after if len(after) <= room else after[: room - 1] + "…"
    return (before + after).rstrip(), " " * sum(map(_columns, before)) + "^"


def _visible(character: str) -> str:
    """The character, or a stand-in of one column for what would move a cursor."""
    return " " if character == "\t" else character if character.isprintable() else "�"


def _columns(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
