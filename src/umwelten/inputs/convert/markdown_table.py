"""Tables in markdown: of spreadsheets, slides, documents and pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from umwelten.inputs.content import MAX_TEXT, UnsupportedInput
from umwelten.inputs.convert.bounds import TooMuchText
from umwelten.phrases import Phrase

_SAVE = "Save the file in a spreadsheet program to send results"
FORMULAS = f"formulas without stored results are sent as formulas. {_SAVE}"
EMPTY_FORMULAS = f"formulas without stored results are empty cells. {_SAVE}"
HIDDEN_SHEETS = "hidden sheets are sent, marked as hidden"

_BAR = re.compile(r"(?<!\\)(\\*+)\|")
_LINE_END = re.compile(r"\r\n|[\r\n\v\f\u0085\u2028\u2029]")


def cell(text: str) -> str:
    """Return a text as it is written in a cell: bars escaped, lines separated by `<br>`.

    Backslashes before a bar are doubled, or they would undo its escape; others stay as they are.
    """
    if "|" in text:
        text = _BAR.sub(lambda match: f"{match[1] * 2}\\|", text)
    return _LINE_END.sub("<br>", text) if not text.isprintable() else text


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return the rows as a table, the first one as its header, without empty columns."""
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell})
    if 3 * len(rows) * len(used) > MAX_TEXT:
        raise TooMuchText  # one wide row makes all others as wide
    lines = [
        "| " + " | ".join(cell(row[column]) if column < len(row) else "" for column in used) + " |"
        for row in rows
    ]
    return "\n".join([lines[0], "|" + " --- |" * len(used), *lines[1:]]) if used else ""


def sheet(
    name: str,
    rows: Sequence[Sequence[str]],
    comments: Sequence[tuple[str, str]] = (),
    *,
    hidden: bool = False,
) -> str:
    """Return a sheet's table under its name, followed by the comments on its cells."""
    parts = [f"## {name}{' (hidden sheet)' * hidden}", table(rows)]
    if comments:
        parts.append("Comments:\n" + "\n".join(f"- {at}: {' '.join(text.split())}" for at, text in comments))
    return "\n\n".join(part for part in parts if part)


def too_much_text(name: str) -> UnsupportedInput:
    """Return the error for a workbook that holds more text than any model can read."""
    return UnsupportedInput(
        Phrase(
            "{name} holds more text than any model can read. Save its sheets as csv and use {option:rows}.",
            name=name,
        )
    )
